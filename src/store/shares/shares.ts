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
import { LastingWarnings } from "./lasting_warnings.ts";
import type { Hasher } from "../hashing/hasher.ts";
import { checkConfined } from "../files/confined.ts";
import { environmentError } from "../files/io.ts";
import {
  type FileDefinition,
  OWN_FILE_PREFIX,
  splitPath,
  StoredFile,
} from "../files/stored_file.ts";
import { findReplaced } from "./known_paths.ts";
import { scanAll, scanPaths } from "./share_scan.ts";
import { isBelow, ShareSet } from "./share_set.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import type { UnhashedFile } from "./unhashed_files.ts";
import { type ChangedPaths, PathWatch } from "./watch.ts";

/** The shared paths of one store. */
export class Shares {
  readonly #context: StoreContext;
  readonly #set: ShareSet;
  readonly #queue: HashQueue;
  readonly #warnings: LastingWarnings;
  readonly #abort = new AbortController();
  readonly #watch: PathWatch;
  readonly #looks: RepeatedLook[];
  #rescanTimer: Timer | undefined;
  #isStarted = false;
  /** Files that turned out to have changed, and were not looked at since. */
  #expected = new Set<string>();
  /** What is to be looked at next. */
  #requested: Set<string> | "everything" = new Set();
  #running: Promise<void> | undefined;
  #unkeptWhy: string | undefined;
  #keepTimer: Timer | undefined;

