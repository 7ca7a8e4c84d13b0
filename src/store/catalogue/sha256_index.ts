/**
 * The SHA-256 of whole files, where it is known: somebody gave one and the file had it, or it was
 * computed here. What was not checked here never gets in.
 */

import { EnvironmentError } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { isSamePrint } from "../files/stored_file.ts";
import type { Hasher } from "../hashing/hasher.ts";
import type { StoreContext } from "./store_context.ts";

/** Root to SHA-256, in memory and in the catalogue. */
export class Sha256Index {
  readonly #context: StoreContext;
  readonly #hasher: Hasher;
  readonly #byRoot: Map<Root, string>;
  /** The computation that was asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: StoreContext, hasher: Hasher, known: ReadonlyMap<Root, string> = new Map()) {
    this.#context = context;
    this.#hasher = hasher;
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

  /** Gets or computes one, after those that were asked for before. See {@linkcode ChunkStore.sha256Of}. */
  compute(root: Root, options: { readonly signal?: AbortSignal }): Promise<string> {
    const mine = this.#last.then(() => this.#compute(root, options.signal));
    this.#last = mine.catch(() => {});
    return mine;
  }

  /** Forgets the files that are here neither whole nor in part: for the start. */
  forgetGone(): void {
    const { index, partials } = this.#context;
    const gone = [...this.#byRoot.keys()]
      .filter((root) => index.first(root) === undefined && !partials.has(root));
    if (gone.length === 0) return;
    for (const root of gone) this.#byRoot.delete(root);
    this.#context.remember((catalogue) => catalogue.removeSha256s(gone));
  }

  async #compute(root: Root, signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted();
    const known = this.#byRoot.get(root);
    if (known !== undefined) return known;
    for (;;) {
      const storedFile = this.#context.index.first(root);
      if (storedFile === undefined) {
        throw new EnvironmentError("not-found", `Cannot hash ${root}: it is not here`);
      }
      const { sha256, ...print } = await this.#hasher.sha256(storedFile.path, { signal });
      if (isSamePrint(storedFile, print)) {
        this.note(root, sha256);
        return sha256;
      }
      // It is another file by now than the one of this root.
      this.#context.withdrawStoredFiles([storedFile]);
    }
  }
}
