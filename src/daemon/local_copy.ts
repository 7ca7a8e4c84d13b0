/** Looks for what a fetch wants among the complete files that are here already. */

import { EnvironmentError } from "../base/errors.ts";
import { CHUNK_BYTES } from "../base/geometry.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { FileDefinition } from "../store/place.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import { type FileReader, fileSha256 } from "./file_reader.ts";

/** What was found. */
export interface LocalCopy {
  /** A complete file that fits the request. */
  readonly file: FileDefinition | undefined;
  /** Whether one was here that failed the check of its SHA-256. */
  readonly hasWrongCopy: boolean;
}

/** A complete file that fits the request and can still be read. */
export async function findLocalCopy(
  store: ChunkStore,
  request: FetchRequest,
  options: { readonly signal?: AbortSignal } = {},
): Promise<LocalCopy> {
  let hasWrongCopy = false;
  for (const file of sameRootOrName(store, request)) {
    if (!store.isComplete(file.root)) continue;
    if (request.sizeBytes !== null && request.sizeBytes !== file.sizeBytes) continue;
    if (!isReadable(store, file)) continue;
    const { sha256 } = request;
    if (await hasSha256(store, file, { sha256, ...options })) return { file, hasWrongCopy };
    hasWrongCopy = true;
  }
  return { file: undefined, hasWrongCopy };
}

/** Whether the file is still as it was shared; the store withdraws it when it is not. */
export function isReadable(store: ChunkStore, { root, sizeBytes }: FileDefinition): boolean {
  if (sizeBytes === 0) return true;
  try {
    store.readRun(root, { first: 0, count: 1 }, new Uint8Array(CHUNK_BYTES));
    return true;
  } catch (error) {
    if (error instanceof EnvironmentError) return false;
    throw error;
  }
}

/** Whether a file that is here has this SHA-256; null is any. */
export async function hasSha256(
  store: ChunkStore,
  file: FileDefinition,
  { sha256, signal }: { readonly sha256: string | null; readonly signal?: AbortSignal },
): Promise<boolean> {
  if (sha256 === null) return true;
  const options = signal === undefined ? {} : { signal };
  if (await fileSha256(readerOf(store, file), options) !== sha256) return false;
  store.noteSha256(file.root, sha256);
  return true;
}

/** Reads a file by its root, so that reading goes on wherever its content moves. */
export function readerOf(
  store: ChunkStore,
  { root, sizeBytes }: Pick<FileDefinition, "root" | "sizeBytes">,
): FileReader {
  return {
    sizeBytes,
    readRun: (range, target, offset) => store.readRun(root, range, target, offset),
  };
}

function sameRootOrName(store: ChunkStore, { root, name }: FetchRequest): FileDefinition[] {
  if (root === null) return store.definitionsByName(name);
  const file = store.definition(root);
  return file === undefined ? [] : [file];
}
