/**
 * A block is an aligned run of 32 chunks, 512 KiB: what a download chooses among. A mask says which
 * chunks of one block are meant: a signed 32-bit number with the first chunk in the highest bit, so
 * that four bytes of a {@linkcode Bitfield} are the mask of a block as they stand.
 */

import type { Bitfield } from "../../base/bitfield.ts";

/** Chunks of a block: the bits of a mask. */
export const BLOCK_CHUNKS = 32;

/** The mask of `count` chunks from the `first` of the block on. */
export function maskOf(first: number, count: number): number {
  return count >= BLOCK_CHUNKS ? -1 : ~(-1 >>> count) >>> first | 0;
}

/** How many chunks a mask names. */
export function chunksIn(mask: number): number {
  let bits = mask - (mask >>> 1 & 0x55555555);
  bits = (bits & 0x33333333) + (bits >>> 2 & 0x33333333);
  return Math.imul(bits + (bits >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The lowest run of consecutive chunks that a mask names, cut to `chunksMax`; a mask as well. */
export function lowestRun(mask: number, chunksMax: number): number {
  const first = Math.clz32(mask);
  return maskOf(first, Math.min(Math.clz32(~(mask << first)), chunksMax));
}

/** The masks of `count` blocks from the block `first` on, copied out of a bitfield. */
export function masksOf(field: Bitfield, first: number, count: number): Int32Array<ArrayBuffer> {
  const bytes = field.page(first * 4, count * 4);
  const masks = new Int32Array(count);
  for (let block = 0; block < count; block++) masks[block] = readMask(bytes, block * 4);
  return masks;
}

/** The mask of one block of a bitfield. */
export function maskIn(field: Bitfield, block: number): number {
  return readMask(field.page(block * 4, 4), 0);
}

function readMask(bytes: Uint8Array, at: number): number {
  // A bitfield may end inside its last block: what is missing there shifts as zero.
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}
