/**
 * What clients list at a directory, by name, by root and by client. Bounds, and what clients
 * are, it does not know.
 *
 * A **file** is a root, a name and a size that somebody lists; a **listing** says that one client
 * has it. A client has one listing for a root and a name. Both are rows of numbers: a file that one
 * client lists takes some 600 bytes with its strings and indexes, and each further listing of it
 * some 60.
 */

import { chunkCount } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nameType } from "../../base/names.ts";
import type { KnownFile, ListedFile } from "../../wire/structures.ts";
import { NameIndex } from "./name_index.ts";
import { hashNumbers, RowIndex } from "./row_index.ts";
import { type FileRow, type ListingRow, NONE, Rings, Rows } from "./rows.ts";
import { Sha256Votes } from "./sha256_votes.ts";

/** Who lists files; `id` is a small number. */
export interface Lister {
  readonly id: number;
  /** Its first listing, the one that was named longest ago, or NONE. Kept here. */
  firstListing: number;
  /** How many it has. Kept here. */
  listings: number;
}

const F_ROOT = 0, F_NAME = 1, F_SIZE_LOW = 2, F_SIZE_HIGH = 3, F_LISTINGS = 4, F_WHOLE = 5;
const F_PART = 6, F_ROOT_NEXT = 7, F_ROOT_PREVIOUS = 8, F_NAME_NEXT = 9, F_NAME_PREVIOUS = 10;
const FILE_FIELDS = 11;

const L_LISTER = 0, L_FILE = 1, L_CHUNKS = 2, L_MARK = 3, L_VOTE = 4, L_FILE_NEXT = 5;
const L_FILE_PREVIOUS = 6, L_LISTER_NEXT = 7, L_LISTER_PREVIOUS = 8;
const LISTING_FIELDS = 9;

const TWO_32 = 2 ** 32;

