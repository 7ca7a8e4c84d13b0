/** Counts by key: how many there are of each, while there are any. */

/** A key whose count falls to 0 is forgotten, so that memory follows what there is. */
export class Counts<K> {
  readonly #counts = new Map<K, number>();
  #total = 0;

  /** How many there are of all keys. */
  get total(): number {
    return this.#total;
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
