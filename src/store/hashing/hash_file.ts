/**
 * Hashes one file from its beginning to its end, in one go: its root, and its leaf layer into a
 * sidecar, or only its SHA-256. Runs in the worker (`hash_worker.ts`), where it holds nothing up.
 */

import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, fstatSync } from "node:fs";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import { HASH_BYTES, type Root } from "../../base/ids.ts";
import { leafHex } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";
import { type Fingerprint, fingerprintOf, isSameFile, joinPath } from "../files/stored_file.ts";
import { checkOpened } from "../files/confined.ts";
import {
  environmentError,
  openToRead,
  openToWrite,
  readAt,
  removeIfThere,
  removeUnlessFile,
  writeAt,
} from "../files/io.ts";
import { MerkleBuilder } from "./merkle.ts";

/** Which file to hash. */
export interface FileToHash {
  readonly path: string;
  /** The shared path that it must lie at or below, without links; see `confined.ts`. */
  readonly shareRoot?: string | undefined;
}

/** What to hash. */
export interface HashRequest extends FileToHash {
  /** The directory of all leaf layers; the sidecar goes to `<2 digits>/<root>` in it. */
  readonly leavesPath: string;
  /**
   * What the sidecar is called until the root is known; "hashing" if left out. Two hashers of
   * one store need different names.
   */
  readonly sidecarName?: string;
  /** Whether its SHA-256 is wanted too. */
  readonly wantsSha256?: boolean;
}

/** Is told, every few megabytes, how many bytes of a file were hashed. */
export type HashProgress = (bytes: number) => void;

/** A hashed file, as it was from the first to the last byte read. */
export interface HashedFile extends Fingerprint {
  readonly root: Root;
  /** Where it was wanted. */
  readonly sha256?: string;
}

/** A file whose SHA-256 was computed. */
export interface Sha256File extends HashedFile {
  readonly sha256: string;
}

const buffer = new Uint8Array(limits.requestChunksMax * CHUNK_BYTES);
const chunkViews = Array.from(
  { length: limits.requestChunksMax },
  (_, i) => buffer.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
);
const leaves = new Uint8Array(limits.leavesPerFrameMax * HASH_BYTES);

/**
 * Hashes a file.
 *
 * @throws {EnvironmentError} "changed" when it changed meanwhile; others when it cannot be read or
 * the leaf layer cannot be written.
 */
export function hashFile(request: HashRequest, progressed: HashProgress = () => {}): HashedFile {
  const { path, leavesPath, sidecarName = "hashing" } = request;
  const { fd, before } = openToHash(request);
  const { sizeBytes } = before;
  // The name is free of others: only one worker of one store hashes at a time under it.
  const sidecar = chunkCount(sizeBytes) > 1 ? joinPath(leavesPath, sidecarName) : undefined;
  const builder = new MerkleBuilder();
  const whole = request.wantsSha256 ? createHash("sha256") : null;
  try {
    const sidecarFd = sidecar === undefined ? undefined : openSidecar(sidecar);
    try {
      for (const bytes of hashChunks(fd, sizeBytes, path, (read) => whole?.update(read))) {
        if (sidecarFd !== undefined) writeAt(sidecarFd, bytes, builder.count * HASH_BYTES);
        builder.addLeaves(bytes);
        progressed(Math.min(sizeBytes, builder.count * CHUNK_BYTES));
      }
      if (sidecarFd !== undefined && builder.count > limits.unsyncedLeavesMax) {
        fdatasyncSync(sidecarFd);
      }
    } finally {
      if (sidecarFd !== undefined) closeSync(sidecarFd);
    }
    if (!isSameFile(before, Deno.statSync(path))) throw changed(path);
    const root = builder.root();
    if (sidecar !== undefined) keepSidecar(sidecar, leavesPath, root);
    return { root, ...before, ...(whole === null ? {} : { sha256: whole.digest("hex") }) };
  } catch (error) {
    if (sidecar !== undefined) removeIfThere(sidecar);
    throw environmentError(error, `hash ${path}`);
  } finally {
    closeSync(fd);
  }
}

/**
 * Keeps a leaf layer that was computed while the file came, as {@linkcode hashFile} does with one
 * that it computes: at once, so that nobody else can come in between.
 *
 * @param leaves 32 bytes a chunk, of at most `limits.unsyncedLeavesMax` chunks.
 * @returns The root.
 * @throws {EnvironmentError} when it cannot be written.
 */
