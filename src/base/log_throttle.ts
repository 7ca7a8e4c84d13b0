/** Keeps one cause from filling the log: says whether a line like this came lately. */

import { type Clock, systemClock } from "./clock.ts";
import { limits } from "./limits.ts";

/** Remembers what was logged in the last `limits.logQuietMs`. */
export class LogThrottle {
  readonly #clock: Clock;
  readonly #loggedMs = new Map<string, number>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Whether `key` was not asked about within that time. */
  isFirst(key: string): boolean {
    if (this.#loggedMs.has(key)) return false;
    // Past the bound everything is new again, and memory stays small.
    if (this.#loggedMs.size >= limits.logKeysMax) this.#loggedMs.clear();
    this.#loggedMs.set(key, this.#clock.nowMs());
    return true;
  }

  /** Forgets what is old. */
  tick(nowMs: number): void {
    for (const [key, loggedMs] of this.#loggedMs) {
      if (nowMs - loggedMs < limits.logQuietMs) return;
      this.#loggedMs.delete(key);
    }
  }
}
