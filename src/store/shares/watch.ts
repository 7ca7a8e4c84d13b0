/**
 * Reports paths that changed below some directories, many changes at once taken together. It may
 * report too much, and after an overflow "everything"; what changed is found out by looking.
 *
 * It also finds the directories to watch, and whether they are still the same ones.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type OnWarning, splitPath } from "../files/stored_file.ts";

/** The directories to watch, as they were at one time. */
interface WatchRoots {
  /** Shared directories, to watch with all below. */
  readonly trees: readonly string[];
  /** Directories that shared files lie in, to watch without what is below. */
  readonly directories: readonly string[];
  /** What lay at each of these paths, and at shared paths where nothing was: "". */
  readonly identities: ReadonlyMap<string, string>;
}

/** Changed paths, or everything when they were too many. */
export type ChangedPaths = ReadonlySet<string> | "everything";

/** Where changes are told. */
interface WatchOptions {
  readonly clock: Clock;
  readonly onChanged: (paths: ChangedPaths) => void;
  readonly onWarning: OnWarning;
}

/** Watches until it is closed. */
export class PathWatch implements Disposable {
  readonly roots: WatchRoots;
  /** Whether the system watches; else only looking again finds changes. */
  readonly isWatching: boolean;
  /** Whether another must replace it: a directory is gone from its path, or watching failed. */
  isLost = false;
  readonly #watchers: Deno.FsWatcher[] = [];
  readonly #following: Promise<void>[] = [];
  readonly #changes: ChangeBatch;
  readonly #warn: OnWarning;
  #isClosed = false;
  readonly #watched: ReadonlySet<string>;
  #hasWarnedOfName = false;

  /** @param roots All directories in it must exist. */
  constructor(roots: WatchRoots, options: WatchOptions) {
    this.roots = roots;
    this.#changes = new ChangeBatch(options);
    this.#warn = options.onWarning;
    this.#watched = new Set([...roots.trees, ...roots.directories]);
    this.isWatching = this.#start(roots.trees, true) && this.#start(roots.directories, false);
  }

  /** Whether something else lies at one of the paths now, nothing any more, or something at last. */
  async isOutdated(): Promise<boolean> {
    if (this.isLost) return true;
    for (const [path, before] of this.roots.identities) {
      if (await identityOf(path) !== before) return true;
    }
    return this.isLost;
  }

  /** Takes a path as changed. */
  note(path: string): void {
    if (!this.#isClosed) this.#changes.add(path);
  }

  /** Resolves once it was closed and the system has let go of what was watched. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#following);
  }

  /** Ends it; what was noted and not reported yet is reported now. */
  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    this.#changes.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #start(paths: readonly string[], recursive: boolean): boolean {
    if (paths.length === 0) return true;
    try {
      const watcher = Deno.watchFs([...paths], { recursive });
      this.#watchers.push(watcher);
      this.#following.push(this.#follow(watcher));
      return true;
    } catch (error) {
      this.#warn("Cannot watch shared directories; they are looked at now and then instead", {
        cause: messageOf(error),
        everySeconds: limits.rescanUnwatchedMs / 1000,
      });
      return false;
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    const events = watcher[Symbol.asyncIterator]();
    for (;;) {
      try {
        // Not `for await`: that ends the watcher at the first error.
        const { done, value } = await events.next();
        if (done === true) return;
        this.#take(value);
      } catch (error) {
        if (this.#isClosed) return;
        // The one event is lost, of a file that could not be shared anyway; the next ones are not.
        if (messageOf(error).includes("invalid UTF-8")) {
          this.#warnOfName();
          continue;
        }
        this.isLost = true;
        this.#warn("Watching shared files failed", { cause: messageOf(error) });
        return;
      }
    }
  }

  #take({ kind, paths, flag }: Deno.FsEvent): void {
    if (kind === "access") return;
    // The system lost some events.
    if (flag === "rescan") this.#changes.addEverything();
    for (const path of paths) {
      if ((kind === "remove" || kind === "rename") && this.#watched.has(path)) this.isLost = true;
      this.note(path);
    }
  }

  #warnOfName(): void {
    if (this.#hasWarnedOfName) return;
    this.#hasWarnedOfName = true;
    this.#warn("A changed file is not shared, for its name will not do: not valid UTF-8", {
      directories: [...this.#watched].slice(0, 3),
    });
  }
}

/** Changed paths that are taken together for `limits.watchDebounceMs` before they are told. */
class ChangeBatch {
  readonly #options: Pick<WatchOptions, "clock" | "onChanged">;
  #paths: Set<string> | "everything" = new Set();
  #timer: Timer | undefined;

  constructor(options: Pick<WatchOptions, "clock" | "onChanged">) {
    this.#options = options;
  }

  add(path: string): void {
    if (this.#paths !== "everything") {
      this.#paths.add(path);
      if (this.#paths.size > limits.changedPathsMax) this.#paths = "everything";
    }
    this.#schedule();
  }

  addEverything(): void {
    this.#paths = "everything";
    this.#schedule();
  }

  /** Tells at once what waits. */
  close(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#tell();
  }

  #schedule(): void {
    // Not put off by further changes: a directory that never rests is looked at all the same.
    this.#timer ??= this.#options.clock.after(limits.watchDebounceMs, () => this.#tell());
  }

  #tell(): void {
    const paths = this.#paths;
    this.#paths = new Set();
    this.#timer = undefined;
    this.#options.onChanged(paths);
  }
}

/** Finds what there is of the shared paths. Not in one turn: a file system may be far away. */
export async function findRoots(shares: readonly string[]): Promise<WatchRoots> {
  const trees: string[] = [], directories = new Set<string>();
  const identities = new Map<string, string>();
  for (const share of shares) {
    const isDirectory = await isDirectoryAt(share);
    if (isDirectory === undefined) {
      identities.set(share, "");
      continue;
    }
    const root = isDirectory ? share : splitPath(share).directory || "/";
    if (isDirectory) trees.push(root);
    else directories.add(root);
    if (!identities.has(root)) identities.set(root, await identityOf(root));
  }
  return { trees, directories: [...directories], identities };
}

/** Whether at each path that both know they found the same thing. */
export function areSameRoots(a: WatchRoots, b: WatchRoots): boolean {
  for (const [path, identity] of a.identities) {
    if ((b.identities.get(path) ?? identity) !== identity) return false;
  }
  return true;
}

async function isDirectoryAt(path: string): Promise<boolean | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return undefined;
  }
}

// The path that a link leads to as well, for the files in it are watched by that. And the time of
// creation, for the number of a directory is given to the next one as soon as it is removed.
async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, birthtime } = await Deno.stat(path);
    return [dev, ino, birthtime?.getTime(), await Deno.realPath(path)].join(" ");
  } catch {
    return "";
  }
}
