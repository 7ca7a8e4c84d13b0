/**
 * Which chunks of a file were held against their leaves in this run, and what the file was like
 * then: such a chunk need not be hashed again while the file stays as it was.
 */

import { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { type Fingerprint, isSameState } from "./stored_file.ts";

/** The checked chunks of one file. */
export class CheckedChunks {
  readonly #chunks: Bitfield;
  #print: Fingerprint | null = null;

  /** @param chunks Chunks of the whole file. */
  constructor(chunks: number) {
    this.#chunks = new Bitfield(chunks);
  }

  /** Whether all of a range were checked, the file being as it was then. */
  has(range: ChunkRange): boolean {
    return this.#chunks.hasRange(range);
  }

  /** Whether the file is as it was, `now` being what it is like. */
  stands(now: Fingerprint): boolean {
    return this.#print !== null && isSameState(this.#print, now);
  }

  /**
   * Chunks were read after the file was like `before`, and found to be right. While a change of the
   * file might still fall into the second of its last one, that would not show: then nothing is
   * noted.
   */
  checked(range: ChunkRange, before: Fingerprint, unixMs: number): void {
    if (before.ctimeMs === 0 || unixMs - before.ctimeMs < limits.changeTimeRestMs) return;
    if (!this.stands(before)) this.#startOver(before);
    this.#chunks.addRange(range);
  }

  /** This process wrote checked chunks; `before` and `after` are what the file was like around it. */
  wrote(range: ChunkRange, before: Fingerprint | null, after: Fingerprint): void {
    if (before === null || !this.stands(before)) this.#startOver(after);
    this.#print = after;
    this.#chunks.addRange(range);
  }

  /** Chunks are wrong, or not there any more. */
  drop(range: ChunkRange): void {
    this.#chunks.removeRange(range);
  }

  #startOver(print: Fingerprint): void {
    this.#chunks.removeRange({ first: 0, count: this.#chunks.length });
    this.#print = print;
  }
}
