/**
 * The peers of one swarm: who joins and leaves, from whom the leaves come, what becomes of what they
 * send. One of them is `peer_source.ts`; how they behave is counted in `peer_penalties.ts`.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { PeerFault } from "../../base/errors.ts";
import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { HASH_BYTES, type NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SourceReport } from "../../core/download/download.ts";
import type { Connection } from "../../net/connection.ts";
import type { Rejection } from "../../wire/messages.ts";
import type { ChunkScheduler } from "./chunk_scheduler.ts";
import { LeafFetch } from "./leaf_fetch.ts";
import { PeerPenalties } from "./peer_penalties.ts";
import { type PeerSink, PeerSource } from "./peer_source.ts";

/** A holder as it comes to a swarm. */
export interface SwarmHolder {
  readonly nodeId: NodeId;
  /** Address for people. */
  readonly peer: string;
  readonly whole: boolean;
  /** First page of its bitfield when not whole. */
  readonly bitfield: Uint8Array;
}

/** The peers that give chunks of one file. */
export class SwarmPeers implements PeerSink {
  readonly #scheduler: ChunkScheduler;
  readonly #sources = new Map<number, PeerSource>();
  readonly #penalties: PeerPenalties;
  readonly #leaves: LeafFetch<PeerSource>;
  #hadAny = false;
  /** Whether one is gone that did not say that it has the file no more: it may come back. */
  #isAnyMissing = false;

  constructor(scheduler: ChunkScheduler) {
    this.#scheduler = scheduler;
    this.#leaves = new LeafFetch(chunkCount(scheduler.file.sizeBytes), scheduler.download);
    this.#penalties = new PeerPenalties(scheduler);
  }

  /** Whether anybody ever gave, or was to give, chunks. */
  get hadAny(): boolean {
    return this.#hadAny;
  }

  /** Whether all are gone, and each said that it offers the file no more. */
  get areWithdrawn(): boolean {
    return this.#hadAny && this.#sources.size === 0 && !this.#isAnyMissing;
  }

  get size(): number {
    return this.#sources.size;
  }

  hasNode(nodeId: NodeId): boolean {
    for (const source of this.#sources.values()) if (source.provider.nodeId === nodeId) return true;
    return false;
  }

  /** Whether the leaves are here, or may be expected from anybody. */
  get areLeavesComing(): boolean {
    return this.#scheduler.download.hasLeaves || this.#leaves.isAnswering(this.#nowMs());
  }

  /** What the policy knows of those who do not stall. */
  get giving(): SourceReport[] {
    return this.#scheduler.states.filter(({ source, snubbed }) =>
      !snubbed && this.#sources.has(source)
    );
  }

