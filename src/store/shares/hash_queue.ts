/**
 * Shared files that wait to be hashed: not before they rest, again when they changed meanwhile,
 * and added to the store in batches.
 */

import type { Timer } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LastingWarnings } from "./lasting_warnings.ts";
import { RoomQueue } from "./room_queue.ts";
import { type UnhashedFile, UnhashedFiles } from "./unhashed_files.ts";
import { isUnchanged, splitPath, StoredFile } from "../files/stored_file.ts";
import type { Hasher } from "../hashing/hasher.ts";
import type { StoreContext } from "../catalogue/store_context.ts";

/** Hashes files and adds them to the store. */
export class HashQueue {
  readonly #context: StoreContext;
  readonly #hasher: Hasher;
  readonly #isWanted: (path: string) => boolean;
  readonly #waiting = new Set<string>();
  /** Those of them that somebody seeks. */
  readonly #hurried = new Set<string>();
  /** Paths that are being hashed, and whether something was reported of them meanwhile. */
  readonly #hashing = new Map<string, { isStale: boolean }>();
  /** Paths that wait until they rest. */
  readonly #unsettled = new Map<string, Timer>();
  /** All of them by name, and those that are just being put into the store. */
  readonly #unhashed = new UnhashedFiles();
  /** How often a file was not at rest when its turn came. */
  readonly #attempts = new Map<string, number>();
  readonly #batch: HashedBatch;
  readonly #warnings: LastingWarnings;
  readonly #roomless: RoomQueue;
  #whenIdle = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(
    context: StoreContext,
    hasher: Hasher,
    options: {
      readonly isWanted: (path: string) => boolean;
      readonly warnings: LastingWarnings;
    },
  ) {
    this.#context = context;
    this.#hasher = hasher;
    this.#isWanted = options.isWanted;
    this.#warnings = options.warnings;
    this.#roomless = new RoomQueue({
      clock: context.clock,
      directory: context.directory.leavesPath,
      onRoom: (path) => this.add(path),
    });
    this.#batch = new HashedBatch(context, {
      ...options,
      flushed: (paths) => {
        for (const path of paths) if (!this.#has(path)) this.#unhashed.delete(path);
        this.#checkIdle();
      },
    });
    this.#whenIdle.resolve();
  }

  /** Files that are not hashed yet, those that find no room on the disk included. */
  get filesWaiting(): number {
    return this.size + this.#roomless.size;
  }

  /** Files that are to be hashed now. */
  get size(): number {
    return this.#waiting.size + this.#hashing.size + this.#unsettled.size;
  }

  /** Whether a file of this name or path is to be hashed now. */
  has(target: string): boolean {
    const isMeant = (path: string) => path === target || splitPath(path).file === target;
    return [this.#waiting, this.#hashing, this.#unsettled].some((paths) =>
      paths.keys().some(isMeant)
    );
  }

  /** Files of a name that are to be hashed; those that wait come first from now on. */
  hurry(name: string): UnhashedFile[] {
    const files = this.#unhashed.ofName(name);
    for (const { path } of files) if (this.#waiting.has(path)) this.#hurried.add(path);
    return files;
  }

  /** A file turned out to have changed: it is about to be added, if it is still there. */
  expect(path: string): void {
    if (!this.#isClosed) this.#unhashed.add(path);
  }

  /** What was expected was looked at, and was added if it is to be. */
  lookedAt(path: string): void {
    if (!this.#has(path)) this.#unhashed.delete(path);
  }

  /** Takes a file that is new or changed. */
  add(path: string): void {
    if (this.#isClosed) return;
    this.#unhashed.add(path);
    const hashing = this.#hashing.get(path);
    if (hashing !== undefined) {
      hashing.isStale = true;
      return;
    }
    if (this.#unsettled.has(path)) return;
    this.#roomless.remove(path, { isDone: false });
    if (this.size === 0 && this.#batch.isEmpty) this.#whenIdle = Promise.withResolvers();
    this.#waiting.add(path);
    this.#pump();
  }

  /** Resolves when nothing is left to hash and all that was hashed is in the store. */
  idle(): Promise<void> {
    return this.#whenIdle.promise;
  }

  /** Gives up what waits; the hasher is closed by its owner. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#hurried.clear();
    this.#unhashed.clear();
    for (const timer of this.#unsettled.values()) timer.cancel();
    this.#unsettled.clear();
    this.#roomless.close();
    this.#batch.flush();
    this.#whenIdle.resolve();
  }

  /** Whether a path waits, is being hashed, or is about to be put into the store. */
  #has(path: string): boolean {
    return this.#waiting.has(path) || this.#hashing.has(path) || this.#unsettled.has(path) ||
      this.#batch.has(path);
  }

  /** Those that wait, the ones that somebody seeks first. */
  *#inOrder(): Generator<string> {
    yield* this.#hurried;
    yield* this.#waiting;
  }

  #pump(): void {
    for (const path of this.#inOrder()) {
      if (this.#hashing.size >= limits.hashingFilesMax) return;
      this.#hurried.delete(path);
      this.#waiting.delete(path);
      const restMs = this.#context.clock.unixMs() - changedMs(path);
      if (restMs >= 0 && restMs < limits.settleMs) this.#later(path, limits.settleMs - restMs);
      else void this.#hash(path);
    }
  }

  async #hash(path: string): Promise<void> {
    const state = { isStale: false };
    this.#hashing.set(path, state);
    let isChanged = false, hasRoom = true;
    try {
      const { leavesPath } = this.#context.directory;
      const shareRoot = this.#context.shareRootOf(path);
      // Given up meanwhile.
      if (shareRoot === undefined) throw new EnvironmentError("not-found", `${path} is not shared`);
      const { root, ...print } = await this.#hasher.hash({ path, leavesPath, shareRoot }, {
        progressed: (bytes) => this.#unhashed.progressed(path, bytes),
      });
      this.#warnings.clear(path);
      const storedFile = new StoredFile("shared", this.#where(path), { root, ...print });
      if (this.#mayOffer(storedFile)) this.#batch.add(storedFile);
      else this.#context.collectLeaves(root, storedFile.sizeBytes);
      isChanged = state.isStale && !isUnchanged(storedFile);
    } catch (error) {
      const code = error instanceof EnvironmentError ? error.code : undefined;
      isChanged = code === "changed";
      hasRoom = code !== "no-space";
      if (!hasRoom && !this.#isClosed) {
        const message = `${messageOf(error)}; the file is shared once there is room`;
        if (this.#roomless.add(path)) this.#context.warn(message, { path });
      } else if (!this.#isClosed && !isChanged && code !== "not-found") {
        this.#warnings.warn(path, `${messageOf(error)}; the file is not shared`, { path });
      }
    }
    this.#hashing.delete(path);
    if (this.#isClosed) return;
    if (hasRoom) this.#roomless.remove(path, { isDone: true });
    if (isChanged && this.#isWanted(path)) this.#again(path);
    else this.#attempts.delete(path);
    this.lookedAt(path);
    this.#pump();
    if (this.size === 0) this.#batch.flush();
    else this.#batch.flushSoon();
  }

  #mayOffer(file: StoredFile): boolean {
    if (this.#context.withheld.mayOffer(file)) return true;
    const { path } = file;
    this.#context.warn(
      "A shared file is not what it was, though its time did not change; it is withheld",
      { path, hint: "Put it right, or offer it as it is: pacsrv share --again PATH" },
    );
    return false;
  }

  // A file that is written to all the time must not be hashed all the time.
  #again(path: string): void {
    const attempts = this.#attempts.get(path) ?? 0;
    this.#attempts.set(path, attempts + 1);
    this.#later(path, Math.min(limits.unsettledMs, limits.settleMs * 2 ** attempts));
  }

  #later(path: string, delayMs: number): void {
    const timer = this.#context.clock.after(delayMs, () => {
      this.#unsettled.delete(path);
      this.#waiting.add(path);
      this.#pump();
    });
    this.#unsettled.set(path, timer);
  }

  #checkIdle(): void {
    if (this.size === 0) this.#whenIdle.resolve();
  }

  // One string for all files of a directory, as in those that the catalogue gives.
  #where(path: string): { readonly directory: string; readonly file: string } {
    const { directory, file } = splitPath(path);
    const known = this.#context.index.inDirectory(directory)?.values().next().value;
    return { directory: known?.directory ?? directory, file };
  }
}

