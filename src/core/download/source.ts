/**
 * One source of a download: what was asked of it and what it is worth. Keeps the books only; what
 * is asked of whom is decided in download.ts.
 */

import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { SourceId } from "./download_events.ts";
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

/** The books of one source. */
export class Source {
  readonly id: SourceId;
  readonly holdings: Holdings;
  rate: DeliveryRate;
  /** Requests outstanding, oldest first: a source answers in order. */
  readonly requests: Request[] = [];
  /** Chunks by block that it sent wrong; they are not asked of it again. */
  readonly bad = new Map<number, number>();
  /** How many requests it may have outstanding. */
  window: number = limits.requestsAtFirst;
  /** Its part in the budget, relative to the others'. */
  weight = 1;
  inflightBytes = 0;
  bytesGood = 0;
  strikes = 0;
  isSnubbed = false;
  /** When it last gave a sign of life, or had its first request after a rest. */
  lastActiveMs: number;
  /** Where to go on looking for chunks that only this source has, while it is snubbed. */
  probeCursor = 0;
  /** Bytes that have arrived of requests not yet answered. */
  #arrivedBytes = 0;
  /** What may still be answered, oldest first: the requests outstanding, and cancelled ones. */
  readonly #expected: Request[] = [];

  constructor(id: SourceId, holdings: Holdings, nowMs: number) {
    this.id = id;
    this.holdings = holdings;
    this.lastActiveMs = nowMs;
    this.rate = new DeliveryRate(nowMs);
  }

  /** Bytes that it may have in flight: a slow source gets little, so that it holds up little. */
  get inflightBytesMax(): number {
    const all = limits.requestsPerPeerMax * limits.requestChunksMax * CHUNK_BYTES;
    if (!this.rate.isSettled) return all;
    const queue = this.rate.bytesPerSecond! * limits.sourceQueueMs / 1000;
    return Math.min(all, Math.max(queue, limits.requestChunksMin * CHUNK_BYTES));
  }

  /** Whether it has answered since it joined or came back. */
  get isProved(): boolean {
    return this.window > limits.requestsAtFirst;
  }

  /** Whether something asked of it is overdue by now, if nothing was heard of it. */
  get owes(): boolean {
    return this.requests.length > 0 || this.isSnubbed;
  }

  /** Starts over with a source that gave a sign of life after it was snubbed. */
  revive(nowMs: number): void {
    this.isSnubbed = false;
    this.window = limits.requestsAtFirst;
    this.rate = new DeliveryRate(nowMs);
    this.rate.run(nowMs, this.requests.length > 0);
  }

  /** Bytes of a frame came in. */
  arrived(bytes: number, nowMs: number): void {
    this.#arrivedBytes = Math.min(this.#arrivedBytes + bytes, this.inflightBytes);
    this.rate.add(bytes);
    this.rate.run(nowMs, this.requests.length > 0);
    this.lastActiveMs = nowMs;
  }

  /** Puts a request on the books. */
  ask(request: Request, nowMs: number): void {
    // A snubbed source stays silent since its last sign of life, however often it is probed.
    if (this.requests.length === 0 && !this.isSnubbed) this.lastActiveMs = nowMs;
    this.requests.push(request);
    this.#expected.push(request);
    this.inflightBytes += request.bytes;
    this.rate.run(nowMs, true);
  }

  /** Takes an answered request off the books. */
  answered(request: Request, nowMs: number): void {
    // What arrived() has not told of this frame is counted now.
    this.rate.add(Math.max(0, request.bytes - this.#arrivedBytes));
    this.#arrivedBytes = Math.max(0, this.#arrivedBytes - request.bytes);
    this.window = Math.min(this.window + 1, limits.requestsPerPeerMax);
    this.#remove(request, nowMs);
    if (request.unreported === 0) this.#forget(request);
  }

  /** Takes a request off the books that nobody waits for any more; its answer may still come. */
  cancelled(request: Request, nowMs: number): void {
    if (request === this.requests[0]) this.#arrivedBytes = 0;
    this.#remove(request, nowMs);
    const cancelled = this.#expected.filter((expected) => !this.requests.includes(expected));
    if (cancelled.length > limits.cancelledRequestsMax) this.#forget(cancelled[0]!);
  }

  /** Takes the oldest request for exactly `range` off, cancelled or not: it has no answer. */
  refused(range: ChunkRange, nowMs: number): Request | undefined {
    const request = this.#expected.find((expected) => isSame(expected.range, range));
    if (request === undefined) return undefined;
    this.#forget(request);
    if (this.requests.includes(request)) this.#remove(request, nowMs);
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
    if (request.unreported === 0 && !this.requests.includes(request)) this.#forget(request);
    return request;
  }

  /** Whether exactly `range` is asked and not answered. */
  isAsked(range: ChunkRange): boolean {
    return this.requests.some((request) => isSame(request.range, range));
  }

  /** Whether exactly `range` was asked and may still be answered, cancelled or not. */
  isExpected(range: ChunkRange): boolean {
    return this.#expected.some((request) => isSame(request.range, range));
  }

  /** When a request will be answered at the present rate, in milliseconds from now, if known. */
  expectedMs(request: Request): number | undefined {
    const rate = this.rate.bytesPerSecond;
    if (rate === undefined) return undefined;
    let bytes = -this.#arrivedBytes;
    for (const earlier of this.requests) {
      bytes += earlier.bytes;
      if (earlier === request) break;
    }
    return Math.max(0, bytes) / rate * 1000;
  }

  #forget(request: Request): void {
    this.#expected.splice(this.#expected.indexOf(request), 1);
  }

  #remove(request: Request, nowMs: number): void {
    this.requests.splice(this.requests.indexOf(request), 1);
    this.inflightBytes -= request.bytes;
    this.#arrivedBytes = Math.min(this.#arrivedBytes, this.inflightBytes);
    this.rate.run(nowMs, this.requests.length > 0);
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
