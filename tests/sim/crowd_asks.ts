/** What a machine of a simulated crowd asks its fellows for: who may be asked, and what is awaited. */

import { Bitfield } from "../../src/base/bitfield.ts";
import type { ChunkRange } from "../../src/base/geometry.ts";

/** One request. */
export interface SimAsk {
  readonly of: number;
  readonly range: ChunkRange;
}

/** The requests of one machine. */
export class SimAsks {
  readonly #have: Bitfield;
  readonly #may = new Map<number, Bitfield>();
  /** Of each chunk, who is asked for it: its index and 1; 0: nobody. */
  readonly #asked: Int32Array;

  constructor(have: Bitfield) {
    this.#have = have;
    this.#asked = new Int32Array(have.length);
  }

  /** These may be asked of it too: what is to be asked now. */
  may(of: number, ranges: readonly ChunkRange[]): SimAsk[] {
    let may = this.#may.get(of);
    if (may === undefined) this.#may.set(of, may = new Bitfield(this.#have.length));
    for (const range of ranges) may.addRange(range);
    return ranges.flatMap((range) => this.#askOf(of, range));
  }

  /** Only these may be asked of it: what is to be asked of others now. */
  mayOnly(of: number, ranges: readonly ChunkRange[]): SimAsk[] {
    const asks = this.gone(of);
    return [...asks, ...this.may(of, ranges)];
  }

  /** It cannot be asked: what is to be asked of others. */
  gone(of: number): SimAsk[] {
    this.#may.delete(of);
    const freed: ChunkRange[] = [];
    for (let chunk = 0; chunk < this.#asked.length; chunk++) {
      if (this.#asked[chunk] !== of + 1) continue;
      this.#asked[chunk] = 0;
      freed.push({ first: chunk, count: 1 });
    }
    return this.askAny(freed);
  }

  /** What it was asked for and did not give. */
  unanswered({ of, range }: SimAsk): ChunkRange[] {
    const missing: ChunkRange[] = [];
    for (let chunk = range.first; chunk < range.first + range.count; chunk++) {
      if (this.#asked[chunk] !== of + 1 || this.#have.has(chunk)) continue;
      this.#asked[chunk] = 0;
      this.#may.get(of)?.remove(chunk);
      missing.push({ first: chunk, count: 1 });
    }
    return missing;
  }

  /** They are wrong, and have to come again. */
  lost(ranges: readonly ChunkRange[]): SimAsk[] {
    for (const { first, count } of ranges) this.#asked.fill(0, first, first + count);
    return this.askAny(ranges);
  }

  /** What may be asked of somebody. */
  askAny(ranges: readonly ChunkRange[]): SimAsk[] {
    return ranges.flatMap((range) => [...this.#may.keys()].flatMap((of) => this.#askOf(of, range)));
  }

  #askOf(of: number, range: ChunkRange): SimAsk[] {
    const may = this.#may.get(of)!;
    const asks: { of: number; range: { first: number; count: number } }[] = [];
    for (let chunk = range.first; chunk < range.first + range.count; chunk++) {
      if (this.#asked[chunk] !== 0 || this.#have.has(chunk) || !may.has(chunk)) continue;
      this.#asked[chunk] = of + 1;
      const last = asks.at(-1)?.range;
      if (last !== undefined && last.first + last.count === chunk) last.count++;
      else asks.push({ of, range: { first: chunk, count: 1 } });
    }
    return asks;
  }
}
