/** Looks for rot in what the store has, and takes out of it what is bad. */

import { EnvironmentError, messageOf } from "../base/errors.ts";
import { chunkCount, type ChunkRange } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import type { PartialDownload } from "./downloads/partial_download.ts";
import type { Downloads } from "./downloads/downloads.ts";
import { environmentError } from "./files/io.ts";
import { type FileDefinition, fingerprintOf, splitPath, StoredFile } from "./files/stored_file.ts";
import { pinStoredFile } from "./files/file_reader.ts";
import type { WithheldFile } from "./catalogue/catalogue.ts";
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
  /** Why, when it is not good; or what was mended. */
  readonly reason?: string;
}

/** Looks at the leaf layer of a file first: see {@linkcode Mending.checkLeaves}. */
type CheckLeaves = (
  file: StoredFile,
  options: { readonly again: boolean },
) => Promise<"sound" | "mended" | "partial" | "withdrawn">;

/** See {@linkcode ChunkStore.verify}. */
export async function* verifyStore(
  context: StoreContext,
  downloads: Downloads,
  options: {
    readonly root?: Root;
    readonly signal?: AbortSignal;
    readonly checkLeaves: CheckLeaves;
  },
): AsyncGenerator<VerifyResult> {
  const { root, signal, checkLeaves } = options;
  // A copy: what is checked may be withdrawn meanwhile.
  const files = root === undefined ? [...context.index] : [...context.index.ofRoot(root)];
  const withheld = [...context.withheld].filter((one) => root === undefined || one.root === root);
  const partials = [...downloads].filter((one) => root === undefined || one.root === root);
  for (const file of files) {
    const { name, path, origin, sizeBytes } = file;
    if (context.index.at(path) !== file) continue;
    const leaves = await checkLeaves(file, { again: true });
    if (leaves === "partial" || leaves === "withdrawn") {
      const chunksChecked = chunkCount(sizeBytes);
      const reason = "Neither its leaf layer nor its bytes are what they were";
      const found = { root: file.root, name, path, origin, sizeBytes, chunksChecked };
      yield { ...found, chunksBad: 0, outcome: leaves, reason };
      continue;
    }
    const result = await verifyStoredFile(context, downloads, { file, signal });
    const isMended = leaves === "mended" && result.outcome === "good";
    yield isMended ? { ...result, reason: "Its leaf layer was damaged, and is mended" } : result;
  }
  for (const file of withheld) {
    const result = await verifyWithheld(context, file, signal);
    if (result !== undefined) yield result;
  }
  for (const download of partials) {
    if (!download.isEnded && download.hasLeaves) {
      yield await verifyDownload(context, download, signal);
    }
  }
}

/** Checks some chunks against leaves that are known to be right; returns how many were bad. */
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
  if (chunksBad === 0 && download?.hasLeaves) {
    chunksBad += await scrubDownload(context, download, { range });
  }
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
    const withheld = context.withheld.at(path);
    return withheld !== undefined && await verifyWithheld(context, withheld, signal) ||
      { ...result, chunksBad: 0, outcome: "withdrawn", reason: error.message };
  }
  const chunksBad = bad.reduce((sum, { count }) => sum + count, 0);
  if (chunksBad === 0) return { ...result, chunksBad, outcome: "good" };
  context.checked.delete(path);
  const reason = `${chunksBad} of ${chunksChecked} checked chunks are not what they were`;
  if (context.index.at(path) !== file) {
    return { ...result, chunksBad, outcome: "withdrawn", reason };
  }
  if (origin === "downloaded" && context.directory.contains(path)) {
    try {
      downloads.demote(file, bad, { isChecked: range === undefined });
      context.warn(`${path}: ${reason}; they are missing now`, { root, name });
      return { ...result, chunksBad, outcome: "partial", reason };
    } catch (error) {
      context.warn(messageOf(error), { root, name });
    }
  }
  withdraw(context, file, `${path}: ${reason}`);
  return { ...result, chunksBad, outcome: "withdrawn", reason };
}

/** Of a file that is withheld, what differs from what it was; undefined when it is gone. */
async function verifyWithheld(
  context: StoreContext,
  { path, root, sizeBytes }: WithheldFile,
  signal: AbortSignal | undefined,
): Promise<VerifyResult | undefined> {
  const where = splitPath(path), name = where.file;
  const chunksChecked = chunkCount(sizeBytes);
  const result = { root, name, path, origin: "shared" as const, sizeBytes, chunksChecked };
  let chunksBad = 0;
  try {
    const print = { ...fingerprintOf(Deno.statSync(path)), sizeBytes };
    const handle = pinStoredFile(
      context.handles,
      new StoredFile("shared", where, { root, ...print }),
    );
    try {
      const leaves = context.leafLayer(root, sizeBytes);
      for await (const run of checkData({ fd: handle.fd, sizeBytes }, leaves, { signal })) {
        if (!run.isGood) chunksBad += run.range.count;
      }
    } finally {
      context.handles.unpin(handle);
    }
  } catch (error) {
    const { code, message } = environmentError(error, `read ${path}`);
    if (code === "not-found") return undefined;
    return { ...result, chunksBad, outcome: "withdrawn", reason: message };
  }
  if (chunksBad === 0) return { ...result, chunksBad, outcome: "good" };
  const reason = `${chunksBad} of ${chunksChecked} chunks are not what they were`;
  return { ...result, chunksBad, outcome: "withdrawn", reason };
}

async function verifyDownload(
  context: StoreContext,
  download: PartialDownload,
  signal: AbortSignal | undefined,
): Promise<VerifyResult> {
  const { root, name, path, sizeBytes } = download;
  const result = { root, name, path, origin: "partial" as const, sizeBytes };
  if (!await download.checkLeaves({ again: true })) {
    const reason = "Its leaf layer is damaged; its chunks are checked when the layer is here again";
    return { ...result, chunksChecked: 0, chunksBad: 0, outcome: "partial", reason };
  }
  const chunksChecked = download.have.count;
  const chunksBad = await scrubDownload(context, download, { signal });
  return { ...result, chunksChecked, chunksBad, outcome: chunksBad === 0 ? "good" : "partial" };
}

/** How many of the chunks that a download had turned out to be bad; they are missing now. */
async function scrubDownload(
  context: StoreContext,
  download: PartialDownload,
  options: { readonly range?: ChunkRange; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const lost = download.have.clone();
  await download.scrub(options);
  for (const range of download.have.ranges()) lost.removeRange(range);
  const { path, root, name } = download;
  if (lost.count > 0) {
    const reason = `${path}: ${lost.count} chunks are not what they were; they are missing now`;
    context.warn(reason, { root, name });
  }
  return lost.count;
}

function withdraw(context: StoreContext, file: StoredFile, reason: string): void {
  context.warn(`${reason}; it is withdrawn`, { root: file.root, name: file.name });
  context.withdrawStoredFiles([file]);
}