/** Files that were hashed and go into the store together. */
class HashedBatch {
  readonly #context: StoreContext;
  readonly #isWanted: (path: string) => boolean;
  readonly #flushed: (paths: readonly string[]) => void;
  #files: StoredFile[] = [];
  #timer: Timer | undefined;

  /** `isWanted`: whether the file at a path is still shared; `flushed`: these are out of it now. */
  constructor(
    context: StoreContext,
    options: {
      readonly isWanted: (path: string) => boolean;
      readonly flushed: (paths: readonly string[]) => void;
    },
  ) {
    this.#context = context;
    this.#isWanted = options.isWanted;
    this.#flushed = options.flushed;
  }

  get isEmpty(): boolean {
    return this.#files.length === 0;
  }

  has(path: string): boolean {
    return this.#files.some((file) => file.path === path);
  }

  add(file: StoredFile): void {
    this.#files.push(file);
  }

  /** Puts them into the store when there are many, or after a moment. */
  flushSoon(): void {
    if (this.#files.length >= limits.hashedBatchMax) return this.flush();
    this.#timer ??= this.#context.clock.after(limits.hashedBatchMs, () => this.flush());
  }

  /** Puts them into the store. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const hashed = this.#files;
    this.#files = [];
    // Its share may have been given up meanwhile.
    const storedFiles = hashed.filter(({ path }) => this.#isWanted(path));
    if (storedFiles.length > 0) this.#context.addStoredFiles(storedFiles);
    if (storedFiles.length < hashed.length) {
      for (const { root, sizeBytes } of hashed) this.#context.collectLeaves(root, sizeBytes);
    }
    this.#flushed(hashed.map(({ path }) => path));
  }
}

/** When a file changed, in milliseconds since 1970; 0 when it is not there. */
function changedMs(path: string): number {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch {
    return 0;
  }
}
