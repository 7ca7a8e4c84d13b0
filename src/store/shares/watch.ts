/**
 * Reports paths that changed below some directories, many changes at once taken together. It may
 * report too much, and after an overflow "everything"; what changed is found out by looking.
 */

import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { OnWarning } from "../files/stored_file.ts";

/** Changed paths, or everything when they were too many. */
export type ChangedPaths = ReadonlySet<string> | "everything";

/** Watches until it is closed. */
export class PathWatch implements Disposable {
  /** Whether the system watches; else only looking again finds changes. */
  readonly isWatching: boolean;
  readonly #watchers: Deno.FsWatcher[] = [];
  readonly #following: Promise<void>[] = [];
  readonly #onChanged: (paths: ChangedPaths) => void;
  readonly #warn: OnWarning;
  #pending: Set<string> | "everything" = new Set();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  readonly #roots: ReadonlySet<string>;
  #isLost = false;
  #hasWarnedOfName = false;

  /** @param trees Directories to watch with all below; `directories`: without. All must exist. */
  constructor(
    watched: { readonly trees: readonly string[]; readonly directories: readonly string[] },
    callbacks: { readonly onChanged: (paths: ChangedPaths) => void; readonly onWarning: OnWarning },
  ) {
    this.#onChanged = callbacks.onChanged;
    this.#warn = callbacks.onWarning;
    this.#roots = new Set([...watched.trees, ...watched.directories]);
    this.isWatching = this.#start(watched.trees, true) && this.#start(watched.directories, false);
  }

  /** Whether it must be made anew: a watched directory is gone from its path, or watching failed. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Takes a path as changed. */
  note(path: string): void {
    if (this.#isClosed) return;
    if (this.#pending !== "everything") {
      this.#pending.add(path);
      if (this.#pending.size > limits.changedPathsMax) this.#pending = "everything";
    }
    this.#schedule();
  }

  #noteEverything(): void {
    this.#pending = "everything";
    this.#schedule();
  }

  #schedule(): void {
    // Not put off by further changes: a directory that never rests is looked at all the same.
    this.#timer ??= setTimeout(() => this.#report(), limits.watchDebounceMs);
  }

  /** Resolves once it was closed and the system has let go of what was watched. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#following);
  }

  /** Ends it; what was noted and not reported yet is reported now. */
  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#report();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #report(): void {
    const pending = this.#pending;
    this.#pending = new Set();
    this.#timer = undefined;
    this.#onChanged(pending);
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
        this.#isLost = true;
        this.#warn("Watching shared files failed", { cause: messageOf(error) });
        return;
      }
    }
  }

  #take({ kind, paths, flag }: Deno.FsEvent): void {
    if (kind === "access") return;
    // The system lost some events.
    if (flag === "rescan") this.#noteEverything();
    for (const path of paths) {
      if ((kind === "remove" || kind === "rename") && this.#roots.has(path)) this.#isLost = true;
      this.note(path);
    }
  }

  #warnOfName(): void {
    if (this.#hasWarnedOfName) return;
    this.#hasWarnedOfName = true;
    this.#warn("A changed file is not shared, for its name will not do: not valid UTF-8", {
      directories: [...this.#roots].slice(0, 3),
    });
  }
}
