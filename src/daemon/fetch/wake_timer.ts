/** Wakes the policy of one fetch when something is due because time has passed. */

import type { Clock, Timer } from "../../base/clock.ts";

/** One timer, set anew whenever it is to go off sooner. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #timer: Timer | null = null;
  #atMs = Infinity;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Has it go off at `atMs` at the latest. A timer that would go off sooner is left as it is. */
  set(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.cancel();
    this.#atMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => {
      this.#timer = null;
      this.#atMs = Infinity;
      this.#wake();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#atMs = Infinity;
  }
}
