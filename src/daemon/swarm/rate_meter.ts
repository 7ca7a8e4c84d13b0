/** Bytes a second of a growing count, smoothed so that a bar does not jump. */

import { limits } from "../../base/limits.ts";

/** An exponentially weighted rate. */
export class RateMeter {
  #lastMs: number | null = null;
  #lastBytes = 0;
  #rate: number | null = null;

  /** The smoothed rate; 0 before the second reading. */
  get bytesPerSecond(): number {
    return this.#rate ?? 0;
  }

  /** Takes a reading of the count at `nowMs`. */
  add(bytes: number, nowMs: number): void {
    if (this.#lastMs !== null && nowMs > this.#lastMs) {
      const elapsedMs = nowMs - this.#lastMs;
      const rate = (bytes - this.#lastBytes) * 1000 / elapsedMs;
      const weight = 1 - Math.exp(-elapsedMs / limits.rateSmoothMs);
      this.#rate = this.#rate === null ? rate : this.#rate + weight * (rate - this.#rate);
    }
    this.#lastMs = nowMs;
    this.#lastBytes = bytes;
  }
}
