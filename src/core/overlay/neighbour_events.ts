/** What the links are told, what is to be done for them, and how they are shown. Types only. */

import type { HostPort } from "../../base/address.ts";
import type { NodeId } from "../../base/ids.ts";
import type { LanNaming } from "../../wire/host.ts";
import type { MessageOf, Refusal } from "../../wire/messages.ts";
import type { Ban, Misdeed, SeenNode } from "./bans.ts";

/**
 * A link between this node and another, numbered by the owner of the connections; the number never
 * travels. None is given twice in the life of a process, so a stale one means a link that is gone.
 */
export type LinkId = number;

/** The messages that keep links. */
export type LinkMessage = MessageOf<"ping" | "pong" | "bye" | "peers">;

/** A connection whose handshake is complete. */
export interface NewLink {
  readonly link: LinkId;
  readonly nodeId: NodeId;
  /** The other end's address as the connection reports it: an IP address, never a name. */
  readonly host: string;
  readonly port: number;
  /** What `dial` said, where it differs from `host` and `port`: a name that was resolved. */
  readonly dialled?: HostPort;
  /** Where the other node accepts connections; 0: it cannot be reached. */
  readonly listenPort: number;
  /** Whether the other node dialled. */
  readonly inbound: boolean;
  /** Whether it knows QUERY-DONE; by default it does not. */
  readonly saysDone?: boolean;
}

/** What may happen to the links. */
export type NeighboursEvent =
  /**
   * `pinned`: given by a person, rather than learned; `met`: a node was met there before; `namedOnLan`:
   * it comes from packets that anybody on the LAN may send.
   */
  | ({
    readonly kind: "add-address";
    readonly pinned: boolean;
    readonly met?: boolean;
    readonly namedOnLan?: LanNaming;
  } & HostPort)
  /** A person named it, and does so no more; a link that leads there may stay. */
  | ({ readonly kind: "unpin-address" } & HostPort)
  /** Somebody waits for a link: whom this node knows is dialled now, whatever failed before. */
  | { readonly kind: "in-need" }
  /** This machine has other addresses than before. */
  | { readonly kind: "network-changed" }
  | ({ readonly kind: "link-up" } & NewLink)
  /**
   * Also after `close`, where it changes nothing. `faulty`: it broke the protocol; `misdeed`: in a
   * way that counts against its node.
   */
  | {
    readonly kind: "link-down";
    readonly link: LinkId;
    readonly faulty?: boolean;
    readonly misdeed?: Misdeed;
  }
  /** Answers `dial` when no link comes of it. */
  | ({
    readonly kind: "dial-failed";
    readonly refusal?: Refusal;
    /** Who refused, where that is known. */
    readonly nodeId?: NodeId;
  } & HostPort)
  | { readonly kind: "message"; readonly link: LinkId; readonly message: LinkMessage }
  /** Any other message came. */
  | { readonly kind: "heard"; readonly link: LinkId }
  /** A connection of a host broke the protocol, whatever it was for. */
  | { readonly kind: "host-faulty"; readonly host: string }
  /** A node did, over a link or elsewhere, what counts against it. */
  | { readonly kind: "misbehaved"; readonly node: SeenNode; readonly misdeed: Misdeed }
  | { readonly kind: "tick" };

/** Why a node is not wanted as a neighbour. */
export type LinkRefusal = Extract<Refusal, "self" | "banned" | "busy" | "duplicate">;

/** Why a link is closed. "bye": the other end said so first, and needs no BYE. */
export type CloseReason = LinkRefusal | "silent" | "bye";

/** What is to be done for the links. */
export type NeighboursEffect =
  | ({ readonly kind: "dial"; readonly namedOnLan?: LanNaming } & HostPort)
  | { readonly kind: "send"; readonly link: LinkId; readonly message: LinkMessage }
  /** The link is gone for this node at once; the connection shall follow. */
  | { readonly kind: "close"; readonly link: LinkId; readonly reason: CloseReason }
  /** Somebody is kept out from now on. */
  | { readonly kind: "banned"; readonly ban: Ban };

/** A link as it is shown to people. */
export interface LinkReport extends Omit<NewLink, "dialled" | "saysDone"> {
  readonly sinceMs: number;
  readonly heardAtMs: number;
  /** Round trip of the last PING that was answered; null before the first. */
  readonly roundTripMs: number | null;
}

/** An address that a person gave, as it is shown to people. */
export interface PinnedReport extends HostPort {
  /** The node that was last met there; null before any. */
  readonly nodeId: NodeId | null;
  /** Whether there is a link with that node; whether it is being dialled, or is just about to be. */
  readonly isLinked: boolean;
  readonly isDialled: boolean;
}
