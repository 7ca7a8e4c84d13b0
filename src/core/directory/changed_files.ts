/**
 * Changes of files that a directory has not heard: taken together for a moment, the last state of
 * each, and files that only grow no oftener than once a second. When they are sent is the business
 * of `advertiser.ts`.
 */

import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ListedFile } from "../../wire/structures.ts";
import type { RemovedFile } from "./directory_events.ts";

/** The state of a file; without `file` it is gone. */
interface FileChange extends RemovedFile {
  readonly file?: ListedFile;
  /** When it is to be told. */
  readonly dueAtMs: number;
  /** It grows: it is not told before this time. */
  readonly heldUntilMs: number;
}

/** By root and name. */
export type FileChanges = ReadonlyMap<string, FileChange>;

/** The changes that wait. Their number is for the caller to bound. */
export class ChangedFiles {
  readonly #changes = new Map<string, FileChange>();
  /** Parts of files as they were told within the last second. */
  readonly #told = new Map<string, { readonly chunksHave: number; readonly atMs: number }>();
  #dueAtMs = Infinity;

  get size(): number {
    return this.#changes.size;
  }

  /** When the first of them is to be told; Infinity when there is none. */
  get dueAtMs(): number {
    return this.#dueAtMs;
  }

  /** A file is as `file` says, or gone when that is not given. */
  note({ root, name }: RemovedFile, nowMs: number, file?: ListedFile): void {
    const key = keyOf(root, name);
    const heldUntilMs = file === undefined ? -Infinity : this.#heldUntilMs(key, file);
    const dueAtMs = Math.max(nowMs + limits.directoryDebounceMs, heldUntilMs);
    const waiting = this.#changes.get(key);
    this.#changes.set(key, {
      root,
      name,
      ...(file === undefined ? {} : { file }),
      dueAtMs: Math.min(dueAtMs, waiting?.dueAtMs ?? Infinity),
      heldUntilMs: Math.min(heldUntilMs, waiting?.heldUntilMs ?? Infinity),
    });
    this.#dueAtMs = Math.min(this.#dueAtMs, dueAtMs);
  }

  /** Takes out what may be told now. */
  take(nowMs: number): FileChanges {
    this.#forgetTold(nowMs);
    const taken = new Map<string, FileChange>();
    this.#dueAtMs = Infinity;
    for (const [key, change] of this.#changes) {
      if (nowMs < change.heldUntilMs) {
        this.#dueAtMs = Math.min(this.#dueAtMs, change.dueAtMs);
        continue;
      }
      this.#changes.delete(key);
      this.#tell(key, change, nowMs);
      taken.set(key, change);
    }
    return taken;
  }

  /** Everything is told now, these changes with it. */
  toldAll(nowMs: number): void {
    this.#forgetTold(nowMs);
    for (const [key, change] of this.#changes) this.#tell(key, change, nowMs);
    this.clear();
  }

  /** Changes that were taken wait again, where nothing newer is known. */
  putBack(changes: FileChanges, nowMs: number): void {
    for (const [key, change] of changes) {
      const latest = this.#changes.get(key) ?? change;
      this.#changes.set(key, { ...latest, dueAtMs: nowMs, heldUntilMs: -Infinity });
      this.#dueAtMs = nowMs;
    }
  }

  clear(): void {
    this.#changes.clear();
    this.#dueAtMs = Infinity;
  }

  #heldUntilMs(key: string, { file }: ListedFile): number {
    const told = this.#told.get(key);
    if (told === undefined || file.whole || file.chunksHave < told.chunksHave) return -Infinity;
    return told.atMs + limits.directoryProgressMs;
  }

  #tell(key: string, { file }: FileChange, nowMs: number): void {
    if (file === undefined || file.file.whole) return;
    this.#told.set(key, { chunksHave: file.file.chunksHave, atMs: nowMs });
  }

  /** What was told longer ago holds nothing back. */
  #forgetTold(nowMs: number): void {
    for (const [key, { atMs }] of this.#told) {
      if (atMs + limits.directoryProgressMs <= nowMs) this.#told.delete(key);
    }
  }
}

function keyOf(root: Root, name: string): string {
  return `${root} ${name}`;
}
