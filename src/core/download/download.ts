/**
 * Which chunk from whom: the policy of one download. No I/O, no clock, no randomness of its own:
 * events and the time come in, effects go out. It moves no data and checks none.
 *
 * The rules:
 *
 * 1. Choice. Blocks of 32 chunks, rarest first, lowest index among equals. A request is one run of
 *    chunks within a block: wanted, missing, had by that source, asked of nobody else.
 * 2. Window. A source starts with two requests of 128 KiB; it gains one with each answer, up to
 *    four, and the first answer makes them a block each. The bytes in flight of all together never
 *    pass the budget and are shared by rate, in smaller requests where a share is less than a
 *    block. No source has more before it than it delivers in a second (but 64 KiB in any case).
 * 3. Snubbing. With requests outstanding and nothing arriving for `snubMs` a source is snubbed:
 *    what another usable source has of its requests is cancelled there and open again; what nobody
 *    else has stays asked. It gets one probe of 64 KiB at a time, on a tick, for chunks that no
 *    usable source has or as a duplicate in the end game. Any answer ends it. Silent for
 *    `sourceSilentMs`: dropped.
 * 4. End game. When no usable source can be asked for anything open, one with room duplicates the
 *    request that is expected last, if it would answer clearly sooner; one duplicate a block. Once
 *    a chunk is there, all others who were to bring it are told to cancel.
 * 5. Strikes. Each run of bad chunks is a strike, and those chunks are not asked of that source
 *    again; at `strikesMax` it is dropped. Rejected chunks are not asked of it again until it says
 *    that it has them.
 * 6. The store's bitfield is the truth. A chunk counts once, when it is there. Chunks that come or
 *    go there by other ways are noticed on ticks and before they are asked for.
 * 7. A source that this node's own rate holds back is not silent, however long nothing is read of it:
 *    it is neither snubbed nor dropped. What it was asked for is not asked twice, nor is it asked for
 *    what others were: the rate would be the same.
 * 8. Near before far. Of sources with room the nearest is asked first. A far one is asked only for what
 *    no usable near one has, and, while near ones get the file too, for this node's share of that
 *    (`core/nearness/far_share.ts`), and what falls to another by now is taken back; it duplicates
 *    nothing that a near one is to bring, or another one soon (`farDuplicateMs`). All this ends when
 *    near ones had more than they could be asked for during `nearJudgeMs`, and gave less than the far
 *    ones are known to, or, where that is not known, less than `nearBytesPerSecond`; and begins again
 *    when they are clearly faster. One that is snubbed is no usable one (rule 3).
 * 9. `need-sources` is said when missing chunks have no usable source, once until that changes.
 *    `complete` is said once, and then nothing more; where chunks `mayLose`, again when they are back.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import { type OfKind, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { Budget, hungrier, roomOf, weigh } from "./bandwidth_share.ts";
import type {
  DownloadEffect,
  DownloadEvent,
  DownloadOptions,
  FrameClass,
  SourceId,
  SourceReport,
} from "./download_events.ts";
import { latestFor, sharedWith } from "./end_game.ts";
import { FarShare } from "../nearness/far_share.ts";
import { RequestTable } from "./request_table.ts";
import { type Request, Source } from "./source.ts";
import { BLOCK_CHUNKS, chunksIn, lowestRun } from "./block_mask.ts";
import { Blocks, type FarGate } from "./blocks.ts";
import { NearRule } from "./near_rule.ts";

export type { DownloadEffect, DownloadEvent, FrameClass, SourceReport } from "./download_events.ts";

/** After what rule 8 is looked at: who there is, and how they give. */
const LOOKS_FAR: ReadonlySet<DownloadEvent["kind"]> = new Set<DownloadEvent["kind"]>([
  "tick",
  "source-joined",
  "source-left",
]);

const PROBE_BYTES = limits.requestChunksMin * CHUNK_BYTES;

