/**
 * Shared files that wait to be hashed: not before they rest, again when they changed meanwhile,
 * and added to the store in batches.
 */

import type { Timer } from "../../base/clock.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { isUnchanged, splitPath, StoredFile } from "../files/stored_file.ts";
import type { Hasher } from "../hashing/hasher.ts";
import type { StoreContext } from "../catalogue/store_context.ts";

/** Hashes files and adds them to the store. */
export class HashQueue {
  readonly #context: StoreContext;
  readonly #hasher: Hasher;
  readonly #isWanted: (path: string) => boolean;
  readonly #waiting = new Set<string>();
  /** Paths that are being hashed, and whether something was reported of them meanwhile. */
  readonly #hashing = new Map<string, { isStale: boolean }>();
  /** Paths that wait until they rest. */
  readonly #unsettled = new Map<string, Timer>();
  /** How often a file was not at rest when its turn came. */
  readonly #attempts = new Map<string, number>();
  readonly #batch: HashedBatch;
  #whenIdle = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(
    context: StoreContext,
    hasher: Hasher,
    options: { readonly isWanted: (path: string) => boolean },
  ) {
    this.#context = context;
    this.#hasher = hasher;
    this.#isWanted = options.isWanted;
    this.#batch = new HashedBatch(context, { ...options, flushed: () => this.#checkIdle() });
    this.#whenIdle.resolve();
  }

  /** Files that are not hashed yet. */
  get size(): number {
    return this.#waiting.size + this.#hashing.size + this.#unsettled.size;
  }

  /** Takes a file that is new or changed. */
  add(path: string): void {
    if (this.#isClosed) return;
    const hashing = this.#hashing.get(path);
    if (hashing !== undefined) {
      hashing.isStale = true;
      return;
    }
    if (this.#unsettled.has(path)) return;
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
    for (const timer of this.#unsettled.values()) timer.cancel();
    this.#unsettled.clear();
    this.#batch.flush();
    this.#whenIdle.resolve();
  }

  #pump(): void {
    for (const path of this.#waiting) {
      if (this.#hashing.size >= limits.hashingFilesMax) return;
      this.#waiting.delete(path);
      const restMs = this.#context.clock.unixMs() - changedMs(path);
      if (restMs >= 0 && restMs < limits.settleMs) this.#later(path, limits.settleMs - restMs);
      else void this.#hash(path);
    }
  }

  async #hash(path: string): Promise<void> {
    const state = { isStale: false };
    this.#hashing.set(path, state);
    let isChanged = false;
    try {
      const { leavesPath } = this.#context.directory;
      const { root, ...print } = await this.#hasher.hash({ path, leavesPath });
      const storedFile = new StoredFile("shared", this.#where(path), { root, ...print });
      this.#batch.add(storedFile);
      isChanged = state.isStale && !isUnchanged(storedFile);
    } catch (error) {
      const code = error instanceof EnvironmentError ? error.code : undefined;
      isChanged = code === "changed";
      if (!this.#isClosed && !isChanged && code !== "not-found") {
        this.#context.warn(`${messageOf(error)}; the file is not shared`, { path });
      }
    }
    this.#hashing.delete(path);
    if (this.#isClosed) return;
    if (isChanged && this.#isWanted(path)) this.#again(path);
    else this.#attempts.delete(path);
    this.#pump();
    if (this.size === 0) this.#batch.flush();
    else this.#batch.flushSoon();
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
  readonly #flushed: () => void;
  #files: StoredFile[] = [];
  #timer: Timer | undefined;

  /** `isWanted`: whether the file at a path is still shared; `flushed`: the batch is empty now. */
  constructor(
    context: StoreContext,
    options: { readonly isWanted: (path: string) => boolean; readonly flushed: () => void },
  ) {
    this.#context = context;
    this.#isWanted = options.isWanted;
    this.#flushed = options.flushed;
  }

  get isEmpty(): boolean {
    return this.#files.length === 0;
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
    this.#flushed();
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
