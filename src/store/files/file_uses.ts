/**
 * Which files are in use: somebody reads them, or they are given to somebody. Such a file is not
 * removed to make room. By its root, wherever its bytes lie, or, where that is not known yet, by the path
 * of its data.
 */

import type { Root } from "../../base/ids.ts";

/** What is in use, and when it last was. */
export class FileUses {
  readonly #counts = new Map<string, number>();
  readonly #used: (root: Root) => void;

  /** @param used Called with the root of a file when somebody begins to use it, and at the end. */
  constructor(used: (root: Root) => void = () => {}) {
    this.#used = used;
  }

  /** Begins a use, of no file yet. */
  begin(): FileUse {
    return new FileUse({
      add: (key) => void this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1),
      remove: (key) => {
        const left = this.#counts.get(key)! - 1;
        if (left === 0) this.#counts.delete(key);
        else this.#counts.set(key, left);
      },
      used: this.#used,
    });
  }

  /** Whether a file is in use, by its root or the path of its data. */
  has(key: string): boolean {
    return this.#counts.has(key);
  }
}

interface UseEffects {
  readonly add: (key: string) => void;
  readonly remove: (key: string) => void;
  readonly used: (root: Root) => void;
}

/** One who uses files until it is disposed of. */
export class FileUse implements Disposable {
  readonly #effects: UseEffects;
  readonly #roots = new Set<Root>();
  readonly #paths = new Set<string>();
  #isOver = false;

  constructor(effects: UseEffects) {
    this.#effects = effects;
  }

  /** Uses the file of a root as well. */
  add(root: Root): void {
    if (this.#isOver || this.#roots.has(root)) return;
    this.#roots.add(root);
    this.#effects.add(root);
    this.#effects.used(root);
  }

  /** Uses as well what is not known by a root yet. */
  addPath(path: string): void {
    if (this.#isOver || this.#paths.has(path)) return;
    this.#paths.add(path);
    this.#effects.add(path);
  }

  /** Ends the use of all files. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const path of this.#paths) this.#effects.remove(path);
    for (const root of this.#roots) {
      this.#effects.remove(root);
      this.#effects.used(root);
    }
    this.#paths.clear();
    this.#roots.clear();
  }
}
