/**
 * The holders of what a fetch seeks to which no connection comes about, and why: behind a NAT or a
 * firewall, or of another family of addresses.
 *
 * Rules
 *  1. A holder that accepts no connections is unreached from when it answered by the reverse path,
 *     or a directory (tracker) named it; one that accepts some, from when it was dialled in vain.
 *  2. It is so until it offers something: then a connection came about after all.
 *  3. A bounded number of them is remembered. Their ids are claims until then.
 */

import type { HostPort } from "../../base/address.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { formatAddress } from "../../wire/host.ts";
import type { FileOffer } from "../../wire/structures.ts";
import { type Candidate, candidateKey } from "./candidates.ts";
import { note, type Turn } from "./fetch_events.ts";
import type { UnreachedView } from "./fetch_failures.ts";

/** Why a holder without a port is not reached. */
const ACCEPTS_NONE = "it accepts no connections";

interface UnreachedHolder {
  /** HOST:PORT, or its id where it has none. */
  readonly label: string;
  /** Whether it answered by the reverse path, as one does that cannot connect to this node. */
  cannotCall: boolean;
  /** Null while it may still be reached. */
  reason: string | null;
  /** What it has. */
  file: FileOffer | null;
}

/** The unreached holders of one fetch. */
export class UnreachedHolders {
  readonly #holders = new Map<NodeId, UnreachedHolder>();
  #wasAny = false;
  #sinceMs = Infinity;

  /** Whether there ever was one. */
  get wasAny(): boolean {
    return this.#wasAny;
  }

  /** Since when some are; Infinity while none is. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** The file that most of them have, as one of them offers it; only `followed` if that is given. */
  fileOfMost(followed: Candidate | null): FileOffer | undefined {
    const counts = new Map<string, { readonly file: FileOffer; count: number }>();
    for (const { file, reason } of this.#holders.values()) {
      if (file === null || reason === null) continue;
      const key = candidateKey(file);
      if (followed !== null && followed.key !== key) continue;
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { file, count: 1 });
      else known.count++;
    }
    return [...counts.values()].reduce<{ readonly file: FileOffer; readonly count: number } | null>(
      (most, one) => most === null || one.count > most.count ? one : most,
      null,
    )?.file;
  }

  get view(): Omit<UnreachedView, "relays"> {
    const all = [...this.#holders.values()].filter(({ reason }) => reason !== null);
    return {
      count: all.length,
      holders: all.slice(0, limits.unreachedToldMax)
        .map(({ label, reason }) => ({ holder: label, reason: reason! })),
      cannotCall: all.some(({ cannotCall }) => cannotCall),
    };
  }

  /** A holder became known; `byHit`: it answered by the reverse path. */
  heard(
    turn: Turn,
    { nodeId, address, file, byHit }: {
      readonly nodeId: NodeId;
      readonly address: HostPort;
      readonly file: FileOffer;
      readonly byHit: boolean;
    },
  ): void {
    const holder = this.#holder(nodeId, address);
    if (holder === undefined) return;
    holder.cannotCall ||= byHit;
    holder.file = file;
    if (address.port === 0) this.#isUnreached(turn, holder, ACCEPTS_NONE);
  }

  /** A holder was dialled in vain. */
  failed(turn: Turn, nodeId: NodeId, address: HostPort, reason: string): void {
    const holder = this.#holder(nodeId, address);
    if (holder !== undefined) this.#isUnreached(turn, holder, reason);
  }

  /** Rule 2. */
  reached(nodeId: NodeId): void {
    this.#holders.delete(nodeId);
    if (this.view.count === 0) this.#sinceMs = Infinity;
  }

  #holder(nodeId: NodeId, { host, port }: HostPort): UnreachedHolder | undefined {
    const known = this.#holders.get(nodeId);
    if (known !== undefined) return known;
    if (this.#holders.size >= limits.unreachedMax) return undefined;
    const label = port === 0 ? `node ${nodeId.slice(0, 8)}` : formatAddress(host, port);
    const holder = { label, cannotCall: false, reason: null, file: null };
    this.#holders.set(nodeId, holder);
    return holder;
  }

  #isUnreached(turn: Turn, holder: UnreachedHolder, reason: string): void {
    this.#wasAny = true;
    if (holder.reason === reason) return;
    holder.reason = reason;
    this.#sinceMs = Math.min(this.#sinceMs, turn.nowMs);
    note(turn, `No connection to ${holder.label}, which has it: ${reason}`);
  }
}