export function keepLeaves(leaves: Uint8Array, leavesPath: string): Root {
  const builder = new MerkleBuilder();
  builder.addLeaves(leaves);
  const root = builder.root();
  if (builder.count <= 1) return root;
  const sidecar = joinPath(leavesPath, "hashed-on-the-way");
  try {
    const fd = openSidecar(sidecar);
    try {
      writeAt(fd, leaves, 0);
    } finally {
      closeSync(fd);
    }
    keepSidecar(sidecar, leavesPath, root);
    return root;
  } catch (error) {
    removeIfThere(sidecar);
    throw environmentError(error, `write the leaf layer of ${root}`);
  }
}

/**
 * The SHA-256 of a whole file, and the root of the very same bytes; nothing is written.
 *
 * @throws {EnvironmentError} "changed" when it changed meanwhile; others when it cannot be read.
 */
export function sha256File(file: FileToHash): Sha256File {
  const { path } = file;
  const { fd, before } = openToHash(file);
  const whole = createHash("sha256");
  const builder = new MerkleBuilder();
  try {
    const read = (bytes: Uint8Array) => whole.update(bytes);
    for (const bytes of hashChunks(fd, before.sizeBytes, path, read)) builder.addLeaves(bytes);
    if (!isSameFile(before, Deno.statSync(path))) throw changed(path);
    return { ...before, sha256: whole.digest("hex"), root: builder.root() };
  } catch (error) {
    throw environmentError(error, `hash ${path}`);
  } finally {
    closeSync(fd);
  }
}

/** Gives the leaves in order, as many at once as the buffer holds; `read` is given the bytes. */
function* hashChunks(
  fd: number,
  sizeBytes: number,
  path: string,
  read?: (bytes: Uint8Array) => void,
): Generator<Uint8Array> {
  let filled = 0;
  for (const length of readRuns(fd, sizeBytes, path)) {
    read?.(buffer.subarray(0, length));
    for (let i = 0; i * CHUNK_BYTES < length; i++) {
      const end = (i + 1) * CHUNK_BYTES;
      const chunk = end <= length ? chunkViews[i]! : buffer.subarray(i * CHUNK_BYTES, length);
      leaves.subarray(filled, filled + HASH_BYTES).setFromHex(leafHex(chunk));
      filled += HASH_BYTES;
    }
    if (filled + limits.requestChunksMax * HASH_BYTES > leaves.length) {
      yield leaves.subarray(0, filled);
      filled = 0;
    }
  }
  if (filled > 0) yield leaves.subarray(0, filled);
}

/** Reads a file into {@linkcode buffer}, run by run; gives the length of each. */
function* readRuns(fd: number, sizeBytes: number, path: string): Generator<number> {
  for (let position = 0; position < sizeBytes; position += buffer.length) {
    const length = Math.min(buffer.length, sizeBytes - position);
    if (readAt(fd, buffer, { offset: 0, length, position }) < length) throw changed(path);
    yield length;
  }
}

function openToHash(
  { path, shareRoot }: FileToHash,
): { readonly fd: number; readonly before: Fingerprint } {
  let fd: number | undefined;
  try {
    fd = openToRead(path);
    if (shareRoot !== undefined) checkOpened(fd, path, shareRoot);
    // What lies at the path now; it is compared again when the file was read.
    const info = Deno.statSync(path);
    if (info.isFile && isOpenFile(fd, info)) return { fd, before: fingerprintOf(info) };
    throw changed(path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw environmentError(error, `hash ${path}`);
  }
}

function isOpenFile(fd: number, { dev, ino }: Deno.FileInfo): boolean {
  if (Deno.build.os === "windows") return true;
  const opened = fstatSync(fd);
  return opened.dev === dev && opened.ino === ino;
}

function openSidecar(path: string): number {
  try {
    // One of a run that was killed, or whatever took its place.
    removeIfThere(path);
    return openToWrite(path);
  } catch (error) {
    throw environmentError(error, `open ${path}`);
  }
}

function keepSidecar(sidecar: string, leavesPath: string, root: Root): void {
  const directory = joinPath(leavesPath, root.slice(0, 2));
  Deno.mkdirSync(directory, { recursive: true });
  const path = joinPath(directory, root);
  removeUnlessFile(path);
  Deno.renameSync(sidecar, path);
}

function changed(path: string): EnvironmentError {
  return new EnvironmentError("changed", `Cannot hash ${path}: it changed meanwhile`);
}
