/**
 * How many bytes of files came from each node, and went to it, over all runs: in memory, and in the
 * catalogue with the statistics. So many nodes are remembered; the one that gave or took nothing for
 * longest goes. Within a network any node can call itself by any id.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Catalogue, PeerTotal } from "./catalogue.ts";

/** What passed between this node and another one. */
interface PeerBytes {
  readonly nodeId: NodeId;
  /** Where it is, as HOST:PORT. */
  readonly peer: string;
  readonly bytesHad?: number;
  readonly bytesGiven?: number;
}

/** The totals of one store. */
export class PeerTotals {
  /** The one that gave or took last is the newest. */
  readonly #totals = new BoundedMap<NodeId, PeerTotal>(limits.peerTotalsMax);
  /** Nodes that the catalogue does not know as they are. */
  readonly #unwritten = new Set<NodeId>();

  /** @param known The one that gave or took last comes last. */
  constructor(known: Iterable<PeerTotal> = []) {
    for (const one of known) this.#totals.set(one.nodeId, one);
  }

  of(nodeId: NodeId): PeerTotal | undefined {
    return this.#totals.get(nodeId);
  }

  /** All that are remembered, the one that gave or took last first. */
  all(): PeerTotal[] {
    return [...this.#totals.values()].reverse();
  }

  /** Bytes came from a node, or went to it. */
  add({ nodeId, peer, bytesHad = 0, bytesGiven = 0 }: PeerBytes, unixMs: number): void {
    if (bytesHad + bytesGiven === 0) return;
    const before = this.#totals.get(nodeId);
    this.#totals.set(nodeId, {
      nodeId,
      peer,
      bytesHad: (before?.bytesHad ?? 0) + bytesHad,
      bytesGiven: (before?.bytesGiven ?? 0) + bytesGiven,
      lastUnixMs: unixMs,
    });
    this.#unwritten.add(nodeId);
  }

  /** Writes what has changed. @throws {EnvironmentError} */
  flush(catalogue: Catalogue): void {
    if (this.#unwritten.size === 0) return;
    const changed = [...this.#unwritten].flatMap((nodeId) => this.#totals.get(nodeId) ?? []);
    catalogue.putPeerTotals(changed, { keptMax: limits.peerTotalsMax });
    this.#unwritten.clear();
  }
}
