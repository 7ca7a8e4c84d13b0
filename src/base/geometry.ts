/**
 * How a file divides into chunks. A chunk is 16,384 bytes, the last one shorter; its index is a
 * u32, so a file has at most 2^32 chunks (64 TiB). A file of no bytes has no chunks.
 */

import { FetchFailure } from "./errors.ts";

/** Bytes of a chunk: the leaf block of BitTorrent v2 (BEP 52). */
export const CHUNK_BYTES = 16_384;
/** Chunks that a u32 index can count. */
export const FILE_CHUNKS_MAX = 2 ** 32;
/** Bytes of the largest file that chunks can count: 64 TiB. */
export const FILE_BYTES_MAX = FILE_CHUNKS_MAX * CHUNK_BYTES;

/** A run of consecutive chunks: `count` of them from index `first`. */
export interface ChunkRange {
  readonly first: number;
  readonly count: number;
}

/** Where bytes stand in a file. */
export interface ByteSpan {
  readonly offset: number;
  readonly length: number;
}

/** Number of chunks of a file of `sizeBytes`. */
export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / CHUNK_BYTES);
}

/** Bytes of chunk `index` in a file of `sizeBytes`. */
export function chunkLength(sizeBytes: number, index: number): number {
  return Math.min(CHUNK_BYTES, sizeBytes - index * CHUNK_BYTES);
}

/** Where the chunks of `range` stand in a file of `sizeBytes`. */
export function rangeBytes(sizeBytes: number, range: ChunkRange): ByteSpan {
  const offset = range.first * CHUNK_BYTES;
  return { offset, length: Math.min(range.count * CHUNK_BYTES, sizeBytes - offset) };
}

/** Whether `range` has at least one chunk and lies within a file of `chunks` chunks. */
export function isRangeWithin(range: ChunkRange, chunks: number): boolean {
  return range.count > 0 && range.first >= 0 && range.first + range.count <= chunks;
}

/** The failure of a fetch that wants chunks which a file of `sizeBytes` does not have; undefined when it has. */
export function failureOutside(wanted: ChunkRange, sizeBytes: number): FetchFailure | undefined {
  const count = chunkCount(sizeBytes);
  return isRangeWithin(wanted, count) ? undefined : rangeOutside(wanted, count);
}

/** The failure of a fetch that wants chunks which the file, of `count` chunks, does not have. */
export function rangeOutside(wanted: ChunkRange, count: number): FetchFailure {
  return new FetchFailure(
    "usage",
    `Cannot fetch chunks ${wanted.first}-${wanted.first + wanted.count - 1}: the file has ` +
      (count === 0 ? "none, it is empty" : `${count} (0-${count - 1})`),
  );
}
