/**
 * One file on its way in: the store's download, the policy that shares the work out, and the
 * sources that do it. Fetches subscribe to it; when the last one leaves, what came so far is kept.
 *
 * It carries out what `core/download.ts` decides and tells it what happened. Where sources come
 * from is the affair of the fetch.
 */

import { Bitfield } from "../base/bitfield.ts";
import { messageOf, PeerFault, unreachable } from "../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../base/geometry.ts";
import { HASH_BYTES, type NodeId, type Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import {
  Download,
  type DownloadEffect,
  type DownloadEvent,
  type FrameClass,
} from "../core/download.ts";
import type { Connection } from "../net/connection.ts";
import type { Download as StoreDownload } from "../store/download.ts";
import type { TransferReport } from "../wire/reports.ts";
import type { Rejection } from "../wire/messages.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";
import { Conduct } from "./conduct.ts";
import { Contributions } from "./contributions.ts";
import { LeafFetch } from "./leaf_fetch.ts";
import { formatRanges } from "./ranges.ts";
import { RateMeter } from "./rate_meter.ts";
import { Source, type SourceObserver, sourceReadBytes } from "./source.ts";

/** What a fetch hears of its swarm. */
export interface SwarmObserver {
  /** Chunks were checked and written. */
  gained(range: ChunkRange): void;
  /** Every wanted chunk is there. */
  completed(): void;
  /** The swarm is over: the disk refused, or the file cannot be what it was said to be. */
  failed(error: Error): void;
  /** Missing chunks have no source. */
  needsSources(): void;
  /** A node gave what is not true; nothing else that it offers is to be believed. */
  banned(nodeId: NodeId): void;
}

/** What a swarm needs of the node that it belongs to. */
export interface SwarmHost {
  readonly log: Logger;
  readonly random: Random;
  readonly hasher: ChunkHasher;
  /** A strike was given, for the counters. */
  struck(): void;
}

/** The identity of what a swarm fetches. */
export interface SwarmFile {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
}

/** A holder as it comes to a swarm. */
export interface Holder {
  readonly nodeId: NodeId;
  /** Address for people. */
  readonly peer: string;
  readonly whole: boolean;
  /** First page of its bitfield when not whole. */
  readonly bitfield: Uint8Array;
}

/** All transfers that bring one file in. */
export class Swarm implements SourceObserver {
  readonly file: SwarmFile;
  readonly wanted: ChunkRange;
  readonly download: StoreDownload;
  readonly rate = new RateMeter();
  readonly contributions = new Contributions();
  readonly #host: SwarmHost;
  readonly #hasOwnPath: boolean;
  #inflightBytesMax: number;
  /** There once the leaf layer is: before, no chunk can be asked for. */
  #policy: Download | null = null;
  readonly #sources = new Map<number, Source>();
  readonly #conduct: Conduct;
  readonly #observers = new Set<SwarmObserver>();
  readonly #leaves: LeafFetch;
  /** What partial holders have; a source that is not here has everything. */
  readonly #partial = new Map<number, Bitfield>();
  /** Sources that wait until the policy begins. */
  readonly #waiting = new Set<number>();
  /** Whether the leaves are here and what was found on disk is being looked through, or was. */
  #isBeginning = false;
  #nextSourceId = 1;
  #over = false;
  #checkpointing: Promise<void> | null = null;
  #bytesGood = 0;
  #bytesHad: number;

  constructor(
    host: SwarmHost,
    download: StoreDownload,
    options: {
      readonly file: SwarmFile;
      readonly wanted: ChunkRange;
      readonly inflightBytesMax: number;
      /** Whether the data is written outside the store's own place. */
      readonly hasOwnPath: boolean;
    },
  ) {
    this.#host = host;
    this.#hasOwnPath = options.hasOwnPath;
    this.file = options.file;
    this.wanted = options.wanted;
    this.download = download;
    this.#bytesHad = bytesIn(download.have, options.file.sizeBytes, options.wanted);
    this.#inflightBytesMax = options.inflightBytesMax;
    this.#leaves = new LeafFetch(chunkCount(options.file.sizeBytes), download);
    this.#conduct = new Conduct({
      file: options.file,
      contributions: this.contributions,
      log: host.log,
      struck: () => host.struck(),
      banned: (nodeId) => {
        for (const observer of [...this.#observers]) observer.banned(nodeId);
      },
    });
    host.hasher.prepare(this.bytesTotal);
  }

  /** Whether chunks that are here may be read: the leaves are known and what was found is checked. */
  get hasBegun(): boolean {
    return this.#policy !== null;
  }

  get isComplete(): boolean {
    return this.#policy?.isComplete ?? false;
  }

  /** Whether anybody ever gave, or was to give, chunks. */
  get hadSources(): boolean {
    return this.#nextSourceId > 1;
  }

  get sourceCount(): number {
    return this.#sources.size;
  }

  /** Bytes of the wanted chunks that were there at the start. */
  get bytesHad(): number {
    return this.#bytesHad;
  }

  /** Bytes of the wanted chunks that are here. */
  get bytesDone(): number {
    return this.#bytesHad + this.#bytesGood;
  }

  /** Bytes of the wanted chunks altogether. */
  get bytesTotal(): number {
    return this.wanted.count === 0 ? 0 : rangeBytes(this.file.sizeBytes, this.wanted).length;
  }

  subscribe(observer: SwarmObserver): void {
    this.#observers.add(observer);
  }

  /** Ends the subscription; returns whether nobody is left. */
  unsubscribe(observer: SwarmObserver): boolean {
    this.#observers.delete(observer);
    return this.#observers.size === 0;
  }

  hasSource(nodeId: NodeId): boolean {
    for (const source of this.#sources.values()) if (source.nodeId === nodeId) return true;
    return false;
  }

  /** Whether nobody who could give what is missing is giving it. */
  get needsSources(): boolean {
    if (this.#over) return false;
    if (this.#policy !== null) return this.#policy.needsSources;
    return !this.download.hasLeaves && !this.#leaves.isAnswering(performance.now());
  }

  /** Whether another source would be of use. */
  get wantsSources(): boolean {
    return !this.#over && !this.isComplete && this.#sources.size < limits.sourcesMax;
  }

  /** Begins; completes at once when nothing is missing. Without leaves it waits for a source. */
  start(): void {
    if (this.download.hasLeaves && this.#policy === null) this.#begin();
  }

  /**
   * Makes room for one more source when all places are taken by such as have nothing to give; false
   * when every one of them is of use.
   */
  makeRoom(): boolean {
    if (this.#over || this.#policy === null || !this.needsSources) return false;
    const idle = this.#policy.sources().find(({ source, inflight }) =>
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
  async useSource(connection: Connection, holder: Holder): Promise<void> {
    if (this.#over) return connection.close();
    const have = holder.whole ? undefined : new Bitfield(chunkCount(this.file.sizeBytes));
    have?.addBytes(0, holder.bitfield);
    const source = new Source(this, connection, {
      id: this.#nextSourceId++,
      nodeId: holder.nodeId,
      peer: holder.peer,
      sizeBytes: this.file.sizeBytes,
      hasher: this.#host.hasher,
    });
    if (have !== undefined) this.#partial.set(source.id, have);
    this.#sources.set(source.id, source);
    connection.reserve(sourceReadBytes(this.#sources.size));
    this.#host.log.debug("source joined", { peer: source.peer, name: this.file.name });
    try {
      if (this.#policy !== null) this.#join(source);
      else {
        this.#waiting.add(source.id);
        if (!this.download.hasLeaves) {
          this.#fetchLeaves((nowMs) => this.#leaves.offer(source, nowMs));
        }
      }
      await source.run();
    } finally {
      connection.close();
      this.#gone(source);
    }
  }

  /** Lets time pass: snubbing, checkpoints. */
  tick(nowMs: number): void {
    if (this.#over) return;
    this.rate.add(this.#bytesGood, nowMs);
    if (!this.download.hasLeaves) {
      this.#fetchLeaves(() => (this.#leaves.tick(nowMs) as Source | null)?.connection.close());
    }
    this.#step({ kind: "tick" }, nowMs);
    if (this.#checkpointing === null && this.download.checkpointDue(nowMs)) {
      this.#checkpointing = this.download.checkpoint()
        .catch((error) => this.fail(error as Error))
        .finally(() => this.#checkpointing = null);
    }
  }

  setBudget(inflightBytesMax: number): void {
    this.#inflightBytesMax = inflightBytesMax;
    this.#step({ kind: "budget", inflightBytesMax });
  }

  /** Stops all transfers and keeps what came, as of now. */
  async suspend(): Promise<void> {
    this.#end("the fetch was stopped");
    await this.#checkpointing;
    // In a file of somebody else's choosing, holes would look like data.
    await this.download.suspend({ cutToPrefix: this.#hasOwnPath });
  }

  /** Stops all transfers and throws away what came. */
  async discard(): Promise<void> {
    this.#end("the fetch was given up");
    await this.#checkpointing;
    await this.download.discard();
  }

  /** Ends the transfers of a complete file and gives it its place. */
  async finish(): Promise<void> {
    this.#end("the file is complete");
    await this.#checkpointing;
    if (this.download.have.isFull) await this.download.finish();
    else await this.download.suspend();
  }

  /** Ends everything because it cannot go on. */
  fail(error: Error): void {
    if (this.#over) return;
    this.#end("the fetch failed");
    for (const observer of [...this.#observers]) observer.failed(error);
  }

  report(): TransferReport {
    const rates = new Map(this.#policy?.sources().map((state) => [state.source, state]));
    return {
      root: this.file.root,
      name: this.file.name,
      sizeBytes: this.file.sizeBytes,
      bytesDone: this.bytesDone,
      bytesPerSecond: Math.round(this.rate.bytesPerSecond),
      have: formatRanges(this.download.have),
      sources: [...this.#sources.values()].map((source) => ({
        peer: source.peer,
        nodeId: source.nodeId,
        bytes: source.bytesGood,
        bytesPerSecond: Math.round(rates.get(source.id)?.rateBytesPerSecond ?? 0),
        strikes: source.strikes,
        snubbed: rates.get(source.id)?.snubbed ?? false,
      })),
    };
  }

  // SourceObserver: called by the sources as frames come in.

  classify(source: Source, range: ChunkRange): FrameClass {
    return this.#policy?.classify(source.id, range) ?? "unasked";
  }

  leafDigits(range: ChunkRange): string {
    try {
      return this.download.leaf().hexOf(range);
    } catch (error) {
      // Without the leaves no source is of use, and none is to blame.
      this.fail(error as Error);
      throw error;
    }
  }

  arriving(source: Source, bytes: number): void {
    this.#step({ kind: "arriving", source: source.id, bytes });
  }

  chunks(source: Source, range: ChunkRange, data: Uint8Array, bad: readonly number[]): void {
    if (this.#over) return;
    // It may have been cancelled while it came, because another source was sooner.
    if (this.classify(source, range) !== "asked") return this.passed(source, range);
    if (bad.length === 0) return this.#good(source, range, { data });
    this.#conduct.wrongChunks(source, bad);
    const frameOffset = rangeBytes(this.file.sizeBytes, range).offset;
    let first = range.first;
    for (const index of [...bad, range.first + range.count]) {
      const run = { first, count: index - first };
      first = index + 1;
      if (run.count === 0) continue;
      const { offset, length } = rangeBytes(this.file.sizeBytes, run);
      const start = offset - frameOffset;
      this.#good(source, run, { data: data.subarray(start, start + length), frame: range });
    }
    for (const index of bad) {
      const one = { first: index, count: 1 };
      this.#step({ kind: "chunks-bad", source: source.id, range: one, frame: range });
    }
    if (bad.at(-1) === chunkCount(this.file.sizeBytes) - 1) this.#conduct.wrongLastChunk(source);
  }

  passed(source: Source, range: ChunkRange): void {
    this.#step({ kind: "rejected", source: source.id, range });
  }

  leaves(source: Source, first: number, hashes: Uint8Array): void {
    if (this.#over || this.download.hasLeaves) return;
    if (hashes.length % HASH_BYTES !== 0) {
      throw new PeerFault("malformed", "Cannot take leaves: not a whole number of hashes");
    }
    try {
      if (!this.#leaves.take(source, first, hashes, performance.now())) return;
    } catch (error) {
      if (!(error instanceof PeerFault)) return this.fail(error as Error);
      return this.#conduct.wrongLeaves(source, error);
    }
    this.#begin();
  }

  leavesArriving(source: Source): void {
    this.#leaves.arriving(source, performance.now());
  }

  has(source: Source, ranges: readonly ChunkRange[]): void {
    const known = this.#partial.get(source.id);
    if (known === undefined) return;
    // What comes twice, as the first page of a bitfield does, must not cost twice.
    const news = ranges.filter((range) => known.addRange(range) > 0);
    if (news.length > 0 && !this.#waiting.has(source.id)) {
      this.#step({ kind: "source-has", source: source.id, ranges: news });
    }
  }

  rejected(source: Source, range: ChunkRange, rejection: Rejection): void {
    this.#host.log.debug("a peer rejected a request", {
      peer: source.peer,
      name: this.file.name,
      first: range.first,
      count: range.count,
      rejection,
    });
    if (this.#policy === null) {
      return this.#fetchLeaves((nowMs) => this.#leaves.rejected(source, nowMs));
    }
    const isAsked = this.classify(source, range) !== "unasked";
    this.#step({ kind: "rejected", source: source.id, range });
    if (isAsked && rejection === "not-had") this.#conduct.lied(source, range);
  }

  /** The leaves are here: looks through bytes found on disk, then lets the policy work. */
  #begin(): void {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    const { download } = this;
    if (download.unverifiedBytes === 0 || download.have.count > 0) return this.#decide();
    download.recheck().then(
      () => this.#over || this.#decide(),
      (error) => this.fail(error as Error),
    );
  }

  #decide(): void {
    this.#bytesHad = bytesIn(this.download.have, this.file.sizeBytes, this.wanted);
    this.#policy = new Download({
      sizeBytes: this.file.sizeBytes,
      wanted: this.wanted,
      have: this.download.have,
      inflightBytesMax: this.#inflightBytesMax,
      random: this.#host.random,
    });
    if (this.#bytesHad > 0) {
      for (const range of this.download.have.ranges()) {
        for (const observer of this.#observers) observer.gained(range);
      }
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const id of waiting) this.#join(this.#sources.get(id)!);
    this.#step({ kind: "tick" });
  }

  /** Does something about the leaf layer; a disk that refuses ends the swarm. */
  #fetchLeaves(work: (nowMs: number) => void): void {
    try {
      work(performance.now());
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #good(
    source: Source,
    range: ChunkRange,
    { data, frame }: { readonly data: Uint8Array; readonly frame?: ChunkRange },
  ): void {
    if (this.#over) return;
    // In the end game a frame may bring chunks that another source was sooner with.
    const news = this.download.have.missingRuns(range);
    try {
      this.download.writeRun(range.first, data);
    } catch (error) {
      // The disk's fault: the source did nothing wrong, but no source can help either.
      return this.fail(error as Error);
    }
    for (const run of news) {
      const bytes = rangeBytes(this.file.sizeBytes, run).length;
      source.bytesGood += bytes;
      this.#bytesGood += bytes;
      this.contributions.add(source, { bytes });
      for (const observer of this.#observers) observer.gained(run);
    }
    const part = frame === undefined ? {} : { frame };
    this.#step({ kind: "chunks-good", source: source.id, range, ...part });
  }

  #join(source: Source): void {
    const have = this.#partial.get(source.id) ?? "all";
    this.#step({ kind: "source-joined", source: source.id, have });
  }

  #gone(source: Source): void {
    this.#sources.delete(source.id);
    this.#waiting.delete(source.id);
    this.#partial.delete(source.id);
    const reason = source.connection.reason;
    if (this.#over) return;
    if (reason instanceof PeerFault) this.#conduct.brokeProtocol(source, reason);
    this.#host.log.debug("source left", {
      peer: source.peer,
      name: this.file.name,
      reason: reason === undefined ? "closed" : reason.message,
    });
    this.#fetchLeaves((nowMs) => this.#leaves.leave(source, nowMs));
    this.#step({ kind: "source-left", source: source.id });
    if (this.#sources.size === 0) {
      for (const observer of [...this.#observers]) observer.needsSources();
    }
  }

  #step(event: DownloadEvent, nowMs = performance.now()): void {
    if (this.#over || this.#policy === null) return;
    this.#apply(this.#policy.step(event, nowMs));
  }

  #apply(effects: readonly DownloadEffect[]): void {
    for (const effect of effects) {
      if (this.#over) return;
      switch (effect.kind) {
        case "request":
          this.#sources.get(effect.source)?.request(effect.range);
          break;
        case "cancel":
          this.#sources.get(effect.source)?.cancel(effect.range);
          break;
        case "strike":
          // Counted and logged when the wrong chunk came.
          break;
        case "snubbed":
          this.#host.log.info("a source stalls; its chunks are asked elsewhere", {
            peer: this.#sources.get(effect.source)?.peer,
            name: this.file.name,
          });
          break;
        case "drop": {
          const source = this.#sources.get(effect.source);
          if (source === undefined) break;
          const bad = effect.reason === "bad-data";
          const fault = new PeerFault(bad ? "bad-data" : "silent", `Dropped: ${effect.reason}`);
          if (bad) this.#conduct.ban(source, fault);
          else source.connection.close();
          break;
        }
        case "need-sources":
          for (const observer of [...this.#observers]) observer.needsSources();
          break;
        case "complete":
          for (const observer of [...this.#observers]) observer.completed();
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const source of this.#sources.values()) {
      source.connection.send({ kind: "bye", reason });
      source.connection.closeAfterWriting().catch((error) =>
        this.#host.log.debug("cannot say bye", { error: messageOf(error) })
      );
    }
  }
}

/** Bytes of the chunks of `wanted` that are in `have`. */
function bytesIn(have: Bitfield, sizeBytes: number, wanted: ChunkRange): number {
  if (have.count === 0) return 0;
  let bytes = 0;
  const end = wanted.first + wanted.count;
  for (const range of have.ranges()) {
    const first = Math.max(range.first, wanted.first);
    const count = Math.min(range.first + range.count, end) - first;
    if (count > 0) bytes += rangeBytes(sizeBytes, { first, count }).length;
  }
  return bytes;
}
