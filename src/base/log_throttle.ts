/** Keeps one cause from filling the log: says whether a line like this came lately. */

/** How long a line is not repeated. */
const QUIET_MS = 60_000;
/** Distinct lines remembered; past it everything is new again, and memory stays small. */
const KEYS_MAX = 1_024;

/** Remembers what was logged in the last minute. */
export class LogThrottle {
  readonly #loggedMs = new Map<string, number>();

  /** Whether `key` was not asked about within the last minute. */
  isFirst(key: string): boolean {
    if (this.#loggedMs.has(key)) return false;
    if (this.#loggedMs.size >= KEYS_MAX) this.#loggedMs.clear();
    this.#loggedMs.set(key, performance.now());
    return true;
  }

  /** Forgets what is old. */
  tick(nowMs: number): void {
    for (const [key, loggedMs] of this.#loggedMs) {
      if (nowMs - loggedMs < QUIET_MS) return;
      this.#loggedMs.delete(key);
    }
  }
}
