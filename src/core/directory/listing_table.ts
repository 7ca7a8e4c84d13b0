/**
 * What clients list at a directory. A **listing** says that one client has a file (see
 * `file_table.ts`), or a part of it; a client has one for a root and a name. It is a row of numbers
 * and takes some 60 bytes. Bounds, and what clients are, it does not know.
 */

import { limits } from "../../base/limits.ts";
import { type FileRow, hashNumbers, type ListingRow, NONE, Rings, RowIndex, Rows } from "./rows.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import type { KnownFile, ListedFile } from "../../wire/structures.ts";
import { FileTable } from "./file_table.ts";

/** Who lists files; `id` is a small number. */
export interface Lister {
  readonly id: number;
  /** Its first listing, the one that was named longest ago, or NONE. Kept here. */
  firstListing: number;
  /** How many it has. Kept here. */
  listings: number;
}

const LISTER = 0, FILE = 1, CHUNKS = 2, MARK = 3, VOTE = 4;
const FILE_NEXT = 5, FILE_PREVIOUS = 6, LISTER_NEXT = 7, LISTER_PREVIOUS = 8;
const FIELDS = 9;

/** The listings of one directory, and the files that they are of. */
export class ListingTable {
  readonly files: FileTable;
  readonly #seed: number;
  readonly #votes = new Sha256Votes();
  readonly #rows = new Rows(FIELDS);
  readonly #ofFile = new Rings(this.#rows, { next: FILE_NEXT, previous: FILE_PREVIOUS });
  readonly #ofLister = new Rings(this.#rows, { next: LISTER_NEXT, previous: LISTER_PREVIOUS });
  readonly #index = new RowIndex((row) => this.#hash(row));

  /** `seed`: any secret number, against names that are chosen to collide. */
  constructor(seed: number) {
    this.#seed = seed;
    this.files = new FileTable(seed);
  }

  /** How many there are, one of each file for each client that lists it. */
  get size(): number {
    return this.#rows.size;
  }

  /** What `lister` lists under a root and a name, or NONE. */
  find({ id }: Lister, root: Root, name: string): ListingRow {
    const rootNumber = this.files.findRoot(root);
    const nameNumber = this.files.findName(name);
    if (rootNumber === NONE || nameNumber === NONE) return NONE;
    const hash = hashNumbers(this.#seed, id, rootNumber, nameNumber);
    return this.#index.find(hash, (row) => {
      const file = this.fileOf(row);
      return this.listerOf(row) === id && this.files.rootNumber(file) === rootNumber &&
        this.files.nameNumber(file) === nameNumber;
    });
  }

  /**
   * Lists a file for `lister`, or brings what it lists under this root and name up to date. It is
   * marked with `mark`, and the last of the lister's listings from now on.
   */
  put(lister: Lister, listed: ListedFile, mark: number): ListingRow {
    const { root, name, sizeBytes, chunksHave } = listed.file;
    let row = this.find(lister, root, name);
    if (row !== NONE && this.files.sizeOf(this.fileOf(row)) !== sizeBytes) {
      this.remove(lister, row);
      row = NONE;
    }
    if (row === NONE) row = this.#add(lister, this.files.ensure(listed));
    else lister.firstListing = this.#ofLister.remove(lister.firstListing, row);
    lister.firstListing = this.#ofLister.push(lister.firstListing, row);
    if (this.chunksHave(row) !== chunksHave) {
      this.#count(row, -1);
      this.#rows.set(row, CHUNKS, chunksHave);
      this.#count(row, 1);
    }
    this.#rows.set(row, MARK, mark);
    this.#withdrawVote(row);
    this.#rows.set(row, VOTE, this.#vote(this.fileOf(row), listed.sha256));
    return row;
  }

  /** Takes away a listing of `lister`, and its file when nobody else lists it. */
  remove(lister: Lister, row: ListingRow): void {
    const file = this.fileOf(row);
    this.#count(row, -1);
    this.#withdrawVote(row);
    this.#index.remove(row);
    const first = this.#ofFile.remove(this.files.firstListing(file), row);
    this.files.setFirstListing(file, first);
    lister.firstListing = this.#ofLister.remove(lister.firstListing, row);
    lister.listings--;
    this.#rows.remove(row);
    if (first !== NONE) return;
    this.#votes.clear(file);
    this.files.remove(file);
  }

  fileOf(row: ListingRow): FileRow {
    return this.#rows.get(row, FILE);
  }

  /** The id of the lister. */
  listerOf(row: ListingRow): number {
    return this.#rows.get(row, LISTER);
  }

  /** The listing of the same lister that was named next; after the last comes the first. */
  after(row: ListingRow): ListingRow {
    return this.#ofLister.next(row);
  }

  chunksHave(row: ListingRow): number {
    return this.#rows.get(row, CHUNKS);
  }

  markOf(row: ListingRow): number {
    return this.#rows.get(row, MARK);
  }

  /** Listings of a file, at most `max`; the next call goes on with those after them. */
  ofFile(file: FileRow, max: number): ListingRow[] {
    const first = this.files.firstListing(file);
    const rows = this.#ofFile.taken(first, max);
    this.files.setFirstListing(file, this.#ofFile.next(rows.at(-1) ?? first));
    return rows;
  }

  /** What is known of a file; undefined when nobody has a chunk of it. */
  known(file: FileRow): KnownFile | undefined {
    const { files } = this;
    const whole = files.wholeOf(file);
    const part = files.partOf(file);
    if (whole + part === 0) return undefined;
    return {
      root: files.rootOf(file),
      name: files.nameOf(file),
      type: files.typeOf(file),
      sizeBytes: files.sizeOf(file),
      sha256: this.#sha256(file),
      whole,
      part,
    };
  }

  #add(lister: Lister, file: FileRow): ListingRow {
    const row = this.#rows.add();
    this.#rows.set(row, LISTER, lister.id);
    this.#rows.set(row, FILE, file);
    // Not known yet; 0 would be all of an empty file.
    this.#rows.set(row, CHUNKS, NONE);
    this.files.setFirstListing(file, this.#ofFile.push(this.files.firstListing(file), row));
    this.#index.add(row);
    lister.listings++;
    return row;
  }

  /** Adds what a listing has to the counts of its file, or takes it off. */
  #count(row: ListingRow, by: 1 | -1): void {
    const file = this.fileOf(row);
    const chunksHave = this.chunksHave(row);
    if (chunksHave === chunkCount(this.files.sizeOf(file))) this.files.countWhole(file, by);
    else if (chunksHave > 0) this.files.countPart(file, by);
  }

  /** The number of what a listing names as the SHA-256 of its file. */
  #vote(file: FileRow, sha256: string | null): number {
    if (sha256 === null) return 0;
    return this.#votes.add(file, sha256, () => {
      const rows = this.#ofFile.taken(this.files.firstListing(file), Infinity);
      return rows.filter((row) => this.#rows.get(row, VOTE) === 1).length;
    });
  }

  #withdrawVote(row: ListingRow): void {
    this.#votes.remove(this.fileOf(row), this.#rows.get(row, VOTE));
    this.#rows.set(row, VOTE, 0);
  }

  /** The SHA-256 that more than half of those say who say any. */
  #sha256(file: FileRow): string | null {
    if (!this.#votes.has(file)) return null;
    const counts = new Uint32Array(limits.votesMax + 2);
    let voters = 0;
    for (const row of this.#ofFile.taken(this.files.firstListing(file), limits.votersMax)) {
      const vote = this.#rows.get(row, VOTE);
      counts[vote]!++;
      if (vote !== 0) voters++;
    }
    for (let vote = 1; vote <= limits.votesMax; vote++) {
      if (2 * counts[vote]! > voters) return this.#votes.sha256(file, vote);
    }
    return null;
  }

  #hash(row: ListingRow): number {
    const file = this.fileOf(row);
    const rootNumber = this.files.rootNumber(file);
    return hashNumbers(this.#seed, this.listerOf(row), rootNumber, this.files.nameNumber(file));
  }
}

