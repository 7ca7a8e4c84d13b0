/**
 * The unverified downloads of a store: begins them, keeps those that are suspended, makes whole
 * ones files of the store.
 */

import type { Timer } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { Sha256Index } from "../catalogue/sha256_index.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { moveFile } from "../files/durable.ts";
import { environmentError } from "../files/io.ts";
import {
  type FileDefinition,
  fingerprintAt,
  isUnchanged,
  joinPath,
  splitPath,
  StoredFile,
} from "../files/stored_file.ts";
import { type HashedFile, hashFile, keepLeaves } from "../hashing/hash_file.ts";
import { Hasher } from "../hashing/hasher.ts";
import { checkSize, type Downloads } from "./downloads.ts";
import {
  UnverifiedDownload,
  type UnverifiedEnds,
  type UnverifiedRequest,
} from "./unverified_download.ts";

/** The unverified downloads of one store. */
export class UnverifiedDownloads implements UnverifiedEnds {
  readonly readRun: UnverifiedEnds["readRun"];
  readonly #context: StoreContext;
  readonly #downloads: Downloads;
  readonly #sha256s: Sha256Index;
  // A worker of its own: a fetch must not wait until thousands of shared files are hashed.
  readonly #hasher: Hasher;
  readonly #active = new Set<UnverifiedDownload>();
  /** Those that wait, the one that waits longest first, and when each is given up. */
  readonly #waiting = new Map<UnverifiedDownload, Timer>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(
    context: StoreContext,
    options: Pick<UnverifiedEnds, "readRun"> & {
      readonly downloads: Downloads;
      readonly sha256s: Sha256Index;
    },
  ) {
    this.#context = context;
    this.#hasher = new Hasher(context.clock);
    this.#downloads = options.downloads;
    this.#sha256s = options.sha256s;
    this.readRun = options.readRun;
  }

  /** Bytes of the data directory that they take up. */
  get bytes(): number {
    let bytes = 0;
    for (const { bytesHad } of this.#own()) bytes += bytesHad;
    return bytes;
  }

  /** Bytes that those under way are still to take up, as far as that is known. */
  get comingBytes(): number {
    let bytes = 0;
    for (const unverified of this.#active) bytes += unverified.comingBytes;
    return bytes;
  }

  /** Those that are under way. */
  active(): Iterable<UnverifiedDownload> {
    return this.#active;
  }

  /** Those that wait to be gone on with. */
  waiting(): MapIterator<UnverifiedDownload> {
    return this.#waiting.keys();
  }

  /** The names of those that have bytes in the data directory. */
  *names(): Generator<string> {
    for (const { name, bytesHad } of this.#own()) if (bytesHad > 0) yield name;
  }

  *#own(): Generator<UnverifiedDownload> {
    for (const unverified of this.#active) if (!unverified.isForeign) yield unverified;
    yield* this.#waiting.keys();
  }

  /**
   * Begins an unverified download, or goes on with one of this name and key that was suspended, if
   * it can be of this size.
   *
   * @throws {UsageError} when the name or the size cannot be.
   * @throws {EnvironmentError} when the disk refuses, or too many are under way ("in-use").
   */
  open(request: UnverifiedRequest): UnverifiedDownload {
    checkName(request.name);
    if (request.sizeBytes !== null) checkSize(request.name, request.sizeBytes);
    const waiting = request.path === undefined ? this.#takeWaiting(request) : undefined;
    if (waiting !== undefined) return waiting;
    this.#makeRoom(request.name);
    const isForeign = request.path !== undefined;
    const path = request.path ??
      joinPath(this.#context.directory.incomingPath, String(++this.#lastNumber));
    const unverified = new UnverifiedDownload({ ...request, path, isForeign }, {
      handles: this.#context.handles,
      ends: this,
    });
    if (request.sizeBytes !== null) unverified.sizeBytes = request.sizeBytes;
    this.#active.add(unverified);
    return unverified;
  }

  grows(unverified: UnverifiedDownload, bytes: number): void {
    this.#context.takeRoom({ name: unverified.name, download: unverified, bytes });
  }

  nowUnixMs(): number {
    return this.#context.clock.unixMs();
  }

  async promote(
    unverified: UnverifiedDownload,
    { sha256, leaves, signal, placing, promoted }: Parameters<UnverifiedEnds["promote"]>[1],
  ): Promise<void> {
    // Its bytes may be shown as this file's after a power failure only if they are on the disk.
    const isDurable = this.#context.isDurable && !unverified.isForeign;
    if (isDurable) await unverified.data.flush();
    signal?.throwIfAborted();
    const { sha256: found, ...hashed } = leaves !== null
      ? { sha256, ...this.#hashedOnTheWay(unverified, leaves) }
      : await this.#hash(unverified, signal);
    const { root, sizeBytes } = hashed;
    try {
      // The SHA-256 is of what was written; the root, by which all else goes, of the same bytes, or of
      // what lies there now. Who reads the file finds out whether it still is what was written.
      if (sizeBytes !== unverified.sizeBytes || found !== sha256) {
        throw new EnvironmentError("changed", `Cannot keep ${unverified.name}: its data changed`);
      }
      await placing?.(root);
      // Before anybody hears of the file: who looks at it then finds what is known of it.
      this.#sha256s.note(root, sha256);
      const here = unverified.isForeign ? undefined : this.#completeFile(root);
      if (here !== undefined) {
        promoted(here.definition());
        this.#context.removeData(unverified.path);
      } else await this.#store(unverified, { hashed, isDurable, promoted });
    } catch (error) {
      this.#context.collectLeaves(root, sizeBytes);
      throw error;
    }
    this.#active.delete(unverified);
  }

  suspended(unverified: UnverifiedDownload): void {
    this.#active.delete(unverified);
    if (unverified.isForeign) return;
    if (unverified.bytesHad === 0 || this.#isClosed) return unverified.discard();
    this.#giveUpLater(unverified);
  }

  #giveUpLater(unverified: UnverifiedDownload): void {
    const giveUp = () =>
      // Somebody may still read what came.
      this.#isInUse(unverified) ? this.#giveUpLater(unverified) : unverified.discard();
    this.#waiting.set(unverified, this.#context.clock.after(limits.unverifiedKeptMs, giveUp));
  }

  #isInUse({ path }: UnverifiedDownload): boolean {
    return this.#context.uses.has(path);
  }

  discarded(unverified: UnverifiedDownload): void {
    this.#active.delete(unverified);
    this.#waiting.get(unverified)?.cancel();
    this.#waiting.delete(unverified);
    if (!unverified.isForeign) this.#context.removeData(unverified.path);
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
      giveUp.cancel();
      this.#waiting.delete(unverified);
      this.#active.add(unverified);
      try {
        unverified.resume(sizeBytes ?? unverified.sizeBytes);
      } catch (error) {
        unverified.suspend();
        throw error;
      }
      return unverified;
    }
    return undefined;
  }

  #makeRoom(name: string): void {
    while (this.#active.size + this.#waiting.size >= limits.unverifiedMax) {
      const oldest = this.#waiting.keys().find((waiting) => !this.#isInUse(waiting));
      if (oldest === undefined) {
        throw new EnvironmentError(
          "in-use",
          `Cannot download ${name}: ${limits.unverifiedMax} files of unknown root are under way`,
          { hint: "Try again when some of them are complete." },
        );
      }
      oldest.discard();
    }
  }

  #hashedOnTheWay({ path }: UnverifiedDownload, leaves: Uint8Array): HashedFile {
    const root = keepLeaves(leaves, this.#context.directory.leavesPath);
    try {
      return { root, ...fingerprintAt(path) };
    } catch (error) {
      throw environmentError(error, `read ${path}`);
    }
  }

  async #hash(
    { path, sizeBytes }: UnverifiedDownload,
    signal: AbortSignal | undefined,
  ): Promise<HashedFile> {
    const { leavesPath } = this.#context.directory;
    const request = { path, leavesPath, wantsSha256: true };
    if ((sizeBytes ?? Infinity) <= limits.hashedHereBytes) {
      return hashFile({ ...request, sidecarName: "hashing-here" });
    }
    return await this.#hasher.hash({ ...request, sidecarName: "hashing-unverified" }, { signal });
  }

  /** A complete file of this content that is still what it was. */
  #completeFile(root: Root): StoredFile | undefined {
    for (;;) {
      const file = this.#context.index.first(root);
      if (file === undefined || isUnchanged(file)) return file;
      // The leaves were just written again: they must not go with the file that is gone.
      this.#context.withdrawStoredFiles([file], { keepLeaves: true });
    }
  }

  async #store(
    unverified: UnverifiedDownload,
    { hashed, isDurable, promoted }: {
      readonly hashed: HashedFile;
      readonly isDurable: boolean;
      readonly promoted: (file: FileDefinition) => void;
    },
  ): Promise<void> {
    const { root } = hashed;
    const { name, isForeign } = unverified;
    const { handles, directory, index } = this.#context;
    // Its readers go on while it moves: a new descriptor could not be had then.
    const handle = unverified.data.pin();
    try {
      let path = unverified.path;
      if (!isForeign) {
        path = joinPath(directory.newFileDirectory(root), name);
        await moveFile(unverified.path, path, { isDurable });
      }
      const file = new StoredFile("downloaded", { ...splitPath(path), name }, hashed);
      index.add(file);
      if (!isForeign) this.#context.remember((catalogue) => catalogue.putStoredFiles([file]));
      // After it is in the index, so that the leaf layer stays.
      this.#downloads.discardWaiting(root);
      this.#context.emit({ kind: "added", root, name });
      // Meanwhile the same content may have been shared.
      this.#context.dropDuplicate(root);
      promoted(index.first(root)!.definition());
    } finally {
      handles.unpin(handle);
      unverified.data.close();
    }
  }
}
