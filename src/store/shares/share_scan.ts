/**
 * Compares shared directories with what the store knows: finds files that are new, changed or gone.
 * It looks at names, sizes and times; hashing is for `hash_queue.ts`.
 */

import { nextTurn } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { isDownloadName, nameProblem } from "../../base/names.ts";
import {
  fingerprintOf,
  isSameFile,
  joinPath,
  OWN_FILE_PREFIX,
  splitPath,
  type StoredFile,
} from "../files/stored_file.ts";
import { codeOf, environmentError } from "../files/io.ts";
import { checkConfined } from "../files/confined.ts";
import { isDownloadDirectory } from "./download_directory.ts";
import type { LastingWarnings } from "./lasting_warnings.ts";
import type { ShareSet } from "./share_set.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import type { PathWatch } from "./watch.ts";

/** What a scan needs around it. */
interface ScanOptions {
  readonly context: StoreContext;
  readonly shares: ShareSet;
  /** Is told what was looked into. */
  readonly watch: PathWatch;
  readonly warnings: LastingWarnings;
  readonly signal: AbortSignal;
  /** Called for each file that must be hashed. */
  readonly onChanged: (path: string) => void;
}

/** Scans everything that is shared, and withdraws what no longer is or is gone. */
export async function scanAll(options: ScanOptions): Promise<void> {
  const { shares, watch } = options;
  watch.retain(() => false);
  const scan = new Scan(options);
  for (const path of shares.paths()) await scan.path(path);
  scan.warnUnreadableNames();
  scan.warnLinks();
  // Directories that are gone, and files whose share was given up.
  await scan.withdrawUnseen("everywhere");
  const { withheld } = options.context;
  for (const { path } of [...withheld]) {
    if (!isThere(path)) withheld.forget([path]);
    await scan.pause();
  }
}

/**
 * Looks at single paths that are said to have changed: files, directories, or gone. A directory that
 * is watched is looked into without what is below it, for that would be said as well.
 */
export async function scanPaths(options: ScanOptions, paths: Iterable<string>): Promise<void> {
  const scan = new Scan(options);
  for (const path of paths) if (options.shares.covers(path)) await scan.path(path);
  scan.warnUnreadableNames();
  await scan.withdrawUnseen("below what was looked at");
}

