/**
 * The SHA-256 of whole files, where it is known: somebody gave one, and the file was hashed and had
 * it. What was not checked here never gets in.
 */

import type { Root } from "../../base/ids.ts";
import type { StoreContext } from "../downloads/store_context.ts";

/** Root to SHA-256, in memory and in the catalogue. */
export class Sha256Index {
  readonly #context: StoreContext;
  readonly #byRoot: Map<Root, string>;

  constructor(context: StoreContext, known: ReadonlyMap<Root, string> = new Map()) {
    this.#context = context;
    this.#byRoot = new Map(known);
  }

  /** Hexadecimal; undefined when it is not known. */
  get(root: Root): string | undefined {
    return this.#byRoot.get(root);
  }

  /** Remembers what a file was found to have. */
  note(root: Root, sha256: string): void {
    if (this.#byRoot.get(root) === sha256) return;
    this.#byRoot.set(root, sha256);
    this.#context.remember((catalogue) => catalogue.putSha256(root, sha256));
    for (const { name } of this.#context.index.ofRoot(root)) {
      this.#context.emit({ kind: "checked", root, name });
    }
  }

  /** Forgets the files that are here neither whole nor in part: for the start. */
  forgetGone(): void {
    const { index, downloads } = this.#context;
    const gone = [...this.#byRoot.keys()]
      .filter((root) => index.first(root) === undefined && !downloads.has(root));
    if (gone.length === 0) return;
    for (const root of gone) this.#byRoot.delete(root);
    this.#context.remember((catalogue) => catalogue.removeSha256s(gone));
  }
}
