/**
 * How the peers of one swarm behave: counts strikes, bans those that give what is not true, and
 * says so in the log. What follows for the chunks that they were asked for is decided by the policy.
 */

import { isMisdeed, PeerFault } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { LogFields } from "../../base/log.ts";
import type { ChunkScheduler } from "./chunk_scheduler.ts";
import type { PeerSource } from "./peer_source.ts";

/** Strikes and bans of one swarm. */
export class PeerPenalties {
  readonly #scheduler: ChunkScheduler;
  readonly #banned = new Set<NodeId>();

  constructor(scheduler: ChunkScheduler) {
    this.#scheduler = scheduler;
  }

  /** A source sent chunks that are not those of the file; it is told, so that it looks at its own. */
  wrongChunks(source: PeerSource, bad: readonly number[]): void {
    this.#warn("a peer sent wrong chunks", source, { chunks: bad.slice(0, 8) });
    this.#strike(source, 1);
    for (const index of bad.slice(0, limits.strikesMax)) {
      source.connection.send({ kind: "bad-chunk", first: index, count: 1 });
    }
  }

  /**
   * One of them was the last chunk. Leaves do not tell how long that is: who gives a wrong one may
   * lie about the size, and then no other chunk will ever show it. Its offer is not believed.
   */
  wrongLastChunk(source: PeerSource): void {
    if (this.#banned.has(source.provider.nodeId)) return;
    this.ban(source, new PeerFault("bad-data", "Dropped: its last chunk is wrong"));
  }

  wrongLeaves(source: PeerSource, fault: PeerFault): void {
    this.#warn("a peer gave leaves that do not make the root", source, { reason: fault.message });
    this.#strike(source, limits.strikesMax);
    this.ban(source, fault);
  }

  /** Only what a source said it has is asked of it; what it lost since, it calls withdrawn. */
  lied(source: PeerSource, { first, count }: ChunkRange): void {
    this.#warn("a peer does not have the chunks that it said it has", source, { first, count });
    this.#strike(source, 1);
    if (source.strikes < limits.strikesMax) return;
    this.ban(source, new PeerFault("bad-data", "Dropped: it lies about what it has"));
  }

  /** The connection of a source ended for its fault. */
  brokeProtocol(source: PeerSource, fault: PeerFault): void {
    if (this.#banned.has(source.provider.nodeId)) return;
    // The next connection may be a good one.
    if (fault.code === "tampered") {
      return this.#warn("what a peer sent was changed on its way", source, {
        reason: fault.message,
      });
    }
    this.#warn("a peer broke the protocol", source, { reason: fault.message });
    this.#strike(source, 1);
    this.ban(source, fault);
  }

  /** Ends the transfer from a source, and lets nothing that its node offers count any more. */
  ban(source: PeerSource, reason: Error): void {
    this.#banned.add(source.provider.nodeId);
    source.connection.close(reason);
    this.#scheduler.tell({ kind: "banned", nodeId: source.provider.nodeId });
    if (reason instanceof PeerFault && !isMisdeed(reason)) return;
    const { context, file: { root } } = this.#scheduler;
    const { host } = source.connection.remote;
    context.misbehaved({ nodeId: source.provider.nodeId, host }, root);
  }

  #strike(source: PeerSource, strikes: number): void {
    source.strikes += strikes;
    this.#scheduler.ledger.struck(source.provider, strikes);
    this.#scheduler.context.struck();
  }

  #warn(message: string, source: PeerSource, fields: LogFields): void {
    const { context: { log }, file: { name, root } } = this.#scheduler;
    const { label: peer, nodeId } = source.provider;
    log.warn(message, { peer, nodeId, name, root, ...fields });
  }
}
