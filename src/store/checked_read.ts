/**
 * Reads chunks of complete files for those who cannot check them. What follows from a chunk that is
 * not right is in `mending.ts`.
 */

import { EnvironmentError } from "../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../base/geometry.ts";
import { wrongChunks } from "../base/leaves.ts";
import type { StoreContext } from "./catalogue/store_context.ts";
import { CheckedChunks } from "./files/checked_chunks.ts";
import { readStoredFile } from "./files/file_reader.ts";
import type { StoredFile } from "./files/stored_file.ts";
import { notAsItWas } from "./hashing/verify.ts";

/**
 * Reads chunks of a file into `target` from `offset`; returns the bytes. Each chunk is hashed in
 * place and held against its leaf, unless it was in this run and the file did not change since.
 *
 * @throws {EnvironmentError} "corrupt" when one does not fit, or the leaves cannot be read;
 * "changed", "not-found" and others as {@linkcode readStoredFile} does.
 */
export function readCheckedFile(
  context: StoreContext,
  file: StoredFile,
  read: { readonly range: ChunkRange; readonly target: Uint8Array; readonly offset: number },
): number {
  const { path, sizeBytes } = file;
  const { range, target, offset } = read;
  const { length } = rangeBytes(sizeBytes, range);
  const known = context.checked.get(path);
  if (known?.has(range)) {
    const after = readStoredFile(context.handles, file, { ...read, look: "after" });
    if (known.stands(after)) return length;
  }
  const before = readStoredFile(context.handles, file, read);
  const leaves = leavesOf(context, file, range);
  const wrong = wrongChunks(target.subarray(offset, offset + length), leaves, range.first);
  if (wrong.length > 0) throw notAsItWas(path, wrong);
  const checked = context.checked.touch(path) ?? new CheckedChunks(chunkCount(sizeBytes));
  checked.checked(range, before, context.clock.unixMs());
  context.checked.set(path, checked);
  return length;
}

function leavesOf(
  context: StoreContext,
  { root, sizeBytes }: StoredFile,
  range: ChunkRange,
): string {
  try {
    return context.leafLayer(root, sizeBytes).hexOf(range);
  } catch (error) {
    if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
    // Whatever it is, it says nothing against the file.
    throw new EnvironmentError("corrupt", error.message, { cause: error });
  }
}
