/**
 * A token bucket: so many a second on average, with a burst on top. It only says yes or no; what
 * happens to the excess is its caller's business.
 */

/** The bound on one stream of events. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = -Infinity;

  /** Starts with the whole burst at hand. */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Whether one more event, or one that costs more, is within the bound now; if so it counts. */
  take(nowMs: number, cost = 1): boolean {
    const gained = (nowMs - this.#atMs) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#atMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** How long until an event is within the bound, if none comes before it; 0: it is now. */
  waitMs(nowMs: number): number {
    const tokens = this.#tokens + (nowMs - this.#atMs) * this.#perSecond / 1000;
    return Math.max(0, (1 - tokens) * 1000 / this.#perSecond);
  }

  /** Counts what turned out to cost more only when it was done: what comes next has to wait. */
  owe(cost: number): void {
    this.#tokens -= cost;
  }
}
