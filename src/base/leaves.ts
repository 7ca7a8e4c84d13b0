/**
 * Leaves: the SHA-256 of each chunk, by which a chunk is known to be right. This is the only place
 * where chunks are held against them.
 */

import { createHash, type Hash, hash } from "node:crypto";
import { CHUNK_BYTES } from "./geometry.ts";
import { HASH_BYTES } from "./ids.ts";

/** Hexadecimal digits of one leaf. */
const LEAF_DIGITS = 2 * HASH_BYTES;

/** The leaf of one chunk as lower-case hexadecimal; the last chunk is not padded. */
export function leafHex(chunk: Uint8Array): string {
  return hash("sha256", chunk, "hex");
}

/** Whether a chunk has the leaf at `index` of `leaves`, which has 64 digits for each. */
export function isRightChunk(chunk: Uint8Array, leaves: string, index: number): boolean {
  return leaves.startsWith(leafHex(chunk), index * LEAF_DIGITS);
}

/**
 * Which chunks of `data` do not have their leaves, in order: consecutive chunks from index `first`
 * of the file, the last one perhaps shorter, whose leaves are `leaves`.
 */
export function wrongChunks(data: Uint8Array, leaves: string, first: number): number[] {
  const wrong: number[] = [];
  for (let index = 0; index * CHUNK_BYTES < data.length; index++) {
    const chunk = data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
    if (!isRightChunk(chunk, leaves, index)) wrong.push(first + index);
  }
  return wrong;
}

/** The leaves of a file whose bytes pass by in order, in pieces of any length. */
export class LeafStream {
  readonly #add: (leaf: string) => void;
  /** Of a chunk that came in part, and how many bytes of it came. */
  #open: Hash | null = null;
  #openBytes = 0;

  /** @param add Gets each leaf, in order, as lower-case hexadecimal. */
  constructor(add: (leaf: string) => void) {
    this.#add = add;
  }

  /** Takes the next bytes of the file. */
  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + CHUNK_BYTES - this.#openBytes, bytes.length);
      const part = bytes.subarray(at, end);
      if (part.length === CHUNK_BYTES) this.#add(leafHex(part));
      else this.#addPart(part);
      at = end;
    }
  }

  /** The file ends: its last chunk is mostly shorter. */
  end(): void {
    if (this.#open === null) return;
    const leaf = this.#open.digest("hex");
    this.restart();
    this.#add(leaf);
  }

  /** What comes next begins a chunk. */
  restart(): void {
    this.#open = null;
    this.#openBytes = 0;
  }

  #addPart(part: Uint8Array): void {
    this.#open ??= createHash("sha256");
    this.#open.update(part);
    this.#openBytes += part.length;
    if (this.#openBytes === CHUNK_BYTES) this.end();
  }
}
