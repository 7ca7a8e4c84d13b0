/** The logger that every layer is handed; where lines go and how they look the CLI decides. */

import { BoundedMap } from "./bounded_map.ts";
import { type Clock, systemClock } from "./clock.ts";
import { limits } from "./limits.ts";

/** Values that go with a line, each under a name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call: what happened, in plain words, and the values beside it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Swallows everything: for a fetch that must stay silent. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** Remembers what was logged in the last `limits.logQuietMs`. */
export class LogThrottle {
  readonly #clock: Clock;
  readonly #loggedMs = new BoundedMap<string, number>(limits.logKeysMax);

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Whether `key` was not asked about within that time. */
  isFirst(key: string): boolean {
    if (this.#loggedMs.has(key)) return false;
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