  /** Whether this node's own rate holds any of them back. */
  get areHeld(): boolean {
    for (const { pace } of this.#sources.values()) if (pace.isHeld) return true;
    return false;
  }

  /** Lets one go that has only a part of the file, and nothing to give; false when there is none. */
  makeRoom(): boolean {
    for (const { source: id, inflight } of this.#scheduler.states) {
      const source = this.#sources.get(id);
      if (inflight > 0 || source === undefined || source.have === "all") continue;
      source.connection.close();
      return true;
    }
    return false;
  }

  /**
   * Takes chunks from a holder over `connection` until it ends, which this waits for.
   *
   * @throws {PeerFault} when the holder's bitfield is none of this file.
   */
  async use(connection: Connection, holder: SwarmHolder): Promise<void> {
    const { file: { name, sizeBytes }, context: { log, rates } } = this.#scheduler;
    const have = holder.whole ? "all" : new Bitfield(chunkCount(sizeBytes));
    if (have !== "all") have.addBytes(0, holder.bitfield);
    const { nodeId, peer } = holder;
    const id = this.#scheduler.newSourceId();
    const to = { sink: this.#scheduler, peers: this };
    const pace = rates.flow("download", { host: connection.remote.host, peer: nodeId });
    const who = { id, nodeId, peer };
    const source = new PeerSource(connection, { ...to, ...who, have, pace, byNearness: true });
    this.#hadAny = true;
    this.#sources.set(id, source);
    connection.reserve(readBytes(this.#sources.size));
    log.debug("source joined", { peer, name });
    try {
      this.#scheduler.add(source);
      if (!this.#scheduler.download.hasLeaves) {
        this.#fetchLeaves((nowMs) => this.#leaves.offer(source, nowMs));
      }
      await source.run();
    } finally {
      connection.close();
      this.#gone(source);
    }
  }

  /** The leaves that were here turned out to be damaged: those who are there are asked. */
  leavesLost(): void {
    for (const source of this.#sources.values()) {
      this.#fetchLeaves((nowMs) => this.#leaves.offer(source, nowMs));
    }
  }

  /** Lets time pass: a source that is silent when asked for leaves is left for another. */
  tick(nowMs: number): void {
    if (this.#scheduler.download.hasLeaves) return;
    this.#fetchLeaves(() => this.#leaves.tick(nowMs)?.connection.close());
  }

  // PeerSink: called by the sources as frames come in.

  chunks(source: PeerSource, range: ChunkRange, data: Uint8Array, wrong: readonly number[]): void {
    const isStrike = wrong.length > 0 && this.#scheduler.isAsked(source, range);
    if (isStrike && !this.#scheduler.mayBlame()) return;
    if (isStrike) this.#penalties.wrongChunks(source, wrong);
    this.#scheduler.chunks(source, range, data, wrong);
    const last = chunkCount(this.#scheduler.file.sizeBytes) - 1;
    if (isStrike && wrong.at(-1) === last) this.#penalties.wrongLastChunk(source);
  }

  leaves(source: PeerSource, first: number, hashes: Uint8Array): void {
    if (this.#scheduler.isOver || this.#scheduler.download.hasLeaves) return;
    if (hashes.length % HASH_BYTES !== 0) {
      throw new PeerFault("malformed", "Cannot take leaves: not a whole number of hashes");
    }
    try {
      if (!this.#leaves.take(source, first, hashes, this.#nowMs())) return;
    } catch (error) {
      if (!(error instanceof PeerFault)) return this.#scheduler.fail(error as Error);
      return this.#penalties.wrongLeaves(source, error);
    }
    this.#scheduler.begin();
  }

  leavesArriving(source: PeerSource): void {
    this.#leaves.arriving(source, this.#nowMs());
  }

  has(source: PeerSource, ranges: readonly ChunkRange[]): void {
    const { id, have } = source;
    if (have === "all") return;
    // What comes twice, as the first page of a bitfield does, must not cost twice.
    const news = ranges.filter((range) => have.addRange(range) > 0);
    if (news.length > 0) this.#scheduler.step({ kind: "source-has", source: id, ranges: news });
  }

  rejected(source: PeerSource, range: ChunkRange, rejection: Rejection): void {
    const { file: { name }, context: { log }, hasBegun } = this.#scheduler;
    const peer = source.provider.label;
    const { first, count } = range;
    log.debug("a peer rejected a request", { peer, name, first, count, rejection });
    if (!hasBegun) return this.#fetchLeaves((nowMs) => this.#leaves.rejected(source, nowMs));
    const isAsked = this.#scheduler.classify(source, range) !== "unasked";
    this.#scheduler.passed(source, range);
    if (isAsked && rejection === "not-had") this.#penalties.lied(source, range);
  }

  dropped(source: PeerSource, reason: "bad-data" | "silent"): void {
    const isBad = reason === "bad-data";
    const what = isBad ? "dropped: it gave wrong chunks" : "dropped: it is silent";
    this.#scheduler.tell({ kind: "noted", provider: source.provider, what });
    if (isBad) this.#penalties.ban(source, new PeerFault("bad-data", `Dropped: ${reason}`));
    else source.connection.close();
  }

  #gone(source: PeerSource): void {
    this.#sources.delete(source.id);
    this.#isAnyMissing ||= !source.isWithdrawn;
    const { reason } = source.connection;
    if (this.#scheduler.isOver) return;
    if (reason instanceof PeerFault) this.#penalties.brokeProtocol(source, reason);
    this.#scheduler.context.log.debug("source left", {
      peer: source.provider.label,
      name: this.#scheduler.file.name,
      reason: reason === undefined ? "closed" : reason.message,
    });
    this.#fetchLeaves((nowMs) => this.#leaves.leave(source, nowMs));
    this.#scheduler.remove(source);
    if (this.#sources.size === 0) this.#scheduler.tell({ kind: "needs-sources" });
  }

  /** Does something about the leaf layer; a disk that refuses ends the swarm. */
  #fetchLeaves(work: (nowMs: number) => void): void {
    try {
      work(this.#nowMs());
    } catch (error) {
      this.#scheduler.fail(error as Error);
    }
  }

  #nowMs(): number {
    return this.#scheduler.context.clock.nowMs();
  }
}

/** Read buffer for a source when `sources` share what may be in flight. */
function readBytes(sources: number): number {
  return sources <= 2 ? limits.transferReadBytes : limits.transferReadBytes / 2;
}
