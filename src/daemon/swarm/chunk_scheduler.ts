/**
 * Which chunks of one file are asked of which source, and what came of it: carries out what
 * `core/download/download.ts` decides and tells it what happened, writes right chunks to the
 * store's download, and notes who gave them.
 */

import type { Timer } from "../../base/clock.ts";
import { EnvironmentError, unreachable } from "../../base/errors.ts";
import { bytesWithin, runsBetween } from "../../base/bitfield.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { wrongChunks } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";
import {
  Download,
  type DownloadEffect,
  type DownloadEvent,
  type FrameClass,
  type SourceReport,
} from "../../core/download/download.ts";
import type { DownloadOptions } from "../../core/download/download_events.ts";
import type { PartialDownload } from "../../store/downloads/partial_download.ts";
import type { LeafLayer } from "../../store/hashing/leaf_layer.ts";
import { ChunkCheck } from "./chunk_check.ts";
import { HERE, type Provider } from "./provider.ts";
import type {
  ChunkSink,
  ChunkSource,
  MirrorLoss,
  SwarmContext,
  SwarmEvent,
  SwarmFile,
} from "./swarm_events.ts";
import { TransferLedger } from "./transfer_ledger.ts";

/** Stands for what came by another way in what the policy is told: no source has it. */
const FED_ID = 0;

/** Those that may give chunks now, in the order in which they came; an id is never given twice. */
class SourceTable {
  readonly #sources = new Map<number, ChunkSource>();
  #nextId = FED_ID + 1;

  [Symbol.iterator](): IterableIterator<ChunkSource> {
    return this.#sources.values();
  }

  newId(): number {
    return this.#nextId++;
  }

  get size(): number {
    return this.#sources.size;
  }

  get(id: number): ChunkSource | undefined {
    return this.#sources.get(id);
  }

  add(source: ChunkSource): void {
    this.#sources.set(source.id, source);
  }

  /** False when it was not there. */
  remove({ id }: ChunkSource): boolean {
    return this.#sources.delete(id);
  }

  clear(): void {
    this.#sources.clear();
  }
}

/** How far a swarm is; there is a policy once the leaves are here, since only then can it ask. */
type SchedulerPhase =
  | { readonly kind: "waiting" }
  /** The leaves are here, and what was found on disk is being looked through. */
  | { readonly kind: "checking" }
  | { readonly kind: "running" | "over"; readonly policy: Download }
  | { readonly kind: "over" };

/** Where chunks are written, and what they are checked against. */
interface ChunkStorage extends Pick<PartialDownload, "have" | "unverifiedBytes"> {
  writeRun(firstChunk: number, bytes: Uint8Array): void;
  /** Checks what was found there. */
  scrub(): Promise<unknown>;
  /** Null where nobody knows what a chunk must be: then any is taken. */
  leaf(): Pick<LeafLayer, "hexOf"> | null;
  /** Whether the leaves that are here still make the root; left out where there are none. */
  checkLeavesNow?(): boolean;
}

/** The chunks of one file on their way. */
export class ChunkScheduler<S extends ChunkStorage = PartialDownload> implements ChunkSink {
  readonly file: SwarmFile;
  readonly wanted: ChunkRange;
  readonly download: S;
  readonly context: SwarmContext;
  readonly ledger = new TransferLedger();
  /** Tells all who hear of the swarm. */
  readonly tell: (event: SwarmEvent) => void;
  readonly #sources = new SourceTable();
  #phase: SchedulerPhase = { kind: "waiting" };
  readonly #mayLose: boolean;
  readonly #isDivided: boolean;
  #settled: Timer | null = null;
  /** Sources of which the policy knows that this node's own rate holds them back. */
  readonly #held = new Set<number>();
  /** What all sources may have in flight, and less while this node takes from all at a rate. */
  #inflightBytesMax: number;
  #pacedBytesMax: number;
  #bytesHad: number;

