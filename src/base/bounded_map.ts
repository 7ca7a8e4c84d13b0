/** Maps that hold so many entries and no more: the oldest goes to make room. */

/**
 * Entries by key, in the order in which they were set or last touched. For what somebody outside
 * can make grow, and what may be forgotten.
 */
export class BoundedMap<K, V> {
  readonly #max: number;
  readonly #onEvict: ((key: K, value: V) => void) | undefined;
  /** The first is the oldest. */
  readonly #entries = new Map<K, V>();

  /** @param options `onEvict` is called with what went to make room; not with what is deleted. */
  constructor(max: number, options: { readonly onEvict?: (key: K, value: V) => void } = {}) {
    this.#max = max;
    this.#onEvict = options.onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Like {@linkcode get}, and makes the entry the newest. */
  touch(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  /** Adds or replaces an entry, as the newest. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    for (const [oldest, evicted] of this.#entries) {
      this.#entries.delete(oldest);
      this.#onEvict?.(oldest, evicted);
      return;
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** From the oldest to the newest. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#entries[Symbol.iterator]();
  }

  keys(): MapIterator<K> {
    return this.#entries.keys();
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }
}

/** A bounded map whose entries count for some time. */
export class TimedMap<V> {
  readonly #forMs: number;
  readonly #onOver: (key: string, value: V) => void;
  /** The oldest first: all of them count equally long. */
  readonly #entries: BoundedMap<string, { readonly value: V; readonly untilMs: number }>;

  /** @param options `onOver` is called with what does not count any more; not with what is deleted. */
  constructor(options: {
    readonly forMs: number;
    readonly max: number;
    readonly onOver?: (key: string, value: V) => void;
  }) {
    const { forMs, max, onOver = () => {} } = options;
    this.#forMs = forMs;
    this.#onOver = onOver;
    this.#entries = new BoundedMap(max, { onEvict: (key, { value }) => onOver(key, value) });
  }

  set(key: string, value: V, nowMs: number): void {
    this.tick(nowMs);
    this.#entries.set(key, { value, untilMs: nowMs + this.#forMs });
  }

  get(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > nowMs ? entry.value : undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** What counts, from the oldest on; entries may be deleted meanwhile. */
  *entries(nowMs: number): Iterable<readonly [key: string, value: V]> {
    this.tick(nowMs);
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  /** Drops what is over; the oldest come first. */
  tick(nowMs: number): void {
    for (const [key, { value, untilMs }] of this.#entries) {
      if (untilMs > nowMs) break;
      this.#entries.delete(key);
      this.#onOver(key, value);
    }
  }
}
