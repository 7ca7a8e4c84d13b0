/**
 * Compares the files that are here with what the repositories' databases say, and decides by that
 * which may be offered to others. A file that no database names may.
 *
 * The verdict on a file follows at every question from the package index and the store as they are
 * then. In the background, what is not known yet is hashed, one file at a time, and listeners hear
 * what that changed. Nothing is ever removed here.
 */

import { type Clock, nextTurn } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { FileTrust, PackageFile, PackageIndex } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition, StoreChange } from "../../store/files/stored_file.ts";

interface OfferPolicyOptions {
  readonly clock: Clock;
  readonly store: ChunkStore;
  /** Undefined: no database says anything of any file. */
  readonly trust: PackageIndex | undefined;
  readonly log: Logger;
}

/** What the verdict on a file depends on. */
type OfferedFile = Pick<FileDefinition, "root" | "name" | "sizeBytes" | "origin">;

/** What the databases say of a file that they name. */
type TrustVerdict = Extract<FileTrust, "sync-db" | "unchecked" | "contradicted">;

/** A file of which the databases say something else than before; null: they do not name it. */
export interface OfferPolicyChange {
  readonly root: Root;
  readonly name: string;
  readonly verdict: TrustVerdict | null;
}

/** Which files of a store may be offered, and by what each is trusted. */
export class OfferPolicy implements AsyncDisposable {
  readonly #options: OfferPolicyOptions;
  readonly #listeners = new Set<(change: OfferPolicyChange) => void>();
  /** The last verdicts on the files that are named, for telling what changes. */
  readonly #verdicts = new Map<string, TrustVerdict>();
  /** Files that are to be hashed, in order; those that were asked for go first. */
  readonly #waiting = new Set<Root>();
  readonly #hurried = new Set<Root>();
  readonly #stopping = new AbortController();
  readonly #ends: (() => void)[] = [];
  #looking: Promise<void> = Promise.resolve();
  /** Whether a look through all files is about to begin. */
  #isLookDue = false;
  #hashing: Promise<void> = Promise.resolve();

  constructor(options: OfferPolicyOptions) {
    this.#options = options;
    const { store, trust } = options;
    if (trust === undefined) return;
    this.#ends.push(
      store.onChange((change) => this.#storeChanged(change)),
      trust.onChange(() => this.#look()),
    );
    this.#look();
  }

  /** Whether the file may be offered and sent to others. */
  isOfferable(file: OfferedFile): boolean {
    switch (this.#verdictOf(file)) {
      case "contradicted":
        return false;
      case "unchecked":
        this.#hurry(file.root);
        return false;
      default:
        return true;
    }
  }

  /** Whether the file is not offered only because it was not compared with the databases yet. */
  isUnchecked(file: OfferedFile): boolean {
    return this.#verdictOf(file) === "unchecked";
  }

  /** By what the file is trusted. */
  trustOf(file: OfferedFile): FileTrust {
    const verdict = this.#verdictOf(file);
    if (verdict !== null) return verdict;
    if (file.origin === "partial") return "peers";
    if (file.origin === "shared") return "local";
    const { store } = this.#options;
    const told = store.history.trustOf(file.root);
    // No database names it any more, but its SHA-256 was checked all the same.
    if (told === "sync-db") return "sha256";
    if (told !== undefined) return told;
    return store.sha256(file.root) === undefined ? "peers" : "sha256";
  }

  /** Calls back when the databases say something else of a file than before; returns its end. */
  onChange(listener: (change: OfferPolicyChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends what goes on in the background. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end();
    this.#listeners.clear();
    this.#stopping.abort();
    await this.#looking;
    await this.#hashing;
  }

  #verdictOf({ root, name, sizeBytes, origin }: OfferedFile): TrustVerdict | null {
    const { trust, store } = this.#options;
    const named = trust?.all(name) ?? NONE;
    if (named.length === 0) return null;
    const ofSize = named.filter((known) => known.sizeBytes === sizeBytes);
    if (ofSize.length === 0) return "contradicted";
    // Of a part nothing more can be said; its receiver checks the whole.
    if (origin === "partial") return null;
    const sha256 = store.sha256(root);
    if (sha256 === undefined) return "unchecked";
    return ofSize.some((known) => known.sha256 === sha256) ? "sync-db" : "contradicted";
  }

  #storeChanged(change: StoreChange): void {
    switch (change.kind) {
      case "added":
      case "checked":
      case "withdrawn":
      case "discarded":
        this.#update(change.root, change.name);
        break;
      case "gained":
      case "lost":
        break;
    }
  }

