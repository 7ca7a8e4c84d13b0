/** A bounded map whose entries count for some time. */

import { BoundedMap } from "../../base/bounded_map.ts";

/** What counts for some time, by key; the oldest goes when there is too much. */
export class TimedMap<V> {
  readonly #forMs: number;
  readonly #entries: BoundedMap<string, { readonly value: V; readonly untilMs: number }>;

  constructor({ forMs, max }: { readonly forMs: number; readonly max: number }) {
    this.#forMs = forMs;
    this.#entries = new BoundedMap(max);
  }

  set(key: string, value: V, nowMs: number): void {
    this.#entries.set(key, { value, untilMs: nowMs + this.#forMs });
  }

  get(key: string, nowMs: number): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > nowMs ? entry.value : undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Drops what is over; the oldest come first. */
  tick(nowMs: number): void {
    for (const [key, { untilMs }] of this.#entries) {
      if (untilMs > nowMs) break;
      this.#entries.delete(key);
    }
  }
}