  constructor(
    context: SwarmContext,
    download: S,
    options: {
      readonly file: SwarmFile;
      readonly wanted: ChunkRange;
      readonly inflightBytesMax: number;
      readonly tell: (event: SwarmEvent) => void;
      /** Whether chunks may be missing again when all were there; not by default. */
      readonly mayLose?: boolean;
      /** Whether near nodes that get it too divide what far ones give; not by default. */
      readonly isDivided?: boolean;
    },
  ) {
    this.context = context;
    this.download = download;
    this.file = options.file;
    this.wanted = options.wanted;
    this.tell = options.tell;
    this.#mayLose = options.mayLose ?? false;
    this.#isDivided = options.isDivided ?? false;
    this.#inflightBytesMax = this.#pacedBytesMax = options.inflightBytesMax;
    this.#bytesHad = bytesWithin(download.have, options.file.sizeBytes, options.wanted);
  }

  /** Whether chunks can be asked for: the leaves are here, and what was found is checked. */
  get hasBegun(): boolean {
    return this.#policy !== null;
  }

  get isComplete(): boolean {
    return this.#policy?.isComplete ?? false;
  }

  get isOver(): boolean {
    return this.#phase.kind === "over";
  }

  /** Whether missing chunks have no usable source; false before it has begun. */
  get needsSources(): boolean {
    return this.#policy?.needsSources ?? false;
  }

  /** Bytes of the wanted chunks that were there at the start. */
  get bytesHad(): number {
    return this.#bytesHad;
  }

