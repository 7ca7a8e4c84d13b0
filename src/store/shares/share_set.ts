/**
 * Which paths are shared: files, and directories with all that is below them, less what was taken
 * out again. Only the rule; no disk.
 */

import type { ShareRow } from "../catalogue/catalogue.ts";
import { splitPath } from "../files/stored_file.ts";

interface ShareEntry {
  readonly isExcluded: boolean;
  /** Whether it is kept for the next start, or only asked for in this one. */
  readonly isKept: boolean;
}

/** The shared paths. All paths are absolute and normal: no `.`, no `..`, no slash at the end. */
export class ShareSet {
  readonly #entries = new Map<string, ShareEntry>();

  constructor(kept: readonly ShareRow[] = []) {
    for (const { path, isExcluded } of kept) this.#entries.set(path, { isExcluded, isKept: true });
  }

  /** The same rule, to try a change on. */
  copy(): ShareSet {
    const copy = new ShareSet();
    for (const [path, entry] of this.#entries) copy.#entries.set(path, entry);
    return copy;
  }

  /** Shared paths, parents before children. */
  paths(): string[] {
    return [...this.#entries].filter(([, entry]) => !entry.isExcluded).map(([path]) => path).sort();
  }

  /** What to write into the catalogue. */
  keptRows(): ShareRow[] {
    return [...this.#entries].filter(([, entry]) => entry.isKept)
      .map(([path, { isExcluded }]) => ({ path, isExcluded }));
  }

  /** Whether `path` is shared: the nearest entry at or above it decides. */
  covers(path: string): boolean {
    for (let at = path; at !== ""; at = splitPath(at).directory) {
      const entry = this.#entries.get(at);
      if (entry !== undefined) return !entry.isExcluded;
    }
    return this.#entries.get("")?.isExcluded === false;
  }

  /** The topmost shared path at or above `path`; undefined when `path` is not shared. */
  rootOf(path: string): string | undefined {
    if (!this.covers(path)) return undefined;
    let root: string | undefined;
    for (let at = path;; at = splitPath(at).directory) {
      if (this.#entries.get(at)?.isExcluded === false) root = at;
      if (at === "") return root;
    }
  }

  /** Whether something is said of a path right in `directory`. */
  hasEntryIn(directory: string): boolean {
    for (const path of this.#entries.keys()) {
      if (path !== "" && splitPath(path).directory === directory) return true;
    }
    return false;
  }

  /** Shares `path` and all below it, what was taken out of it before as well. */
  add(path: string, { isKept }: { readonly isKept: boolean }): void {
    for (const [other, entry] of this.#entries) {
      if (entry.isExcluded && isBelow(other, path)) this.#entries.delete(other);
    }
    const before = this.#entries.get(path);
    const wasKept = before !== undefined && !before.isExcluded && before.isKept;
    this.#entries.set(path, { isExcluded: false, isKept: isKept || wasKept });
  }

  /** Takes back what was asked for in this run only, and is not kept; false when it is not so. */
  forget(path: string): boolean {
    const entry = this.#entries.get(path);
    if (entry === undefined || entry.isExcluded || entry.isKept) return false;
    return this.#entries.delete(path);
  }

  /** Stops sharing `path` and all below it; false when nothing of it was shared. */
  remove(path: string): boolean {
    const wasCovered = this.covers(path);
    let isChanged = wasCovered;
    for (const other of [...this.#entries.keys()]) {
      if (other !== path && !isBelow(other, path)) continue;
      if (this.#entries.get(other)?.isExcluded === false) isChanged = true;
      this.#entries.delete(other);
    }
    // Still shared by a directory above: taken out of that.
    if (this.covers(path)) this.#entries.set(path, { isExcluded: true, isKept: true });
    return isChanged;
  }
}

/** Whether `path` lies below `directory`. The root of the file system is "". */
export function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory) && /^[/\\]/.test(path.slice(directory.length));
}
