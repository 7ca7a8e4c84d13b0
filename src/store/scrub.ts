/** Looks for rot in what the store has, and takes out of it what is bad. */

import { EnvironmentError, messageOf } from "../base/errors.ts";
import { chunkCount, type ChunkRange } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import type { Download } from "./downloads/partial_download.ts";
import type { Downloads } from "./downloads/downloads.ts";
import type { FileDefinition, Place } from "./files/stored_file.ts";
import { pinPlace } from "./files/file_reader.ts";
import type { StoreParts } from "./downloads/store_context.ts";
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
  parts: StoreParts,
  downloads: Downloads,
  options: { readonly root?: Root; readonly signal?: AbortSignal },
): AsyncGenerator<VerifyResult> {
  const { root, signal } = options;
  // A copy: what is checked may be withdrawn meanwhile.
  const places = root === undefined ? [...parts.index] : [...parts.index.ofRoot(root)];
  const partials = [...parts.downloads.values()].filter((d) =>
    root === undefined || d.root === root
  );
  for (const place of places) {
    if (parts.index.at(place.path) !== place) continue;
    yield await verifyPlace(parts, downloads, { place, signal });
  }
  for (const download of partials) {
    if (!download.isEnded && download.hasLeaves) {
      yield await verifyDownload(parts, download, signal);
    }
  }
}

/** See {@linkcode ChunkStore.recheckRange}. */
export async function recheckRange(
  parts: StoreParts,
  downloads: Downloads,
  what: { readonly root: Root; readonly range: ChunkRange; readonly signal?: AbortSignal },
): Promise<number> {
  let chunksBad = 0;
  for (const place of [...parts.index.ofRoot(what.root)]) {
    const result = await verifyPlace(parts, downloads, { place, ...what });
    chunksBad += result.chunksBad;
  }
  const download = parts.downloads.get(what.root);
  if (chunksBad === 0 && download?.hasLeaves) {
    const handle = parts.handles.pin(download.path, { write: true });
    try {
      for await (
        const { range, isGood } of checkData(
          { fd: handle.fd, sizeBytes: download.sizeBytes },
          download.leaf(),
          what,
        )
      ) {
        if (isGood || download.isEnded) continue;
        chunksBad += countHad(download, range);
        download.drop(range);
      }
    } finally {
      parts.handles.unpin(handle);
    }
  }
  return chunksBad;
}

async function verifyPlace(
  parts: StoreParts,
  downloads: Downloads,
  { place, range, signal }: {
    readonly place: Place;
    readonly range?: ChunkRange;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<VerifyResult> {
  const { root, name, path, origin, sizeBytes } = place;
  const chunksChecked = range?.count ?? chunkCount(sizeBytes);
  const result = { root, name, path, origin, sizeBytes, chunksChecked };
  const bad: ChunkRange[] = [];
  try {
    const leaves = parts.leafLayer(root, sizeBytes);
    // A range is looked at because a peer asks: not a reason to read the whole layer.
    if (range === undefined && !leaves.isSound()) {
      throw new EnvironmentError("corrupt", `The leaf layer of ${path} is damaged`);
    }
    const handle = pinPlace(parts.handles, place);
    try {
      const options = { ...(range && { range }), ...(signal && { signal }) };
      for await (const run of checkData({ fd: handle.fd, sizeBytes }, leaves, options)) {
        if (!run.isGood) bad.push(run.range);
      }
    } finally {
      parts.handles.unpin(handle);
    }
  } catch (error) {
    if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
    withdraw(parts, place, error.message);
    return { ...result, chunksBad: 0, outcome: "withdrawn", reason: error.message };
  }
  const chunksBad = bad.reduce((sum, { count }) => sum + count, 0);
  if (chunksBad === 0) return { ...result, chunksBad, outcome: "good" };
  const reason = `${chunksBad} of ${chunksChecked} checked chunks are not what they were`;
  if (parts.index.at(path) !== place) {
    return { ...result, chunksBad, outcome: "withdrawn", reason };
  }
  if (origin === "downloaded" && parts.directory.contains(path)) {
    try {
      downloads.demote(place, bad);
      parts.warn(`${path}: ${reason}; they are missing now`, { root, name });
      return { ...result, chunksBad, outcome: "partial", reason };
    } catch (error) {
      parts.warn(messageOf(error), { root, name });
    }
  }
  withdraw(parts, place, `${path}: ${reason}`);
  return { ...result, chunksBad, outcome: "withdrawn", reason };
}

async function verifyDownload(
  parts: StoreParts,
  download: Download,
  signal: AbortSignal | undefined,
): Promise<VerifyResult> {
  const { root, name, path, sizeBytes } = download;
  const before = download.have.clone();
  await download.recheck(signal === undefined ? {} : { signal });
  let chunksBad = 0;
  for (const { first, count } of before.ranges()) {
    for (let i = first; i < first + count; i++) if (!download.have.has(i)) chunksBad++;
  }
  if (chunksBad > 0) parts.warn(`${path}: ${chunksBad} chunks are bad and missing now`, { root });
  const chunksChecked = before.count;
  const result = { root, name, path, origin: "partial" as const, sizeBytes, chunksChecked };
  return { ...result, chunksBad, outcome: chunksBad === 0 ? "good" : "partial" };
}

function countHad(download: Download, { first, count }: ChunkRange): number {
  let had = 0;
  for (let index = first; index < first + count; index++) if (download.have.has(index)) had++;
  return had;
}

function withdraw(parts: StoreParts, place: Place, reason: string): void {
  parts.warn(`${reason}; it is withdrawn`, { root: place.root, name: place.name });
  parts.withdrawPlaces([place]);
}
