/** Looks for what a fetch wants among the complete files that are here already. */

import { EnvironmentError, isNoLongerHere } from "../../base/errors.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest, FileReader, UsedFiles } from "../../wire/fetching.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import { wantedBytes, wantedChunks } from "../../core/fetch/wanted_range.ts";
import type { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import { RunningSha256 } from "./file_reader.ts";
import { HERE } from "../swarm/provider.ts";

/** What is looked for. */
type SoughtLocally = Pick<FetchRequest, "name" | "root" | "sha256" | "sizeBytes">;

/** What was found. */
interface LocalCopy {
  /** A complete file that fits the request. */
  readonly file: FileDefinition | undefined;
  /** Whether one was here that failed the check of its SHA-256. */
  readonly hasWrongCopy: boolean;
}

/**
 * A complete file that fits the request and can still be read. One whose bytes turn out not to be
 * what they were is not: once that was looked into, it is not complete here any more.
 */
export async function findLocalCopy(
  store: ChunkStore,
  request: FetchRequest,
  { signal, use, isMeant, note }: {
    readonly signal: AbortSignal;
    /** Keeps what is looked at from being removed for room. */
    readonly use: Pick<UsedFiles, "add">;
    /** Whether a file that fits is the one that is meant. */
    readonly isMeant: (file: FileDefinition) => Promise<boolean>;
    readonly note: (what: string) => void;
  },
): Promise<LocalCopy> {
  let hasWrongCopy = false;
  // What is being looked into may turn out to be here only in part.
  if (request.root !== null) await readyToRead(store, request.root, signal);
  for (const file of sameRootOrName(store, request)) {
    if (!store.isComplete(file.root)) continue;
    if (request.sizeBytes !== null && request.sizeBytes !== file.sizeBytes) continue;
    use.add(file.root);
    try {
      await readyToRead(store, file.root, signal);
      if (!isReadable(store, file)) continue;
      const { sha256 } = request;
      if (!await hasSha256(store, file, { sha256, signal })) hasWrongCopy = true;
      else if (await isMeant(file) && store.isComplete(file.root)) return { file, hasWrongCopy };
    } catch (error) {
      if (!isNoLongerHere(error)) throw error;
      note(`The copy that is here is not used: ${error.message}`);
      await readyToRead(store, file.root, signal);
    }
  }
  return { file: undefined, hasWrongCopy };
}

/** Whether there is a complete file that may fit, so that it is looked at before anybody is asked. */
export function mayHaveLocalCopy(store: ChunkStore, request: SoughtLocally): boolean {
  return sameRootOrName(store, request).some(({ root, sizeBytes }) => {
    const sha256 = request.sha256 === null ? undefined : store.sha256(root);
    return store.isComplete(root) &&
      (request.sizeBytes === null || request.sizeBytes === sizeBytes) &&
      (sha256 === undefined || sha256 === request.sha256);
  });
}

/** Resolves when what was found of the leaves and bytes of a file is looked into, and mended. */
export async function readyToRead(
  store: ChunkStore,
  root: Root,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    // A leaf layer may just be computed again, which takes as long as the file is big.
    await Promise.race([store.ready(root), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Whether the file is whole and still as it was shared; the store withdraws it when it is not. One
 * that became a partial file may still be read in part.
 */
export function isReadable(store: ChunkStore, { root, sizeBytes }: FileDefinition): boolean {
  if (sizeBytes === 0) return true;
  try {
    store.readChecked(root, { first: 0, count: 1 }, new Uint8Array(CHUNK_BYTES));
    return store.isComplete(root);
  } catch (error) {
    if (error instanceof EnvironmentError) return false;
    throw error;
  }
}

/**
 * Whether a file that is here has this SHA-256; null is any. Every chunk is held against its leaf on
 * the way, so it is that of the root. What an earlier run found is no reason to disbelieve a file.
 *
 * @throws {EnvironmentError} "corrupt" when the bytes are not what they were, and others.
 */
export async function hasSha256(
  store: ChunkStore,
  file: Pick<FileDefinition, "root" | "sizeBytes">,
  { sha256, signal, running }: {
    readonly sha256: string | null;
    readonly signal: AbortSignal;
    /** Where it was computed while the file came. */
    readonly running?: RunningSha256 | null;
  },
): Promise<boolean> {
  if (sha256 === null) return true;
  const known = store.sha256(file.root);
  if (known === sha256) return true;
  if (known !== undefined && store.isSha256Fresh(file.root)) return false;
  const hashed = running ?? new RunningSha256(readerOf(store, file));
  const found = await hashed.finish({ signal });
  const isRight = found === sha256;
  if (isRight || known !== undefined) store.noteSha256(file.root, found);
  return isRight;
}

/** Shows what is wanted of a file that is here to those who wait; returns how many bytes that are. */
export function showLocal(
  store: ChunkStore,
  file: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
  { request, view, journal, nowMs }: {
    readonly request: FetchRequest;
    readonly view: ReadableRanges;
    readonly journal: FetchRecorder;
    readonly nowMs: number;
  },
): number {
  const { root, name, sizeBytes } = file;
  const wanted = wantedChunks(request, sizeBytes);
  const bytes = wantedBytes(sizeBytes, wanted);
  journal.note("The file is here already", nowMs);
  view.event({ kind: "found", root, name, sizeBytes, sources: 0, bytesHad: bytes });
  // Nothing is read where the mirror wrote: nobody may have proved what fellows brought there.
  const peers = { has: () => true, reader: readerOf(store, file) };
  view.show(sizeBytes, { peers, mirror: null });
  if (wanted.count > 0) {
    journal.received(HERE, wanted, { sizeBytes });
    view.gained(wanted);
    view.release(wanted);
  }
  return bytes;
}

/** Reads a file by its root, wherever its content moves; every chunk is known to be of the root. */
export function readerOf(
  store: ChunkStore,
  { root, sizeBytes }: Pick<FileDefinition, "root" | "sizeBytes">,
): FileReader {
  return {
    sizeBytes,
    readRun: (range, target, offset) => store.readChecked(root, range, target, offset),
    use: () => store.use(root),
  };
}

/** A part of the very file that a request is for, with its leaves, so that it can be filled. */
export function partialCopy(
  store: ChunkStore,
  { name, root, sha256 }: SoughtLocally,
): FileDefinition | undefined {
  const files = root === null ? store.definitionsByName(name) : store.definitionsOfRoot(root);
  for (const file of files) {
    const isIt = root !== null || sha256 !== null && store.sha256(file.root) === sha256;
    if (isIt && store.download(file.root)?.hasLeaves === true) return file;
  }
  return undefined;
}

/** A copy that fits the request, but is damaged, and so withheld. */
export function withheldCopy(
  store: ChunkStore,
  { root, name }: SoughtLocally,
): FileDefinition | undefined {
  return store.shares.damaged()
    .find((file) => root === null ? file.name === name : file.root === root);
}

function sameRootOrName(store: ChunkStore, { root, name }: SoughtLocally): FileDefinition[] {
  if (root === null) return store.definitionsByName(name);
  const file = store.definition(root);
  return file === undefined ? [] : [file];
}
