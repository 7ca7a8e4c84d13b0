/**
 * Puts a data directory in order, in the background: takes up downloaded files that the catalogue
 * does not know, and removes what nothing needs. Nothing counts as here before it was hashed.
 */

import { EnvironmentError } from "../base/errors.ts";
import { isHash, type Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isName } from "../base/names.ts";
import type { Hasher } from "./hashing/hasher.ts";
import { codeOf, environmentError, removeIfThere } from "./files/io.ts";
import { joinPath, StoredFile } from "./files/stored_file.ts";
import type { StoreContext } from "./catalogue/store_context.ts";

/** What {@linkcode recover} did. */
export interface RecoverResult {
  /** Downloaded files that are here again. */
  readonly filesRecovered: number;
  /** Leaf layers that belonged to no file. */
  readonly leavesRemoved: number;
  /** Data of downloads that nothing is known of. */
  readonly partialsRemoved: number;
}

/** See {@linkcode ChunkStore.recover}. */
export async function recover(context: StoreContext, hasher: Hasher): Promise<RecoverResult> {
  for (const { root, origin } of [...context.index]) {
    if (origin === "downloaded") context.dropDuplicate(root);
  }
  const filesRecovered = await recoverDownloads(context, hasher);
  await tellStrangers(context);
  return { filesRecovered, ...await tidy(context) };
}

/** Tells of what is no file in the places of files: nobody opens it, and nobody removes it. */
async function tellStrangers(context: StoreContext): Promise<void> {
  const { filesPath, partialsPath, leavesPath } = context.directory;
  let count = 0, path = "";
  for (const place of [filesPath, partialsPath, leavesPath]) {
    for (const entry of await entriesOf(context, place)) {
      const at = joinPath(place, entry.name);
      const isFolder = entry.isDirectory && place !== partialsPath;
      const below = isFolder ? await entriesOf(context, at) : [];
      const strange = below.filter(({ isFile }) => !isFile).map(({ name }) => joinPath(at, name));
      if (!isFolder && !entry.isFile) strange.push(at);
      if (strange.length > 0 && count === 0) path = strange[0]!;
      count += strange.length;
    }
  }
  if (count > 0) {
    context.warn("The data directory holds what is no file; it is left alone", { path, count });
  }
}

/** Data of a fetch that nothing is known of: the daemon was killed before its first checkpoint. */
export interface Leftover {
  readonly root: Root;
  readonly path: string;
  readonly bytes: number;
}

/** The data of such fetches: a fetch of the same root goes on with it, and {@linkcode tidy} ends it. */
export function leftovers({ directory, partials }: StoreContext): Leftover[] {
  return [...Deno.readDirSync(directory.partialsPath)].flatMap(({ name, isFile }) => {
    if (!isFile || !isHash(name) || partials.has(name as Root)) return [];
    const path = joinPath(directory.partialsPath, name);
    try {
      return [{ root: name as Root, path, bytes: Deno.statSync(path).size }];
    } catch {
      return [];
    }
  });
}

/** Removes what nothing needs: leaf layers of no file, and data that nobody went on with. */
export async function tidy(
  context: StoreContext,
): Promise<Pick<RecoverResult, "leavesRemoved" | "partialsRemoved">> {
  const { index, partials, directory } = context;
  const isPartial = (root: Root) => partials.has(root);
  const isHere = (root: Root) =>
    index.first(root) !== undefined || isPartial(root) || context.withheld.needsLeaves(root);
  let leavesRemoved = 0;
  // Left by a crash between the hashing of a file and the note of it.
  for (const { name, isDirectory } of await entriesOf(context, directory.leavesPath)) {
    if (!isDirectory) continue;
    leavesRemoved += await removeUnused(context, joinPath(directory.leavesPath, name), isHere);
  }
  // Left by a daemon that was killed before the first checkpoint of a download.
  const partialsRemoved = await removeUnused(context, directory.partialsPath, isPartial);
  return { leavesRemoved, partialsRemoved };
}

async function recoverDownloads(
  context: StoreContext,
  hasher: Hasher,
): Promise<number> {
  const { filesPath, leavesPath } = context.directory;
  let recovered = 0;
  for await (const { directory, file } of unknownFiles(context)) {
    const path = joinPath(directory, file);
    try {
      const { root, ...print } = await hasher.hash({ path, leavesPath });
      if (directory === joinPath(filesPath, root)) {
        context.addStoredFiles([
          new StoredFile("downloaded", { directory, file }, { root, ...print }),
        ]);
        context.dropDuplicate(root);
        recovered++;
      } else {
        context.warn("A file in the data directory is damaged; it is not offered", { path });
        context.collectLeaves(root, print.sizeBytes);
      }
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      // Somebody removed it meanwhile.
      if (error.code !== "not-found") context.warn(error.message, { path });
    }
  }
  return recovered;
}

async function* unknownFiles(context: StoreContext) {
  const { filesPath } = context.directory;
  for (const root of await entriesOf(context, filesPath)) {
    if (!root.isDirectory || !isHash(root.name)) continue;
    const directory = joinPath(filesPath, root.name);
    const known = context.index.inDirectory(directory);
    for (const { name, isFile } of await entriesOf(context, directory)) {
      if (isFile && isName(name) && !known?.has(name)) yield { directory, file: name };
    }
  }
}

/** Removes files whose names begin with a root that is not in use; returns how many. */
async function removeUnused(
  context: StoreContext,
  directory: string,
  isUsed: (root: Root) => boolean,
): Promise<number> {
  let removed = 0;
  for (const { name, isFile } of await entriesOf(context, directory)) {
    if (!isFile || isUsed(name.slice(0, 64) as Root)) continue;
    if (removeIfOld(context, joinPath(directory, name))) removed++;
  }
  return removed;
}

/** A young one may be of a file that is about to be noted, or of a fetch that is tried again. */
function removeIfOld(context: StoreContext, path: string): boolean {
  try {
    const { mtime } = Deno.statSync(path);
    if (context.clock.unixMs() - (mtime?.getTime() ?? 0) < limits.unusedLeavesMs) return false;
    removeIfThere(path);
    return true;
  } catch (error) {
    // Somebody removed it meanwhile.
    if (codeOf(error) === "not-found") return false;
    context.warn(environmentError(error, `remove ${path}`).message, { path });
    return false;
  }
}

/** What lies in a directory. A file that goes takes its own along meanwhile: then there is nothing. */
async function entriesOf(context: StoreContext, directory: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(directory));
  } catch (error) {
    const { filesPath, partialsPath, leavesPath } = context.directory;
    const isPlace = [filesPath, partialsPath, leavesPath].includes(directory);
    if (codeOf(error) === "not-found" && !isPlace) return [];
    const { message } = environmentError(
      error,
      `put the data directory in order: list ${directory}`,
    );
    context.warn(message, { path: directory });
    return [];
  }
}
