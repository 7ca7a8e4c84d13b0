/** What the policy of a LAN is told and what it has done. Types only. */

import type { HostPort } from "../../base/address.ts";
import type { LanNaming } from "../../wire/host.ts";
import type { LanQuestion } from "../../wire/lan_packet.ts";

/** One interface in one family of addresses: what is sent there is heard by all who are on it. */
export interface Segment {
  /** Tells it from others: "eth0 IPv4". */
  readonly id: string;
  /** Where others on it can dial this node; none: it is not announced there. */
  readonly addresses: readonly string[];
  /** Whether it was opened anew: what was sent there before may have come to nothing. */
  readonly isFresh?: boolean;
}

/** A node that announced itself. */
export interface AnnouncedNode extends HostPort {
  readonly label: string;
  /** Of the networks whose nodes can dial it. */
  readonly tags: readonly string[];
  /** The host that sent the packet. */
  readonly from: string;
}

/** Where a node listens, and who said so. */
export interface NamedAddress extends HostPort {
  readonly namedOnLan: LanNaming;
}

/** Who asked by itself, and has to be answered so. */
export interface Asker extends HostPort {
  /** Its question, word for word, when it is an old resolver, which does not hear the others. */
  readonly legacy?: Pick<LanQuestion, "id" | "asked"> | undefined;
}

/** What may happen on a LAN. Only packets of hosts that are on the link come here. */
export type LanEvent =
  /** These are the segments from now on. */
  | { readonly kind: "segments"; readonly segments: readonly Segment[] }
  /** Somebody asked for what this node may answer. */
  | {
    readonly kind: "asked";
    readonly segment: string;
    readonly question: Omit<LanQuestion, "id" | "asked" | "kind">;
    readonly from: Asker;
  }
  | { readonly kind: "announced"; readonly segment: string; readonly node: AnnouncedNode }
  /** A host said goodbye for a node. */
  | { readonly kind: "gone"; readonly label: string; readonly from: string }
  /** Time went by; `wakeMs` says when to say so at the latest. */
  | { readonly kind: "tick" }
  /** This node ends. */
  | { readonly kind: "stop" };

/** What is to be done. */
export type LanEffect =
  /** Send what this node is to all, or to one alone. */
  | {
    readonly kind: "announce";
    readonly segment: string;
    readonly withType: boolean;
    readonly to?: Asker;
  }
  | { readonly kind: "ask"; readonly segment: string; readonly known: readonly string[] }
  | { readonly kind: "goodbye"; readonly segment: string }
  /** Here a node of this network listens. */
  | { readonly kind: "found"; readonly address: NamedAddress }
  /** Keep a link with this node, and no longer with the one before; null: with none. */
  | { readonly kind: "keep"; readonly address: NamedAddress | null };

/** A node that was heard, as it is shown to people. */
export interface LanNodeReport extends HostPort {
  readonly label: string;
  /** Whether it is of the network of this node. */
  readonly isOwn: boolean;
  readonly segment: string;
  readonly heardAtMs: number;
}
