/**
 * The peers of one swarm: who joins and leaves, from whom the leaves come, what becomes of what they
 * send. One of them is `source.ts`; how they behave is counted in `peer_penalties.ts`.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { messageOf, PeerFault } from "../../base/errors.ts";
import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { HASH_BYTES, type NodeId } from "../../base/ids.ts";
import type { FrameClass, SourceReport } from "../../core/download/download.ts";
import type { Connection } from "../../net/connection.ts";
import type { Rejection } from "../../wire/messages.ts";
import { PeerPenalties } from "./peer_penalties.ts";
import { LeafFetch } from "./leaf_fetch.ts";
import { PeerSource, type PeerSourceObserver, sourceReadBytes } from "./peer_source.ts";
import type { SwarmCore } from "./swarm_core.ts";
import type { Holder } from "./swarm_observer.ts";
import { cut, runsBetween } from "./swarm_runs.ts";

/** The peers that give chunks of one file. */
export class SwarmPeers implements PeerSourceObserver {
  readonly #core: SwarmCore;
  readonly #sources = new Map<number, PeerSource>();
  readonly #penalties: PeerPenalties;
  readonly #leaves: LeafFetch;
  /** What partial holders have; a source that is not here has everything. */
  readonly #partial = new Map<number, Bitfield>();
  /** Sources that wait until the policy begins. */
  readonly #waiting = new Set<number>();
  #hadAny = false;

