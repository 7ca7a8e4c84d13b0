/** Which part of a file a fetch wants. */

import type { FetchFailure } from "../../base/errors.ts";
import {
  chunkCount,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
  rangeOutside,
} from "../../base/geometry.ts";
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

/** The failure of a fetch whose request says itself that the file does not have the chunks wanted. */
export function outsideOf({ chunks, sizeBytes }: FetchRequest): FetchFailure | undefined {
  if (chunks === null || sizeBytes === null) return undefined;
  const count = chunkCount(sizeBytes);
  return isRangeWithin(chunks, count) ? undefined : rangeOutside(chunks, count);
}

/** How many bytes that are. */
export function wantedBytes(sizeBytes: number, wanted: ChunkRange): number {
  return wanted.count === 0 ? 0 : rangeBytes(sizeBytes, wanted).length;
}

/** The last of the chunks from `first` to `end`, which is none of them; no chunk when none is. */
export function lastOf(first: number, end: number): ChunkRange {
  return end > first ? { first: end - 1, count: 1 } : { first, count: 0 };
}
