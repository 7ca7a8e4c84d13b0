/**
 * Whether a file that is here is the one that the mirrors have under its name: size and first chunks
 * are compared. For a request that says nothing of the content, so that a name is all there is.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { headBytes } from "../../core/fetch/mirror_plan.ts";
import { type MirrorBody, MirrorError, type MirrorFile, type Mirrors } from "../../http/mirrors.ts";
import type { FileReader } from "../../wire/fetch_observer.ts";

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
  if (mirror === null || mirrors.isBad(mirror, performance.now())) return true;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), limits.hedgeAnswerMs);
  try {
    const offset = firstChunk * CHUNK_BYTES;
    const end = Math.min(reader.sizeBytes, offset + headBytes(reader.sizeBytes));
    using body = await file.open(
      // Of an empty file a first byte is asked for: whether there is one is the question.
      { offset, end: Math.max(end, offset + 1) },
      { signal: AbortSignal.any([signal, late.signal]) },
    );
    return await isSame(reader, body, { firstChunk, lengthBytes: Math.max(0, end - offset) });
  } catch (error) {
    signal.throwIfAborted();
    if (late.signal.aborted) {
      mirrors.failed(mirror, performance.now());
      return true;
    }
    if (error instanceof MirrorError) return true;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function isSame(
  reader: FileReader,
  body: MirrorBody,
  { firstChunk, lengthBytes }: { readonly firstChunk: number; readonly lengthBytes: number },
): Promise<boolean> {
  if (body.sizeBytes !== null && body.sizeBytes !== reader.sizeBytes) return false;
  const count = Math.ceil(lengthBytes / CHUNK_BYTES);
  const ours = new Uint8Array(count * CHUNK_BYTES);
  if (count > 0) reader.readRun({ first: firstChunk, count }, ours, 0);
  let at = 0;
  for (let data = await body.read(); data !== null; data = await body.read()) {
    for (const byte of data) {
      if (at >= lengthBytes || byte !== ours[at]) return false;
      at++;
    }
  }
  return at === lengthBytes;
}
