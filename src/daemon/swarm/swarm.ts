/**
 * One file on its way in: the store's download, the policy that shares the work out, and the
 * sources that do it: peers, and mirrors beside them. Fetches subscribe to it; when the last one
 * leaves, what came so far is kept.
 *
 * It carries out what `core/download/download.ts` decides and tells it what happened. What its sources do is
 * dealt with in `swarm_peers.ts` and `swarm_mirrors.ts`; where they come from is the affair of the
 * fetch.
 */

import { unreachable } from "../../base/errors.ts";
import { type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import {
  Download,
  type DownloadEffect,
  type DownloadEvent,
  type FrameClass,
} from "../../core/download/download.ts";
import type { Connection } from "../../net/connection.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import type { PartialDownload } from "../../store/downloads/partial_download.ts";
import type { TransferReport } from "../../wire/reports.ts";
import { Contributions } from "./contributions.ts";
import { HERE, type Provider } from "./provider.ts";
import { RateMeter } from "./rate_meter.ts";
import type { GoodChunks, SwarmCore } from "./swarm_core.ts";
import { SwarmMirrors } from "./swarm_mirrors.ts";
import type { Holder, SwarmFile, SwarmHost, SwarmObserver } from "./swarm_observer.ts";
import { SwarmPeers } from "./swarm_peers.ts";
import { transferReport } from "./swarm_report.ts";
import { bytesIn, cut, runsBetween, wrongChunks } from "./swarm_runs.ts";
import type { ChunkSource } from "./chunk_source.ts";

export type { Holder, SwarmFile, SwarmHost, SwarmObserver } from "./swarm_observer.ts";

/** Stands for what came by another way in what the policy is told: no source has it. */
const FED_ID = 0;

/** All transfers that bring one file in. */
export class Swarm {
  readonly file: SwarmFile;
  readonly wanted: ChunkRange;
  readonly download: PartialDownload;
  readonly rate = new RateMeter();
  readonly contributions = new Contributions();
  readonly #host: SwarmHost;
  readonly #hasOwnPath: boolean;
  #inflightBytesMax: number;
  /** There once the leaf layer is: before, no chunk can be asked for. */
  #policy: Download | null = null;
  readonly #peers: SwarmPeers;
  readonly #mirrors: SwarmMirrors;
  readonly #observers = new Set<SwarmObserver>();
  /** Whether the leaves are here and what was found on disk is being looked through, or was. */
  #isBeginning = false;
  #nextSourceId = 1;
  #over = false;
  #checkpointing: Promise<void> | null = null;
  #bytesGood = 0;
  /** Checked bytes that mirrors were the first to give, fed ones included. */
  #mirrorBytes = 0;
  #bytesHad: number;

  constructor(
    host: SwarmHost,
    download: PartialDownload,
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
    const core = this.#core();
    this.#peers = new SwarmPeers(core);
    this.#mirrors = new SwarmMirrors(core);
    host.hasher.prepare(this.bytesTotal);
  }

  /** Whether chunks that are here may be read: the leaves are known and what was found is checked. */
  get hasBegun(): boolean {
    return this.#policy !== null;
  }

  get hasLeaves(): boolean {
    return this.download.hasLeaves;
  }

  /** Whether all chunks of the file are here. */
  get isFull(): boolean {
    return this.download.have.isFull;
  }

  /** Whether all wanted chunks are here. */
  get isComplete(): boolean {
    return this.#policy?.isComplete ?? false;
  }

  /** Whether any peer ever gave, or was to give, chunks. */
  get hadSources(): boolean {
    return this.#peers.hadAny;
  }

  /** Peers and mirrors that may give chunks now. */
  get sourceCount(): number {
    return this.#peers.size + this.#mirrors.size;
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** How many peers give chunks, or would if they were asked: those that do not stall. */
  get peersGiving(): number {
    return this.#peers.giving().length;
  }

  /** How fast the peers that give chunks are, all together, while something is asked of them. */
  get peersBytesPerSecond(): number {
    return this.#peers.giving().reduce((sum, state) => sum + state.rateBytesPerSecond, 0);
  }

  /** Checked bytes of the wanted chunks that peers were the first to give. */
  get peerBytes(): number {
    return this.#bytesGood - this.#mirrorBytes;
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
    return this.#peers.hasNode(nodeId);
  }

  /** Whether nobody who could give what is missing is giving it. */
  get needsSources(): boolean {
    if (this.#over) return false;
    if (this.#policy !== null) return this.#policy.needsSources;
    return !this.#peers.areLeavesComing(performance.now());
  }

  /** Whether another peer would be of use. */
  get wantsSources(): boolean {
    return !this.#over && !this.isComplete && this.#peers.size < limits.sourcesMax;
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
    return !this.#over && this.hasBegun && this.needsSources && this.#peers.makeRoom();
  }

  /**
   * Takes chunks from a holder over `connection` until it ends, which this waits for.
   *
   * @throws {PeerFault} when the holder's bitfield is none of this file.
   */
  async useSource(connection: Connection, holder: Holder): Promise<void> {
    if (this.#over) return connection.close();
    await this.#peers.use(connection, holder);
  }

  /**
   * Has a mirror give ranges of the file beside the peers, from when the leaves are here; the
   * function that this returns takes it out again.
   */
  joinMirror(mirror: MirrorFile): () => void {
    return this.#over ? () => {} : this.#mirrors.join(mirror);
  }

  /**
   * Takes whole chunks that came by another way than from a source: what matches the leaves is
   * written and counts as given by `provider`. Returns the indices of what does not. All at once, so
   * `data` should be no more than a few megabytes.
   *
   * @throws {RangeError} before {@linkcode hasBegun}, and when `data` is not the chunks of `range`.
   */
  feed(provider: Provider, range: ChunkRange, data: Uint8Array): number[] {
    const { sizeBytes } = this.file;
    if (!this.hasBegun || rangeBytes(sizeBytes, range).length !== data.length) {
      throw new RangeError(
        `Cannot take ${data.length} bytes for chunks ${range.first}+${range.count}`,
      );
    }
    if (this.#over) return [];
    const wrong = wrongChunks(range, data, this.#leafDigits(range));
    for (const right of runsBetween(range, wrong)) {
      for (const run of this.download.have.missingRuns(right)) {
        const source = { id: FED_ID, provider, bytesGood: 0 };
        this.#good(source, run, { data: cut(data, range.first, run) });
      }
    }
    return wrong;
  }

  /** Lets time pass: snubbing, checkpoints. */
  tick(nowMs: number): void {
    if (this.#over) return;
    this.rate.add(this.#bytesGood, nowMs);
    this.#peers.tick(nowMs);
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
    // Before it began, all there is was found there, and others may know what it is.
    await this.download.suspend({ cutToPrefix: this.#hasOwnPath && this.hasBegun });
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
    this.#tell((observer) => observer.failed(error));
  }

  report(): TransferReport {
    return transferReport(this, {
      sources: [...this.#peers, ...this.#mirrors],
      policy: this.#policy,
    });
  }

  /** What the peers and mirrors need of it. */
  #core(): SwarmCore {
    return {
      file: this.file,
      download: this.download,
      host: this.#host,
      contributions: this.contributions,
      hasBegun: () => this.hasBegun,
      isOver: () => this.#over,
      newSourceId: () => this.#nextSourceId++,
      states: () => this.#policy?.sources() ?? [],
      step: (event) => this.#step(event),
      classify: (source, range) => this.#classify(source, range),
      leafDigits: (range) => this.#leafDigits(range),
      good: (source, range, chunks) => this.#good(source, range, chunks),
      begin: () => this.#begin(),
      fail: (error) => this.fail(error),
      tell: (what) => this.#tell(what),
    };
  }

  #classify(source: ChunkSource, range: ChunkRange): FrameClass {
    return this.#policy?.classify(source.id, range) ?? "unasked";
  }

  #leafDigits(range: ChunkRange): string {
    try {
      return this.download.leaf().hexOf(range);
    } catch (error) {
      // Without the leaves no source is of use, and none is to blame.
      this.fail(error as Error);
      throw error;
    }
  }

  /** The leaves are here: looks through bytes found on disk, then lets the policy work. */
  #begin(): void {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    const { download } = this;
    if (download.unverifiedBytes === 0 || download.have.count > 0) return this.#decide();
    download.scrub().then(
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
        for (const observer of this.#observers) observer.gained(range, HERE);
      }
    }
    this.#tell((observer) => observer.begun?.());
    this.#peers.begun();
    this.#mirrors.begun();
    this.#step({ kind: "tick" });
  }

  #good(
    source: Pick<ChunkSource, "id" | "provider" | "bytesGood">,
    range: ChunkRange,
    { data, frame }: GoodChunks,
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
    const { provider } = source;
    for (const run of news) {
      const bytes = rangeBytes(this.file.sizeBytes, run).length;
      source.bytesGood += bytes;
      this.#bytesGood += bytes;
      if (provider.kind === "mirror") this.#mirrorBytes += bytes;
      this.contributions.add(provider, { bytes });
      for (const observer of this.#observers) observer.gained(run, provider);
    }
    const part = frame === undefined ? {} : { frame };
    this.#step({ kind: "chunks-good", source: source.id, range, ...part });
  }

  #source(id: number): ChunkSource | undefined {
    return this.#peers.get(id) ?? this.#mirrors.get(id);
  }

  #tell(what: (observer: SwarmObserver) => void): void {
    for (const observer of [...this.#observers]) what(observer);
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
          this.#source(effect.source)?.request(effect.range);
          break;
        case "cancel":
          this.#source(effect.source)?.cancel(effect.range);
          break;
        case "strike":
          // Counted and logged when the wrong chunk came.
          break;
        case "snubbed":
          this.#snubbed(this.#source(effect.source));
          break;
        case "drop":
          this.#drop(effect.source, effect.reason);
          break;
        case "need-sources":
          this.#tell((observer) => observer.needsSources());
          break;
        case "complete":
          this.#tell((observer) => observer.completed());
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #snubbed(source: ChunkSource | undefined): void {
    if (source === undefined) return;
    const fields = { peer: source.provider.label, name: this.file.name };
    this.#host.log.info("a source stalls; its chunks are asked elsewhere", fields);
    this.#tell((observer) => observer.noted?.(source.provider, "stalls: it is asked for less"));
  }

  #drop(id: number, reason: "bad-data" | "silent"): void {
    const peer = this.#peers.get(id), mirror = this.#mirrors.get(id);
    if (peer !== undefined) this.#peers.drop(peer, reason);
    if (mirror !== undefined) this.#mirrors.drop(mirror);
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#mirrors.end();
    this.#peers.end(reason);
  }
}
