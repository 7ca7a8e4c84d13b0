/** Counts: how many there are of each key, and how many of late. */

/** A key whose count falls to 0 is forgotten, so that memory follows what there is. */
export class Counts<K> {
  readonly #counts = new Map<K, number>();
  #total = 0;

  /** How many there are of all keys. */
  get total(): number {
    return this.#total;
  }

  /** How many keys have any. */
  get size(): number {
    return this.#counts.size;
  }

  /** How many there are of `key`. */
  of(key: K): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Counts one more, or one less, of `key`. */
  add(key: K, by: 1 | -1): void {
    const count = this.of(key) + by;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
    this.#total += by;
  }
}

/**
 * Which group gives a place to a newcomer when there are none left: the one with the most, if it has
 * more than the newcomer's would have. Undefined if there is none; of equal ones the first.
 *
 * @param groups The group of each that has a place.
 */
export function groupToGive(groups: Iterable<string>, newcomer: string): string | undefined {
  const counts = new Map<string, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  let most = (counts.get(newcomer) ?? 0) + 1;
  let found: string | undefined;
  for (const [group, count] of counts) if (count > most) [most, found] = [count, group];
  return found;
}

/**
 * A count that forgets: what was counted one half-life ago counts half. Time comes in as an argument
 * and must not go back.
 */
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
