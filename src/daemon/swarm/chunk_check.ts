/**
 * The check of one frame of chunks against its leaves, while the frame is still on its way: each
 * chunk is hashed in place once it is whole. Where hashing is slow and another core is free, the
 * whole frame is hashed there instead. What follows from a wrong chunk is the caller's matter.
 */

import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { isRightChunk } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";

/** The chunks of one frame, or of one range of a mirror. */
export class ChunkCheck {
  readonly range: ChunkRange;
  /** Bytes of the whole frame. */
  readonly lengthBytes: number;
  readonly #leaves: string | null;
  readonly #hasher: Pick<ChunkHasher, "hasRoom" | "take">;
  #isElsewhere: boolean;
  /** How many chunks were hashed here. */
  #checked = 0;
  #wrong: number[] = [];

  constructor(
    range: ChunkRange,
    options: {
      /** The leaves of the range, 64 hexadecimal digits each; null: any chunk is taken. */
      readonly leaves: string | null;
      readonly sizeBytes: number;
      readonly hasher: Pick<ChunkHasher, "hasRoom" | "take">;
    },
  ) {
    this.range = range;
    this.lengthBytes = rangeBytes(options.sizeBytes, range).length;
    this.#leaves = options.leaves;
    this.#hasher = options.hasher;
    this.#isElsewhere = options.leaves !== null &&
      range.count >= limits.chunksHashedElsewhereMin && options.hasher.hasRoom;
  }

  /** Indices of the chunks that are known to be wrong, in order. */
  get wrong(): readonly number[] {
    return this.#wrong;
  }

  /** Hashes chunks that are whole in the first `filledBytes` of the frame, unless elsewhere. */
  advance(data: Uint8Array, filledBytes: number): void {
    if (!this.#isElsewhere) this.advanceHere(data, filledBytes);
  }

  /** Hashes here what is whole, and all that follows. */
  advanceHere(data: Uint8Array, filledBytes: number): void {
    this.#isElsewhere = false;
    if (this.#leaves === null) return;
    const { first, count } = this.range;
    while (this.#checked < count) {
      const start = this.#checked * CHUNK_BYTES;
      const end = Math.min(start + CHUNK_BYTES, this.lengthBytes);
      if (end > filledBytes) return;
      if (!isRightChunk(data.subarray(start, end), this.#leaves, this.#checked)) {
        this.#wrong.push(first + this.#checked);
      }
      this.#checked++;
    }
  }

  /** Hashes the rest of a frame that is here whole; what `done` is given is valid until it returns. */
  finish(data: Uint8Array, done: (data: Uint8Array) => void): void {
    if (this.#leaves === null || !this.#isElsewhere || !this.#hasher.hasRoom) {
      this.advanceHere(data, data.length);
      return done(data);
    }
    this.#hasher.take(data, {
      first: this.range.first,
      leaves: this.#leaves,
      done: (wrong, copy) => {
        this.#wrong = [...wrong];
        done(copy);
      },
    });
  }
}
