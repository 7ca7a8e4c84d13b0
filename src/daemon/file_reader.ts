/** The SHA-256 of a whole file, wherever its bytes lie. */

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
import { CHUNK_BYTES, chunkCount } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import type { FileReader } from "../wire/fetch_observer.ts";

/**
 * SHA-256 of a whole file, in hexadecimal. Other work goes on between runs of 512 KiB.
 *
 * @throws {EnvironmentError} when the file cannot be read.
 * @throws the signal's reason when it is aborted.
 */
export async function fileSha256(
  reader: FileReader,
  options: { readonly signal?: AbortSignal } = {},
): Promise<string> {
  const buffer = new Uint8Array(limits.requestChunksMax * CHUNK_BYTES);
  const chunks = chunkCount(reader.sizeBytes);
  const digest = createHash("sha256");
  for (let first = 0; first < chunks; first += limits.requestChunksMax) {
    const count = Math.min(limits.requestChunksMax, chunks - first);
    const bytes = reader.readRun({ first, count }, buffer, 0);
    digest.update(buffer.subarray(0, bytes));
    await new Promise((resolve) => setImmediate(resolve));
    options.signal?.throwIfAborted();
  }
  return digest.digest("hex");
}
