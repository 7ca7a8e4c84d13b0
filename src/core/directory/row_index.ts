/**
 * Finds rows by numbers that they have, in 8 to 16 bytes a row: open addressing with linear
 * probing, never more than half full. The hash has a secret seed, so that nobody can choose
 * numbers that collide.
 */

import { NONE } from "./rows.ts";

const SLOTS_AT_FIRST = 64;

/** An index over rows; `hashOf` gives the hash of a row that is in it. */
export class RowIndex {
  readonly #hashOf: (row: number) => number;
  /** A row plus 1, or 0 for none. */
  #slots = new Int32Array(SLOTS_AT_FIRST);
  #size = 0;

  constructor(hashOf: (row: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The row with this hash that `isIt`, or NONE. */
  find(hash: number, isIt: (row: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const row = this.#slots[at]! - 1;
      if (row === NONE || isIt(row)) return row;
    }
  }

  /** Takes in a row that is not in it. */
  add(row: number): void {
    this.#size++;
    if (2 * this.#size > this.#slots.length) this.#resize(2 * this.#slots.length);
    this.#put(row);
  }

  /** Takes out a row that is in it, while its hash is still the same. */
  remove(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#hashOf(row) & mask;
    while (slots[hole] !== row + 1) hole = (hole + 1) & mask;
    // What stands after the hole and could stand in it moves up: so there are no gaps to skip.
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashOf(slots[at]! - 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]!;
        hole = at;
      }
    }
    slots[hole] = 0;
    this.#size--;
    const isSparse = 16 * this.#size < slots.length && slots.length > SLOTS_AT_FIRST;
    if (isSparse) this.#resize(slots.length / 4);
  }

  #put(row: number): void {
    const mask = this.#slots.length - 1;
    let at = this.#hashOf(row) & mask;
    while (this.#slots[at] !== 0) at = (at + 1) & mask;
    this.#slots[at] = row + 1;
  }

  #resize(length: number): void {
    const before = this.#slots;
    this.#slots = new Int32Array(Math.max(SLOTS_AT_FIRST, length));
    for (const slot of before) if (slot !== 0) this.#put(slot - 1);
  }
}

/** A hash of numbers, from their low 32 bits: the mixing steps of MurmurHash3 (Austin Appleby). */
export function hashNumbers(seed: number, a: number, b: number, c: number): number {
  let hash = mixed(seed, a);
  hash = mixed(hash, b);
  hash = mixed(hash, c);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mixed(hash: number, value: number): number {
  let k = Math.imul(value | 0, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
