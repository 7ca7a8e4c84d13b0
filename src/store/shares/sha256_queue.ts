/** Computes the SHA-256 of complete files in the background, one at a time, and remembers them. */

import { EnvironmentError } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { isSamePrint } from "../files/fingerprint.ts";
import type { Hasher } from "../hashing/hasher.ts";
import type { Sha256Index } from "../catalogue/sha256_index.ts";
import type { StoreContext } from "../downloads/store_context.ts";

/** Files that wait to be hashed, in the order in which somebody asked for them. */
export class Sha256Queue {
  readonly #context: StoreContext;
  readonly #hasher: Hasher;
  readonly #book: Sha256Index;
  /** The one that was asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    context: StoreContext,
    { hasher, book }: { readonly hasher: Hasher; readonly book: Sha256Index },
  ) {
    this.#context = context;
    this.#hasher = hasher;
    this.#book = book;
  }

  /** See {@linkcode ChunkStore.sha256Of}. */
  compute(root: Root, options: { readonly signal?: AbortSignal }): Promise<string> {
    const turn = this.#last;
    const mine = turn.then(() => this.#compute(root, options.signal));
    this.#last = mine.catch(() => {});
    return mine;
  }

  async #compute(root: Root, signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted();
    const known = this.#book.get(root);
    if (known !== undefined) return known;
    for (;;) {
      const storedFile = this.#context.index.first(root);
      if (storedFile === undefined) {
        throw new EnvironmentError("not-found", `Cannot hash ${root}: it is not here`);
      }
      const { sha256, ...print } = await this.#hasher.sha256(storedFile.path, { signal });
      if (isSamePrint(storedFile, print)) {
        this.#book.note(root, sha256);
        return sha256;
      }
      // It is another file by now than the one of this root.
      this.#context.withdrawStoredFiles([storedFile]);
    }
  }
}