  /** Looks up the verdict on one file as of now, tells what changed, and has it hashed if need be. */
  #update(root: Root, name: string): void {
    const file = this.#options.store.definitionNamed(root, name);
    const verdict = file === undefined ? null : this.#verdictOf(file);
    const key = `${root} ${name}`;
    if (verdict === "unchecked") this.#enqueue(root);
    if (verdict === (this.#verdicts.get(key) ?? null)) return;
    if (verdict === null) this.#verdicts.delete(key);
    else this.#verdicts.set(key, verdict);
    if (verdict === "contradicted" && file !== undefined) this.#warn(file);
    for (const listener of this.#listeners) listener({ root, name, verdict });
  }

  #warn({ root, name, path, sizeBytes }: FileDefinition): void {
    const { log, store, trust } = this.#options;
    const sha256 = store.sha256(root) ?? null;
    const named = trust?.all(name) ?? NONE;
    log.warn("a file is not what the repository's database says; it is not given to anybody", {
      name,
      path,
      sizeBytes,
      sha256,
      repository: named.map(({ repository }) => repository).join(", "),
      sizeBytesExpected: named[0]?.sizeBytes,
      sha256Expected: named[0]?.sha256,
    });
  }

  /** Does so for all files, step by step: the index may say something else of each. */
  #look(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    this.#looking = this.#looking.then(() => this.#lookThrough()).catch((error) => {
      const { log } = this.#options;
      log.warn("cannot compare files with the databases", { error: messageOf(error) });
    });
  }

  async #lookThrough(): Promise<void> {
    const { clock, store } = this.#options;
    const { signal } = this.#stopping;
    // Not in the turn that made the node: it may have a hundred thousand files.
    await nextTurn();
    this.#isLookDue = false;
    let sinceMs = clock.nowMs();
    for (const { root, name } of store.distinctFiles()) {
      if (signal.aborted) return;
      this.#update(root, name);
      if (clock.nowMs() - sinceMs < limits.scanSliceMs) continue;
      await nextTurn();
      sinceMs = clock.nowMs();
    }
  }

  #enqueue(root: Root): void {
    if (this.#waiting.has(root)) return;
    this.#waiting.add(root);
    this.#hashing = this.#hashing.then(() => this.#hashNext());
  }

  #hurry(root: Root): void {
    if (this.#waiting.has(root)) this.#hurried.add(root);
  }

  async #hashNext(): Promise<void> {
    const { store, log } = this.#options;
    const { signal } = this.#stopping;
    const root = this.#next();
    if (root === undefined || signal.aborted) return;
    try {
      const isNamed = [...store.definitionsOfRoot(root)]
        .some((file) => this.#verdictOf(file) === "unchecked");
      // The store notes it, and tells that.
      if (isNamed) await store.sha256Of(root, { signal });
    } catch (error) {
      if (signal.aborted) return;
      // It stays unchecked until it, or a database, changes; mostly it has just gone.
      log.info("cannot check a file against the databases", { root, error: messageOf(error) });
    }
  }

  #next(): Root | undefined {
    for (const set of [this.#hurried, this.#waiting]) {
      for (const root of set) {
        this.#hurried.delete(root);
        this.#waiting.delete(root);
        return root;
      }
    }
    return undefined;
  }
}

const NONE: readonly PackageFile[] = [];