  constructor(context: StoreContext, hasher: Hasher) {
    this.#context = context;
    this.#set = new ShareSet(context.catalogue?.shares());
    context.shareRootOf = (path) => this.#set.rootOf(path);
    this.#warnings = new LastingWarnings(context.warn);
    this.#queue = new HashQueue(context, hasher, {
      isWanted: (path) => this.#set.covers(path),
      warnings: this.#warnings,
    });
    this.#watch = new PathWatch({
      clock: context.clock,
      isShared: (path) => this.#set.covers(path),
    });
    this.#looks = [
      new RepeatedLook(context.clock, () => this.#lookForChanged()),
      new RepeatedLook(context.clock, () => this.#lookForReplaced()),
    ];
  }

  /** Paths that are shared. */
  paths(): string[] {
    return this.#set.paths().map((path) => path === "" ? "/" : path);
  }

  /** Files that are not hashed yet. */
  get filesWaiting(): number {
    return this.#queue.filesWaiting;
  }

  /** Why what is shared is not kept for the next start; undefined when it is. */
  get unkeptWhy(): string | undefined {
    return this.#unkeptWhy;
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
    this.#checkNoLink(share);
    if (persist) {
      this.#keep(share);
      this.#unkeptWhy = undefined;
    }
    this.#set.add(share, { isKept: persist });
    if (!persist) this.#remember();
    // What was taken out of it before is looked into again.
    this.#watch.retain((path) => path !== share && !isBelow(path, share));
    if (this.#isStarted) this.#request(new Set([share]));
  }

  /** How many shared files are {@linkcode damaged}. */
  get damagedCount(): number {
    return [...this.#context.withheld.damaged()].length;
  }

  /** Shared files that are withheld, for they changed though their time did not; as they were. */
  damaged(): FileDefinition[] {
    return Array.from(this.#context.withheld.damaged(), (file) => {
      const definition = new StoredFile("shared", splitPath(file.path), file).definition();
      return { ...definition, chunksHave: 0 };
    });
  }

  /** Takes what is withheld at and below a path for what it is now; how many files that are. */
  offerAgain(path: string): number {
    const share = normal(path);
    const paths = this.#context.withheld
      .forgetWhere((one) => one === share || isBelow(one, share));
    if (paths.length > 0 && this.#isStarted) this.#request(new Set(paths));
    return paths.length;
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
    this.#watch.retain((path) => this.#set.covers(path));
    return true;
  }

  /**
   * Takes back what was shared for this run only. What was kept for the next start, too, or lies in
   * another shared directory, stays shared.
   */
  forget(path: string): void {
    if (!this.#set.forget(normal(path))) return;
    this.#withdrawUncovered();
    this.#watch.retain((path) => this.#set.covers(path));
  }

  /**
   * Withdraws what is no longer shared, at once, then scans and watches in the background. To be
   * called once, after the shares of this run were added.
   */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#withdrawUncovered();
    this.#context.listen((change) => {
      // The store found out by itself that a file changed: it is hashed again.
      if (change.kind === "withdrawn" && this.#set.covers(change.path)) {
        this.#queue.expect(change.path);
        this.#expected.add(change.path);
        this.#request(new Set([change.path]));
      }
    });
    this.#request("everything");
    for (const look of this.#looks) look.start(limits.watchMs);
  }

  /** Looks at everything again; resolves when all that is new is hashed and in the store. */
  async rescan(): Promise<void> {
    this.#request("everything");
    await this.settled();
  }

  /** How many files are shared, those that are not hashed yet included. */
  get filesShared(): number {
    const { index } = this.#context;
    return index.size - index.downloadedFiles + this.#queue.filesWaiting;
  }

  /** Files of a name that are not in the store yet: they are hashed before others from now on. */
  unhashed(name: string): UnhashedFile[] {
    return this.#queue.hurry(name);
  }

  /** Resolves when no file of this name or path waits to be hashed. */
  async hashed(target: string): Promise<void> {
    if (this.#queue.has(target)) await this.#queue.idle();
  }

  /** Resolves when all that was to be looked at was: what is new is known, and waits to be hashed. */
  async scanned(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Resolves when all that is known to be new or changed is in the store. */
  async settled(): Promise<void> {
    await this.scanned();
    await this.#queue.idle();
  }

  /** Stops watching, scanning and hashing. */
  async close(): Promise<void> {
    this.#abort.abort(new DOMException("The store is closed", "AbortError"));
    this.#keepTimer?.cancel();
    if (this.#unkeptWhy !== undefined) this.#remember();
    this.#keepTimer?.cancel();
    this.#rescanTimer?.cancel();
    const looksEnded = this.#looks.map((look) => look.close());
    this.#queue.close();
    await this.#running;
    await Promise.all(looksEnded);
  }

  // A person who names a link below what is shared already learns at once that nothing comes of it.
  #checkNoLink(share: string): void {
    const set = this.#set.copy();
    set.add(share, { isKept: false });
    const root = set.rootOf(share)!;
    if (root === share) return;
    try {
      checkConfined(share, root);
    } catch (error) {
      throw new UsageError(
        `Cannot share ${share}: it is or lies behind a link below ${root || "/"}`,
        {
          hint: `Share what it leads to: ${Deno.realPathSync(share)}`,
          cause: error,
        },
      );
    }
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
        `Cannot share ${
          share === "" ? "/" : share
        }: it could not be kept for the next start, and ` +
          `is not shared now: ${messageOf(error)}`,
        { hint: hint ?? "Check the disk that the data directory is on.", cause: error },
      );
    }
  }

  // Until the next start it holds all the same; it is tried again until it is kept.
  #remember(): void {
    const { catalogue, clock, warn } = this.#context;
    this.#keepTimer?.cancel();
    try {
      catalogue?.putShares(this.#set.keptRows());
      this.#unkeptWhy = undefined;
    } catch (error) {
      if (this.#unkeptWhy === undefined) {
        warn(`${messageOf(error)}; what is shared holds until a restart, if it cannot be kept`, {});
      }
      this.#unkeptWhy = messageOf(error);
      this.#keepTimer = clock.after(limits.roomCheckMs, () => this.#remember());
    }
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
    this.#context.withheld.forgetWhere((path) => !this.#set.covers(path));
  }

  #request(paths: ChangedPaths): void {
    if (this.#abort.signal.aborted) return;
    if (paths === "everything" || this.#requested === "everything") this.#requested = "everything";
    else for (const path of paths) this.#requested.add(path);
    if (this.#requested !== "everything" && this.#requested.size > limits.changedPathsMax) {
      this.#requested = "everything";
    }
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  // One scan at a time; what is asked for meanwhile comes next.
  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const scan = {
      context: this.#context,
      shares: this.#set,
      watch: this.#watch,
      warnings: this.#warnings,
      signal,
      onChanged: (path: string) => this.#queue.add(path),
    };
    // Not in the turn of the caller: there may be much to look at.
    await nextTurn();
    while (this.#requested === "everything" || this.#requested.size > 0) {
      if (signal.aborted) return;
      const requested = this.#requested;
      this.#requested = new Set();
      const expected = this.#expected;
      this.#expected = new Set();
      try {
        if (requested === "everything") {
          await scanAll(scan);
          this.#rescanLater();
        } else await scanPaths(scan, requested);
      } catch (error) {
        if (signal.aborted) return;
        this.#context.warn("Scanning the shared files failed", { cause: messageOf(error) });
      }
      for (const path of expected) this.#queue.lookedAt(path);
    }
  }

  #rescanLater(): void {
    const { clock, warn } = this.#context;
    const { isFull } = this.#watch;
    const waitMs = isFull ? limits.rescanUnwatchedMs : limits.rescanMs;
    if (isFull) {
      warn("There are too many shared directories to watch all; changes are noticed late", {
        directories: limits.watchedDirectoriesMax,
        everySeconds: waitMs / 1000,
      });
    }
    this.#rescanTimer?.cancel();
    if (this.#abort.signal.aborted) return;
    this.#rescanTimer = clock.after(waitMs, () => this.#request("everything"));
  }

  /** Looks at the watched paths, and into what changed; gives the pause until the next look. */
  async #lookForChanged(): Promise<number> {
    const { clock } = this.#context;
    const beganMs = clock.nowMs();
    const changed = await this.#watch.findChanged(this.#abort.signal);
    const lookedMs = clock.nowMs();
    if (changed === "everything" || changed.size > 0) {
      this.#request(changed);
      await this.#running;
    }
    return Math.max(
      limits.watchMs,
      this.#watch.size * 1000 / limits.watchedPerSecond,
      (lookedMs - beganMs) * limits.watchPause,
      (clock.nowMs() - lookedMs) * limits.scanPause,
    );
  }

  /** Looks whether the known files are what they were; gives the pause until the next look. */
  async #lookForReplaced(): Promise<number> {
    const { clock } = this.#context;
    const beganMs = clock.nowMs();
    const replaced = await findReplaced(this.#context, { signal: this.#abort.signal });
    if (replaced.size > 0) this.#request(replaced);
    return Math.max(limits.knownCheckMs, (clock.nowMs() - beganMs) * limits.knownCheckPause);
  }
}

/** Looks at something again and again; each look says how long to wait for the next. */
class RepeatedLook {
  readonly #clock: Clock;
  readonly #look: () => Promise<number>;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(clock: Clock, look: () => Promise<number>) {
    this.#clock = clock;
    this.#look = look;
  }

  /** Begins, after a pause. */
  start(waitMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(waitMs, () => {
      this.#running = this.#look().then((pauseMs) => this.start(pauseMs));
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
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
