/**
 * A read that has brought what is wanted for now, of a mirror that gives no ranges: its answer goes on
 * to the end of the file, and would have to be asked for from the first byte again. So it stays open
 * for a while, unread, for who wants more. What the bytes are for is not known here.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { RangeBody, ResumableRead } from "./resumable_read.ts";

/** A place for one such read. */
export class PausedRead<B extends RangeBody> {
  readonly #clock: Clock;
  #paused: {
    readonly read: ResumableRead<B>;
    readonly signal: AbortSignal;
    readonly timer: Timer;
  } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps a read, which was opened with `signal`, open; ends the one before. */
  pause(read: ResumableRead<B>, signal: AbortSignal): void {
    this.end();
    const timer = this.#clock.after(limits.mirrorPausedMs, () => this.end());
    this.#paused = { read, signal, timer };
  }

  /** Takes out what was paused, to go on under the same signal; null when there is nothing. */
  goOn(signal: AbortSignal): ResumableRead<B> | null {
    if (this.#paused?.signal !== signal) this.end();
    const read = this.#paused?.read ?? null;
    this.#paused?.timer.cancel();
    this.#paused = null;
    return read;
  }

  /** Nothing more is wanted of it. */
  end(): void {
    this.#paused?.timer.cancel();
    this.#paused?.read[Symbol.dispose]();
    this.#paused = null;
  }
}
