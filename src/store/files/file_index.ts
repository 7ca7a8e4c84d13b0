/** The complete files by root, by name and by directory, in memory. No disk, no database. */

import type { Root } from "../../base/ids.ts";
import { matchesGlob } from "../../base/names.ts";
import { splitPath, type StoredFile } from "./stored_file.ts";

/** All complete files that the store knows. */
export class FileIndex {
  readonly #byRoot = new Map<Root, StoredFile | StoredFile[]>();
  readonly #byName = new Map<string, StoredFile | StoredFile[]>();
  readonly #byDirectory = new Map<string, Map<string, StoredFile>>();
  #size = 0;
  #downloadedBytes = 0;
  readonly #downloaded = new Set<StoredFile>();

  /** Number of files. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the files that were downloaded. */
  get downloadedBytes(): number {
    return this.#downloadedBytes;
  }

  /** Number of the files that were downloaded. */
  get downloadedFiles(): number {
    return this.#downloaded.size;
  }

  /** The files that were downloaded. */
  downloaded(): Iterable<StoredFile> {
    return this.#downloaded;
  }

  /** Adds a file, instead of one that was known at the same path. */
  add(storedFile: StoredFile): void {
    let directory = this.#byDirectory.get(storedFile.directory);
    if (directory === undefined) {
      directory = new Map();
      this.#byDirectory.set(storedFile.directory, directory);
    }
    const before = directory.get(storedFile.file);
    if (before !== undefined) this.remove(before);
    // Removing the last file of a directory drops its map.
    if (directory.size === 0) this.#byDirectory.set(storedFile.directory, directory);
    directory.set(storedFile.file, storedFile);
    addTo(this.#byRoot, storedFile.root, storedFile);
    addTo(this.#byName, storedFile.name, storedFile);
    this.#size++;
    if (storedFile.origin === "downloaded") {
      this.#downloadedBytes += storedFile.sizeBytes;
      this.#downloaded.add(storedFile);
    }
  }

  /** Removes a file; false when it was not known. */
  remove(storedFile: StoredFile): boolean {
    const directory = this.#byDirectory.get(storedFile.directory);
    if (directory?.get(storedFile.file) !== storedFile) return false;
    directory.delete(storedFile.file);
    if (directory.size === 0) this.#byDirectory.delete(storedFile.directory);
    removeFrom(this.#byRoot, storedFile.root, storedFile);
    removeFrom(this.#byName, storedFile.name, storedFile);
    this.#size--;
    if (storedFile.origin === "downloaded") {
      this.#downloadedBytes -= storedFile.sizeBytes;
      this.#downloaded.delete(storedFile);
    }
    return true;
  }

  /** The first file of `root`. */
  first(root: Root): StoredFile | undefined {
    const found = this.#byRoot.get(root);
    return Array.isArray(found) ? found[0] : found;
  }

  ofRoot(root: Root): readonly StoredFile[] {
    return listOf(this.#byRoot.get(root));
  }

  ofName(name: string): readonly StoredFile[] {
    return listOf(this.#byName.get(name));
  }

  /** A file of `root` under `name`. Thousands may share the one or the other, but hardly ever both. */
  named(root: Root, name: string): StoredFile | undefined {
    const ofRoot = this.ofRoot(root), ofName = this.ofName(name);
    return ofRoot.length <= ofName.length
      ? ofRoot.find((storedFile) => storedFile.name === name)
      : ofName.find((storedFile) => storedFile.root === root);
  }

  at(path: string): StoredFile | undefined {
    const { directory, file } = splitPath(path);
    return this.#byDirectory.get(directory)?.get(file);
  }

  inDirectory(directory: string): ReadonlyMap<string, StoredFile> | undefined {
    return this.#byDirectory.get(directory);
  }

  directories(): Iterable<string> {
    return this.#byDirectory.keys();
  }

  /** Files whose name matches `glob`. */
  *matching(glob: string): Generator<StoredFile> {
    for (const [name, found] of this.#byName) {
      if (matchesGlob(glob, name)) yield* listOf(found);
    }
  }

  *[Symbol.iterator](): Generator<StoredFile> {
    for (const directory of this.#byDirectory.values()) yield* directory.values();
  }
}

// Nearly every key has one value, so an array is made only for the second.
function addTo<K>(map: Map<K, StoredFile | StoredFile[]>, key: K, storedFile: StoredFile): void {
  const found = map.get(key);
  if (found === undefined) map.set(key, storedFile);
  else if (Array.isArray(found)) found.push(storedFile);
  else map.set(key, [found, storedFile]);
}

function removeFrom<K>(
  map: Map<K, StoredFile | StoredFile[]>,
  key: K,
  storedFile: StoredFile,
): void {
  const left = listOf(map.get(key)).filter((other) => other !== storedFile);
  if (left.length === 0) map.delete(key);
  else map.set(key, left.length === 1 ? left[0]! : left);
}

function listOf(found: StoredFile | StoredFile[] | undefined): StoredFile[] {
  return found === undefined ? [] : Array.isArray(found) ? found : [found];
}
