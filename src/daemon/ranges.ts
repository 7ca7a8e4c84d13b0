/** Chunk ranges as people and reports write them: `all`, or `0-31,64,70-75`. */

import type { Bitfield } from "../base/bitfield.ts";

/** How many runs are written out before the rest is summed up. */
const RUNS_MAX = 256;

/** The chunks of `have`: "all", "none", or their runs with both ends included. */
export function formatRanges(have: Bitfield): string {
  if (have.isFull) return "all";
  if (have.count === 0) return "none";
  const runs: string[] = [];
  for (const { first, count } of have.ranges()) {
    if (runs.length === RUNS_MAX) return `${runs.join(",")},...`;
    runs.push(count === 1 ? `${first}` : `${first}-${first + count - 1}`);
  }
  return runs.join(",");
}
