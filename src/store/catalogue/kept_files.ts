/**
 * What a person and the use of them say of the downloads in the data directory: which are pinned, and when
 * each was used last. In memory, and in the catalogue: a pin at once, uses now and then, so that a crash
 * loses the last minute of them. What follows from it is decided in `core/keeping`.
 */

import type { Root } from "../../base/ids.ts";
import type { Catalogue, KeptRow } from "./catalogue.ts";

/** The memory of the downloads of one store. */
export class KeptFiles {
  readonly #remember: (write: (catalogue: Catalogue) => void) => void;
  readonly #files = new Map<Root, KeptRow>();
  /** Those of which the catalogue knows an older use. */
  readonly #dirty = new Set<Root>();
  #pinned = 0;

  constructor(
    known: Iterable<KeptRow>,
    options: { readonly remember: (write: (catalogue: Catalogue) => void) => void },
  ) {
    this.#remember = options.remember;
    for (const row of known) this.#set(row);
  }

  /** How many files are pinned. */
  get pinnedCount(): number {
    return this.#pinned;
  }

  /** When a file was used last, in milliseconds since 1970; undefined where nobody has noted it. */
  usedUnixMs(root: Root): number | undefined {
    return this.#files.get(root)?.usedUnixMs;
  }

  isPinned(root: Root): boolean {
    return this.#files.get(root)?.isPinned ?? false;
  }

  /** Somebody used the file just now. */
  used(root: Root, unixMs: number): void {
    this.#set({ root, usedUnixMs: unixMs, isPinned: this.isPinned(root) });
    this.#dirty.add(root);
  }

  /** Pins a file, or ends that; false when it was so. A disk that refuses is only told of. */
  setPinned(root: Root, isPinned: boolean, unixMs: number): boolean {
    if (this.isPinned(root) === isPinned) return false;
    const row = { root, usedUnixMs: this.usedUnixMs(root) ?? unixMs, isPinned };
    this.#set(row);
    this.#dirty.delete(root);
    this.#remember((catalogue) => catalogue.putKept([row]));
    return true;
  }

  /** Forgets files that are not here any more. */
  forget(roots: readonly Root[]): void {
    const known = roots.filter((root) => this.#files.has(root));
    if (known.length === 0) return;
    for (const root of known) {
      if (this.isPinned(root)) this.#pinned--;
      this.#files.delete(root);
      this.#dirty.delete(root);
    }
    this.#remember((catalogue) => catalogue.removeKept(known));
  }

  /** Forgets all that are not here: for the start. */
  forgetGone(isHere: (root: Root) => boolean): void {
    this.forget([...this.#files.keys()].filter((root) => !isHere(root)));
  }

  /** Writes what the catalogue does not know yet. @throws {EnvironmentError} */
  flush(catalogue: Catalogue): void {
    if (this.#dirty.size === 0) return;
    catalogue.putKept([...this.#dirty].flatMap((root) => this.#files.get(root) ?? []));
    this.#dirty.clear();
  }

  #set(row: KeptRow): void {
    if (this.isPinned(row.root) !== row.isPinned) this.#pinned += row.isPinned ? 1 : -1;
    this.#files.set(row.root, row);
  }
}
