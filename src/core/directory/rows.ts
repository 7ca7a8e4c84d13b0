/**
 * Rows of whole numbers in one typed array: some 40 bytes for what would be 150 as an object, and
 * nothing for the garbage collector to walk over. Only the owner knows what a field means.
 */

/** No row, in a field or as an answer. */
export const NONE = -1;

/** Names a row of files, or of listings, for as long as it is there. */
export type FileRow = number;
export type ListingRow = number;

/** Rows of `fields` numbers each; a row that was removed is used again. */
export class Rows {
  readonly #fields: number;
  #cells: Int32Array;
  /** Rows that were ever used: those after them are new. */
  #used = 0;
  /** The row that was removed last; its first field leads to the one before. */
  #free = NONE;
  #size = 0;

  constructor(fields: number) {
    this.#fields = fields;
    this.#cells = new Int32Array(64 * fields);
  }

  /** How many rows there are. */
  get size(): number {
    return this.#size;
  }

  get(row: number, field: number): number {
    return this.#cells[row * this.#fields + field]!;
  }

  set(row: number, field: number, value: number): void {
    this.#cells[row * this.#fields + field] = value;
  }

  /** Makes a row whose fields are all 0. */
  add(): number {
    this.#size++;
    if (this.#free === NONE) return this.#addNew();
    const row = this.#free;
    this.#free = this.get(row, 0);
    this.#cells.fill(0, row * this.#fields, (row + 1) * this.#fields);
    return row;
  }

  /** Takes away a row that is there. */
  remove(row: number): void {
    this.set(row, 0, this.#free);
    this.#free = row;
    this.#size--;
  }

  #addNew(): number {
    const row = this.#used++;
    if (this.#used * this.#fields > this.#cells.length) {
      // A quarter more: copying it is cheap, and what is not used yet is memory all the same.
      const cells = new Int32Array(Math.ceil(row * 1.25) * this.#fields);
      cells.set(this.#cells);
      this.#cells = cells;
    }
    return row;
  }
}

/**
 * Rings of rows, linked by two fields of theirs: who owns a ring keeps its first row. Rows come and
 * go at a constant cost.
 */
export class Rings {
  readonly #rows: Rows;
  readonly #next: number;
  readonly #previous: number;

  constructor(rows: Rows, fields: { readonly next: number; readonly previous: number }) {
    this.#rows = rows;
    this.#next = fields.next;
    this.#previous = fields.previous;
  }

  /** Puts a row at the end of the ring; gives the first row. */
  push(first: number, row: number): number {
    if (first === NONE) {
      this.#link(row, row);
      return row;
    }
    this.#link(this.#rows.get(first, this.#previous), row);
    this.#link(row, first);
    return first;
  }

  /** Makes a row of the ring its first; gives it. */
  lead(first: number, row: number): number {
    // The last of a ring is the one before its first.
    this.push(this.remove(first, row), row);
    return row;
  }

  /** Takes a row out of the ring; gives the first row, or NONE of an empty ring. */
  remove(first: number, row: number): number {
    const next = this.next(row);
    if (next === row) return NONE;
    this.#link(this.#rows.get(row, this.#previous), next);
    return row === first ? next : first;
  }

  /** The row after this one; after the last comes the first. */
  next(row: number): number {
    return this.#rows.get(row, this.#next);
  }

  /** The first rows of a ring, at most `max`. */
  taken(first: number, max: number): number[] {
    const rows: number[] = [];
    if (first === NONE || max <= 0) return rows;
    let row = first;
    do {
      rows.push(row);
      row = this.next(row);
    } while (row !== first && rows.length < max);
    return rows;
  }

  #link(row: number, next: number): void {
    this.#rows.set(row, this.#next, next);
    this.#rows.set(next, this.#previous, row);
  }
}

const SLOTS_AT_FIRST = 64;

/**
 * Finds rows by numbers that they have, in 8 to 16 bytes a row: open addressing with linear probing,
 * never more than half full. The hash has a secret seed, so that nobody can choose numbers that
 * collide; `hashOf` gives the hash of a row that is in it.
 */
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
