/**
 * Hashes one file from its beginning to its end, in one go: its root, and its leaf layer into a
 * sidecar, or only its SHA-256. Runs in the worker (`hash_worker.ts`), where it holds nothing up.
 */

import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import { HASH_BYTES, type Root } from "../../base/ids.ts";
import { leafHex } from "../../base/leaves.ts";
import { limits } from "../../base/limits.ts";
import { type Fingerprint, fingerprintOf, isSameFile, joinPath } from "../files/stored_file.ts";
import { environmentError, readAt, removeIfThere, writeAt } from "../files/io.ts";
import { MerkleBuilder } from "./merkle.ts";

/** What to hash. */
export interface HashRequest {
  readonly path: string;
  /** The directory of all leaf layers; the sidecar goes to `<2 digits>/<root>` in it. */
  readonly leavesPath: string;
  /**
   * What the sidecar is called until the root is known; "hashing" if left out. Two hashers of
   * one store need different names.
   */
  readonly sidecarName?: string;
}

/** A hashed file, as it was from the first to the last byte read. */
export interface HashedFile extends Fingerprint {
  readonly root: Root;
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
export function hashFile(request: HashRequest): HashedFile {
  const { path, leavesPath, sidecarName = "hashing" } = request;
  const before = stat(path);
  const { sizeBytes } = before;
  // The name is free of others: only one worker of one store hashes at a time under it.
  const sidecar = chunkCount(sizeBytes) > 1 ? joinPath(leavesPath, sidecarName) : undefined;
  const builder = new MerkleBuilder();
  const fd = openFile(path, "r");
  try {
    const sidecarFd = sidecar === undefined ? undefined : openFile(sidecar, "w");
    try {
      for (const bytes of hashChunks(fd, sizeBytes, path)) {
        if (sidecarFd !== undefined) writeAt(sidecarFd, bytes, builder.count * HASH_BYTES);
        builder.addLeaves(bytes);
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
    return { root, ...before };
  } catch (error) {
    if (sidecar !== undefined) removeIfThere(sidecar);
    throw environmentError(error, `hash ${path}`);
  } finally {
    closeSync(fd);
  }
}

/**
 * The SHA-256 of a whole file, and nothing else.
 *
 * @throws {EnvironmentError} "changed" when it changed meanwhile; others when it cannot be read.
 */
export function sha256File(path: string): Fingerprint & { readonly sha256: string } {
  const before = stat(path);
  const whole = createHash("sha256");
  const fd = openFile(path, "r");
  try {
    for (const length of readRuns(fd, before.sizeBytes, path)) {
      whole.update(buffer.subarray(0, length));
    }
    if (!isSameFile(before, Deno.statSync(path))) throw changed(path);
    return { ...before, sha256: whole.digest("hex") };
  } catch (error) {
    throw environmentError(error, `hash ${path}`);
  } finally {
    closeSync(fd);
  }
}

/** Gives the leaves in order, as many at once as the buffer holds. */
function* hashChunks(fd: number, sizeBytes: number, path: string): Generator<Uint8Array> {
  let filled = 0;
  for (const length of readRuns(fd, sizeBytes, path)) {
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

function stat(path: string): Fingerprint {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    throw environmentError(error, `hash ${path}`);
  }
  // Opening a pipe would wait for its other end.
  if (!info.isFile) throw new EnvironmentError("other", `Cannot hash ${path}: not a regular file`);
  return fingerprintOf(info);
}

function openFile(path: string, flags: "r" | "w"): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw environmentError(error, `open ${path}`);
  }
}

function keepSidecar(sidecar: string, leavesPath: string, root: Root): void {
  const directory = joinPath(leavesPath, root.slice(0, 2));
  Deno.mkdirSync(directory, { recursive: true });
  Deno.renameSync(sidecar, joinPath(directory, root));
}

function changed(path: string): EnvironmentError {
  return new EnvironmentError("changed", `Cannot hash ${path}: it changed meanwhile`);
}
