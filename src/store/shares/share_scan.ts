/**
 * Compares shared directories with what the store knows: finds files that are new, changed or gone.
 * It looks at names, sizes and times; hashing is for `hash_queue.ts`.
 */

import { nextTurn } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { nameProblem } from "../../base/names.ts";
import {
  isSameFile,
  joinPath,
  OWN_FILE_PREFIX,
  splitPath,
  type StoredFile,
} from "../files/stored_file.ts";
import { codeOf, environmentError } from "../files/io.ts";
import { isBelow, type ShareSet } from "./share_set.ts";
import type { StoreContext } from "../catalogue/store_context.ts";

/** What a scan needs around it. */
interface ScanOptions {
  readonly context: StoreContext;
  readonly shares: ShareSet;
  readonly signal: AbortSignal;
  /** Called for each file that must be hashed. */
  readonly onChanged: (path: string) => void;
}

/** Scans everything that is shared, and withdraws what no longer is or is gone. */
export async function scanAll(options: ScanOptions): Promise<void> {
  const { context, shares } = options;
  const scan = new Scan(options);
  for (const path of shares.paths()) await scan.path(path);
  scan.warnUnreadableNames();
  // Directories that are gone, and files whose share was given up.
  const stale: StoredFile[] = [];
  for (const directory of [...context.index.directories()]) {
    if (scan.seenDirectories.has(directory)) continue;
    for (const file of context.index.inDirectory(directory)?.values() ?? []) {
      if (file.origin === "shared" && !scan.seenFiles.has(file.path)) stale.push(file);
    }
    await scan.pause();
  }
  context.withdrawStoredFiles(stale);
}

/** Looks at single paths that are said to have changed: files, directories, or gone. */
export async function scanPaths(options: ScanOptions, paths: Iterable<string>): Promise<void> {
  const scan = new Scan(options);
  for (const path of paths) if (options.shares.covers(path)) await scan.path(path);
  scan.warnUnreadableNames();
}

