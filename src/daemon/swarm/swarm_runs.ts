/** Runs of chunks within a file and within a frame: what a swarm counts and cuts. No state. */

import { hash } from "node:crypto";
import type { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";

/** Bytes of SHA-256 as hexadecimal digits. */
export const HASH_DIGITS = 64;

/** Bytes of the chunks of `wanted` that are in `have`. */
export function bytesIn(have: Bitfield, sizeBytes: number, wanted: ChunkRange): number {
  if (have.count === 0) return 0;
  let bytes = 0;
  const end = wanted.first + wanted.count;
  for (const range of have.ranges()) {
    const first = Math.max(range.first, wanted.first);
    const count = Math.min(range.first + range.count, end) - first;
    if (count > 0) bytes += rangeBytes(sizeBytes, { first, count }).length;
  }
  return bytes;
}

/** What of `range` lies between the chunks `bad`, which are indices in order. */
export function runsBetween(range: ChunkRange, bad: readonly number[]): ChunkRange[] {
  const runs: ChunkRange[] = [];
  let first = range.first;
  for (const index of [...bad, range.first + range.count]) {
    if (index > first) runs.push({ first, count: index - first });
    first = index + 1;
  }
  return runs;
}

/** The bytes of `run` in `data`, which is the chunks of a range that begins with chunk `first`. */
export function cut(data: Uint8Array, first: number, run: ChunkRange): Uint8Array {
  const start = (run.first - first) * CHUNK_BYTES;
  return data.subarray(start, start + run.count * CHUNK_BYTES);
}

/**
 * Indices of the chunks of `range`, whose bytes are `data`, that do not match their leaves:
 * `digits`, 64 hexadecimal digits each.
 */
export function wrongChunks(range: ChunkRange, data: Uint8Array, digits: string): number[] {
  const wrong: number[] = [];
  for (let i = 0; i < range.count; i++) {
    const chunk = data.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
    if (!digits.startsWith(hash("sha256", chunk, "hex"), i * HASH_DIGITS)) {
      wrong.push(range.first + i);
    }
  }
  return wrong;
}