  constructor(core: SwarmCore) {
    this.#core = core;
    const { file, download, host, contributions } = core;
    this.#leaves = new LeafFetch(chunkCount(file.sizeBytes), download);
    this.#penalties = new PeerPenalties({
      file,
      contributions,
      log: host.log,
      struck: () => host.struck(),
      banned: ({ nodeId, connection }, { isWrong }) => {
        core.tell((observer) => observer.banned(nodeId));
        if (isWrong) host.misbehaved?.({ nodeId, host: connection.remote.host }, file.root);
      },
    });
  }

  /** Whether anybody ever gave, or was to give, chunks. */
  get hadAny(): boolean {
    return this.#hadAny;
  }

  get size(): number {
    return this.#sources.size;
  }

  get(id: number): PeerSource | undefined {
    return this.#sources.get(id);
  }

  hasNode(nodeId: NodeId): boolean {
    for (const source of this.#sources.values()) if (source.nodeId === nodeId) return true;
    return false;
  }

  [Symbol.iterator](): IterableIterator<PeerSource> {
    return this.#sources.values();
  }

  /** Whether the leaves are here, or may be expected from anybody. */
  areLeavesComing(nowMs: number): boolean {
    return this.#core.download.hasLeaves || this.#leaves.isAnswering(nowMs);
  }

  /** What the policy knows of those who do not stall. */
  giving(): SourceReport[] {
    return this.#core.states().filter(({ source, snubbed }) =>
      !snubbed && this.#sources.has(source)
    );
  }

  /** Lets one go that has only a part of the file, and nothing to give; false when there is none. */
  makeRoom(): boolean {
    const idle = this.#core.states().find(({ source, inflight }) =>
      inflight === 0 && this.#partial.has(source)
    );
    const source = idle === undefined ? undefined : this.#sources.get(idle.source);
    source?.connection.close();
    return source !== undefined;
  }

  /**
   * Takes chunks from a holder over `connection` until it ends, which this waits for.
   *
   * @throws {PeerFault} when the holder's bitfield is none of this file.
   */
  async use(connection: Connection, holder: Holder): Promise<void> {
    const { file, host } = this.#core;
    const have = holder.whole ? undefined : new Bitfield(chunkCount(file.sizeBytes));
    have?.addBytes(0, holder.bitfield);
    const source = new PeerSource(this, connection, {
      id: this.#core.newSourceId(),
      nodeId: holder.nodeId,
      peer: holder.peer,
      sizeBytes: file.sizeBytes,
      hasher: host.hasher,
    });
    this.#hadAny = true;
    if (have !== undefined) this.#partial.set(source.id, have);
    this.#sources.set(source.id, source);
    connection.reserve(sourceReadBytes(this.#sources.size));
    host.log.debug("source joined", { peer: source.peer, name: file.name });
    try {
      if (this.#core.hasBegun()) this.#join(source.id);
      else {
        this.#waiting.add(source.id);
        if (!this.#core.download.hasLeaves) {
          this.#fetchLeaves((nowMs) => this.#leaves.offer(source, nowMs));
        }
      }
      await source.run();
    } finally {
      connection.close();
      this.#gone(source);
    }
  }

  /** The policy has begun: those who are here already can be asked now. */
  begun(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const id of waiting) this.#join(id);
  }

  /** Lets time pass: whoever is silent when asked for leaves is left for another. */
  tick(nowMs: number): void {
    if (this.#core.download.hasLeaves) return;
    this.#fetchLeaves(() => (this.#leaves.tick(nowMs) as PeerSource | null)?.connection.close());
  }

  /** The policy takes a source for lost. */
  drop(source: PeerSource, reason: "bad-data" | "silent"): void {
    const isBad = reason === "bad-data";
    const what = isBad ? "dropped: it gave wrong chunks" : "dropped: it is silent";
    this.#core.tell((observer) => observer.noted?.(source.provider, what));
    if (isBad) this.#penalties.ban(source, new PeerFault("bad-data", `Dropped: ${reason}`));
    else source.connection.close();
  }

  /** The swarm is over: says goodbye to all. */
  end(reason: string): void {
    for (const { connection } of this.#sources.values()) {
      connection.send({ kind: "bye", reason });
      connection.closeAfterWriting().catch((error) =>
        this.#core.host.log.debug("cannot say bye", { error: messageOf(error) })
      );
    }
  }

  // SourceObserver: called by the sources as frames come in.

  classify(source: PeerSource, range: ChunkRange): FrameClass {
    return this.#core.classify(source, range);
  }

  leafDigits(range: ChunkRange): string {
    return this.#core.leafDigits(range);
  }

  arriving({ id: source }: PeerSource, bytes: number): void {
    this.#core.step({ kind: "arriving", source, bytes });
  }

  chunks(source: PeerSource, range: ChunkRange, data: Uint8Array, bad: readonly number[]): void {
    if (this.#core.isOver()) return;
    // It may have been cancelled while it came, because another source was sooner.
    if (this.classify(source, range) !== "asked") return this.passed(source, range);
    if (bad.length === 0) return this.#core.good(source, range, { data });
    this.#penalties.wrongChunks(source, bad);
    for (const run of runsBetween(range, bad)) {
      this.#core.good(source, run, { data: cut(data, range.first, run), frame: range });
    }
    for (const index of bad) {
      const one = { first: index, count: 1 };
      this.#core.step({ kind: "chunks-bad", source: source.id, range: one, frame: range });
    }
    const { sizeBytes } = this.#core.file;
    if (bad.at(-1) === chunkCount(sizeBytes) - 1) this.#penalties.wrongLastChunk(source);
  }

  passed({ id: source }: PeerSource, range: ChunkRange): void {
    this.#core.step({ kind: "rejected", source, range });
  }

  leaves(source: PeerSource, first: number, hashes: Uint8Array): void {
    if (this.#core.isOver() || this.#core.download.hasLeaves) return;
    if (hashes.length % HASH_BYTES !== 0) {
      throw new PeerFault("malformed", "Cannot take leaves: not a whole number of hashes");
    }
    try {
      if (!this.#leaves.take(source, first, hashes, performance.now())) return;
    } catch (error) {
      if (!(error instanceof PeerFault)) return this.#core.fail(error as Error);
      return this.#penalties.wrongLeaves(source, error);
    }
    this.#core.begin();
  }

  leavesArriving(source: PeerSource): void {
    this.#leaves.arriving(source, performance.now());
  }

  has(source: PeerSource, ranges: readonly ChunkRange[]): void {
    const known = this.#partial.get(source.id);
    if (known === undefined) return;
    // What comes twice, as the first page of a bitfield does, must not cost twice.
    const news = ranges.filter((range) => known.addRange(range) > 0);
    if (news.length > 0 && !this.#waiting.has(source.id)) {
      this.#core.step({ kind: "source-has", source: source.id, ranges: news });
    }
  }

  rejected(source: PeerSource, range: ChunkRange, rejection: Rejection): void {
    const { file, host } = this.#core;
    host.log.debug("a peer rejected a request", {
      peer: source.peer,
      name: file.name,
      first: range.first,
      count: range.count,
      rejection,
    });
    if (!this.#core.hasBegun()) {
      return this.#fetchLeaves((nowMs) => this.#leaves.rejected(source, nowMs));
    }
    const isAsked = this.classify(source, range) !== "unasked";
    this.passed(source, range);
    if (isAsked && rejection === "not-had") this.#penalties.lied(source, range);
  }

  #join(id: number): void {
    const have = this.#partial.get(id) ?? "all";
    this.#core.step({ kind: "source-joined", source: id, have });
  }

  #gone(source: PeerSource): void {
    this.#sources.delete(source.id);
    this.#waiting.delete(source.id);
    this.#partial.delete(source.id);
    const { reason } = source.connection;
    if (this.#core.isOver()) return;
    if (reason instanceof PeerFault) this.#penalties.brokeProtocol(source, reason);
    const { file, host } = this.#core;
    host.log.debug("source left", {
      peer: source.peer,
      name: file.name,
      reason: reason === undefined ? "closed" : reason.message,
    });
    this.#fetchLeaves((nowMs) => this.#leaves.leave(source, nowMs));
    this.#core.step({ kind: "source-left", source: source.id });
    if (this.#sources.size === 0) this.#core.tell((observer) => observer.needsSources());
  }

  /** Does something about the leaf layer; a disk that refuses ends the swarm. */
  #fetchLeaves(work: (nowMs: number) => void): void {
    try {
      work(performance.now());
    } catch (error) {
      this.#core.fail(error as Error);
    }
  }
}
