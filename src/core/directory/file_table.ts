/**
 * The files that are known at a directory, by root and by name. A **file** is a root, a name and a
 * size that somebody lists; one that one client lists takes some 600 bytes with its strings and
 * indexes. Who lists it is in `listing_table.ts`.
 */

import type { Root } from "../../base/ids.ts";
import { nameType } from "../../base/names.ts";
import type { ListedFile } from "../../wire/structures.ts";
import { NameIndex } from "./name_index.ts";
import { type FileRow, hashNumbers, NONE, Rings, RowIndex, Rows } from "./rows.ts";

const ROOT = 0, NAME = 1, SIZE_LOW = 2, SIZE_HIGH = 3, LISTINGS = 4, WHOLE = 5, PART = 6;
const ROOT_NEXT = 7, ROOT_PREVIOUS = 8, NAME_NEXT = 9, NAME_PREVIOUS = 10;
const FIELDS = 11;

const TWO_32 = 2 ** 32;

/** Some of the files whose names match a glob. */
interface MatchingFiles {
  /** At most as many as were asked for, and of one name. */
  readonly found: FileRow[];
  /** What it took to compare. */
  readonly steps: number;
  /** The number of the name from which on others may match; null when there is none. */
  readonly next: number | null;
  /** Whether a name has more files than were asked for of one. */
  readonly isCut: boolean;
}

/** The files of one directory. */
export class FileTable {
  readonly #seed: number;
  readonly #names = new NameIndex();
  /** The first file of each name, by the number of the name. */
  readonly #ofName: number[] = [];
  readonly #roots = new RootNumbers();
  readonly #rows = new Rows(FIELDS);
  /** What a file is said to be where its name does not say the same. */
  readonly #types: (string | undefined)[] = [];
  readonly #rootRings = new Rings(this.#rows, { next: ROOT_NEXT, previous: ROOT_PREVIOUS });
  readonly #nameRings = new Rings(this.#rows, { next: NAME_NEXT, previous: NAME_PREVIOUS });
  readonly #index = new RowIndex((row) => this.#hash(row));

  /** `seed`: any secret number, against names that are chosen to collide. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Distinct roots. */
  get roots(): number {
    return this.#roots.size;
  }

  /** Distinct names. */
  get names(): number {
    return this.#names.size;
  }

  /** The numbers of a root and of a name, each NONE when nobody lists it. */
  findRoot(root: Root): number {
    return this.#roots.find(root);
  }

  findName(name: string): number {
    return this.#names.find(name);
  }

  rootNumber(file: FileRow): number {
    return this.#rows.get(file, ROOT);
  }

  nameNumber(file: FileRow): number {
    return this.#rows.get(file, NAME);
  }

  rootOf(file: FileRow): Root {
    return this.#roots.rootOf(this.rootNumber(file));
  }

  nameOf(file: FileRow): string {
    return this.#names.nameOf(this.nameNumber(file));
  }

