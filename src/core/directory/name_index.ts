/**
 * Names, found by themselves at once, and by glob without looking at each of them.
 *
 * The structure is a matrix of bits. A column is a name; a row is a class of short runs of letters
 * (one, two or three, with a mark before the first letter of a name and one after its last); there
 * are `GRAM_ROWS` classes. A bit says that the name has a run of this class. A glob gives
 * the runs of its literal parts; the names that can match have a bit in each of their rows. So a
 * query is the AND of the few rows that have the fewest bits, 32 names a step, and only what is
 * left is compared with the glob.
 *
 * Why not posting lists: with names of some 40 letters they take as much memory, but a removal
 * has to search long lists, and somebody who lists odd names can make them ten times as big. Here
 * every name costs `GRAM_ROWS` bits, comes and goes in the time of its letters, and its column is
 * used again.
 *
 * A glob without any letter looks at the names one by one; see {@linkcode NameIndex.each}.
 */

import { limits } from "../../base/limits.ts";
import { matchesGlob } from "../../base/names.ts";
import { NONE } from "./rows.ts";

/** Rows of single letters, and of runs of two or three. */
const LETTER_ROWS = 128;
const RUN_ROWS_LOG2 = 10;
/** Bits of a name, 144 bytes: a name of 40 letters sets some 100 of them. */
const GRAM_ROWS = LETTER_ROWS + 2 ** RUN_ROWS_LOG2;
/** Names whose bits lie together; a block takes 288 KiB. */
const BLOCK_NAMES = 2048;
const BLOCK_WORDS = BLOCK_NAMES / 32;
/** Stand before and after a name; no name has control characters. */
const START = 2;
const END = 3;

interface Block {
  readonly bits: Uint32Array;
  size: number;
}

/** Distinct names, each with a small number of its own for as long as it is there. */
export class NameIndex {
  readonly #slots = new Map<string, number>();
  readonly #names: (string | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #blocks: (Block | undefined)[] = [];
  /** Names that have a bit in each row. */
  readonly #counts = new Int32Array(GRAM_ROWS);
  readonly #runRows = new RunRows();

  /** How many names there are. */
  get size(): number {
    return this.#slots.size;
  }

  /** The number of a name, or NONE. */
  find(name: string): number {
    return this.#slots.get(name) ?? NONE;
  }

  /** The name of a number that is taken. */
  nameOf(slot: number): string {
    return this.#names[slot]!;
  }

  /** Takes a name in that is not there; gives its number. */
  add(name: string): number {
    const slot = this.#free.pop() ?? this.#names.length;
    this.#slots.set(name, slot);
    this.#names[slot] = name;
    const block = this.#blocks[Math.floor(slot / BLOCK_NAMES)] ??= {
      bits: new Uint32Array(GRAM_ROWS * BLOCK_WORDS),
      size: 0,
    };
    block.size++;
    const word = (slot % BLOCK_NAMES) >>> 5;
    const bit = 1 << (slot & 31);
    for (const row of this.#runRows.ofName(name)) {
      block.bits[row * BLOCK_WORDS + word]! |= bit;
      this.#counts[row]!++;
    }
    return slot;
  }

  /** Takes out the name of a number; the number is free. */
  remove(slot: number): void {
    const name = this.nameOf(slot);
    const at = Math.floor(slot / BLOCK_NAMES);
    const block = this.#blocks[at]!;
    const word = (slot % BLOCK_NAMES) >>> 5;
    const bit = 1 << (slot & 31);
    for (const row of this.#runRows.ofName(name)) {
      block.bits[row * BLOCK_WORDS + word]! &= ~bit;
      this.#counts[row]!--;
    }
    if (--block.size === 0) this.#blocks[at] = undefined;
    this.#slots.delete(name);
    this.#names[slot] = undefined;
    this.#free.push(slot);
  }

  /**
   * Shows the numbers of the names that match `glob`, from `from` on and upwards, until `visit` does
   * not take one. Comparing is bounded by `limits.directoryCompareSteps`. Gives the steps that it
   * took, and the number at which it stopped: null when it came to the end.
   */
  each(
    glob: string,
    visit: (slot: number) => boolean,
    from = 0,
  ): { readonly steps: number; readonly next: number | null } {
    const stepsFor = compareSteps(glob);
    let steps = 0;
    for (const slot of this.#candidates(glob, from)) {
      const name = this.nameOf(slot);
      const stepsAfter = steps + stepsFor(name);
      if (stepsAfter > limits.directoryCompareSteps) return { steps, next: slot };
      steps = stepsAfter;
      if (matchesGlob(glob, name) && !visit(slot)) return { steps, next: slot };
    }
    return { steps, next: null };
  }

  #candidates(glob: string, from: number): Iterable<number> {
    if (!/[*?]/.test(glob)) {
      const slot = this.find(glob);
      return slot === NONE || slot < from ? [] : [slot];
    }
    const rows = this.#runRows.ofGlob(glob);
    if (rows.length === 0) return this.#taken(from);
    rows.sort((a, b) => this.#counts[a]! - this.#counts[b]!);
    return this.#withRows(rows.slice(0, limits.nameRowsMax), from);
  }

  *#taken(from: number): Generator<number> {
    for (let slot = from; slot < this.#names.length; slot++) {
      if (this.#names[slot] !== undefined) yield slot;
    }
  }

  /** Numbers from `from` on that have a bit in all of these rows. */
  *#withRows(rows: readonly number[], from: number): Generator<number> {
    if (this.#counts[rows[0]!] === 0) return;
    for (let at = Math.floor(from / BLOCK_NAMES); at < this.#blocks.length; at++) {
      const block = this.#blocks[at];
      if (block === undefined) continue;
      const first = Math.max(0, from - at * BLOCK_NAMES);
      for (let word = first >>> 5; word < BLOCK_WORDS; word++) {
        let bits = word === first >>> 5 ? -1 << (first & 31) : -1;
        for (let i = 0; i < rows.length && bits !== 0; i++) {
          bits &= block.bits[rows[i]! * BLOCK_WORDS + word]!;
        }
        while (bits !== 0) {
          const lowest = 31 - Math.clz32(bits & -bits);
          yield at * BLOCK_NAMES + word * 32 + lowest;
          bits &= bits - 1;
        }
      }
    }
  }
}

