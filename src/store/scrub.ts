/** Looks for rot in what the store has, and takes out of it what is bad. */

import { EnvironmentError, messageOf } from "../base/errors.ts";
import { chunkCount, type ChunkRange } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import type { PartialDownload } from "./downloads/partial_download.ts";
import type { Downloads } from "./downloads/downloads.ts";
import type { FileDefinition, StoredFile } from "./files/stored_file.ts";
import { pinStoredFile } from "./files/file_reader.ts";
import type { StoreContext } from "./catalogue/store_context.ts";
import { checkData } from "./hashing/verify.ts";

/** What was found of one file. */
export interface VerifyResult {
  readonly root: Root;
  readonly name: string;
  readonly path: string;
  readonly origin: FileDefinition["origin"];
  readonly sizeBytes: number;
  /** Chunks that were checked, and those of them that were bad. */
  readonly chunksChecked: number;
  readonly chunksBad: number;
  /** "withdrawn": no longer offered. "partial": what is good of it is kept, the rest is missing. */
  readonly outcome: "good" | "withdrawn" | "partial";
  /** Why, when it is not good. */
  readonly reason?: string;
}

/** See {@linkcode ChunkStore.verify}. */
export async function* verifyStore(
  context: StoreContext,
  downloads: Downloads,
  options: { readonly root?: Root; readonly signal?: AbortSignal },
): AsyncGenerator<VerifyResult> {
  const { root, signal } = options;
  // A copy: what is checked may be withdrawn meanwhile.
  const files = root === undefined ? [...context.index] : [...context.index.ofRoot(root)];
  const partials = [...downloads].filter((one) => root === undefined || one.root === root);
  for (const file of files) {
    if (context.index.at(file.path) !== file) continue;
    yield await verifyStoredFile(context, downloads, { file, signal });
  }
  for (const download of partials) {
    if (!download.isEnded && download.hasLeaves) {
      yield await verifyDownload(context, download, signal);
    }
  }
}

/** See {@linkcode ChunkStore.scrubRange}. */
export async function scrubRange(
  context: StoreContext,
  downloads: Downloads,
  { root, range }: { readonly root: Root; readonly range: ChunkRange },
): Promise<number> {
  let chunksBad = 0;
  for (const file of [...context.index.ofRoot(root)]) {
    chunksBad += (await verifyStoredFile(context, downloads, { file, range })).chunksBad;
  }
  const download = downloads.get(root);
  if (chunksBad === 0 && download?.hasLeaves) chunksBad += await scrubDownload(download, { range });
  return chunksBad;
}

async function verifyStoredFile(
  context: StoreContext,
  downloads: Downloads,
  { file, range, signal }: {
    readonly file: StoredFile;
    readonly range?: ChunkRange;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<VerifyResult> {
  const { root, name, path, origin, sizeBytes } = file;
  const chunksChecked = range?.count ?? chunkCount(sizeBytes);
  const result = { root, name, path, origin, sizeBytes, chunksChecked };
  const bad: ChunkRange[] = [];
  try {
    const leaves = context.leafLayer(root, sizeBytes);
    // A range is looked at because a peer asks: not a reason to read the whole layer.
    if (range === undefined && !leaves.isSound()) {
      throw new EnvironmentError("corrupt", `The leaf layer of ${path} is damaged`);
    }
    const handle = pinStoredFile(context.handles, file);
    try {
      for await (const run of checkData({ fd: handle.fd, sizeBytes }, leaves, { range, signal })) {
        if (!run.isGood) bad.push(run.range);
      }
    } finally {
      context.handles.unpin(handle);
    }
  } catch (error) {
    if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
    withdraw(context, file, error.message);
    return { ...result, chunksBad: 0, outcome: "withdrawn", reason: error.message };
  }
  const chunksBad = bad.reduce((sum, { count }) => sum + count, 0);
  if (chunksBad === 0) return { ...result, chunksBad, outcome: "good" };
  const reason = `${chunksBad} of ${chunksChecked} checked chunks are not what they were`;
  if (context.index.at(path) !== file) {
    return { ...result, chunksBad, outcome: "withdrawn", reason };
  }
  if (origin === "downloaded" && context.directory.contains(path)) {
    try {
      downloads.demote(file, bad);
      context.warn(`${path}: ${reason}; they are missing now`, { root, name });
      return { ...result, chunksBad, outcome: "partial", reason };
    } catch (error) {
      context.warn(messageOf(error), { root, name });
    }
  }
  withdraw(context, file, `${path}: ${reason}`);
  return { ...result, chunksBad, outcome: "withdrawn", reason };
}

async function verifyDownload(
  context: StoreContext,
  download: PartialDownload,
  signal: AbortSignal | undefined,
): Promise<VerifyResult> {
  const { root, name, path, sizeBytes } = download;
  const chunksChecked = download.have.count;
  const chunksBad = await scrubDownload(download, { signal });
  if (chunksBad > 0) context.warn(`${path}: ${chunksBad} chunks are bad and missing now`, { root });
  const result = { root, name, path, origin: "partial" as const, sizeBytes, chunksChecked };
  return { ...result, chunksBad, outcome: chunksBad === 0 ? "good" : "partial" };
}

/** How many of the chunks that a download had turned out to be bad; they are missing now. */
async function scrubDownload(
  download: PartialDownload,
  options: { readonly range?: ChunkRange; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const lost = download.have.clone();
  await download.scrub(options);
  for (const range of download.have.ranges()) lost.removeRange(range);
  return lost.count;
}

function withdraw(context: StoreContext, file: StoredFile, reason: string): void {
  context.warn(`${reason}; it is withdrawn`, { root: file.root, name: file.name });
  context.withdrawStoredFiles([file]);
}