/** One SHA-256 of several that are named for a file, and how many listings name it. */
interface Vote {
  sha256: string;
  listings: number;
}

/**
 * The SHA-256 that clients name for files. At most one of them is true; each listing keeps the number
 * of what it names. A vote has a number from 1 on; 0 is none.
 */
class Sha256Votes {
  /** Mostly one for a file, for which a list would be a waste. */
  readonly #ofFile: (string | Vote[] | undefined)[] = [];

  /**
   * A listing names a SHA-256 for a file; gives its number, which is `limits.votesMax` + 1 when there are
   * too many. `countFirst` counts the listings of the file that name number 1 by now.
   */
  add(file: FileRow, sha256: string, countFirst: () => number): number {
    const votes = this.#ofFile[file];
    if (votes === undefined) this.#ofFile[file] = sha256;
    if (votes === undefined || votes === sha256) return 1;
    const list = typeof votes === "string" ? [{ sha256: votes, listings: countFirst() }] : votes;
    this.#ofFile[file] = list;
    let at = list.findIndex((vote) => vote.sha256 === sha256);
    if (at === -1 && list.length < limits.votesMax) at = list.push({ sha256, listings: 0 }) - 1;
    // What nobody says any more makes room: else one client could say so many that no other counts.
    if (at === -1) at = list.findIndex(({ listings }) => listings === 0);
    if (at === -1) return limits.votesMax + 1;
    const vote = list[at]!;
    vote.sha256 = sha256;
    vote.listings++;
    return at + 1;
  }

  /** A listing does not name any more what has this number. */
  remove(file: FileRow, number: number): void {
    const votes = this.#ofFile[file];
    const vote = Array.isArray(votes) ? votes[number - 1] : undefined;
    if (vote !== undefined) vote.listings--;
  }

  /** Nobody lists the file any more. */
  clear(file: FileRow): void {
    this.#ofFile[file] = undefined;
  }

  has(file: FileRow): boolean {
    return this.#ofFile[file] !== undefined;
  }

  /** The SHA-256 of a number that is there. */
  sha256(file: FileRow, number: number): string {
    const votes = this.#ofFile[file]!;
    return typeof votes === "string" ? votes : votes[number - 1]!.sha256;
  }
}
