/** Reads complete files, and sees at each read whether they are still the ones that were hashed. */

import { EnvironmentError } from "../../base/errors.ts";
import {
  type ByteSpan,
  chunkCount,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../../base/geometry.ts";
import { type Fingerprint, fingerprintOf, isSameFile, type StoredFile } from "./stored_file.ts";
import type { Handle, HandleCache } from "./handle_cache.ts";
import { environmentError, readAt } from "./io.ts";

/** What is read, to where, and when it is looked whether the file is the one that was hashed. */
interface StoredRead {
  readonly range: ChunkRange;
  readonly target: Uint8Array;
  readonly offset: number;
  /** By default before: what is open is then the file that was looked at. */
  readonly look?: "before" | "after";
}

/**
 * Reads chunks of a file into `target` from `offset` in one call to the system; returns what the
 * file was like.
 *
 * @throws {EnvironmentError} "changed", "not-found" or another when the file is not what it was;
 * "in-use" when too many files are open, for which the file is not to blame.
 */
export function readStoredFile(
  handles: HandleCache,
  storedFile: StoredFile,
  read: StoredRead,
): Fingerprint {
  const { offset: position, length } = chunkLocation(storedFile, read.range);
  const { path } = storedFile;
  const fd = handles.open(path);
  try {
    const before = read.look === "after" ? undefined : checkUnchanged(storedFile);
    if (readAt(fd, read.target, { offset: read.offset, length, position }) === length) {
      return before ?? checkUnchanged(storedFile);
    }
  } catch (error) {
    handles.forget(path);
    throw environmentError(error, `read ${path}`);
  }
  handles.forget(path);
  throw changed(path);
}

/** Opens a file until the handle is unpinned; throws like {@linkcode readStoredFile}. */
export function pinStoredFile(handles: HandleCache, storedFile: StoredFile): Handle {
  const handle = handles.pin(storedFile.path);
  try {
    checkUnchanged(storedFile);
    return handle;
  } catch (error) {
    handles.unpin(handle);
    handles.forget(storedFile.path);
    throw error;
  }
}

/** Where chunks of a file stand in it. @throws {RangeError} when they are not all within. */
function chunkLocation({ name, sizeBytes }: StoredFile, range: ChunkRange): ByteSpan {
  const chunks = chunkCount(sizeBytes);
  if (isRangeWithin(range, chunks)) return rangeBytes(sizeBytes, range);
  throw new RangeError(
    `Cannot read chunks ${range.first}+${range.count} of ${name}: it has ${chunks}`,
  );
}

function checkUnchanged(storedFile: StoredFile): Fingerprint {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(storedFile.path);
  } catch (error) {
    throw environmentError(error, `read ${storedFile.path}`);
  }
  if (!isSameFile(storedFile, info)) throw changed(storedFile.path);
  return fingerprintOf(info);
}

function changed(path: string): EnvironmentError {
  return new EnvironmentError("changed", `Cannot read ${path}: it changed since it was hashed`);
}
