/**
 * The files that are shared where they lie: which paths, what changes in them, and that the store
 * follows. It never copies and never writes to what is shared.
 */

import { basename, resolve } from "node:path";
import { type Clock, nextTurn, type Timer } from "../../base/clock.ts";
import { EnvironmentError, messageOf, UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { nameProblem } from "../../base/names.ts";
import { HashQueue } from "./hash_queue.ts";
import type { Hasher } from "../hashing/hasher.ts";
import { environmentError } from "../files/io.ts";
import { OWN_FILE_PREFIX, type StoredFile } from "../files/stored_file.ts";
import { scanAll, scanPaths } from "./share_scan.ts";
import { ShareSet } from "./share_set.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { areSameRoots, type ChangedPaths, findRoots, PathWatch } from "./watch.ts";

/** The shared paths of one store. */
export class Shares {
  readonly #context: StoreContext;
  readonly #set: ShareSet;
  readonly #queue: HashQueue;
  readonly #abort = new AbortController();
  #watch: PathWatch | undefined;
  readonly #looks: RepeatedLooks;
  #isStarted = false;
  /** Whether a new watch is needed: other paths are shared, or may exist now. */
  #isWatchStale = true;
  /** What is to be looked at next. */
  #requested: Set<string> | "everything" = new Set();
  #running: Promise<void> | undefined;

  constructor(context: StoreContext, hasher: Hasher) {
    this.#context = context;
    this.#set = new ShareSet(context.catalogue?.shares());
    this.#queue = new HashQueue(context, hasher, { isWanted: (path) => this.#set.covers(path) });
    this.#looks = new RepeatedLooks(context.clock, {
      rescan: () => {
        // A share that was missing may be there now, and is watched from now on.
        this.#isWatchStale = true;
        this.#request("everything");
      },
      // Only asks for a new watch: one that is made meanwhile must not be closed here.
      checkRoots: async () => {
        if (await this.#watch?.isOutdated()) this.#request("everything");
      },
    });
  }

  /** Paths that are shared. */
  paths(): string[] {
    return this.#set.paths().map((path) => path === "" ? "/" : path);
  }

  /** Files that are not hashed yet. */
  get filesWaiting(): number {
    return this.#queue.size;
  }

  /**
   * Shares a file, or a directory with all that is below it.
   *
   * @param options `persist: false` shares it for this run only.
   * @throws {EnvironmentError} when it is not there or cannot be read, or when it cannot be kept
   * for the next start; then it is not shared.
   * @throws {UsageError} when it is neither file nor directory, or has to do with the data directory.
   */
  add(path: string, options: { readonly persist?: boolean } = {}): void {
    const { persist = true } = options;
    const share = normal(path);
    checkShareable(share === "" ? "/" : share, this.#context);
    if (persist) this.#keep(share);
    this.#set.add(share, { isKept: persist });
    if (!persist) this.#remember();
    this.#isWatchStale = true;
    if (this.#isStarted) this.#request(new Set([share]));
  }

  /**
   * Stops sharing a file or directory; one that lies in a shared directory is taken out of it.
   * False when it was not shared.
   */
  remove(path: string): boolean {
    const share = normal(path);
    if (!this.#set.remove(share)) return false;
    this.#remember();
    this.#withdrawUncovered();
    this.#isWatchStale = true;
    if (this.#isStarted) this.#request(new Set());
    return true;
  }

  /**
   * Withdraws what is no longer shared, at once, then watches and scans in the background. To be
   * called once, after the shares of this run were added.
   */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#withdrawUncovered();
    this.#context.listen((change) => {
      // The store found out by itself that a file changed: it is hashed again.
      if (change.kind === "withdrawn" && this.#set.covers(change.path)) {
        this.#watch?.note(change.path);
      }
    });
    this.#request("everything");
  }

  /** Looks at everything again; resolves when all that is new is hashed and in the store. */
  async rescan(): Promise<void> {
    this.#request("everything");
    await this.settled();
  }

  /** Resolves when all that is known to be new or changed is in the store. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#queue.idle();
  }

  /** Stops watching, scanning and hashing. */
  async close(): Promise<void> {
    this.#abort.abort(new DOMException("The store is closed", "AbortError"));
    const looksEnded = this.#looks.close();
    this.#watch?.close();
    this.#queue.close();
    await this.#running;
    await looksEnded;
  }

  // Before it is shared: a person is told that it is for good, or that it is not at all.
  #keep(share: string): void {
    const kept = this.#set.copy();
    kept.add(share, { isKept: true });
    try {
      this.#context.catalogue?.putShares(kept.keptRows());
    } catch (error) {
      const { code, hint } = environmentError(error, "write the catalogue");
      throw new EnvironmentError(
        code,
        `Cannot share ${share === "" ? "/" : share}: it cannot be kept: ${messageOf(error)}`,
        { hint: hint ?? "Check the disk that the data directory is on.", cause: error },
      );
    }
  }

  #remember(): void {
    this.#context.remember((catalogue) => catalogue.putShares(this.#set.keptRows()));
  }

  #withdrawUncovered(): void {
    const { index } = this.#context;
    const stale: StoredFile[] = [];
    for (const directory of index.directories()) {
      const files = index.inDirectory(directory)!;
      // Mostly nothing is said of single files, so that the directory decides for all.
      const isPlain = !this.#set.hasEntryIn(directory);
      if (isPlain && this.#set.covers(directory)) continue;
      for (const file of files.values()) {
        if (file.origin === "shared" && (isPlain || !this.#set.covers(file.path))) stale.push(file);
      }
    }
    this.#context.withdrawStoredFiles(stale);
  }

  #request(paths: ChangedPaths): void {
    if (this.#abort.signal.aborted) return;
    if (paths === "everything" || this.#requested === "everything") this.#requested = "everything";
    else for (const path of paths) this.#requested.add(path);
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  // One scan at a time; what is asked for meanwhile comes next.
  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const scan = {
      context: this.#context,
      shares: this.#set,
      signal,
      onChanged: (path: string) => this.#queue.add(path),
    };
    // Not in the turn of the caller: beginning to watch takes a while, 0.3 s for 100,000 files.
    await nextTurn();
    while (
      this.#isWatchStale || this.#requested === "everything" || this.#requested.size > 0
    ) {
      if (signal.aborted) return;
      if (this.#requested === "everything") {
        this.#isWatchStale ||= await this.#watch?.isOutdated() ?? false;
      }
      // First watch, then look: what changes in between is seen at least once.
      if (this.#isWatchStale) await this.#restartWatch();
      if (signal.aborted) return;
      const requested = this.#requested;
      this.#requested = new Set();
      try {
        if (requested === "everything") {
          await scanAll(scan);
          this.#looks.rescanLater({ isWatched: this.#watch?.isWatching === true });
        } else await scanPaths(scan, requested);
      } catch (error) {
        if (signal.aborted) return;
        this.#context.warn("Scanning the shared files failed", { cause: messageOf(error) });
      }
    }
  }

  async #restartWatch(): Promise<void> {
    this.#isWatchStale = false;
    const roots = await findRoots(this.paths());
    if (this.#abort.signal.aborted) return;
    let before = this.#watch;
    if (before !== undefined && (before.isLost || !areSameRoots(before.roots, roots))) {
      // The old one has to be gone altogether: else the runtime takes the new directory for the one
      // at this path that it watches already. What changes meanwhile is found by looking.
      this.#request("everything");
      this.#watch = undefined;
      before.close();
      await before.ended;
      if (this.#abort.signal.aborted) return;
      before = undefined;
    }
    this.#watch = new PathWatch(roots, {
      clock: this.#context.clock,
      onChanged: (paths) => this.#request(paths),
      onWarning: this.#context.warn,
    });
    before?.close();
    this.#looks.checkRootsLater();
  }
}

/**
 * Looks at what is shared again and again, though nothing was reported.
 *
 * The system watches a directory, not its path: of one that replaces another, or comes back, or that
 * a link leads to from now on, it says nothing. So whether the watched directories are still the same
 * is checked often, which costs little; everything is scanned now and then.
 */
class RepeatedLooks {
  readonly #clock: Clock;
  readonly #rescan: () => void;
  readonly #checkRoots: () => Promise<void>;
  #rescanTimer: Timer | undefined;
  #rootTimer: Timer | undefined;
  #rootCheck: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    clock: Clock,
    options: { readonly rescan: () => void; readonly checkRoots: () => Promise<void> },
  ) {
    this.#clock = clock;
    this.#rescan = options.rescan;
    this.#checkRoots = options.checkRoots;
  }

  /** Has everything scanned after a time that begins now. */
  rescanLater({ isWatched }: { readonly isWatched: boolean }): void {
    if (this.#isClosed) return;
    this.#rescanTimer?.cancel();
    const waitMs = isWatched ? limits.rescanMs : limits.rescanUnwatchedMs;
    this.#rescanTimer = this.#clock.after(waitMs, this.#rescan);
  }

  /** Has the watched directories checked, from now on at every `limits.rootCheckMs`. */
  checkRootsLater(): void {
    if (this.#isClosed) return;
    this.#rootTimer?.cancel();
    this.#rootTimer = this.#clock.after(limits.rootCheckMs, () => {
      this.#rootCheck = this.#checkRoots().then(() => this.checkRootsLater());
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#rescanTimer?.cancel();
    this.#rootTimer?.cancel();
    await this.#rootCheck;
  }
}

// Absolute, without "." and "..", and the root of the file system as "".
function normal(path: string): string {
  return resolve(path).replace(/[/\\]$/, "");
}

function checkShareable(path: string, { directory }: StoreContext): void {
  let info: Deno.FileInfo, real: string;
  try {
    info = Deno.statSync(path);
    real = Deno.realPathSync(path);
  } catch (error) {
    throw environmentError(error, `share ${path}`);
  }
  if (directory.contains(real)) {
    throw new UsageError(`Cannot share ${path}: it is in the data directory`);
  }
  if (info.isDirectory) return;
  if (!info.isFile) throw new UsageError(`Cannot share ${path}: neither a file nor a directory`);
  const name = basename(path);
  const problem = name.endsWith(".part") || name.startsWith(OWN_FILE_PREFIX)
    ? "it is an unfinished download"
    : nameProblem(name);
  if (problem !== undefined) throw new UsageError(`Cannot share ${path}: ${problem}`);
}
