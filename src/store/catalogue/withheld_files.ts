/**
 * Shared files that are not offered until it is clear what they are: those that were withdrawn though
 * neither their size, nor their time of modification, nor their inode changed. Such a file is hashed
 * again. If it is what it was, it is offered again. If it is not, it is damaged, however much of it is
 * other than it was: no one can tell a disk that lost data from a program that wrote without leaving a
 * trace, so a person decides (`share --again`), or a change that shows. Another file that is moved to
 * its path shows: it has another inode.
 */

import type { Root } from "../../base/ids.ts";
import {
  type Fingerprint,
  isSameContent,
  isSamePrint,
  type StoredFile,
} from "../files/stored_file.ts";
import type { Catalogue, WithheldFile } from "./catalogue.ts";

interface WithheldEffects {
  readonly remember: (write: (catalogue: Catalogue) => void) => void;
  /** The leaf layer of `root` is not needed for a comparison any more. */
  readonly letGo: (root: Root, sizeBytes: number) => void;
}

/** The withheld files of a store, in memory and in the catalogue. */
export class WithheldFiles {
  readonly #byPath = new Map<string, WithheldFile>();
  readonly #roots = new Map<Root, number>();
  readonly #effects: WithheldEffects;

  constructor(known: Iterable<WithheldFile>, effects: WithheldEffects) {
    this.#effects = effects;
    for (const file of known) this.#set(file);
  }

  /** All of them, also those that are only looked at again. */
  [Symbol.iterator](): Iterator<WithheldFile> {
    return this.#byPath.values();
  }

  at(path: string): WithheldFile | undefined {
    return this.#byPath.get(path);
  }

  /** Those that are damaged. */
  *damaged(): Generator<WithheldFile> {
    for (const file of this.#byPath.values()) if (file.isDamaged) yield file;
  }

  /** Whether the leaf layer of `root` is still needed, to compare what comes with it. */
  needsLeaves(root: Root): boolean {
    return this.#roots.has(root);
  }

  /** Whether the file at `path`, as it is now, is known to be damaged: hashing tells nothing new. */
  isDamaged(path: string, now: Fingerprint): boolean {
    const file = this.#byPath.get(path);
    return file?.isDamaged === true && isSamePrint(file, now);
  }

  /** Notes files that are to be hashed again and must turn out to be what they were. */
  expect(files: readonly StoredFile[]): void {
    this.#put(files.map((file) => ({ ...printOf(file), isDamaged: false })));
  }

  /** Whether a file that was just hashed may be offered. */
  mayOffer(hashed: StoredFile): boolean {
    const before = this.#byPath.get(hashed.path);
    if (before === undefined) return true;
    if (before.root === hashed.root || !isSameContent(before, hashed)) {
      this.#delete(hashed.path);
      this.#effects.remember((catalogue) => catalogue.removeWithheld([hashed.path]));
      if (before.root !== hashed.root) this.#effects.letGo(before.root, before.sizeBytes);
      return true;
    }
    this.#put([{ ...printOf(hashed), root: before.root, isDamaged: true }]);
    return false;
  }

  /** Forgets paths; what lies there is a new file from now on. */
  forget(paths: readonly string[]): void {
    const known = paths.flatMap((path) => this.#byPath.get(path) ?? []);
    if (known.length === 0) return;
    for (const { path } of known) this.#delete(path);
    this.#effects.remember((catalogue) => catalogue.removeWithheld(known.map(({ path }) => path)));
    for (const { root, sizeBytes } of known) this.#effects.letGo(root, sizeBytes);
  }

  /** Forgets those for which `fits` holds; gives their paths. */
  forgetWhere(fits: (path: string) => boolean): string[] {
    const paths = [...this.#byPath.keys()].filter(fits);
    this.forget(paths);
    return paths;
  }

  #put(files: readonly WithheldFile[]): void {
    if (files.length === 0) return;
    for (const file of files) this.#set(file);
    this.#effects.remember((catalogue) => catalogue.putWithheld(files));
  }

  #set(file: WithheldFile): void {
    this.#delete(file.path);
    this.#byPath.set(file.path, file);
    this.#roots.set(file.root, (this.#roots.get(file.root) ?? 0) + 1);
  }

  #delete(path: string): void {
    const file = this.#byPath.get(path);
    if (file === undefined) return;
    this.#byPath.delete(path);
    const left = this.#roots.get(file.root)! - 1;
    if (left === 0) this.#roots.delete(file.root);
    else this.#roots.set(file.root, left);
  }
}

function printOf(file: StoredFile) {
  const { path, root, sizeBytes, mtimeMs, ino, ctimeMs } = file;
  return { path, root, sizeBytes, mtimeMs, ino, ctimeMs };
}
