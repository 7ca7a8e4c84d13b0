/** The unverified downloads of a store: begins them, keeps those that wait, makes whole ones files of the store. */

import { EnvironmentError, messageOf, UsageError } from "../../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { Downloads } from "./downloads.ts";
import { flushFile, moveFile } from "../files/durable.ts";
import { isSameFile } from "../files/fingerprint.ts";
import { type HashedFile, hashFile } from "../hashing/hash_file.ts";
import { Hasher } from "../hashing/hasher.ts";
import {
  UnverifiedDownload,
  type UnverifiedDownloadHost,
  type UnverifiedRequest,
} from "./unverified_download.ts";
import { removeIfThere } from "../files/io.ts";
import { type FileDefinition, joinPath, splitPath, StoredFile } from "../files/stored_file.ts";
import type { StoreContext } from "./store_context.ts";

/** What unverified downloads need of the store besides its parts. */
export interface UnverifiedDownloadsHost {
  readonly downloads: Downloads;
  noteSha256(root: Root, sha256: string): void;
  /** The file of a root; a complete one first. */
  definition(root: Root): FileDefinition | undefined;
  readRun(root: Root, range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** Up to this size hashing costs less here and now, about a millisecond, than in a worker. */
const HASHED_HERE_BYTES = limits.requestChunksMax * CHUNK_BYTES;

type Timer = ReturnType<typeof setTimeout>;

/** The unverified downloads of one store. */
export class UnverifiedDownloads implements UnverifiedDownloadHost {
  readonly #context: StoreContext;
  readonly #host: UnverifiedDownloadsHost;
  // A worker of its own: a fetch must not wait until thousands of shared files are hashed.
  readonly #hasher = new Hasher();
  readonly #active = new Set<UnverifiedDownload>();
  /** Those that wait, the one that waits longest first, and when each is given up. */
  readonly #waiting = new Map<UnverifiedDownload, Timer>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(context: StoreContext, host: UnverifiedDownloadsHost) {
    this.#context = context;
    this.#host = host;
  }

  get handles(): StoreContext["handles"] {
    return this.#context.handles;
  }

  /** Bytes of the data directory that they take up. */
  get bytes(): number {
    let bytes = 0;
    for (const unverified of this.#active) if (!unverified.isForeign) bytes += unverified.bytesHad;
    for (const unverified of this.#waiting.keys()) bytes += unverified.bytesHad;
    return bytes;
  }

  /**
   * Begins an unverified download, or goes on with one of this name and key that was suspended, if it can be of
   * this size.
   *
   * @throws {UsageError} when the name or the size cannot be.
   * @throws {EnvironmentError} when the disk refuses, or too many are under way ("in-use").
   */
  open(request: UnverifiedRequest): UnverifiedDownload {
    checkName(request.name);
    checkSize(request);
    const waiting = request.path === undefined ? this.#takeWaiting(request) : undefined;
    if (waiting !== undefined) return waiting;
    this.#makeRoom(request.name);
    const isForeign = request.path !== undefined;
    const path = request.path ??
      joinPath(this.#context.directory.incomingPath, String(++this.#lastNumber));
    const unverified = new UnverifiedDownload({ ...request, path, isForeign }, this);
    this.#active.add(unverified);
    return unverified;
  }

  async adopt(
    unverified: UnverifiedDownload,
    { sha256, signal, placing, adopted }: {
      readonly sha256: string | undefined;
      readonly signal: AbortSignal | undefined;
      readonly placing: ((root: Root) => Promise<void>) | undefined;
      readonly adopted: (file: FileDefinition) => void;
    },
  ): Promise<void> {
    // Its bytes may be shown as this file's after a power failure only if they are on the disk.
    const isDurable = this.#context.catalogue !== undefined && !unverified.isForeign;
    if (isDurable) await flushFile(this.#context.handles, unverified.path);
    signal?.throwIfAborted();
    const hashed = await this.#hash(unverified, signal);
    const { root, sizeBytes } = hashed;
    if (sizeBytes !== unverified.sizeBytes) {
      this.#context.collectLeaves(root, sizeBytes);
      throw new EnvironmentError("changed", `Cannot keep ${unverified.name}: its data changed`);
    }
    try {
      await placing?.(root);
    } catch (error) {
      this.#context.collectLeaves(root, sizeBytes);
      throw error;
    }
    // Before anybody hears of the file: who looks at it then finds what is known of it.
    if (sha256 !== undefined) this.#host.noteSha256(root, sha256);
    const here = unverified.isForeign ? undefined : this.#completeFile(root);
    if (here !== undefined) {
      adopted(here);
      this.#remove(unverified);
      this.#active.delete(unverified);
      return;
    }
    // Who reads it goes on while it moves: a new descriptor could not be had then.
    const { handles } = this.#context;
    const handle = handles.pin(unverified.path, { write: true });
    try {
      await this.#storedFile(unverified, hashed, isDurable);
      adopted(this.#host.definition(root)!);
    } catch (error) {
      this.#context.collectLeaves(root, sizeBytes);
      throw error;
    } finally {
      handles.unpin(handle);
      handles.forget(unverified.path);
    }
    this.#active.delete(unverified);
  }

  suspended(unverified: UnverifiedDownload): void {
    this.#active.delete(unverified);
    if (unverified.isForeign) return;
    if (unverified.bytesHad === 0 || this.#isClosed) return unverified.discard();
    const giveUp = setTimeout(() => unverified.discard(), limits.unverifiedKeptMs);
    this.#waiting.set(unverified, giveUp);
  }

  discarded(unverified: UnverifiedDownload): void {
    this.#active.delete(unverified);
    clearTimeout(this.#waiting.get(unverified));
    this.#waiting.delete(unverified);
    if (!unverified.isForeign) this.#remove(unverified);
  }

  readAdopted(
    { root }: FileDefinition,
    range: ChunkRange,
    target: Uint8Array,
    offset: number,
  ): number {
    return this.#host.readRun(root, range, target, offset);
  }

  /** Gives up all of them. */
  close(): void {
    this.#isClosed = true;
    this.#hasher.close();
    for (const unverified of [...this.#active, ...this.#waiting.keys()]) unverified.discard();
  }

  #takeWaiting({ name, key, sizeBytes }: UnverifiedRequest): UnverifiedDownload | undefined {
    for (const [unverified, giveUp] of this.#waiting) {
      if (unverified.name !== name || unverified.key !== key) continue;
      const fits = sizeBytes === null || (unverified.sizeBytes ?? sizeBytes) === sizeBytes;
      if (!fits) {
        unverified.discard();
        continue;
      }
      clearTimeout(giveUp);
      this.#waiting.delete(unverified);
      unverified.resume(sizeBytes);
      this.#active.add(unverified);
      return unverified;
    }
    return undefined;
  }

  #makeRoom(name: string): void {
    while (this.#active.size + this.#waiting.size >= limits.unverifiedMax) {
      const [oldest] = this.#waiting.keys();
      if (oldest === undefined) {
        throw new EnvironmentError(
          "in-use",
          `Cannot take in ${name}: ${limits.unverifiedMax} files are being taken in already`,
          { hint: "Try again when some of them have come." },
        );
      }
      oldest.discard();
    }
  }

  async #hash(
    { path, sizeBytes }: UnverifiedDownload,
    signal: AbortSignal | undefined,
  ): Promise<HashedFile> {
    const { leavesPath } = this.#context.directory;
    if ((sizeBytes ?? Infinity) <= HASHED_HERE_BYTES) {
      return hashFile({ path, leavesPath, sidecarName: "hashing-here" });
    }
    return await this.#hasher.hash({ path, leavesPath, sidecarName: "hashing-intake" }, { signal });
  }

  /** A complete file of this content that is still what it was. */
  #completeFile(root: Root): FileDefinition | undefined {
    for (;;) {
      const storedFile = this.#context.index.first(root);
      if (storedFile === undefined) return undefined;
      if (isUnchanged(storedFile)) return this.#host.definition(root);
      // The leaves were written anew: they must not go with the file that is gone.
      this.#context.withdrawStoredFiles([storedFile], { keepLeaves: true });
    }
  }

  async #storedFile(
    unverified: UnverifiedDownload,
    hashed: HashedFile,
    isDurable: boolean,
  ): Promise<void> {
    const { root } = hashed;
    const { name, isForeign } = unverified;
    let path = unverified.path;
    if (!isForeign) {
      path = joinPath(this.#context.directory.newFileDirectory(root), name);
      await moveFile(unverified.path, path, { isDurable });
    }
    const storedFile = new StoredFile("downloaded", { ...splitPath(path), name }, hashed);
    this.#context.index.add(storedFile);
    if (!isForeign) this.#context.remember((catalogue) => catalogue.putStoredFiles([storedFile]));
    // After it is in the index, so that the leaf layer stays.
    this.#host.downloads.discardWaiting(root);
    this.#context.emit({ kind: "added", root, name });
    // Meanwhile the same content may have been shared.
    this.#context.dropDuplicate(root);
  }

  #remove({ path }: UnverifiedDownload): void {
    this.#context.handles.forget(path);
    try {
      removeIfThere(path);
    } catch (error) {
      this.#context.warn(messageOf(error), { path });
    }
  }
}

function checkSize({ name, sizeBytes }: UnverifiedRequest): void {
  if (sizeBytes === null) return;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > limits.fetchBytesMax) {
    throw new UsageError(
      `Cannot take in ${name}: size ${sizeBytes} is not between 0 and ${limits.fetchBytesMax}`,
    );
  }
}

function isUnchanged(storedFile: StoredFile): boolean {
  try {
    return isSameFile(storedFile, Deno.statSync(storedFile.path));
  } catch {
    return false;
  }
}
