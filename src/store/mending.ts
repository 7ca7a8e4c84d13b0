/**
 * Finds out what is wrong where bytes do not fit their leaves, and has the store go on with what is
 * right: a damaged leaf layer is computed again from its file, and where the chunks are at fault, a
 * downloaded file becomes a partial one and a shared one is withdrawn. What is missing then, others
 * have to give.
 */

import { mergedRanges } from "../base/bitfield.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { chunkCount, type ChunkRange } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Sha256Index } from "./catalogue/sha256_index.ts";
import type { StoreContext } from "./catalogue/store_context.ts";
import type { Downloads } from "./downloads/downloads.ts";
import { isSamePrint, type StoredFile } from "./files/stored_file.ts";
import type { HashedFile } from "./hashing/hash_file.ts";
import { Hasher } from "./hashing/hasher.ts";
import { scrubRange } from "./scrub.ts";

/** What a file is after its leaf layer was looked at. */
type LeavesState =
  /** The layer makes the root; "mended": it was damaged, and was computed again. */
  | "sound"
  | "mended"
  /** Neither layer nor bytes are what they were: it is a partial download now, or withdrawn. */
  | "partial"
  | "withdrawn";

/** The mending of one store. */
export class Mending {
  readonly #context: StoreContext;
  readonly #downloads: Downloads;
  readonly #sha256s: Pick<Sha256Index, "forget">;
  // A worker of its own: who waits for a file must not wait for thousands of shared ones.
  readonly #hasher: Hasher;
  /** Chunks that did not fit, by root, until they were looked into. */
  readonly #suspects = new Map<Root, ChunkRange[]>();
  readonly #running = new Map<Root, Promise<void>>();

  constructor(
    context: StoreContext,
    downloads: Downloads,
    sha256s: Pick<Sha256Index, "forget">,
  ) {
    this.#context = context;
    this.#downloads = downloads;
    this.#sha256s = sha256s;
    this.#hasher = new Hasher(context.clock);
  }

  /** Chunks of a file did not fit their leaves, or its leaves cannot be read: looked into at once. */
  suspect(root: Root, range: ChunkRange): void {
    const ranges = this.#suspects.get(root) ?? [];
    // Every reader of the file may come with the same.
    this.#suspects.set(root, mergedRanges([...ranges, range]));
    this.ready(root).catch((error) => this.#context.warn(messageOf(error), { root }));
  }

  /**
   * Resolves when the leaves of what is here of `root` are known to make it, and all chunks that did
   * not fit were looked into.
   *
   * @throws {EnvironmentError} when the disk refuses.
   */
  ready(root: Root): Promise<void> {
    let running = this.#running.get(root);
    if (running === undefined) {
      running = this.#lookInto(root).finally(() => this.#running.delete(root));
      this.#running.set(root, running);
    }
    return running;
  }

  /** Looks at the leaf layer of a complete file; computes it again when it is damaged. */
  async checkLeaves(file: StoredFile, options: { readonly again: boolean }): Promise<LeavesState> {
    const { root, sizeBytes, path, name } = file;
    const { directory, handles, index, warn } = this.#context;
    if (await this.#context.leafLayer(root, sizeBytes).isSound(options)) return "sound";
    warn(`The leaf layer of ${path} is damaged; it is computed again`, { root, name });
    let hashed: HashedFile;
    try {
      const { leavesPath } = directory;
      hashed = await this.#hasher.hash({ path, leavesPath, sidecarName: "hashing-mended" });
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      return this.#giveUp(file, error.message);
    }
    handles.forget(directory.leafPath(root));
    if (index.at(path) !== file) return "withdrawn";
    if (hashed.root === root) return "mended";
    this.#context.collectLeaves(hashed.root, hashed.sizeBytes);
    const reason = `${path}: its bytes are not what they were`;
    return this.#giveUp(file, reason, isSamePrint(file, hashed));
  }

  /** Ends the worker. */
  close(): void {
    this.#hasher.close();
  }

  async #lookInto(root: Root): Promise<void> {
    for (;;) {
      const suspects = this.#suspects.get(root);
      this.#suspects.delete(root);
      const again = suspects !== undefined;
      const file = this.#context.index.first(root);
      if (file !== undefined) await this.checkLeaves(file, { again });
      else await this.#downloads.get(root)?.checkLeaves({ again });
      if (suspects === undefined) return;
      for (const range of suspects) await this.#scrub(root, range);
    }
  }

  /** Where chunks are bad, more may be: what follows is looked through as long as some are. */
  async #scrub(root: Root, suspected: ChunkRange): Promise<void> {
    let range = suspected, bad: number;
    do {
      bad = await scrubRange(this.#context, this.#downloads, { root, range });
      if (bad > 0) this.#sha256s.forget(root);
      range = this.#after(root, range);
    } while (bad > 0 && range.count > 0);
  }

  /** The next stretch of what is here of `root`. */
  #after(root: Root, { first, count }: ChunkRange): ChunkRange {
    const next = first + count;
    const { sizeBytes } = this.#context.index.first(root) ?? this.#downloads.get(root) ?? {};
    const left = sizeBytes === undefined ? 0 : chunkCount(sizeBytes) - next;
    return { first: next, count: Math.min(left, limits.scrubAheadChunks) };
  }

  /** What is good of a downloaded file can be told once its leaves are here again. */
  #giveUp(file: StoredFile, reason: string, isWorthIt = false): LeavesState {
    const { root, name } = file;
    this.#sha256s.forget(root);
    if (isWorthIt && this.#context.isOwn(file)) {
      try {
        this.#downloads.doubt(file);
        this.#context.warn(`${reason}; what is good of it is kept`, { root, name });
        return "partial";
      } catch (error) {
        this.#context.warn(messageOf(error), { root, name });
      }
    }
    this.#context.warn(`${reason}; it is withdrawn`, { root, name });
    this.#context.withdrawStoredFiles([file]);
    return "withdrawn";
  }
}
