/**
 * The minimum rate of a pushed file, at both ends: each holds one of a few slots for it that others
 * want too. It only measures; its caller ends the push.
 */

import { limits } from "../../base/limits.ts";

/** The rate of one file. */
export class MinimumRate {
  /** Time that may pass without anything useful; what comes adds to it, up to `limits.pushMsMin`. */
  #creditMs: number = limits.pushMsMin;
  #bytes = 0;
  #seenMs: number;

  constructor(nowMs: number) {
    this.#seenMs = nowMs;
  }

  /** Lets time pass that does not count: this node itself holds the file back. */
  excuse(nowMs: number): false {
    this.#seenMs = nowMs;
    return false;
  }

  /**
   * Lets time pass; true when the file goes too slowly. What came fast before does not count for
   * ever: nothing, or next to nothing, may come for at most `limits.pushMsMin` at a time.
   *
   * @param bytes Bytes of the file that were of use so far.
   */
  tick(bytes: number, nowMs: number): boolean {
    const newBytes = Math.max(0, bytes - this.#bytes);
    const earnedMs = newBytes / limits.pushBytesPerSecondMin * 1_000;
    const leftMs = this.#creditMs + earnedMs - (nowMs - this.#seenMs);
    this.#creditMs = Math.min(limits.pushMsMin, leftMs);
    this.#bytes = bytes;
    this.#seenMs = nowMs;
    return leftMs < 0;
  }
}
