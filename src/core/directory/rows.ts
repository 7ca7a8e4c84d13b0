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
