/** A count that forgets: what was counted one half-life ago counts half. */

/** How much was counted lately. Time comes in as an argument and must not go back. */
export class MovingAverage {
  readonly #halfLifeMs: number;
  #value = 0;
  #atMs = 0;

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  at(nowMs: number): number {
    if (this.#value === 0) return 0;
    return this.#value * 2 ** (-(nowMs - this.#atMs) / this.#halfLifeMs);
  }

  add(amount: number, nowMs: number): void {
    this.#value = Math.max(0, this.at(nowMs) + amount);
    this.#atMs = nowMs;
  }
}