/** How many letters a glob compares with those of a name, at the most. */
function compareSteps(glob: string): (name: string) => number {
  if (!glob.includes("*")) return () => glob.length + 1;
  // What stands between two stars is tried at each letter of the name; what matched is not again.
  const longest = Math.max(...glob.split("*").map((part) => part.length));
  return (name) => glob.length + (longest + 1) * (name.length + 1);
}

/** Collects the rows of runs, each row once. Used again and again: a list of a client is long. */
class RunRows {
  /** The collection in which a row came last. */
  readonly #lastIn = new Uint32Array(GRAM_ROWS);
  #collection = 0;
  #rows: number[] = [];

  /** The rows in which a name has a bit; valid until the next call. */
  ofName(name: string): readonly number[] {
    this.#begin();
    this.#add(START, name, END);
    return this.#rows;
  }

  /** The rows in which every name that matches has a bit; valid until the next call. */
  ofGlob(glob: string): number[] {
    this.#begin();
    const parts = glob.split(/[*?]/);
    for (const [index, part] of parts.entries()) {
      this.#add(index === 0 ? START : 0, part, index === parts.length - 1 ? END : 0);
    }
    return this.#rows;
  }

  #begin(): void {
    this.#rows = [];
    this.#collection = (this.#collection + 1) >>> 0;
    if (this.#collection !== 0) return;
    // Counted round: what is left from the first time would look like new.
    this.#lastIn.fill(0);
    this.#collection = 1;
  }

  /** Adds all runs of one, two and three letters of a text between two marks; 0 is no mark. */
  #add(before: number, text: string, after: number): void {
    let first = 0, second = before;
    for (let i = 0; i < text.length; i++) {
      const third = text.charCodeAt(i);
      this.#addRow(rowOfLetter(third));
      if (second !== 0) this.#addRow(rowOfRun(0, second, third));
      if (first !== 0) this.#addRow(rowOfRun(first, second, third));
      first = second;
      second = third;
    }
    if (after === 0 || text === "") return;
    this.#addRow(rowOfRun(0, second, after));
    if (first !== 0) this.#addRow(rowOfRun(first, second, after));
  }

  #addRow(row: number): void {
    if (this.#lastIn[row] === this.#collection) return;
    this.#lastIn[row] = this.#collection;
    this.#rows.push(row);
  }
}

/** Letters of ASCII have a row each. */
function rowOfLetter(code: number): number {
  return code % LETTER_ROWS;
}

function rowOfRun(a: number, b: number, c: number): number {
  const hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d);
  return LETTER_ROWS + (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> (32 - RUN_ROWS_LOG2));
}
