/** The complete files by root, by name and by directory, in memory. No disk, no database. */

import type { Root } from "../../base/ids.ts";
import { matchesGlob } from "../../base/names.ts";
import { type Place, splitPath } from "./stored_file.ts";

/** All places that the store knows. */
export class FileIndex {
  readonly #byRoot = new Map<Root, Place | Place[]>();
  readonly #byName = new Map<string, Place | Place[]>();
  readonly #byDirectory = new Map<string, Map<string, Place>>();
  #size = 0;
  #downloadedBytes = 0;
  #downloadedFiles = 0;

  /** Number of places. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of the places that were downloaded. */
  get downloadedBytes(): number {
    return this.#downloadedBytes;
  }

  /** Number of the places that were downloaded. */
  get downloadedFiles(): number {
    return this.#downloadedFiles;
  }

  /** Adds a place, instead of one that was known at the same path. */
  add(place: Place): void {
    let directory = this.#byDirectory.get(place.directory);
    if (directory === undefined) {
      directory = new Map();
      this.#byDirectory.set(place.directory, directory);
    }
    const before = directory.get(place.file);
    if (before !== undefined) this.remove(before);
    // Removing the last file of a directory drops its map.
    if (directory.size === 0) this.#byDirectory.set(place.directory, directory);
    directory.set(place.file, place);
    addTo(this.#byRoot, place.root, place);
    addTo(this.#byName, place.name, place);
    this.#size++;
    if (place.origin === "downloaded") {
      this.#downloadedBytes += place.sizeBytes;
      this.#downloadedFiles++;
    }
  }

  /** Removes a place; false when it was not known. */
  remove(place: Place): boolean {
    const directory = this.#byDirectory.get(place.directory);
    if (directory?.get(place.file) !== place) return false;
    directory.delete(place.file);
    if (directory.size === 0) this.#byDirectory.delete(place.directory);
    removeFrom(this.#byRoot, place.root, place);
    removeFrom(this.#byName, place.name, place);
    this.#size--;
    if (place.origin === "downloaded") {
      this.#downloadedBytes -= place.sizeBytes;
      this.#downloadedFiles--;
    }
    return true;
  }

  /** The first place of `root`. */
  first(root: Root): Place | undefined {
    const found = this.#byRoot.get(root);
    return Array.isArray(found) ? found[0] : found;
  }

  ofRoot(root: Root): readonly Place[] {
    return listOf(this.#byRoot.get(root));
  }

  ofName(name: string): readonly Place[] {
    return listOf(this.#byName.get(name));
  }

  /** A place of `root` under `name`. Thousands may share the one or the other, but seldom both. */
  named(root: Root, name: string): Place | undefined {
    const ofRoot = this.ofRoot(root), ofName = this.ofName(name);
    return ofRoot.length <= ofName.length
      ? ofRoot.find((place) => place.name === name)
      : ofName.find((place) => place.root === root);
  }

  at(path: string): Place | undefined {
    const { directory, file } = splitPath(path);
    return this.#byDirectory.get(directory)?.get(file);
  }

  inDirectory(directory: string): ReadonlyMap<string, Place> | undefined {
    return this.#byDirectory.get(directory);
  }

  directories(): Iterable<string> {
    return this.#byDirectory.keys();
  }

  /** Places whose name matches `glob`. */
  *matching(glob: string): Generator<Place> {
    for (const [name, found] of this.#byName) {
      if (matchesGlob(glob, name)) yield* listOf(found);
    }
  }

  *[Symbol.iterator](): Generator<Place> {
    for (const directory of this.#byDirectory.values()) yield* directory.values();
  }
}

// Nearly every key has one value, so an array is made only for the second.
function addTo<K>(map: Map<K, Place | Place[]>, key: K, place: Place): void {
  const found = map.get(key);
  if (found === undefined) map.set(key, place);
  else if (Array.isArray(found)) found.push(place);
  else map.set(key, [found, place]);
}

function removeFrom<K>(map: Map<K, Place | Place[]>, key: K, place: Place): void {
  const left = listOf(map.get(key)).filter((other) => other !== place);
  if (left.length === 0) map.delete(key);
  else map.set(key, left.length === 1 ? left[0]! : left);
}

function listOf(found: Place | Place[] | undefined): Place[] {
  return found === undefined ? [] : Array.isArray(found) ? found : [found];
}