class Scan {
  readonly #options: ScanOptions;
  readonly seenDirectories = new Set<string>();
  readonly seenFiles = new Set<string>();
  #sliceStartMs: number;
  #isFull = false;
  #unreadableNames = 0;
  #unreadablePath = "";

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#sliceStartMs = options.context.clock.nowMs();
  }

  /** Tells once of all names that are not text. */
  warnUnreadableNames(): void {
    if (this.#unreadableNames === 0) return;
    this.#options.context.warn(
      "Files or directories are not shared, for their names will not do: not valid UTF-8",
      { names: this.#unreadableNames, path: this.#unreadablePath },
    );
  }

  /** Lets other work go on when this turn has taken long enough. */
  async pause(): Promise<void> {
    const { clock } = this.#options.context;
    if (clock.nowMs() - this.#sliceStartMs < limits.scanSliceMs) return;
    await nextTurn();
    this.#options.signal.throwIfAborted();
    this.#sliceStartMs = clock.nowMs();
  }

  /** Scans one path, whatever it is now. */
  async path(path: string): Promise<void> {
    // The root of the file system is "" here.
    const at = path === "" ? "/" : path;
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(at);
    } catch (error) {
      if (codeOf(error) !== "not-found") this.#warn(error, path);
      this.#withdrawBelow(path);
      return;
    }
    if (info.isDirectory) {
      // A directory that is shared itself may be a link to one; below it links are not followed.
      const isShare = this.#options.shares.paths().includes(path);
      if (isShare || !this.#isLink(at)) await this.#directory(path, 0);
      return;
    }
    if (this.#isWanted(path, splitPath(path).file)) {
      this.seenFiles.add(path);
      this.#file(path, info);
    }
  }

  async #directory(path: string, depth: number): Promise<void> {
    const { context, shares } = this.#options;
    if (this.seenDirectories.has(path) || this.#isPrivate(path)) return;
    if (depth > limits.shareDepthMax) {
      context.warn("A shared directory is too deep; what is below is not shared", { path });
      return;
    }
    let entries: Deno.DirEntry[];
    try {
      entries = await Array.fromAsync(Deno.readDir(path === "" ? "/" : path));
    } catch (error) {
      if (codeOf(error) !== "not-found") this.#warn(error, path);
      entries = [];
    }
    this.#options.signal.throwIfAborted();
    this.seenDirectories.add(path);
    const before = new Map(context.index.inDirectory(path));
    const subdirectories: string[] = [];
    const isDirectoryShared = shares.covers(path);
    for (const entry of entries) {
      const entryPath = joinPath(path, entry.name);
      if (isUnreadableName(entryPath, entry.name)) {
        if (isDirectoryShared && this.#unreadableNames++ === 0) this.#unreadablePath = entryPath;
      } else if (entry.isDirectory) {
        subdirectories.push(entryPath);
      } else if (
        (entry.isFile || entry.isSymlink) && isDirectoryShared &&
        this.#isWanted(entryPath, entry.name)
      ) {
        if (this.#entry(entryPath, entry)) before.delete(entry.name);
      }
      await this.pause();
    }
    const gone = [...before.values()].filter(({ origin }) => origin === "shared");
    context.withdrawStoredFiles(gone);
    for (const subdirectory of subdirectories) {
      if (shares.covers(subdirectory)) await this.#directory(subdirectory, depth + 1);
    }
  }

  /** Looks at one entry of a directory; false when it is not a file to share. */
  #entry(path: string, entry: Deno.DirEntry): boolean {
    try {
      const info = Deno.statSync(path);
      if (!info.isFile) return false;
      if (entry.isSymlink && this.#isPrivate(Deno.realPathSync(path))) return false;
      this.#file(path, info);
      return true;
    } catch (error) {
      if (codeOf(error) !== "not-found") this.#warn(error, path);
      return false;
    }
  }

  #file(path: string, info: Deno.FileInfo): void {
    const { context, onChanged } = this.#options;
    const known = context.index.at(path);
    if (known !== undefined && isSameFile(known, info)) return;
    if (known?.origin === "shared") context.withdrawStoredFiles([known]);
    if (!info.isFile || this.#isPrivate(path)) return;
    if (context.index.size >= limits.sharedFilesMax) {
      if (!this.#isFull) context.warn("Too many shared files; the rest is not shared", { path });
      this.#isFull = true;
      return;
    }
    onChanged(path);
  }

  #isWanted(path: string, name: string): boolean {
    if (name.endsWith(".part") || name.startsWith(OWN_FILE_PREFIX)) return false;
    const { context, shares } = this.#options;
    if (!shares.covers(path)) return false;
    const problem = nameProblem(name);
    if (problem === undefined) return true;
    context.warn(`A file is not shared, for its name will not do: ${problem}`, { path });
    return false;
  }

  /** Whether it is of the data directory, which holds the token and is never shared. */
  #isPrivate(path: string): boolean {
    return this.#options.context.directory.contains(path);
  }

  #isLink(path: string): boolean {
    try {
      return Deno.lstatSync(path).isSymlink;
    } catch {
      return false;
    }
  }

  #withdrawBelow(path: string): void {
    const { index } = this.#options.context;
    const gone: StoredFile[] = [];
    const file = index.at(path);
    if (file !== undefined) gone.push(file);
    else {
      for (const directory of index.directories()) {
        if (directory !== path && !isBelow(directory, path)) continue;
        gone.push(...index.inDirectory(directory)?.values() ?? []);
      }
    }
    this.#options.context.withdrawStoredFiles(gone.filter(({ origin }) => origin === "shared"));
  }

  #warn(error: unknown, path: string): void {
    const { message } = error instanceof EnvironmentError
      ? error
      : environmentError(error, `look at ${path}`);
    this.#options.context.warn(message, { path, cause: messageOf(error) });
  }
}

// The system's names are bytes. One that is not UTF-8 comes with replacement characters in it, and
// nothing is found by that; no file at all can be opened by such a name here.
function isUnreadableName(path: string, name: string): boolean {
  if (!name.includes("\ufffd")) return false;
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return codeOf(error) === "not-found";
  }
}
