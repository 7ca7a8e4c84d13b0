/**
 * Which shared files are not in the store yet, by name: those that are known to be new or changed, up
 * to the moment in which they are in the store. Whoever seeks one of them can be told that it comes.
 */

import { limits } from "../../base/limits.ts";
import { splitPath } from "../files/stored_file.ts";

/** A shared file that is just being hashed, or waits for that. */
export interface UnhashedFile {
  readonly path: string;
  /** Bytes of it that were hashed, as far as the worker has said. */
  readonly bytesHashed: number;
}

/** The files that are to be hashed, and how far each is. */
export class UnhashedFiles {
  readonly #byName = new Map<string, Map<string, number>>();

  /** Takes a file that is to be hashed; one that is known starts over. */
  add(path: string): void {
    const { file } = splitPath(path);
    const paths = this.#byName.get(file);
    if (paths === undefined) this.#byName.set(file, new Map([[path, 0]]));
    else paths.set(path, 0);
  }

  /** Notes how far one is. */
  progressed(path: string, bytesHashed: number): void {
    const paths = this.#byName.get(splitPath(path).file);
    if (paths?.has(path)) paths.set(path, bytesHashed);
  }

  /** The file is in the store, or will never be. */
  delete(path: string): void {
    const { file } = splitPath(path);
    const paths = this.#byName.get(file);
    if (paths?.delete(path) && paths.size === 0) this.#byName.delete(file);
  }

  clear(): void {
    this.#byName.clear();
  }

  /** Files of a name, up to `limits.flightsOfferedMax`. */
  ofName(name: string): UnhashedFile[] {
    return [...this.#byName.get(name) ?? []].slice(0, limits.flightsOfferedMax)
      .map(([path, bytesHashed]) => ({ path, bytesHashed }));
  }
}
