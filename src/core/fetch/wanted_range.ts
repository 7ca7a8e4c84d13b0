/** Which part of a file a fetch wants. */

import { FetchFailure } from "../../base/errors.ts";
import { chunkCount, type ChunkRange, isRangeWithin, rangeBytes } from "../../base/geometry.ts";
import type { FetchRequest } from "../../wire/fetching.ts";

/**
 * The chunks wanted of a file of `sizeBytes`.
 *
 * @throws {FetchFailure} when the file has no such chunks.
 */
export function wantedChunks({ chunks }: FetchRequest, sizeBytes: number): ChunkRange {
  const count = chunkCount(sizeBytes);
  if (chunks === null) return { first: 0, count };
  if (!isRangeWithin(chunks, count)) throw rangeOutside(chunks, count);
  return chunks;
}

/** How many bytes that are. */
export function wantedBytes(sizeBytes: number, wanted: ChunkRange): number {
  return wanted.count === 0 ? 0 : rangeBytes(sizeBytes, wanted).length;
}

/** The last of the chunks from `first` to `end`, which is none of them; no chunk when none is. */
export function lastOf(first: number, end: number): ChunkRange {
  return end > first ? { first: end - 1, count: 1 } : { first, count: 0 };
}

/** The failure of a fetch that wants chunks which the file, of `count` chunks, does not have. */
export function rangeOutside(wanted: ChunkRange, count: number): FetchFailure {
  return new FetchFailure(
    "usage",
    `Cannot fetch chunks ${wanted.first}-${wanted.first + wanted.count - 1}: the file has ` +
      (count === 0 ? "none, it is empty" : `${count} (0-${count - 1})`),
  );
}
