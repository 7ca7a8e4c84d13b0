/**
 * Checks the bytes of a file against its leaf layer, a run of chunks a turn of the event loop. It
 * tells of bad chunks and does nothing about them.
 */

import { nextTurn } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { isRightChunk } from "../../base/leaves.ts";
import type { LeafLayer } from "./leaf_layer.ts";
import { readAt } from "../files/io.ts";

/** Chunks next to each other that are all good or all bad. */
interface CheckedRun {
  readonly range: ChunkRange;
  readonly isGood: boolean;
}

/**
 * Checks the chunks of `range` (of the whole file when it is not given); a chunk that is not
 * there whole is bad. Other work goes on between runs of 512 KiB.
 *
 * @throws {EnvironmentError} when the leaf layer cannot be read.
 */
export async function* checkData(
  file: { readonly fd: number; readonly sizeBytes: number },
  leaves: LeafLayer,
  options: {
    readonly range?: ChunkRange | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): AsyncGenerator<CheckedRun> {
  const { first, count } = options.range ?? { first: 0, count: chunkCount(file.sizeBytes) };
  const buffer = new Uint8Array(Math.min(count, limits.requestChunksMax) * CHUNK_BYTES);
  for (let at = first; at < first + count; at += limits.requestChunksMax) {
    options.signal?.throwIfAborted();
    const run = { first: at, count: Math.min(limits.requestChunksMax, first + count - at) };
    yield* checkRun(file, leaves, { run, buffer });
    await nextTurn();
  }
}

function* checkRun(
  file: { readonly fd: number; readonly sizeBytes: number },
  leaves: LeafLayer,
  { run, buffer }: { readonly run: ChunkRange; readonly buffer: Uint8Array },
): Generator<CheckedRun> {
  const { offset: position, length } = rangeBytes(file.sizeBytes, run);
  const read = readAt(file.fd, buffer, { offset: 0, length, position });
  const expected = leaves.hexOf(run);
  let from = 0, wasGood = true;
  for (let i = 0; i < run.count; i++) {
    const end = Math.min((i + 1) * CHUNK_BYTES, length);
    const isGood = end <= read &&
      isRightChunk(buffer.subarray(i * CHUNK_BYTES, end), expected, i);
    if (i > from && isGood !== wasGood) {
      yield { range: { first: run.first + from, count: i - from }, isGood: wasGood };
      from = i;
    }
    wasGood = isGood;
  }
  yield { range: { first: run.first + from, count: run.count - from }, isGood: wasGood };
}

/** Chunks of a file do not fit their leaves: bytes or leaves are not what they were. */
export function notAsItWas(path: string, wrong: readonly number[]): EnvironmentError {
  const chunks = wrong.length === 1 ? `chunk ${wrong[0]}` : `${wrong.length} chunks`;
  return new EnvironmentError(
    "corrupt",
    `Cannot read ${path}: ${chunks} changed since they were checked`,
  );
}