  /** Those that may give chunks now, in the order in which they came. */
  get sources(): readonly ChunkSource[] {
    return [...this.#sources];
  }

  /** What the policy knows of the sources; nothing before it has begun. */
  get states(): readonly SourceReport[] {
    return this.#policy?.sources() ?? [];
  }

  /** An id for a source; none is given twice. */
  newSourceId(): number {
    return this.#sources.newId();
  }

  /** Takes a source in; before it has begun, the source waits. */
  add(source: ChunkSource): void {
    this.#sources.add(source);
    this.#setBudget();
    this.#join(source);
  }

  /** Nothing more is asked of a source that stays: what it was asked for may still come. */
  leave(source: ChunkSource): void {
    this.#sources.remove(source);
  }

  /** Asks nothing more of a source; false when it was not there. */
  remove(source: ChunkSource): boolean {
    if (!this.#sources.remove(source)) return false;
    this.#held.delete(source.id);
    this.step({ kind: "source-left", source: source.id });
    return true;
  }

  /** The leaves are here: looks through bytes found on disk, then lets the policy work. */
  begin(): void {
    if (this.#phase.kind !== "waiting") return;
    this.#phase = { kind: "checking" };
    const { download } = this;
    if (download.unverifiedBytes === 0) return this.#decide();
    download.scrub().then(
      () => this.isOver || this.#decide(),
      (error) => this.fail(error as Error),
    );
  }

  /** Tells the policy, and does what it says; nothing before it has begun, or when all is over. */
  step(event: DownloadEvent, nowMs = this.context.clock.nowMs()): void {
    if (this.#phase.kind === "running") this.#apply(this.#phase.policy.step(event, nowMs));
    // What still comes of a source that stays is struck off, so that it comes once.
    else if (event.kind === "rejected") this.#policy?.step(event, nowMs);
  }

  setBudget(inflightBytesMax: number): void {
    this.#inflightBytesMax = inflightBytesMax;
    this.#setBudget();
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    this.#setBudget();
    for (const { id: source, pace } of this.#sources) {
      const isHeld = pace.isWaiting || pace.isHeld;
      if (this.#held.has(source) === isHeld) continue;
      if (isHeld) this.#held.add(source);
      else this.#held.delete(source);
      this.step({ kind: "held", source, isHeld }, nowMs);
    }
    this.step({ kind: "tick" }, nowMs);
  }

  /** Where all that comes is held to a rate, no more is asked for than what soon comes. */
  #setBudget(): void {
    let perSecond = this.#sources.size === 0 ? Infinity : 0;
    for (const { pace } of this.#sources) {
      perSecond = Math.max(perSecond, pace.bytesPerSecond ?? Infinity);
    }
    const part = this.#inflightBytesMax / limits.inflightBytesMax;
    const bytes = Math.floor(perSecond * part * limits.rateInflightMs / 1_000);
    const leastBytes = limits.requestChunksMin * CHUNK_BYTES;
    const inflightBytesMax = Math.min(this.#inflightBytesMax, Math.max(leastBytes, bytes));
    if (inflightBytesMax === this.#pacedBytesMax) return;
    this.#pacedBytesMax = inflightBytesMax;
    this.step({ kind: "budget", inflightBytesMax });
  }

  /**
   * Takes whole chunks that came by another way than from a source; see `Swarm.feed`. Returns the
   * indices of those that are wrong.
   */
  feed(provider: Provider, range: ChunkRange, data: Uint8Array): number[] {
    if (!this.hasBegun || rangeBytes(this.file.sizeBytes, range).length !== data.length) {
      throw new RangeError(
        `Cannot take ${data.length} bytes for chunks ${range.first}+${range.count}`,
      );
    }
    if (this.isOver) return [];
    const leaves = this.#leafDigits(range);
    const wrong = leaves === null ? [] : wrongChunks(data, leaves, range.first);
    if (wrong.length > 0 && !this.mayBlame()) return [];
    for (const right of runsBetween(range, wrong)) {
      for (const run of this.download.have.missingRuns(right)) {
        this.#good({ id: FED_ID, provider }, run, { data: cut(data, range, run), frame: run });
      }
    }
    return wrong;
  }

  /**
   * Whether chunks that do not fit their leaves speak against who gave them. They do not where the
   * leaves rotted on the disk: then all ends, and a fetch that begins again has them anew.
   */
  mayBlame(): boolean {
    if (this.download.checkLeavesNow?.() ?? true) return true;
    const { name } = this.file;
    this.fail(new EnvironmentError("corrupt", `The leaf layer of ${name} was damaged on the disk`));
    return false;
  }

  /** Ends everything because it cannot go on. */
  fail(error: Error): void {
    if (this.isOver) return;
    this.end("the fetch failed");
    this.tell({ kind: "failed", error });
  }

  end(reason: string): void {
    if (this.isOver) return;
    this.#phase = { ...this.#phase, kind: "over" };
    this.#settled?.cancel();
    for (const source of this.#sources) source.end(reason);
    this.#sources.clear();
  }

  // ChunkSink: called by the sources as chunks come in.

  classify(source: ChunkSource, range: ChunkRange): FrameClass {
    return this.#policy?.classify(source.id, range) ?? "unasked";
  }

  /** Whether what a source gives of this range is still of use. */
  isAsked(source: ChunkSource, range: ChunkRange): boolean {
    return !this.isOver && this.classify(source, range) === "asked";
  }

  checkOf(range: ChunkRange): ChunkCheck {
    const { context: { hasher }, file: { sizeBytes } } = this;
    return new ChunkCheck(range, { leaves: this.#leafDigits(range), sizeBytes, hasher });
  }

  arriving({ id: source }: ChunkSource, bytes: number): void {
    this.step({ kind: "arriving", source, bytes });
  }

  chunks(source: ChunkSource, range: ChunkRange, data: Uint8Array, wrong: readonly number[]): void {
    // It may have been cancelled while it came, because another source was sooner.
    if (!this.isAsked(source, range)) return this.passed(source, range);
    for (const run of runsBetween(range, wrong)) {
      this.#good(source, run, { data: cut(data, range, run), frame: range });
    }
    for (const index of wrong) {
      const one = { first: index, count: 1 };
      this.step({ kind: "chunks-bad", source: source.id, range: one, frame: range });
    }
  }

  passed({ id: source }: ChunkSource, range: ChunkRange): void {
    this.step({ kind: "rejected", source, range });
  }

  mirrorLost(source: ChunkSource, why: MirrorLoss): void {
    if (!this.remove(source) || this.isOver) return;
    if (why.kind === "mirror-wrong" && !this.mayBlame()) return;
    if (why.kind === "mirror-wrong") {
      this.context.log.warn("a mirror's chunk is not what the peers' leaves say", {
        mirror: why.provider.label,
        name: this.file.name,
        chunk: why.index,
      });
    }
    this.tell(why);
  }

  /** Leaves as hexadecimal, 64 digits a chunk; null where they are not known. */
  #leafDigits(range: ChunkRange): string | null {
    try {
      return this.download.leaf()?.hexOf(range) ?? null;
    } catch (error) {
      // Without the leaves no source is of use, and none is to blame.
      this.fail(error as Error);
      throw error;
    }
  }

  get #policy(): Download | null {
    return "policy" in this.#phase ? this.#phase.policy : null;
  }

  #join({ id, have, place }: ChunkSource): void {
    const at = place === undefined ? {} : { place };
    this.step({ kind: "source-joined", source: id, have, ...at });
  }

  #decide(): void {
    const { file: { sizeBytes }, wanted, download: { have } } = this;
    this.#bytesHad = bytesWithin(have, sizeBytes, wanted);
    this.#phase = {
      kind: "running",
      policy: new Download({
        sizeBytes,
        wanted,
        have,
        inflightBytesMax: this.#pacedBytesMax,
        random: this.context.random,
        mayLose: this.#mayLose,
        ...this.#sharing(),
      }),
    };
    if (this.#bytesHad > 0) {
      for (const range of have.ranges()) this.tell({ kind: "gained", range, provider: HERE });
    }
    this.tell({ kind: "begun" });
    for (const source of this.sources) this.#join(source);
    this.step({ kind: "tick" });
    if (this.#isDivided) this.context.begun?.(this.file);
  }

  /** Near nodes that get the file too divide what far ones give, where it is known which file it is. */
  #sharing(): Pick<DownloadOptions, "shared"> {
    const { context: { clock, nodeId, nearSeekers }, file } = this;
    if (!this.#isDivided || nodeId === undefined) return {};
    const expected = nearSeekers?.(file) ?? 0;
    // What waits for them is looked at again when that is over.
    if (expected > 0) {
      this.#settled = clock.after(limits.nearSettleMs, () => this.step({ kind: "tick" }));
    }
    return { shared: { root: file.root, nodeId, expected, nowMs: clock.nowMs() } };
  }

  #good(
    { id: source, provider }: Pick<ChunkSource, "id" | "provider">,
    range: ChunkRange,
    { data, frame }: { readonly data: Uint8Array; readonly frame: ChunkRange },
  ): void {
    if (this.isOver) return;
    // In the end game a frame may bring chunks that another source was sooner with.
    const news = this.download.have.missingRuns(range);
    try {
      this.download.writeRun(range.first, data);
    } catch (error) {
      // The disk's fault: the source did nothing wrong, but no source can help either.
      return this.fail(error as Error);
    }
    for (const run of news) {
      this.ledger.received(provider, run, this.file.sizeBytes);
      this.tell({ kind: "gained", range: run, provider });
    }
    this.step({ kind: "chunks-good", source, range, frame });
  }

  #apply(effects: readonly DownloadEffect[]): void {
    for (const effect of effects) {
      if (this.isOver) return;
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
          this.#snubbed(this.#sources.get(effect.source));
          break;
        case "drop":
          this.#sources.get(effect.source)?.drop(effect.reason);
          break;
        case "need-sources":
          this.tell({ kind: "needs-sources" });
          break;
        case "complete":
          this.tell({ kind: "completed" });
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #snubbed(source: ChunkSource | undefined): void {
    if (source === undefined) return;
    const { provider } = source;
    const fields = { peer: provider.label, name: this.file.name };
    this.context.log.info("a source stalls; its chunks are asked elsewhere", fields);
    this.tell({ kind: "noted", provider, what: "stalls: it is asked for less" });
  }
}

function cut(data: Uint8Array, range: ChunkRange, run: ChunkRange): Uint8Array {
  const start = (run.first - range.first) * CHUNK_BYTES;
  return data.subarray(start, start + run.count * CHUNK_BYTES);
}
