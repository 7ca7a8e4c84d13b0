/**
 * The SHA-256 of whole files, where it is known: somebody gave one and the file had it, or it was
 * computed here. What was not checked here never gets in.
 */

import { EnvironmentError } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { isSamePrint } from "../files/stored_file.ts";
import type { Hasher } from "../hashing/hasher.ts";
import type { StoreContext } from "./store_context.ts";

/** The bytes of a file are not those of its root, though its time says that it did not change. */
export class RottenFile extends EnvironmentError {
  constructor(path: string) {
    super("corrupt", `Cannot hash ${path}: its bytes are not what they were`);
  }
}

/** Root to SHA-256, in memory and in the catalogue. */
export class Sha256Index {
  readonly #context: StoreContext;
  readonly #hasher: Hasher;
  readonly #byRoot: Map<Root, string>;
  /** Those that were noted in this run; what the catalogue says may be damaged. */
  readonly #fresh = new Set<Root>();
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

  /** Whether it was found out in this run, rather than read from the catalogue. */
  isFresh(root: Root): boolean {
    return this.#fresh.has(root);
  }

  /** Forgets one: the bytes that it was computed of may have been others than those of the root. */
  forget(root: Root): void {
    this.#fresh.delete(root);
    if (!this.#byRoot.delete(root)) return;
    this.#context.remember((catalogue) => catalogue.removeSha256s([root]));
  }

  /** Remembers what a file was found to have. */
  note(root: Root, sha256: string): void {
    this.#fresh.add(root);
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
      const { origin, path } = storedFile;
      const shareRoot = origin === "shared" ? this.#context.shareRootOf(path) : undefined;
      const hashed = await this.#hasher.sha256({ path, shareRoot }, { signal });
      const { sha256, root: found, ...print } = hashed;
      if (isSamePrint(storedFile, print)) {
        // Of other bytes than those of the root it would say nothing of the file.
        if (found !== root) throw new RottenFile(path);
        this.note(root, sha256);
        return sha256;
      }
      // It is another file by now than the one of this root.
      this.#context.withdrawStoredFiles([storedFile]);
    }
  }
}
