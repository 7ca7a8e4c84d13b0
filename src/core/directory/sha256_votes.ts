/**
 * The SHA-256 that clients name for files at a directory. At most one of them is true; whom to
 * believe is decided in `directory_files.ts`, which keeps for each listing the number of what it
 * names.
 */

import type { FileRow } from "./directory_files.ts";

/** Different SHA-256 that are told apart for one file: all but one are lies. */
export const CLAIMS_MAX = 8;

/** One SHA-256 of several that are named for a file, and how many listings name it. */
interface Claim {
  sha256: string;
  listings: number;
}

/** What is named for each file. A claim has a number from 1 on; 0 is none. */
export class Claims {
  /** Mostly one for a file, for which a list would be a waste. */
  readonly #ofFile: (string | Claim[] | undefined)[] = [];

  /**
   * A listing names a SHA-256 for a file; gives its number, which is CLAIMS_MAX + 1 when there are
   * too many. `countFirst` counts the listings of the file that name number 1 by now.
   */
  add(file: FileRow, sha256: string, countFirst: () => number): number {
    const claims = this.#ofFile[file];
    if (claims === undefined) this.#ofFile[file] = sha256;
    if (claims === undefined || claims === sha256) return 1;
    const list = typeof claims === "string" ? [{ sha256: claims, listings: countFirst() }] : claims;
    this.#ofFile[file] = list;
    let at = list.findIndex((claim) => claim.sha256 === sha256);
    if (at === -1 && list.length < CLAIMS_MAX) at = list.push({ sha256, listings: 0 }) - 1;
    // What nobody says any more makes room: else one client could say so many that no other counts.
    if (at === -1) at = list.findIndex(({ listings }) => listings === 0);
    if (at === -1) return CLAIMS_MAX + 1;
    const claim = list[at]!;
    claim.sha256 = sha256;
    claim.listings++;
    return at + 1;
  }

  /** A listing does not name any more what has this number. */
  remove(file: FileRow, number: number): void {
    const claims = this.#ofFile[file];
    const claim = Array.isArray(claims) ? claims[number - 1] : undefined;
    if (claim !== undefined) claim.listings--;
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
    const claims = this.#ofFile[file]!;
    return typeof claims === "string" ? claims : claims[number - 1]!.sha256;
  }
}