  sizeOf(file: FileRow): number {
    return (this.#rows.get(file, SIZE_LOW) >>> 0) + this.#rows.get(file, SIZE_HIGH) * TWO_32;
  }

  typeOf(file: FileRow): string {
    return this.#types[file] ?? nameType(this.nameOf(file));
  }

  /** Clients that have all of a file. */
  wholeOf(file: FileRow): number {
    return this.#rows.get(file, WHOLE);
  }

  /** Clients that have a part of a file. */
  partOf(file: FileRow): number {
    return this.#rows.get(file, PART);
  }

  /**
   * Counts one client more, or one less, that has all of a file. A file whose copies doubled becomes
   * the first of its name and of its root: so one that many have is found although somebody lists
   * thousands of others under its name, or its root under thousands of names.
   */
  countWhole(file: FileRow, by: 1 | -1): void {
    const whole = this.wholeOf(file) + by;
    this.#rows.set(file, WHOLE, whole);
    if (by < 0 || whole < 2 || (whole & (whole - 1)) !== 0) return;
    const nameNumber = this.nameNumber(file);
    this.#ofName[nameNumber] = this.#nameRings.lead(this.#ofName[nameNumber]!, file);
    const rootNumber = this.rootNumber(file);
    const first = this.#rootRings.lead(this.#roots.firstFile(rootNumber), file);
    this.#roots.setFirstFile(rootNumber, first);
  }

  /** The same of those that have a part. */
  countPart(file: FileRow, by: 1 | -1): void {
    this.#rows.set(file, PART, this.partOf(file) + by);
  }

  /** The first listing of a file, or NONE. Kept for its owner. */
  firstListing(file: FileRow): number {
    return this.#rows.get(file, LISTINGS);
  }

  setFirstListing(file: FileRow, row: number): void {
    this.#rows.set(file, LISTINGS, row);
  }

  /** Files of a root, at most `max`: first, roughly, those that many have. */
  ofRoot(root: Root, max: number): FileRow[] {
    const number = this.#roots.find(root);
    return number === NONE ? [] : this.#rootRings.taken(this.#roots.firstFile(number), max);
  }

  /** Files of a name, at most `max`: first, roughly, those that many have. */
  ofName(name: string, max: number): FileRow[] {
    const number = this.#names.find(name);
    return number === NONE ? [] : this.#nameRings.taken(this.#ofName[number]!, max);
  }

  /** Files whose names match, the numbers of the names rising from `from` on. */
  matching(
    glob: string,
    { max, perNameMax, from }: {
      readonly max: number;
      readonly perNameMax: number;
      readonly from: number;
    },
  ): MatchingFiles {
    const found: FileRow[] = [];
    let isCut = false;
    const { steps, next } = this.#names.each(glob, (number) => {
      const mostOfName = Math.min(perNameMax, max);
      const ofName = this.#nameRings.taken(this.#ofName[number]!, mostOfName + 1);
      const isTooMany = ofName.length > mostOfName;
      if (isTooMany) ofName.pop();
      // All of a name, or nothing: a name is where the next page begins.
      if (found.length + ofName.length > max || found.length === max) return false;
      isCut ||= isTooMany;
      found.push(...ofName);
      return true;
    }, from);
    return { found, steps, next, isCut };
  }

  /** The row of a file, a new one if need be. */
  ensure({ file: { root, name, type, sizeBytes } }: ListedFile): FileRow {
    const known = this.#roots.find(root);
    const rootNumber = known === NONE ? this.#roots.add(root) : known;
    const knownName = this.#names.find(name);
    const nameNumber = knownName === NONE ? this.#addName(name) : knownName;
    const low = sizeBytes % TWO_32 | 0;
    const high = Math.floor(sizeBytes / TWO_32);
    const rows = this.#rows;
    const hash = hashNumbers(this.#seed ^ low, rootNumber, nameNumber, high);
    const found = this.#index.find(
      hash,
      (row) =>
        rows.get(row, ROOT) === rootNumber && rows.get(row, NAME) === nameNumber &&
        rows.get(row, SIZE_LOW) === low && rows.get(row, SIZE_HIGH) === high,
    );
    if (found !== NONE) return found;
    const file = rows.add();
    rows.set(file, ROOT, rootNumber);
    rows.set(file, NAME, nameNumber);
    rows.set(file, SIZE_LOW, low);
    rows.set(file, SIZE_HIGH, high);
    rows.set(file, LISTINGS, NONE);
    const first = this.#rootRings.push(this.#roots.firstFile(rootNumber), file);
    this.#roots.setFirstFile(rootNumber, first);
    this.#ofName[nameNumber] = this.#nameRings.push(this.#ofName[nameNumber]!, file);
    this.#types[file] = type === nameType(name) ? undefined : type;
    this.#index.add(file);
    return file;
  }

  /** Takes away a file that nobody lists any more. */
  remove(file: FileRow): void {
    this.#index.remove(file);
    const rootNumber = this.rootNumber(file);
    const ofRoot = this.#rootRings.remove(this.#roots.firstFile(rootNumber), file);
    this.#roots.setFirstFile(rootNumber, ofRoot);
    const nameNumber = this.nameNumber(file);
    const ofName = this.#nameRings.remove(this.#ofName[nameNumber]!, file);
    this.#ofName[nameNumber] = ofName;
    this.#types[file] = undefined;
    this.#rows.remove(file);
    if (ofRoot === NONE) this.#roots.remove(rootNumber);
    if (ofName === NONE) this.#names.remove(nameNumber);
  }

  #addName(name: string): number {
    const number = this.#names.add(name);
    this.#ofName[number] = NONE;
    return number;
  }

  #hash(row: FileRow): number {
    const rows = this.#rows;
    const seed = this.#seed ^ rows.get(row, SIZE_LOW);
    return hashNumbers(seed, rows.get(row, ROOT), rows.get(row, NAME), rows.get(row, SIZE_HIGH));
  }
}

/** Distinct roots, each with a small number for as long as it is there, and its first file. */
class RootNumbers {
  readonly #numbers = new Map<Root, number>();
  readonly #roots: (Root | undefined)[] = [];
  readonly #firstFiles = new Rows(1);

  get size(): number {
    return this.#numbers.size;
  }

  find(root: Root): number {
    return this.#numbers.get(root) ?? NONE;
  }

  rootOf(number: number): Root {
    return this.#roots[number]!;
  }

  firstFile(number: number): FileRow {
    return this.#firstFiles.get(number, 0);
  }

  setFirstFile(number: number, file: FileRow): void {
    this.#firstFiles.set(number, 0, file);
  }

  add(root: Root): number {
    const number = this.#firstFiles.add();
    this.setFirstFile(number, NONE);
    this.#numbers.set(root, number);
    this.#roots[number] = root;
    return number;
  }

  remove(number: number): void {
    this.#numbers.delete(this.rootOf(number));
    this.#roots[number] = undefined;
    this.#firstFiles.remove(number);
  }
}
