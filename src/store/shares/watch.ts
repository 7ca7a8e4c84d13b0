/**
 * Which shared paths changed: directories, by their times and by which ones they are; what is shared
 * itself; and the files that changed last. It looks at them again and again, and opens nothing.
 *
 * The system could report changes. But the runtime opens every path that is reported to it, through
 * links too, and one thread does that for all: a pipe that is made in a shared directory holds it up
 * for good, and the daemon as soon as it wants anything else watched. And to open a device may do
 * something. So whoever may write into a share must have no say in what is opened.
 */

import { type Clock, nextTurn } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

/** Changed paths, or everything when they were too many. */
export type ChangedPaths = ReadonlySet<string> | "everything";

/** What lies at a path, as far as a look tells. */
interface Stamp {
  readonly isDirectory: boolean;
  readonly dev: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

interface Watched {
  /** Null where nothing was. */
  stamp: Stamp | null;
  /** Whether it is shared itself: that may be a link. */
  readonly isRoot: boolean;
  /** When to look into it again though it seems the same: times are coarse. */
  againMs: number;
}

/** The paths that are looked at, and what was there when they were last looked into. */
export class PathWatch {
  readonly #clock: Clock;
  readonly #isShared: (path: string) => boolean;
  /** Directories and what is shared itself; "" is the root of the file system. */
  readonly #paths = new Map<string, Watched>();
  /** The files that changed last, the oldest first. */
  readonly #files = new Map<string, Stamp>();
  #isFull = false;

  /** @param options `isShared`: paths that are not are forgotten at the next look. */
  constructor(options: { readonly clock: Clock; readonly isShared: (path: string) => boolean }) {
    this.#clock = options.clock;
    this.#isShared = options.isShared;
  }

  /** Whether there were too many directories to look at all of them. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Paths that are looked at. */
  get size(): number {
    return this.#paths.size + this.#files.size;
  }

  /** Whether changes in a directory are noticed. */
  knows(path: string): boolean {
    return this.#paths.has(path);
  }

  /**
   * A directory, or what is shared itself, is about to be looked into.
   *
   * @param info What it is like; undefined when nothing is there.
   */
  saw(path: string, info: Deno.FileInfo | undefined, options: { readonly isRoot: boolean }): void {
    const before = this.#paths.get(path);
    if (before === undefined && this.#paths.size >= limits.watchedDirectoriesMax) {
      this.#isFull = true;
      return;
    }
    const stamp = info === undefined ? null : stampOf(info);
    const againMs = before !== undefined && isSame(before.stamp, stamp)
      ? (this.#clock.nowMs() >= before.againMs ? Infinity : before.againMs)
      : this.#restsAt(stamp);
    this.#paths.set(path, { stamp, isRoot: options.isRoot, againMs });
  }

  /** A file is new, or changed: it may go on changing. */
  follow(path: string, info: Deno.FileInfo): void {
    this.#files.delete(path);
    this.#files.set(path, stampOf(info));
    if (this.#files.size <= limits.followedFilesMax) return;
    for (const [oldest] of this.#files) {
      this.#files.delete(oldest);
      return;
    }
  }

  /** Forgets the directories that do not fit, until they are looked into again. */
  retain(fits: (path: string) => boolean): void {
    for (const path of this.#paths.keys()) if (!fits(path)) this.#paths.delete(path);
    this.#isFull = false;
  }

  /** Looks at all paths; gives those at which something changed. Other work goes on meanwhile. */
  async findChanged(signal: AbortSignal): Promise<ChangedPaths> {
    const changed = new Set<string>();
    let sliceStartMs = this.#clock.nowMs();
    for (const [path, watched] of [...this.#paths]) {
      if (this.#paths.get(path) === watched && this.#isChanged(path, watched)) changed.add(path);
      if (this.#clock.nowMs() - sliceStartMs < limits.scanSliceMs) continue;
      await nextTurn();
      if (signal.aborted) return new Set();
      sliceStartMs = this.#clock.nowMs();
    }
    for (const [path, before] of [...this.#files]) {
      const now = look(path, { isRoot: false });
      if (isSame(before, now)) continue;
      if (now === null || !this.#isShared(path)) this.#files.delete(path);
      else this.#files.set(path, now);
      changed.add(path);
    }
    return changed.size > limits.changedPathsMax ? "everything" : changed;
  }

  #isChanged(path: string, watched: Watched): boolean {
    const now = look(path, watched);
    if (isSame(now, watched.stamp)) return this.#clock.nowMs() >= watched.againMs;
    // Whoever looks into it takes it up again.
    const isLeft = watched.isRoot || now?.isDirectory === true;
    if (!isLeft || !this.#isShared(path)) this.#paths.delete(path);
    return true;
  }

  /** When a change can no longer come that leaves the times as they are. */
  #restsAt(stamp: Stamp | null): number {
    if (stamp === null) return Infinity;
    const changedMs = Math.max(stamp.mtimeMs, stamp.ctimeMs);
    const restMs = this.#clock.unixMs() - changedMs;
    return restMs >= limits.changeTimeRestMs
      ? Infinity
      : this.#clock.nowMs() + limits.changeTimeRestMs;
  }
}

function look(path: string, { isRoot }: { readonly isRoot: boolean }): Stamp | null {
  const at = path === "" ? "/" : path;
  try {
    return stampOf(isRoot ? Deno.statSync(at) : Deno.lstatSync(at));
  } catch {
    return null;
  }
}

function stampOf({ isDirectory, dev, ino, mtime, ctime }: Deno.FileInfo): Stamp {
  return {
    isDirectory,
    dev,
    ino: ino ?? 0,
    mtimeMs: mtime?.getTime() ?? 0,
    ctimeMs: ctime?.getTime() ?? 0,
  };
}

function isSame(a: Stamp | null, b: Stamp | null): boolean {
  if (a === null || b === null) return a === b;
  return a.ino === b.ino && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs &&
    a.dev === b.dev && a.isDirectory === b.isDirectory;
}
