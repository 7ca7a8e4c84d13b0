/**
 * Chunk ranges: as people and reports write them (`all`, or `0-31,64,70-75`), and in order, as HAVE
 * carries them.
 */

import type { Bitfield } from "./bitfield.ts";
import type { ChunkRange } from "./geometry.ts";
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
