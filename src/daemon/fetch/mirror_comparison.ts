/**
 * Whether a file that is here is the one that the mirrors have under its name: size and first chunks
 * are compared. For a request that says nothing of the content, so that a name is all there is.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { headBytes } from "../../core/fetch/mirror_plan.ts";
import { chunksOf, differenceOf } from "../../http/head_check.ts";
import { MirrorError, type MirrorFile, type Mirrors } from "../../http/mirrors.ts";
import type { FileReader } from "../../wire/fetching.ts";

/**
 * Whether the mirrors have a file of this size that begins, at `firstChunk`, with the same chunks.
 * True as well when none of them answers within `hedgeAnswerMs`, or gives the file.
 *
 * @throws {EnvironmentError} when the file here cannot be read.
 * @throws the signal's reason when it is aborted.
 */
export async function agreesWithMirror(
  reader: FileReader,
  { file, mirrors, firstChunk, signal }: {
    readonly file: MirrorFile;
    readonly mirrors: Mirrors;
    readonly firstChunk: number;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const { mirror } = file;
  const { clock } = mirrors;
  if (mirror === null || mirrors.isBad(mirror, clock.nowMs())) return true;
  const late = new AbortController();
  using _ = clock.after(limits.hedgeAnswerMs, () => late.abort());
  try {
    const offset = firstChunk * CHUNK_BYTES;
    const end = Math.min(reader.sizeBytes, offset + headBytes(reader.sizeBytes));
    using body = await file.open(
      // Of an empty file a first byte is asked for: whether there is one is the question.
      { offset, end: Math.max(end, offset + 1) },
      { signal: AbortSignal.any([signal, late.signal]) },
    );
    const count = Math.max(0, Math.ceil((end - offset) / CHUNK_BYTES));
    return await differenceOf(chunksOf(reader, { first: firstChunk, count }), body) === undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (late.signal.aborted) {
      mirrors.failed(mirror, clock.nowMs());
      return true;
    }
    if (error instanceof MirrorError) return true;
    throw error;
  }
}
