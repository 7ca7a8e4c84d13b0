/**
 * Puts a data directory in order, in the background: takes up downloaded files that the catalogue
 * does not know, and removes what nothing needs. Nothing counts as here before it was hashed.
 */

import { EnvironmentError, messageOf } from "../base/errors.ts";
import { isHash, type Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isName } from "../base/names.ts";
import type { Hasher } from "./hashing/hasher.ts";
import { removeIfThere } from "./files/io.ts";
import { joinPath, Place } from "./files/stored_file.ts";
import type { StoreParts } from "./downloads/store_context.ts";

/** What {@linkcode tidy} did. */
export interface TidyResult {
  /** Downloaded files that are here again. */
  readonly filesAdopted: number;
  /** Leaf layers that belonged to no file. */
  readonly leavesRemoved: number;
  /** Data of downloads that nothing is known of. */
  readonly partialsRemoved: number;
}

/** See {@linkcode ChunkStore.tidy}. */
export async function tidy(
  parts: StoreParts,
  hasher: Hasher,
  options: { readonly signal?: AbortSignal },
): Promise<TidyResult> {
  for (const place of [...parts.index]) {
    if (place.origin === "downloaded") parts.dropDuplicate(place.root);
  }
  const filesAdopted = await adoptDownloads(parts, hasher, options);
  return {
    filesAdopted,
    leavesRemoved: await removeUnusedLeaves(parts, options),
    partialsRemoved: await removeUnusedPartials(parts, options),
  };
}

async function adoptDownloads(
  parts: StoreParts,
  hasher: Hasher,
  { signal }: { readonly signal?: AbortSignal },
): Promise<number> {
  const { filesPath, leavesPath } = parts.directory;
  let adopted = 0;
  for await (const { directory, file } of unknownFiles(parts)) {
    const path = joinPath(directory, file);
    try {
      const { root, ...print } = await hasher.hash({ path, leavesPath }, { signal });
      if (directory === joinPath(filesPath, root)) {
        parts.addPlaces([new Place("downloaded", { directory, file }, { root, ...print })]);
        parts.dropDuplicate(root);
        adopted++;
      } else {
        parts.warn("A file in the data directory is damaged; it is not offered", { path });
        parts.collectLeaves(root, print.sizeBytes);
      }
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      parts.warn(error.message, { path });
    }
  }
  return adopted;
}

async function* unknownFiles(parts: StoreParts) {
  const { filesPath } = parts.directory;
  for (const root of await entriesOf(parts, filesPath)) {
    if (!root.isDirectory || !isHash(root.name)) continue;
    const directory = joinPath(filesPath, root.name);
    const known = parts.index.inDirectory(directory);
    for (const { name, isFile } of await entriesOf(parts, directory)) {
      if (isFile && isName(name) && !known?.has(name)) yield { directory, file: name };
    }
  }
}

/** Left by a crash between the hashing of a file and the note of it. */
async function removeUnusedLeaves(
  parts: StoreParts,
  { signal }: { readonly signal?: AbortSignal },
): Promise<number> {
  const { leavesPath } = parts.directory;
  let removed = 0;
  for (const { name: prefix, isDirectory } of await entriesOf(parts, leavesPath)) {
    if (!isDirectory) continue;
    const directory = joinPath(leavesPath, prefix);
    for (const { name } of await entriesOf(parts, directory)) {
      signal?.throwIfAborted();
      const root = name.slice(0, 64) as Root;
      if (parts.index.first(root) !== undefined || parts.downloads.has(root)) continue;
      if (removeIfOld(parts, joinPath(directory, name))) removed++;
    }
  }
  return removed;
}

/** Left by a daemon that was killed before the first checkpoint of a download. */
async function removeUnusedPartials(
  parts: StoreParts,
  { signal }: { readonly signal?: AbortSignal },
): Promise<number> {
  const { partialsPath } = parts.directory;
  let removed = 0;
  for (const { name, isFile } of await entriesOf(parts, partialsPath)) {
    signal?.throwIfAborted();
    if (!isFile || parts.downloads.has(name as Root)) continue;
    if (removeIfOld(parts, joinPath(partialsPath, name))) removed++;
  }
  return removed;
}

/** A young one may be of a file that is about to be noted, or of a fetch that is tried again. */
function removeIfOld(parts: StoreParts, path: string): boolean {
  try {
    const { mtime } = Deno.statSync(path);
    if (Date.now() - (mtime?.getTime() ?? 0) < limits.unusedLeavesMs) return false;
    removeIfThere(path);
    return true;
  } catch (error) {
    parts.warn(messageOf(error), { path });
    return false;
  }
}

async function entriesOf(parts: StoreParts, directory: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(directory));
  } catch (error) {
    parts.warn(messageOf(error), { path: directory });
    return [];
  }
}
