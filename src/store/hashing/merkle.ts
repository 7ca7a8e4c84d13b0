/**
 * The Merkle tree of a file as BitTorrent v2 (BEP 52) defines it: leaves are SHA-256 of the
 * chunks, padded with all-zero leaves to a power of two, hashed pairwise up to the root.
 *
 * Only the way from leaves to the root, in memory that grows with the tree's height. Leaves are
 * kept by `leaf_layer.ts`.
 */

import { hash } from "node:crypto";
import { HASH_BYTES, type Root } from "../../base/ids.ts";
import { HASH_WORDS, hashPair } from "./sha256_block.ts";

/**
 * Root of a file of no bytes: SHA-256 of nothing. BEP 52 gives such a file no root at all; here
 * every file has one.
 */
export const EMPTY_ROOT = hash("sha256", new Uint8Array(0), "hex") as Root;

/** Levels of the largest tree: chunk indices are 32 bits, so 2^32 leaves. */
const LEVELS = 33;
/** Words of one level: the left sibling that waits, and the right one that joins it. */
const PAIR_WORDS = 2 * HASH_WORDS;
/** For each level its left slot: the root of a tree of zero leaves of that height. */
const ZERO_ROOTS = zeroRoots();

/** Builds a root from leaves that are added in order, in memory for two hashes a level. */
export class MerkleBuilder {
  readonly #pairs = new Int32Array((LEVELS + 1) * PAIR_WORDS);
  #count = 0;

  /** Leaves added so far. */
  get count(): number {
    return this.#count;
  }

  /** Adds the leaf whose 32 bytes stand at `offset` of `bytes`. */
  addLeaf(bytes: Uint8Array, offset = 0): void {
    if (offset < 0 || offset + HASH_BYTES > bytes.length) {
      throw new RangeError(`Cannot add leaf: 32 bytes at ${offset} of ${bytes.length}`);
    }
    const pairs = this.#pairs;
    // The count in binary says which levels have a left sibling waiting. Divided, not shifted:
    // it may exceed 31 bits.
    let above = this.#count++;
    let slot = above % 2 * HASH_WORDS;
    for (let i = 0; i < HASH_WORDS; i++, offset += 4) {
      pairs[slot + i] = bytes[offset]! << 24 | bytes[offset + 1]! << 16 |
        bytes[offset + 2]! << 8 | bytes[offset + 3]!;
    }
    for (let level = 0; above % 2 === 1; level++) {
      above = (above - 1) / 2;
      slot = (level + 1) * PAIR_WORDS + above % 2 * HASH_WORDS;
      hashPair(pairs, level * PAIR_WORDS, slot);
    }
  }

  /** Adds all leaves of `bytes`, whose length is a multiple of 32. */
  addLeaves(bytes: Uint8Array): void {
    if (bytes.length % HASH_BYTES !== 0) {
      throw new RangeError(`Cannot add leaves: ${bytes.length} bytes are not whole hashes`);
    }
    for (let offset = 0; offset < bytes.length; offset += HASH_BYTES) this.addLeaf(bytes, offset);
  }

  /** The root of what was added so far; more may be added after it. */
  root(): Root {
    if (this.#count === 0) return EMPTY_ROOT;
    const pairs = this.#pairs.slice();
    let left = 0;
    for (let nodes = this.#count; nodes > 1; left += PAIR_WORDS) {
      // The last node of this level: a left one is joined by zeros, a right one has its sibling
      // still beside it.
      if (nodes % 2 === 1) {
        pairs.set(ZERO_ROOTS.subarray(left, left + HASH_WORDS), left + HASH_WORDS);
        nodes++;
      }
      nodes /= 2;
      hashPair(pairs, left, left + PAIR_WORDS + (nodes - 1) % 2 * HASH_WORDS);
    }
    return wordsHex(pairs.subarray(left, left + HASH_WORDS)) as Root;
  }
}

function wordsHex(words: Int32Array): string {
  let hex = "";
  for (const word of words) hex += (word >>> 0).toString(16).padStart(8, "0");
  return hex;
}

function zeroRoots(): Int32Array {
  const pairs = new Int32Array((LEVELS + 1) * PAIR_WORDS);
  for (let level = 0; level < LEVELS; level++) {
    const left = level * PAIR_WORDS;
    pairs.copyWithin(left + HASH_WORDS, left, left + HASH_WORDS);
    hashPair(pairs, left, left + PAIR_WORDS);
  }
  return pairs;
}