class Scan {
  readonly #options: ScanOptions;
  readonly seenDirectories = new Set<string>();
  readonly seenFiles = new Set<string>();
  /** Paths at and below which all that is there was seen: directories, or what took their place. */
  readonly #lookedAt = new Set<string>();
  #sliceStartMs: number;
  #isFull = false;
  #unreadableNames = 0;
  #unreadablePath = "";
  #links = 0;
  #linkPath = "";

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#sliceStartMs = options.context.clock.nowMs();
  }

  /** Tells once of all names that are not text. */
  warnUnreadableNames(): void {
    if (this.#unreadableNames === 0) return;
    this.#options.warnings.warn(
      "names",
      "Files or directories are not shared, for their names will not do: not valid UTF-8",
      { names: this.#unreadableNames, path: this.#unreadablePath },
    );
  }

  /** Tells of the links that were not followed: whoever shared them may wonder. */
  warnLinks(): void {
    if (this.#links === 0) return;
    this.#options.warnings.warn("links", "Links in shared directories are not followed", {
      links: this.#links,
      path: this.#linkPath,
    });
  }

  /** Withdraws the files of directories that were not seen: they are gone, or no directories. */
  async withdrawUnseen(where: "everywhere" | "below what was looked at"): Promise<void> {
    if (where !== "everywhere" && this.#lookedAt.size === 0) return;
    const { context } = this.#options;
    const stale: StoredFile[] = [];
    for (const directory of [...context.index.directories()]) {
      if (this.seenDirectories.has(directory)) continue;
      if (where !== "everywhere" && !this.#wasLookedAt(directory)) continue;
      for (const file of context.index.inDirectory(directory)?.values() ?? []) {
        if (file.origin === "shared" && !this.seenFiles.has(file.path)) stale.push(file);
      }
      await this.pause();
    }
    context.withdrawStoredFiles(stale);
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
    const { shares, watch, context } = this.#options;
    const root = shares.rootOf(path);
    if (root === undefined) return;
    const isRoot = path === root;
    // The root of the file system is "" here.
    const at = path === "" ? "/" : path;
    let info: Deno.FileInfo;
    try {
      // What is shared itself may be a link; below it none is followed.
      if (!isRoot) {
        if (Deno.lstatSync(at).isSymlink || this.#isInDownload(path)) return this.#withdraw(path);
        checkConfined(at, root);
      }
      info = Deno.statSync(at);
    } catch (error) {
      if (isRoot) watch.saw(path, undefined, { isRoot });
      if (codeOf(error) !== "not-found") this.#warn(error, path);
      this.#withdraw(path);
      return;
    }
    if (info.isDirectory) {
      const isDeep = !watch.knows(path);
      if (isDeep || context.index.at(path) !== undefined) this.#withdraw(path);
      await this.#directory(path, { depth: 0, isDeep });
      return;
    }
    if (isRoot) watch.saw(path, info, { isRoot });
    // It may have taken the place of a directory.
    if (this.#options.context.index.at(path) === undefined) this.#lookedAt.add(path);
    if (this.#isWanted(path, splitPath(path).file)) {
      this.seenFiles.add(path);
      this.#file(path, info);
    }
  }

  /** @param options `isDeep`: with all that is below, not only with directories that are new. */
  async #directory(
    path: string,
    { depth, isDeep }: { readonly depth: number; readonly isDeep: boolean },
  ): Promise<void> {
    const { context, shares, watch } = this.#options;
    if (this.seenDirectories.has(path) || this.#isPrivate(path)) return;
    if (depth > limits.shareDepthMax) {
      const message = "A shared directory is too deep; what is below is not shared";
      this.#options.warnings.warn(path, message, { path });
      return;
    }
    let entries: Deno.DirEntry[];
    try {
      // First what it is like, then what is in it: what changes in between is seen at least once.
      watch.saw(path, Deno.statSync(path === "" ? "/" : path), {
        isRoot: shares.rootOf(path) === path,
      });
      entries = await Array.fromAsync(Deno.readDir(path === "" ? "/" : path));
      this.#options.warnings.clear(path);
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
      } else if (entry.isSymlink) {
        if (isDirectoryShared && this.#links++ === 0) this.#linkPath = entryPath;
      } else if (entry.isFile && isDirectoryShared && this.#isWanted(entryPath, entry.name)) {
        if (this.#entry(entryPath)) before.delete(entry.name);
      }
      await this.pause();
    }
    const gone = [...before.values()].filter(({ origin }) => origin === "shared");
    context.withdrawStoredFiles(gone);
    for (const subdirectory of subdirectories) {
      if (!shares.covers(subdirectory) || this.#isDownload(subdirectory)) continue;
      if (!isDeep) {
        if (watch.knows(subdirectory)) continue;
        this.#lookedAt.add(subdirectory);
      }
      await this.#directory(subdirectory, { depth: depth + 1, isDeep: true });
    }
  }

  /** Looks at one entry of a directory; false when it is not a file to share. */
  #entry(path: string): boolean {
    try {
      // By now it may be a link.
      const info = Deno.lstatSync(path);
      if (!info.isFile) return false;
      this.#file(path, info);
      return true;
    } catch (error) {
      if (codeOf(error) !== "not-found") this.#warn(error, path);
      return false;
    }
  }

  #file(path: string, info: Deno.FileInfo): void {
    const { context, watch, onChanged } = this.#options;
    const known = context.index.at(path);
    if (known !== undefined && isSameFile(known, info)) return;
    if (known?.origin === "shared") context.withdrawStoredFiles([known]);
    if (!info.isFile || this.#isPrivate(path)) return;
    watch.follow(path, info);
    if (context.withheld.isDamaged(path, fingerprintOf(info))) return;
    if (context.index.size >= limits.sharedFilesMax) {
      if (!this.#isFull) context.warn("Too many shared files; the rest is not shared", { path });
      this.#isFull = true;
      return;
    }
    onChanged(path);
  }

  #isWanted(path: string, name: string): boolean {
    if (name.endsWith(".part") || name.startsWith(OWN_FILE_PREFIX)) return false;
    const { shares, warnings } = this.#options;
    if (!shares.covers(path)) return false;
    const problem = nameProblem(name);
    if (problem === undefined) return true;
    warnings.warn(path, `A file is not shared, for its name will not do: ${problem}`, { path });
    return false;
  }

  /** Whether it is of the data directory, which holds the token and is never shared. */
  #isPrivate(path: string): boolean {
    try {
      // What is shared itself may be a link.
      return this.#options.context.directory.contains(Deno.realPathSync(path === "" ? "/" : path));
    } catch {
      return true;
    }
  }

  /** Whether pacman downloads into it; one that a person shares is shared. */
  #isDownload(path: string): boolean {
    const { file: name } = splitPath(path);
    // Hardly any is called so: only those are looked at, of all that lead to a file.
    if (!isDownloadName(name) || this.#options.shares.rootOf(path) === path) return false;
    try {
      return isDownloadDirectory(name, Deno.lstatSync(path), Deno.uid());
    } catch {
      // It is gone; who looks into it finds that out.
      return false;
    }
  }

  /** Whether it lies in such a directory. */
  #isInDownload(path: string): boolean {
    const root = this.#options.shares.rootOf(path);
    for (let at = path; at !== root && at !== ""; at = splitPath(at).directory) {
      if (this.#isDownload(at)) return true;
    }
    return false;
  }

  /** Withdraws the file that was at a path; files below it go with {@linkcode withdrawUnseen}. */
  #withdraw(path: string): void {
    const file = this.#options.context.index.at(path);
    if (file === undefined) this.#lookedAt.add(path);
    else if (file.origin === "shared") this.#options.context.withdrawStoredFiles([file]);
  }

  #wasLookedAt(directory: string): boolean {
    for (let at = directory; at !== ""; at = splitPath(at).directory) {
      if (this.#lookedAt.has(at)) return true;
    }
    return this.#lookedAt.has("");
  }

  #warn(error: unknown, path: string): void {
    const { message } = error instanceof EnvironmentError
      ? error
      : environmentError(error, `look at ${path}`);
    this.#options.warnings.warn(path, message, { path, cause: messageOf(error) });
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
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
