/**
 * One source of a download: what was asked of it, how fast it delivers, what it is worth. What is
 * asked of whom is decided in `download.ts`.
 */

import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { SourceId, SourcePlace } from "./download_events.ts";
import { rankOf } from "../nearness/nearness.ts";
import { chunksIn } from "./block_mask.ts";
import type { Holdings } from "./blocks.ts";

/** A request that is not answered yet. */
export interface Request {
  readonly source: Source;
  readonly range: ChunkRange;
  readonly bytes: number;
  readonly block: number;
  /** The chunks of the block that it is still to bring. */
  left: number;
  /** The chunks of its answer that nothing was said of. */
  unreported: number;
  /** Another request, of another source, is to bring the same chunks. */
  isDuplicate: boolean;
}

/** Weight of a new sample: old speed is forgotten in about a second. */
const SAMPLE_WEIGHT = 0.3;

/** Of a source of which nobody says where it is, as of a mirror: with the first of the far ones. */
const DEFAULT_RANK = rankOf("far", null);

/** What is known of one source. */
export class Source {
  readonly id: SourceId;
  readonly holdings: Holdings;
  readonly queue = new RequestQueue();
  rate: DeliveryRate;
  /** Chunks by block that it sent wrong; they are not asked of it again. */
  readonly bad = new Map<number, number>();
  /** Its part in the budget, relative to the others'. */
  weight = 1;
  bytesGood = 0;
  strikes = 0;
  isSnubbed = false;
  #isHeld = false;
  /** When it last gave a sign of life, or had its first request after a rest. */
  lastActiveMs: number;
  /** Those of a lower rank are asked first. */
  readonly rank: number;

  constructor(
    id: SourceId,
    holdings: Holdings,
    { nowMs, place }: { readonly nowMs: number; readonly place?: SourcePlace | undefined },
  ) {
    this.id = id;
    this.rank = place?.rank ?? DEFAULT_RANK;
    this.holdings = holdings;
    this.lastActiveMs = nowMs;
    this.rate = new DeliveryRate(nowMs);
  }

  get isFar(): boolean {
    return this.holdings.side === "far";
  }

  get isNear(): boolean {
    return this.holdings.side === "near";
  }

  /** Whether this node's own rate makes it slow. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Its requests outstanding, oldest first. */
  get requests(): readonly Request[] {
    return this.queue.outstanding;
  }

  /** Bytes that it may have in flight: a slow source gets little, so that it holds up little. */
  get inflightBytesMax(): number {
    const all = limits.requestsPerPeerMax * limits.requestChunksMax * CHUNK_BYTES;
    if (!this.rate.isSettled) return all;
    const queue = this.rate.bytesPerSecond! * limits.sourceQueueMs / 1000;
    return Math.min(all, Math.max(queue, limits.requestChunksMin * CHUNK_BYTES));
  }

  /** Whether something asked of it is overdue by now, if nothing was heard of it. */
  get owes(): boolean {
    return this.requests.length > 0 || this.isSnubbed;
  }

  /** Starts over with a source that gave a sign of life after it was snubbed. */
  revive(nowMs: number): void {
    this.isSnubbed = false;
    this.queue.window = limits.requestsAtFirst;
    this.rate = new DeliveryRate(nowMs);
    this.#run(nowMs);
  }

  /** This node's own rate makes it slow, or does so no more; its silence until now is none. */
  hold(isHeld: boolean, nowMs: number): void {
    this.#isHeld = isHeld;
    this.lastActiveMs = nowMs;
  }

  /** Bytes of a frame came in. */
  arrived(bytes: number, nowMs: number): void {
    this.queue.arrived(bytes);
    this.rate.add(bytes);
    this.#run(nowMs);
    this.lastActiveMs = nowMs;
  }

  /** Asks it for something more. */
  ask(request: Request, nowMs: number): void {
    // A snubbed source stays silent since its last sign of life, however often it is probed.
    if (this.requests.length === 0 && !this.isSnubbed) this.lastActiveMs = nowMs;
    this.queue.push(request);
    this.#run(nowMs);
  }

  /** A request has its whole answer. */
  answered(request: Request, nowMs: number): void {
    this.rate.add(this.queue.answered(request));
    this.#run(nowMs);
  }

  /** Nobody waits for a request any more; its answer may still come. */
  cancelled(request: Request, nowMs: number): void {
    this.queue.cancelled(request);
    this.#run(nowMs);
  }

  /** It will not answer the oldest request for exactly `range`, cancelled or not. */
  refused(range: ChunkRange, nowMs: number): Request | undefined {
    const before = this.requests.length;
    const request = this.queue.refused(range);
    if (this.requests.length < before) this.#run(nowMs);
    return request;
  }

  /** When a request will be answered at the present rate, in milliseconds from now, if known. */
  expectedMs(request: Request): number | undefined {
    const rate = this.rate.bytesPerSecond;
    return rate === undefined ? undefined : this.queue.bytesUntil(request) / rate * 1000;
  }

  /** Lets time pass for its rate. */
  tick(nowMs: number): void {
    this.#run(nowMs);
  }

  #run(nowMs: number): void {
    this.rate.run(nowMs, this.requests.length > 0);
  }
}

/** The requests of one source in the order in which they were made, as it answers them. */
class RequestQueue {
  /** Those that somebody waits for. */
  readonly outstanding: Request[] = [];
  /** What may still be answered: the requests outstanding, and cancelled ones. */
  readonly #expected: Request[] = [];
  /** How many may be outstanding. */
  window: number = limits.requestsAtFirst;
  /** Bytes of the requests outstanding. */
  inflightBytes = 0;
  /** Bytes that have arrived of requests not yet answered. */
  #arrivedBytes = 0;
  /** Chunks of cancelled requests that are not known one by one any more, and may still come. */
  #forgottenChunks = 0;

