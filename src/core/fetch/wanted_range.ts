/** Which part of a file a fetch wants. */

import type { FetchFailure } from "../../base/errors.ts";
import { chunkCount, type ChunkRange, failureOutside, rangeBytes } from "../../base/geometry.ts";
import type { FetchRequest } from "../../wire/fetching.ts";

/**
 * The chunks wanted of a file of `sizeBytes`.
 *
 * @throws {FetchFailure} when the file has no such chunks.
 */
export function wantedChunks({ chunks }: FetchRequest, sizeBytes: number): ChunkRange {
  if (chunks === null) return { first: 0, count: chunkCount(sizeBytes) };
  const outside = failureOutside(chunks, sizeBytes);
  if (outside !== undefined) throw outside;
  return chunks;
}

/** The failure of a fetch whose request says itself that the file does not have the chunks wanted. */
export function outsideOf({ chunks, sizeBytes }: FetchRequest): FetchFailure | undefined {
  return chunks === null || sizeBytes === null ? undefined : failureOutside(chunks, sizeBytes);
}

/** How many bytes that are. */
export function wantedBytes(sizeBytes: number, wanted: ChunkRange): number {
  return wanted.count === 0 ? 0 : rangeBytes(sizeBytes, wanted).length;
}

/** The last of the chunks from `first` to `end`, which is none of them; no chunk when none is. */
export function lastOf(first: number, end: number): ChunkRange {
  return end > first ? { first: end - 1, count: 1 } : { first, count: 0 };
}
