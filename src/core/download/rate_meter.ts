/**
 * How fast a source delivers: an exponentially weighted mean over the time in which something was
 * asked of it. Idle time does not count, and time comes in as an argument.
 */

/** Busy time that makes one sample. */
const SAMPLE_MS = 200;
/** Busy time before a guess from the first bytes is worth anything. */
const GUESS_MS = 10;
/** Weight of a new sample: old speed is forgotten in about a second. */
const SAMPLE_WEIGHT = 0.3;

/** Bytes per second of one source. */
export class RateMeter {
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
    if (this.#bytes === 0 || this.#busyMs < GUESS_MS) return undefined;
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
    if (this.#busyMs < SAMPLE_MS) return;
    const sample = this.#bytes / this.#busyMs * 1000;
    this.#mean = this.#mean === undefined
      ? sample
      : this.#mean + SAMPLE_WEIGHT * (sample - this.#mean);
    this.#bytes = 0;
    this.#busyMs = 0;
  }
}
