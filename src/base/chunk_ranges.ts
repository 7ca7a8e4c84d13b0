/**
 * Chunk ranges: as people and reports write them (`all`, or `0-31,64,70-75`), in order, as HAVE
 * carries them, and divided.
 */

import type { Bitfield } from "./bitfield.ts";
import { type ChunkRange, rangeBytes } from "./geometry.ts";
import { limits } from "./limits.ts";

/** The chunks of `have`: "all", "none", or their runs with both ends included. */
export function formatRanges(have: Bitfield): string {
  if (have.isFull) return "all";
  if (have.count === 0) return "none";
  return writeRanges(have.ranges());
}

/** Runs with both ends included, as far as a person reads them. */
export function writeRanges(ranges: Iterable<ChunkRange>): string {
  const runs: string[] = [];
  for (const { first, count } of ranges) {
    if (runs.length === limits.shownRunsMax) return `${runs.join(",")},...`;
    runs.push(count === 1 ? `${first}` : `${first}-${first + count - 1}`);
  }
  return runs.join(",");
}

/** The same chunks as runs in order that neither overlap nor touch. */
export function mergedRanges(ranges: readonly ChunkRange[]): ChunkRange[] {
  const merged: { first: number; count: number }[] = [];
  for (const { first, count } of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last !== undefined && first <= last.first + last.count) {
      last.count = Math.max(last.count, first + count - last.first);
    } else merged.push({ first, count });
  }
  return merged;
}

/** Bytes of the chunks of `wanted` that are in `have`, of a file of `sizeBytes`. */
export function bytesWithin(have: Bitfield, sizeBytes: number, wanted: ChunkRange): number {
  let bytes = 0;
  const end = wanted.first + wanted.count;
  for (const range of have.count === 0 ? [] : have.ranges()) {
    const first = Math.max(range.first, wanted.first);
    const count = Math.min(range.first + range.count, end) - first;
    if (count > 0) bytes += rangeBytes(sizeBytes, { first, count }).length;
  }
  return bytes;
}

/** What of `range` lies between the chunks `apart`, which are indices in order. */
export function runsBetween(range: ChunkRange, apart: readonly number[]): ChunkRange[] {
  const runs: ChunkRange[] = [];
  let first = range.first;
  for (const index of [...apart, range.first + range.count]) {
    if (index > first) runs.push({ first, count: index - first });
    first = index + 1;
  }
  return runs;
}