/** The files and listings of one directory. */
export class DirectoryFiles {
  readonly #seed: number;
  readonly #names = new NameIndex();
  /** The first file of each name, by the number of the name. */
  readonly #ofName: number[] = [];
  readonly #rootNumbers = new Map<Root, number>();
  readonly #roots: (Root | undefined)[] = [];
  readonly #rootRows = new Rows(1);
  readonly #files = new Rows(FILE_FIELDS);
  /** What a file is said to be where its name does not say the same. */
  readonly #types: (string | undefined)[] = [];
  readonly #votes = new Sha256Votes();
  readonly #listings = new Rows(LISTING_FIELDS);
  readonly #filesOfRoot = new Rings(this.#files, { next: F_ROOT_NEXT, previous: F_ROOT_PREVIOUS });
  readonly #filesOfName = new Rings(this.#files, { next: F_NAME_NEXT, previous: F_NAME_PREVIOUS });
  readonly #ofFile = new Rings(this.#listings, { next: L_FILE_NEXT, previous: L_FILE_PREVIOUS });
  readonly #ofLister = new Rings(this.#listings, {
    next: L_LISTER_NEXT,
    previous: L_LISTER_PREVIOUS,
  });
  readonly #fileIndex = new RowIndex((row) => this.#fileHash(row));
  readonly #listingIndex = new RowIndex((row) => this.#listingHash(row));

  /** `seed`: any secret number, against names that are chosen to collide. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Distinct roots. */
  get roots(): number {
    return this.#rootNumbers.size;
  }

  /** Distinct names. */
  get names(): number {
    return this.#names.size;
  }

  /** Files that are listed, one for each client that lists it. */
  get listings(): number {
    return this.#listings.size;
  }

  // Listings

  /** What `lister` lists under a root and a name, or NONE. */
  listing(lister: Lister, root: Root, name: string): ListingRow {
    const rootNumber = this.#rootNumbers.get(root);
    const nameNumber = this.#names.find(name);
    if (rootNumber === undefined || nameNumber === NONE) return NONE;
    const { id } = lister;
    const hash = hashNumbers(this.#seed, id, rootNumber, nameNumber);
    return this.#listingIndex.find(hash, (row) => {
      const file = this.#listings.get(row, L_FILE);
      return this.#listings.get(row, L_LISTER) === id &&
        this.#files.get(file, F_ROOT) === rootNumber &&
        this.#files.get(file, F_NAME) === nameNumber;
    });
  }

  /**
   * Lists a file for `lister`, or brings what it lists under this root and name up to date. It is
   * marked with `mark`, and the last of the lister's listings from now on.
   */
  put(lister: Lister, listed: ListedFile, mark: number): ListingRow {
    const { root, name, sizeBytes, chunksHave } = listed.file;
    let row = this.listing(lister, root, name);
    if (row !== NONE && this.sizeOf(this.fileOf(row)) !== sizeBytes) {
      this.remove(lister, row);
      row = NONE;
    }
    if (row === NONE) row = this.#addListing(lister, this.#ensureFile(listed));
    else lister.firstListing = this.#ofLister.remove(lister.firstListing, row);
    lister.firstListing = this.#ofLister.push(lister.firstListing, row);
    const file = this.fileOf(row);
    if (this.chunksHave(row) !== chunksHave) {
      this.#count(row, -1);
      this.#listings.set(row, L_CHUNKS, chunksHave);
      this.#count(row, 1);
    }
    this.#listings.set(row, L_MARK, mark);
    this.#withdrawVote(row);
    this.#listings.set(row, L_VOTE, this.#vote(file, listed.sha256));
    return row;
  }

  /** Takes away a listing of `lister`, and its file when nobody else lists it. */
  remove(lister: Lister, row: ListingRow): void {
    const file = this.fileOf(row);
    this.#count(row, -1);
    this.#withdrawVote(row);
    this.#listingIndex.remove(row);
    const first = this.#ofFile.remove(this.#files.get(file, F_LISTINGS), row);
    this.#files.set(file, F_LISTINGS, first);
    lister.firstListing = this.#ofLister.remove(lister.firstListing, row);
    lister.listings--;
    this.#listings.remove(row);
    if (first === NONE) this.#removeFile(file);
  }

  fileOf(row: ListingRow): FileRow {
    return this.#listings.get(row, L_FILE);
  }

  /** The id of the lister. */
  listerOf(row: ListingRow): number {
    return this.#listings.get(row, L_LISTER);
  }

  chunksHave(row: ListingRow): number {
    return this.#listings.get(row, L_CHUNKS);
  }

  markOf(row: ListingRow): number {
    return this.#listings.get(row, L_MARK);
  }

  // Files

  rootOf(file: FileRow): Root {
    return this.#roots[this.#files.get(file, F_ROOT)]!;
  }

  nameOf(file: FileRow): string {
    return this.#names.nameOf(this.#files.get(file, F_NAME));
  }

  sizeOf(file: FileRow): number {
    return (this.#files.get(file, F_SIZE_LOW) >>> 0) + this.#files.get(file, F_SIZE_HIGH) * TWO_32;
  }

  /** Clients that have all of a file. */
  wholeOf(file: FileRow): number {
    return this.#files.get(file, F_WHOLE);
  }

  typeOf(file: FileRow): string {
    return this.#types[file] ?? nameType(this.nameOf(file));
  }

  /** Files of a root, at most `max`: first, roughly, those that many have. */
  ofRoot(root: Root, max: number): FileRow[] {
    const number = this.#rootNumbers.get(root);
    if (number === undefined) return [];
    return taken(this.#filesOfRoot, this.#rootRows.get(number, 0), max);
  }

  /** Files of a name, at most `max`: first, roughly, those that many have. */
  ofName(name: string, max: number): FileRow[] {
    const number = this.#names.find(name);
    return number === NONE ? [] : taken(this.#filesOfName, this.#ofName[number]!, max);
  }

  /**
   * Files whose names match, at most `max`, and at most `perNameMax` of one name; with the steps
   * that it took to compare.
   */
  matching(
    glob: string,
    options: { readonly max: number; readonly perNameMax: number },
  ): { readonly found: FileRow[]; readonly steps: number } {
    const { max, perNameMax } = options;
    const found: FileRow[] = [];
    if (max <= 0) return { found, steps: 0 };
    const steps = this.#names.each(glob, (number) => {
      const ofThisMax = Math.min(perNameMax, max - found.length);
      found.push(...taken(this.#filesOfName, this.#ofName[number]!, ofThisMax));
      return found.length < max;
    });
    return { found, steps };
  }

  /** Listings of a file, at most `max`; the next call goes on with those after them. */
  listingsOf(file: FileRow, max: number): ListingRow[] {
    const first = this.#files.get(file, F_LISTINGS);
    const rows = taken(this.#ofFile, first, max);
    this.#files.set(file, F_LISTINGS, this.#ofFile.next(rows.at(-1) ?? first));
    return rows;
  }

  /** What is known of a file; undefined when nobody has a chunk of it. */
  known(file: FileRow): KnownFile | undefined {
    const whole = this.#files.get(file, F_WHOLE);
    const part = this.#files.get(file, F_PART);
    if (whole + part === 0) return undefined;
    return {
      root: this.rootOf(file),
      name: this.nameOf(file),
      type: this.typeOf(file),
      sizeBytes: this.sizeOf(file),
      sha256: this.#sha256(file),
      whole,
      part,
    };
  }

  #ensureFile({ file: { root, name, type, sizeBytes } }: ListedFile): FileRow {
    const rootNumber = this.#rootNumbers.get(root) ?? this.#addRoot(root);
    const known = this.#names.find(name);
    const nameNumber = known === NONE ? this.#addName(name) : known;
    const low = sizeBytes % TWO_32 | 0;
    const high = Math.floor(sizeBytes / TWO_32);
    const hash = hashNumbers(this.#seed ^ low, rootNumber, nameNumber, high);
    const found = this.#fileIndex.find(hash, (row) =>
      this.#files.get(row, F_ROOT) === rootNumber &&
      this.#files.get(row, F_NAME) === nameNumber &&
      this.#files.get(row, F_SIZE_LOW) === low &&
      this.#files.get(row, F_SIZE_HIGH) === high);
    if (found !== NONE) return found;
    const file = this.#files.add();
    this.#files.set(file, F_ROOT, rootNumber);
    this.#files.set(file, F_NAME, nameNumber);
    this.#files.set(file, F_SIZE_LOW, low);
    this.#files.set(file, F_SIZE_HIGH, high);
    this.#files.set(file, F_LISTINGS, NONE);
    const first = this.#rootRows.get(rootNumber, 0);
    this.#rootRows.set(rootNumber, 0, this.#filesOfRoot.push(first, file));
    this.#ofName[nameNumber] = this.#filesOfName.push(this.#ofName[nameNumber]!, file);
    this.#types[file] = type === nameType(name) ? undefined : type;
    this.#fileIndex.add(file);
    return file;
  }

  #removeFile(file: FileRow): void {
    this.#fileIndex.remove(file);
    const rootNumber = this.#files.get(file, F_ROOT);
    const ofRoot = this.#filesOfRoot.remove(this.#rootRows.get(rootNumber, 0), file);
    this.#rootRows.set(rootNumber, 0, ofRoot);
    const nameNumber = this.#files.get(file, F_NAME);
    const ofName = this.#filesOfName.remove(this.#ofName[nameNumber]!, file);
    this.#ofName[nameNumber] = ofName;
    this.#types[file] = undefined;
    this.#votes.clear(file);
    this.#files.remove(file);
    if (ofRoot === NONE) {
      this.#rootNumbers.delete(this.#roots[rootNumber]!);
      this.#roots[rootNumber] = undefined;
      this.#rootRows.remove(rootNumber);
    }
    if (ofName === NONE) this.#names.remove(nameNumber);
  }

  #addRoot(root: Root): number {
    const number = this.#rootRows.add();
    this.#rootRows.set(number, 0, NONE);
    this.#rootNumbers.set(root, number);
    this.#roots[number] = root;
    return number;
  }

  #addName(name: string): number {
    const number = this.#names.add(name);
    this.#ofName[number] = NONE;
    return number;
  }

  #addListing(lister: Lister, file: FileRow): ListingRow {
    const row = this.#listings.add();
    this.#listings.set(row, L_LISTER, lister.id);
    this.#listings.set(row, L_FILE, file);
    // Not known yet; 0 would be all of an empty file.
    this.#listings.set(row, L_CHUNKS, NONE);
    this.#files.set(file, F_LISTINGS, this.#ofFile.push(this.#files.get(file, F_LISTINGS), row));
    this.#listingIndex.add(row);
    lister.listings++;
    return row;
  }

  /** Adds what a listing has to the counts of its file, or takes it off. */
  #count(row: ListingRow, by: 1 | -1): void {
    const file = this.fileOf(row);
    const chunks = chunkCount(this.sizeOf(file));
    const chunksHave = this.chunksHave(row);
    if (chunksHave === chunks) {
      const whole = this.#files.get(file, F_WHOLE) + by;
      this.#files.set(file, F_WHOLE, whole);
      if (by > 0) this.#bringForward(file, whole);
    } else if (chunksHave > 0) {
      this.#files.set(file, F_PART, this.#files.get(file, F_PART) + by);
    }
  }

  /**
   * A file whose copies doubled becomes the first of its name and of its root: so one that many
   * have is found although somebody lists thousands of others under its name, or its root under
   * thousands of names.
   */
  #bringForward(file: FileRow, whole: number): void {
    if (whole < 2 || (whole & (whole - 1)) !== 0) return;
    const nameNumber = this.#files.get(file, F_NAME);
    this.#ofName[nameNumber] = this.#filesOfName.lead(this.#ofName[nameNumber]!, file);
    const rootNumber = this.#files.get(file, F_ROOT);
    const ofRoot = this.#filesOfRoot.lead(this.#rootRows.get(rootNumber, 0), file);
    this.#rootRows.set(rootNumber, 0, ofRoot);
  }

  /** The number of what a listing names as the SHA-256 of its file. */
  #vote(file: FileRow, sha256: string | null): number {
    if (sha256 === null) return 0;
    return this.#votes.add(file, sha256, () => {
      const rows = taken(this.#ofFile, this.#files.get(file, F_LISTINGS), Infinity);
      return rows.filter((row) => this.#listings.get(row, L_VOTE) === 1).length;
    });
  }

  #withdrawVote(row: ListingRow): void {
    this.#votes.remove(this.fileOf(row), this.#listings.get(row, L_VOTE));
    this.#listings.set(row, L_VOTE, 0);
  }

  /** The SHA-256 that more than half of those say who say any. */
  #sha256(file: FileRow): string | null {
    if (!this.#votes.has(file)) return null;
    const counts = new Uint32Array(limits.votesMax + 2);
    let voters = 0;
    for (const row of taken(this.#ofFile, this.#files.get(file, F_LISTINGS), limits.votersMax)) {
      const vote = this.#listings.get(row, L_VOTE);
      counts[vote]!++;
      if (vote !== 0) voters++;
    }
    for (let vote = 1; vote <= limits.votesMax; vote++) {
      if (2 * counts[vote]! > voters) return this.#votes.sha256(file, vote);
    }
    return null;
  }

  #fileHash(row: FileRow): number {
    const files = this.#files;
    const seed = this.#seed ^ files.get(row, F_SIZE_LOW);
    const high = files.get(row, F_SIZE_HIGH);
    return hashNumbers(seed, files.get(row, F_ROOT), files.get(row, F_NAME), high);
  }

  #listingHash(row: ListingRow): number {
    const file = this.fileOf(row);
    const rootNumber = this.#files.get(file, F_ROOT);
    const nameNumber = this.#files.get(file, F_NAME);
    return hashNumbers(this.#seed, this.listerOf(row), rootNumber, nameNumber);
  }
}

/** The first rows of a ring, at most `max`. */
function taken(rings: Rings, first: number, max: number): number[] {
  const rows: number[] = [];
  if (first === NONE || max <= 0) return rows;
  let row = first;
  do {
    rows.push(row);
    row = rings.next(row);
  } while (row !== first && rows.length < max);
  return rows;
}