/** The state machine of one download. */
export class Download {
  readonly #blocks: Blocks;
  readonly #requests: RequestTable;
  readonly #budget: Budget;
  readonly #sweep: StoreSweep;
  readonly #random: Random;
  readonly #mayLose: boolean;
  readonly #gate: FarGate;
  readonly #stripeBlocks: (stripe: number) => { readonly start: number; readonly end: number };
  readonly #sources = new Map<SourceId, Source>();
  /** Rule 8; null where nothing is divided. */
  readonly #share: FarShare | null;
  readonly #near = new NearRule();
  #needsSources = false;
  #isDone = false;
  #nowMs = 0;
  #effects: DownloadEffect[] = [];

  constructor(options: DownloadOptions) {
    this.#random = options.random;
    this.#mayLose = options.mayLose ?? false;
    this.#blocks = new Blocks(options.wanted, options.have);
    this.#requests = new RequestTable(this.#blocks, options);
    this.#budget = new Budget(this.#requests, options.inflightBytesMax);
    this.#sweep = new StoreSweep(options.have, this.#blocks.count);
    const { shared, sizeBytes, wanted } = options;
    this.#share = shared === undefined ? null : new FarShare({ ...shared, sizeBytes });
    const firstBlock = Math.floor(wanted.first / BLOCK_CHUNKS);
    const share = this.#share;
    const stripeOf = (block: number) => share!.stripes.of((firstBlock + block) * BLOCK_CHUNKS);
    this.#gate = { allows: (block) => share === null || share.allows(stripeOf(block)) };
    this.#stripeBlocks = (stripe) => {
      const { first, count } = share!.stripes.range(stripe);
      const start = Math.floor(first / BLOCK_CHUNKS) - firstBlock;
      const end = Math.ceil((first + count) / BLOCK_CHUNKS) - firstBlock;
      return { start: Math.max(0, start), end: Math.min(this.#blocks.count, end) };
    };
  }

  /** Whether every wanted chunk is there. */
  get isComplete(): boolean {
    return this.#requests.missingChunks === 0;
  }

  /** How many wanted chunks are not there. */
  get missingChunks(): number {
    return this.#requests.missingChunks;
  }

  /** Bytes of all requests outstanding. */
  get inflightBytes(): number {
    return this.#requests.inflightBytes;
  }

  /** Whether `need-sources` was said and still holds. */
  get needsSources(): boolean {
    return this.#needsSources;
  }

  /** The present sources in the order in which they joined. */
  sources(): SourceReport[] {
    return [...this.#sources.values()].map((source) => ({
      source: source.id,
      bytesGood: source.bytesGood,
      strikes: source.strikes,
      snubbed: source.isSnubbed,
      inflight: source.queue.inflightBytes,
      rateBytesPerSecond: source.rate.bytesPerSecond ?? 0,
    }));
  }

  /** Whether exactly this range is asked of this source and not answered. */
  isOutstanding(source: SourceId, range: ChunkRange): boolean {
    return this.#sources.get(source)?.queue.isAsked(range) ?? false;
  }

  /**
   * What a frame of chunks is, when it comes in and before its chunks are reported. That of a
   * cancelled request is reported like any other, or with `rejected` when it is thrown away: either
   * strikes the request off, so that the same frame again is `unasked`. So that this holds, every
   * chunk of a frame is reported good or bad, those that were there before included.
   */
  classify(source: SourceId, range: ChunkRange): FrameClass {
    if (this.isOutstanding(source, range)) return "asked";
    return this.#sources.get(source)?.queue.isExpected(range) ? "cancelled" : "unasked";
  }

  /** Takes an event in and says what to do. `nowMs` must not go backwards. */
  step(event: DownloadEvent, nowMs: number): DownloadEffect[] {
    if (this.#isDone && !this.#mayLose) return [];
    const effects: DownloadEffect[] = this.#effects = [];
    this.#nowMs = nowMs;
    // Bytes that arrive hardly ever change anything: they come far more often than the rest.
    if (event.kind === "arriving" && !this.#arriving(event.source, event.bytes)) return effects;
    this.#apply(event);
    if (LOOKS_FAR.has(event.kind)) this.#lookFar();
    this.#askAll();
    this.#conclude();
    return effects;
  }

  #apply(event: DownloadEvent): void {
    switch (event.kind) {
      case "source-joined":
        return this.#join(event);
      case "source-left":
        return this.#remove(this.#sources.get(event.source));
      case "chunks-good":
        return this.#good(this.#sources.get(event.source), event.range, event.frame);
      case "budget":
        this.#budget.inflightBytesMax = event.inflightBytesMax;
        return;
      case "tick":
        return this.#tick();
      case "arriving":
        return;
      case "held":
      case "source-has":
      case "source-lost":
      case "chunks-bad":
      case "rejected": {
        const source = this.#sources.get(event.source);
        if (source === undefined) return;
        if (event.kind === "held") return source.hold(event.isHeld, this.#nowMs);
        if (event.kind === "source-has") return this.#has(source, event.ranges);
        if (event.kind === "source-lost") return this.#lost(source, event.ranges);
        if (event.kind === "chunks-bad") return this.#bad(source, event.range, event.frame);
        return this.#rejected(source, event.range);
      }
      default:
        return unreachable(event);
    }
  }

  // Sources

  #join({ source: id, have, place }: OfKind<DownloadEvent, "source-joined">): void {
    this.#remove(this.#sources.get(id));
    if (this.#sources.size >= limits.downloadSourcesMax) {
      throw new RangeError(
        `Cannot add source ${id}: a download has at most ${limits.downloadSourcesMax}`,
      );
    }
    const side = place === undefined ? "other" : place.isFar ? "far" : "near";
    const nowMs = this.#nowMs;
    const source = new Source(id, this.#blocks.hold(have, side), { nowMs, place });
    if (side === "near" && have !== "all") {
      const { nodeId } = place!;
      this.#share?.joined(id, { nodeId, isEmpty: have.count === 0, nowMs });
    }
    this.#blocks.setCounted(source.holdings, true);
    this.#sources.set(id, source);
    this.#freeSnubbed();
  }

  #remove(source: Source | undefined): void {
    if (source === undefined) return;
    this.#sources.delete(source.id);
    this.#share?.left(source.id);
    this.#blocks.release(source.holdings);
    for (const request of source.requests) this.#requests.strike(request);
  }

  #drop(source: Source, reason: "bad-data" | "silent"): void {
    this.#effects.push({ kind: "drop", source: source.id, reason });
    this.#remove(source);
  }

  #has(source: Source, ranges: readonly ChunkRange[]): void {
    for (const range of ranges) {
      this.#blocks.forEach(range, (block, mask) => {
        this.#blocks.gain(source.holdings, block, mask & ~(source.bad.get(block) ?? 0));
      });
    }
    if (this.#share?.gained(source.id, ranges, this.#nowMs)) this.#lookFar();
    this.#freeSnubbed();
  }

  #lost(source: Source, ranges: readonly ChunkRange[]): void {
    for (const range of ranges) {
      this.#blocks.forEach(range, (block, mask) => this.#blocks.lose(source.holdings, block, mask));
    }
  }

  /** Whether the bytes changed what may be asked. */
  #arriving(id: SourceId, bytes: number): boolean {
    const source = this.#sources.get(id);
    if (source === undefined) return false;
    source.arrived(bytes, this.#nowMs);
    return this.#revive(source);
  }

  /** A source gave a sign of life; whether that ended its being snubbed. */
  #revive(source: Source): boolean {
    source.lastActiveMs = this.#nowMs;
    if (!source.isSnubbed) return false;
    source.revive(this.#nowMs);
    this.#blocks.setCounted(source.holdings, true);
    return true;
  }

  #snub(source: Source): void {
    source.isSnubbed = true;
    this.#blocks.setCounted(source.holdings, false);
    this.#effects.push({ kind: "snubbed", source: source.id });
    for (const request of [...source.requests]) {
      if ((this.#blocks.covered(request.block) & request.left) !== 0) this.#cancel(request);
    }
  }

  /** Takes from snubbed sources what a usable one has by now. */
  #freeSnubbed(): void {
    for (const source of this.#sources.values()) {
      if (!source.isSnubbed) continue;
      for (const request of [...source.requests]) {
        const isElsewhere = (this.#blocks.covered(request.block) & request.left) !== 0;
        if (isElsewhere && !request.isDuplicate) this.#cancel(request);
      }
    }
  }

  // Near and far

  /** Rule 8. */
  #lookFar(): void {
    const nowMs = this.#nowMs;
    const usable = [...this.#sources.values()].filter(({ isSnubbed }) => !isSnubbed);
    const near = usable.filter(({ isNear }) => isNear);
    const far = usable.filter(({ isFar }) => isFar);
    if (far.length === 0) return this.#blocks.setGate(null);
    const isBehind = near.some(({ holdings }) => this.#blocks.seek(holdings));
    const isSlow = this.#near.areSlow({ near, far, isBehind, nowMs });
    const isGated = !isSlow && (near.length > 0 || this.#share?.isDivided === true);
    this.#blocks.setGate(isGated ? this.#gate : null);
    if (!isGated || this.#share === null) return;
    const rate = far.reduce((sum, source) => sum + (source.rate.bytesPerSecond ?? 0), 0);
    const isIdle = far.every(({ holdings, requests }) =>
      requests.length === 0 && !this.#blocks.seek(holdings)
    );
    const hasChanged = this.#share.update({
      nowMs,
      chunkMs: rate === 0 ? null : CHUNK_BYTES / rate * 1_000,
      isIdle,
      isOpen: (stripe) => this.#isOnlyFar(stripe),
    });
    if (!hasChanged) return;
    this.#blocks.gateChanged();
    for (const { requests } of far) this.#leaveToOthers(requests);
  }

  /** Takes back what falls to another by now, but for the oldest request, which is on its way. */
  #leaveToOthers([, ...requests]: readonly Request[]): void {
    for (const request of requests) {
      if (!request.isDuplicate && !this.#gate.allows(request.block)) this.#cancel(request);
    }
  }

  #isOnlyFar(stripe: number): boolean {
    const { start, end } = this.#stripeBlocks(stripe);
    for (let block = start; block < end; block++) if (this.#blocks.isOnlyFar(block)) return true;
    return false;
  }

  // Answers

  #good(source: Source | undefined, range: ChunkRange, frame = range): void {
    this.#blocks.forEach(range, (block, mask) => {
      const request = source?.queue.report(block, mask, frame);
      const gained = this.#gain(block, mask, request);
      this.#sweep.expected(chunksIn(gained));
      if (source !== undefined) source.bytesGood += this.#requests.bytesOf(block, gained);
      this.#answer(request, block, mask);
    });
    if (source !== undefined) this.#revive(source);
  }

  #bad(source: Source, range: ChunkRange, frame = range): void {
    source.strikes++;
    this.#effects.push({ kind: "strike", source: source.id, strikes: source.strikes });
    this.#blocks.forEach(range, (block, mask) => {
      source.bad.set(block, (source.bad.get(block) ?? 0) | mask);
      this.#blocks.lose(source.holdings, block, mask);
      this.#answer(source.queue.report(block, mask, frame), block, mask);
    });
    this.#revive(source);
    if (source.strikes >= limits.strikesMax) this.#drop(source, "bad-data");
  }

  #rejected(source: Source, range: ChunkRange): void {
    const request = source.refused(range, this.#nowMs);
    if (request === undefined) return;
    if (this.#requests.in(request.block).includes(request)) {
      this.#blocks.forEach(range, (block, mask) => this.#blocks.lose(source.holdings, block, mask));
      this.#requests.strike(request);
    }
    this.#revive(source);
  }

  /** Takes chunks off what a request was to bring, and ends it when it brings nothing more. */
  #answer(request: Request | undefined, block: number, mask: number): void {
    if (request !== undefined && this.#requests.in(block).includes(request)) {
      request.left &= ~mask;
      if (request.left === 0) {
        request.source.answered(request, this.#nowMs);
        this.#requests.strike(request);
      }
    }
    this.#requests.reopen(block, mask);
  }

  /** Takes chunks as got; cancels what was to bring nothing else, but for the answer itself. */
  #gain(block: number, mask: number, answer?: Request): number {
    const gained = this.#requests.gain(block, mask);
    if (gained === 0) return 0;
    for (const request of [...this.#requests.in(block)]) {
      if (request.left === 0 && request !== answer) this.#cancel(request);
    }
    return gained;
  }

  #cancel(request: Request): void {
    request.source.cancelled(request, this.#nowMs);
    this.#requests.strike(request);
    this.#effects.push({ kind: "cancel", source: request.source.id, range: request.range });
  }

  // Time

  #tick(): void {
    for (const block of this.#sweep.due()) {
      this.#gain(block, -1);
      this.#requests.lose(block);
    }
    const idle = [...this.#sources.values()].filter(({ isSnubbed, requests }) =>
      isSnubbed && requests.length === 0
    );
    for (const source of [...this.#sources.values()]) {
      source.tick(this.#nowMs);
      // Rule 7.
      if (source.isHeld) source.lastActiveMs = this.#nowMs;
      const silentMs = source.owes ? this.#nowMs - source.lastActiveMs : 0;
      if (silentMs >= limits.sourceSilentMs) this.#drop(source, "silent");
      else if (silentMs >= limits.snubMs && !source.isSnubbed) this.#snub(source);
    }
    this.#freeSnubbed();
    this.#budget.reservedBytes = 0;
    const isEnd = this.#isEndGame();
    for (const source of idle) if (this.#sources.has(source.id)) this.#probe(source, isEnd);
  }

  /** Asks a snubbed source for a little, where that costs nobody anything. */
  #probe(source: Source, isEnd: boolean): void {
    const block = this.#blocks.pickUncovered(source.holdings);
    const target = block === undefined && isEnd ? this.#latestFor(source, true) : undefined;
    if (block === undefined && target === undefined) return;
    const { inflightBytesMax, inflightBytes } = this.#budget;
    const neededBytes = Math.min(PROBE_BYTES, inflightBytesMax);
    const freeBytes = inflightBytesMax - inflightBytes;
    const chunksMax = Math.floor(Math.min(PROBE_BYTES, freeBytes) / CHUNK_BYTES);
    if (freeBytes < neededBytes || chunksMax === 0) {
      this.#budget.reservedBytes = neededBytes;
    } else if (block !== undefined) {
      const only = this.#blocks.candidates(source.holdings, block) & ~this.#blocks.covered(block);
      this.#ask(source, block, lowestRun(only, chunksMax));
    } else {
      this.#duplicate(source, target!, chunksMax);
    }
  }

  // Asking

  #askAll(): void {
    if (this.isComplete) return;
    const usable: Source[] = [];
    for (const source of this.#sources.values()) if (!source.isSnubbed) usable.push(source);
    const giving = usable.filter((source) =>
      source.queue.inflightBytes > 0 || this.#blocks.seek(source.holdings)
    );
    weigh(giving);
    while (this.#askNext(giving));
    if (this.#isEndGame()) this.#duplicateAll(usable);
  }

  /** Makes the next request, if anyone has room and something to give. */
  #askNext(sources: readonly Source[]): boolean {
    let next: Source | undefined;
    for (const source of sources) {
      if (roomOf(source, this.#budget) === 0 || !this.#blocks.seek(source.holdings)) continue;
      next = next === undefined ? source : hungrier(next, source);
    }
    if (next === undefined) return false;
    const block = this.#blocks.pick(next.holdings, this.#random);
    // What came into the store by other ways is not asked for.
    if (this.#gain(block, this.#blocks.open(block)) !== 0) return true;
    const chunksMax = roomOf(next, this.#budget);
    this.#ask(next, block, lowestRun(this.#blocks.candidates(next.holdings, block), chunksMax));
    return true;
  }

  #ask(source: Source, block: number, run: number, isDuplicate = false): void {
    const { range } = this.#requests.ask(source, block, { run, isDuplicate, nowMs: this.#nowMs });
    this.#effects.push({ kind: "request", source: source.id, range });
  }

  // End game

  /** Whether no usable source can be asked for any chunk that is open. */
  #isEndGame(): boolean {
    if (this.isComplete) return false;
    if (this.#blocks.openChunks === 0) return true;
    for (const { isSnubbed, holdings } of this.#sources.values()) {
      if (isSnubbed) continue;
      if (this.#blocks.seek(holdings) || !this.#blocks.isExhausted(holdings)) return false;
    }
    return true;
  }

  #duplicateAll(usable: readonly Source[]): void {
    for (const source of usable) {
      for (;;) {
        const chunksMax = roomOf(source, this.#budget);
        const target = chunksMax === 0 ? undefined : this.#latestFor(source, false);
        if (target === undefined) break;
        this.#duplicate(source, target, chunksMax);
      }
    }
  }

  #duplicate(source: Source, target: Request, chunksMax: number): void {
    const run = lowestRun(sharedWith(source, target, this.#blocks), chunksMax);
    this.#ask(source, target.block, run, true);
  }

  #latestFor(source: Source, isProbe: boolean): Request | undefined {
    const sources = this.#sources.values();
    const blocks = this.#blocks, table = this.#requests;
    return latestFor(source, { blocks, table, sources, isProbe, sparesFar: blocks.isGated });
  }

  // Conclusions

  #conclude(): void {
    if (this.isComplete) {
      if (!this.#isDone) this.#effects.push({ kind: "complete" });
      this.#isDone = true;
      this.#needsSources = false;
      return;
    }
    this.#isDone = false;
    const needsSources = this.#lacksSources();
    if (needsSources && !this.#needsSources) this.#effects.push({ kind: "need-sources" });
    this.#needsSources = needsSources;
  }

  #lacksSources(): boolean {
    if (this.#blocks.uncoveredBlocks > 0) return true;
    // What is held back for another to bring is lacking to nobody.
    if (!this.#blocks.isGated && this.#blocks.openChunks > 0 && this.#isEndGame()) return true;
    let usable = 0;
    for (const source of this.#sources.values()) {
      if (!source.isSnubbed) usable++;
      // What a snubbed source is still asked for, nobody else has.
      else if (source.requests.some(({ isDuplicate }) => !isDuplicate)) return true;
    }
    return usable === 0;
  }
}

/** Finds blocks that have to be compared with the store's bitfield: others change that as well. */
class StoreSweep {
  readonly #have: Bitfield;
  readonly #blockCount: number;
  /** How many chunks the store has, as far as is known here. */
  #knownChunks: number;
  /** The block to compare next, and how many are to be compared. */
  #at = 0;
  #left = 0;

  constructor(have: Bitfield, blockCount: number) {
    this.#have = have;
    this.#knownChunks = have.count;
    this.#blockCount = blockCount;
  }

  /** Chunks came to the store by this download. */
  expected(chunks: number): void {
    this.#knownChunks += chunks;
  }

  /** The blocks to compare now: all after a change, but some at a time. */
  *due(): Generator<number> {
    if (this.#have.count !== this.#knownChunks) this.#left = this.#blockCount;
    this.#knownChunks = this.#have.count;
    const blocks = Math.min(this.#left, limits.sweepBlocksMax);
    this.#left -= blocks;
    for (let i = 0; i < blocks; i++) {
      yield this.#at;
      this.#at = (this.#at + 1) % this.#blockCount;
    }
  }
}
