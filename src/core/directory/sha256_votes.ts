/**
 * The SHA-256 that clients name for files at a directory. At most one of them is true; whom to
 * believe is decided in `listing_table.ts`, which keeps for each listing the number of what it
 * names.
 */

import { limits } from "../../base/limits.ts";
import type { FileRow } from "./rows.ts";

/** One SHA-256 of several that are named for a file, and how many listings name it. */
interface Vote {
  sha256: string;
  listings: number;
}

/** What is named for each file. A vote has a number from 1 on; 0 is none. */
export class Sha256Votes {
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