  /** Whether the source has answered since it joined or came back. */
  get isProved(): boolean {
    return this.window > limits.requestsAtFirst;
  }

  get isFull(): boolean {
    return this.outstanding.length >= this.window;
  }

  arrived(bytes: number): void {
    this.#arrivedBytes = Math.min(this.#arrivedBytes + bytes, this.inflightBytes);
  }

  push(request: Request): void {
    this.outstanding.push(request);
    this.#expected.push(request);
    this.inflightBytes += request.bytes;
  }

  /** Takes an answered request out; gives those of its bytes that {@linkcode arrived} did not tell. */
  answered(request: Request): number {
    const untoldBytes = Math.max(0, request.bytes - this.#arrivedBytes);
    this.#arrivedBytes = Math.max(0, this.#arrivedBytes - request.bytes);
    this.window = Math.min(this.window + 1, limits.requestsPerPeerMax);
    this.#remove(request);
    if (request.unreported === 0) this.#forget(request);
    return untoldBytes;
  }

  /** Takes out a request whose answer may still come. */
  cancelled(request: Request): void {
    if (request === this.outstanding[0]) this.#arrivedBytes = 0;
    this.#remove(request);
    if (this.#expected.length - this.outstanding.length <= limits.cancelledRequestsMax) return;
    const oldest = this.#expected.find((expected) => !this.outstanding.includes(expected))!;
    this.#forgottenChunks += chunksIn(oldest.unreported);
    this.#forget(oldest);
  }

  /** Takes out the oldest request for exactly `range`, cancelled or not: it has no answer. */
  refused(range: ChunkRange): Request | undefined {
    const request = this.#expected.find((expected) => isSame(expected.range, range));
    if (request === undefined) {
      this.#forgottenChunks = Math.max(0, this.#forgottenChunks - range.count);
      return undefined;
    }
    this.#forget(request);
    if (this.outstanding.includes(request)) this.#remove(request);
    return request;
  }

  /**
   * Notes that chunks of an answer came, and returns whose: the oldest request's for exactly the
   * range of the frame, or else the oldest's that they can belong to, as answers come in order.
   */
  report(block: number, mask: number, frame: ChunkRange): Request | undefined {
    const requests = this.#expected.filter((expected) =>
      expected.block === block && (mask & ~expected.unreported) === 0
    );
    const request = requests.find(({ range }) => isSame(range, frame)) ?? requests[0];
    if (request === undefined) return undefined;
    request.unreported &= ~mask;
    if (request.unreported === 0 && !this.outstanding.includes(request)) this.#forget(request);
    return request;
  }

  /** Whether exactly `range` is asked and not answered. */
  isAsked(range: ChunkRange): boolean {
    return this.outstanding.some((request) => isSame(request.range, range));
  }

  /**
   * Whether exactly `range` was asked and may still be answered, cancelled or not; or may belong to a
   * cancelled request that was forgotten: who was slow to read so many is no liar.
   */
  isExpected(range: ChunkRange): boolean {
    return range.count <= this.#forgottenChunks ||
      this.#expected.some((request) => isSame(request.range, range));
  }

  /** How many bytes are still to come until a request is answered. */
  bytesUntil(request: Request): number {
    let bytes = -this.#arrivedBytes;
    for (const earlier of this.outstanding) {
      bytes += earlier.bytes;
      if (earlier === request) break;
    }
    return Math.max(0, bytes);
  }

  #forget(request: Request): void {
    this.#expected.splice(this.#expected.indexOf(request), 1);
  }

  #remove(request: Request): void {
    this.outstanding.splice(this.outstanding.indexOf(request), 1);
    this.inflightBytes -= request.bytes;
    this.#arrivedBytes = Math.min(this.#arrivedBytes, this.inflightBytes);
  }
}

/**
 * How fast a source delivers: an exponentially weighted mean over the time in which something was
 * asked of it. Idle time does not count.
 */
class DeliveryRate {
  #bytes = 0;
  #busyMs = 0;
  #lastMs: number;
  #wasBusy = false;
  #mean: number | undefined;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** The mean so far in bytes per second; undefined while too little is known. */
  get bytesPerSecond(): number | undefined {
    if (this.#mean !== undefined) return this.#mean;
    if (this.#bytes === 0 || this.#busyMs < limits.rateGuessMs) return undefined;
    return this.#bytes / this.#busyMs * 1000;
  }

  /** Whether a whole sample stands behind {@linkcode bytesPerSecond}. */
  get isSettled(): boolean {
    return this.#mean !== undefined;
  }

  /** Counts bytes that came in. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Takes the time up to now in; `isBusy` says whether something is asked from now on. */
  run(nowMs: number, isBusy: boolean): void {
    if (this.#wasBusy) this.#busyMs += nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#wasBusy = isBusy;
    if (this.#busyMs < limits.rateSampleMs) return;
    const sample = this.#bytes / this.#busyMs * 1000;
    this.#mean = this.#mean === undefined
      ? sample
      : this.#mean + SAMPLE_WEIGHT * (sample - this.#mean);
    this.#bytes = 0;
    this.#busyMs = 0;
  }
}

function isSame(one: ChunkRange, other: ChunkRange): boolean {
  return one.first === other.first && one.count === other.count;
}
