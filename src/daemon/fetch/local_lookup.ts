/** Looks for what a fetch wants among the complete files that are here already. */

import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest, FileReader } from "../../wire/fetching.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import { wantedBytes, wantedChunks } from "../../core/fetch/wanted_range.ts";
import type { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import { RunningSha256 } from "./file_reader.ts";
import { HERE } from "../swarm/provider.ts";

/** What was found. */
interface LocalCopy {
  /** A complete file that fits the request. */
  readonly file: FileDefinition | undefined;
  /** Whether one was here that failed the check of its SHA-256. */
  readonly hasWrongCopy: boolean;
}

/** A complete file that fits the request and can still be read. */
export async function findLocalCopy(
  store: ChunkStore,
  request: FetchRequest,
  { signal, isMeant }: {
    readonly signal: AbortSignal;
    /** Whether a file that fits is the one that is meant. */
    readonly isMeant: (file: FileDefinition) => Promise<boolean>;
  },
): Promise<LocalCopy> {
  let hasWrongCopy = false;
  for (const file of sameRootOrName(store, request)) {
    if (!store.isComplete(file.root)) continue;
    if (request.sizeBytes !== null && request.sizeBytes !== file.sizeBytes) continue;
    if (!isReadable(store, file)) continue;
    const { sha256 } = request;
    if (!await hasSha256(store, file, { sha256, signal })) hasWrongCopy = true;
    else if (await isMeant(file)) return { file, hasWrongCopy };
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
  file: Pick<FileDefinition, "root" | "sizeBytes">,
  { sha256, signal, running }: {
    readonly sha256: string | null;
    readonly signal: AbortSignal;
    /** Where it was computed while the file came. */
    readonly running?: RunningSha256 | null;
  },
): Promise<boolean> {
  if (sha256 === null) return true;
  // A file that changed since it was hashed has lost its root, and this with it.
  const known = store.sha256(file.root);
  if (known !== undefined) return known === sha256;
  const hashed = running ?? new RunningSha256(readerOf(store, file));
  if (await hashed.finish({ signal }) !== sha256) return false;
  store.noteSha256(file.root, sha256);
  return true;
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
  view.show(sizeBytes, { peers: { has: () => true, reader: readerOf(store, file) } });
  if (wanted.count > 0) {
    journal.received(HERE, wanted, { sizeBytes });
    view.gained(wanted);
    view.release(wanted);
  }
  return bytes;
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
