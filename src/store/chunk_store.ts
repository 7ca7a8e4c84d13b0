/**
 * The face of the store: where chunks are, reading them, writing them, which are there, and all
 * file definitions. What it hands out was checked against its root when it came or was shared.
 *
 * It knows nothing of peers. Hashing and watching shared files is in `shares.ts`.
 */

import { Bitfield } from "../base/bitfield.ts";
import { EnvironmentError } from "../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { matchesGlob, nameType } from "../base/names.ts";
import { DataDirectory } from "./files/data_directory.ts";
import type { PartialDownload } from "./downloads/partial_download.ts";
import { type DownloadRequest, Downloads } from "./downloads/downloads.ts";
import { type Handle, HandleCache } from "./files/handle_cache.ts";
import { Hasher } from "./hashing/hasher.ts";
import type { UnverifiedDownload, UnverifiedRequest } from "./downloads/unverified_download.ts";
import { UnverifiedDownloads } from "./downloads/unverified_downloads.ts";
import { openCatalogue } from "./catalogue/open_catalogue.ts";
import type { FileDefinition, OnWarning, StoreChange, StoredFile } from "./files/stored_file.ts";
import { pinStoredFile, readStoredFile, storedFileBytes } from "./files/file_reader.ts";
import { scrubRange, type VerifyResult, verifyStore } from "./scrub.ts";
import { Shares } from "./shares/shares.ts";
import { Sha256Index } from "./catalogue/sha256_index.ts";
import { Sha256Queue } from "./shares/sha256_queue.ts";
import { Statistics } from "./catalogue/statistics.ts";
import { StoreContext } from "./downloads/store_context.ts";
import { FetchHistory } from "./catalogue/fetch_history.ts";
import { recover, type RecoverResult } from "./recover.ts";

/** How to open a store. */
export interface ChunkStoreOptions {
  /** The data directory; made when it is missing. */
  readonly dataDir: string;
  /**
   * Remember nothing and flush nothing: for a fetch that runs its own node. The caller makes and
   * removes the directory.
   */
  readonly ephemeral?: boolean;
  readonly onWarning: OnWarning;
}

/** Where chunks stand in an open file. */
export interface ChunkLocation {
  readonly fd: number;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
}

/** All files of a node, shared, downloaded and partial. */
export class ChunkStore implements AsyncDisposable {
  /** The paths that are shared. */
  readonly shares: Shares;
  /** How fetches went. */
  readonly history: FetchHistory;
  readonly #context: StoreContext;
  readonly #downloads: Downloads;
  readonly #unverifiedDownloads: UnverifiedDownloads;
  readonly #hasher: Hasher;
  readonly #statistics: Statistics;
  readonly #sha256s: Sha256Index;
  readonly #sha256Queue: Sha256Queue;
  readonly #pinned = new Map<Root, Handle[]>();
  #isClosed = false;

  private constructor(
    context: StoreContext,
    known: {
      readonly statistics: Statistics;
      readonly sha256s: Sha256Index;
      readonly history: FetchHistory;
    },
  ) {
    this.#context = context;
    this.#statistics = known.statistics;
    this.#sha256s = known.sha256s;
    this.history = known.history;
    this.#downloads = new Downloads(context);
    this.#unverifiedDownloads = new UnverifiedDownloads(context, {
      downloads: this.#downloads,
      noteSha256: (root, sha256) => this.noteSha256(root, sha256),
      definition: (root) => this.definition(root),
      readRun: (root, range, target, offset) => this.readRun(root, range, target, offset),
    });
    this.#hasher = new Hasher();
    this.#sha256Queue = new Sha256Queue(context, { hasher: this.#hasher, book: known.sha256s });
    this.shares = new Shares(context, this.#hasher);
  }

  /**
   * Opens the store of a data directory.
   *
   * @throws {EnvironmentError} with a hint when the directory cannot be written or another daemon
   * has it.
   */
  static async open(options: ChunkStoreOptions): Promise<ChunkStore> {
    const { dataDir, ephemeral = false, onWarning: warn } = options;
    const directory = DataDirectory.open(dataDir, { lock: !ephemeral });
    try {
      const handles = new HandleCache(limits.openFilesMax);
      if (ephemeral) {
        const context = new StoreContext({ directory, handles, catalogue: undefined, warn });
        const sha256s = new Sha256Index(context);
        const history = new FetchHistory(context);
        return new ChunkStore(context, { statistics: new Statistics(), sha256s, history });
      }
      const { catalogue, contents } = await openCatalogue(directory, warn);
      const context = new StoreContext({ directory, handles, catalogue, warn });
      for (const storedFile of contents.storedFiles) context.index.add(storedFile);
      const sha256s = new Sha256Index(context, contents.sha256s);
      const statistics = new Statistics(contents.statistics);
      const history = new FetchHistory(context, contents.trusts);
      const store = new ChunkStore(context, { statistics, sha256s, history });
      store.#downloads.restore(contents.partials);
      sha256s.forgetGone();
      return store;
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  /** The data directory, absolute and without links. */
  get dataDir(): string {
    return this.#context.directory.path;
  }

  /** Calls back at each change of what is here; returns the end of it. */
  onChange(listener: (change: StoreChange) => void): () => void {
    return this.#context.listen(listener);
  }

  /** All files, one definition for each place. */
  fileDefinitions(): FileDefinition[] {
    return [
      ...Array.from(this.#context.index, definitionOfStoredFile),
      ...Array.from(this.#context.downloads.values(), definitionOfDownload),
    ];
  }

  /** The file of a root; a complete one first. */
  definition(root: Root): FileDefinition | undefined {
    const storedFile = this.#context.index.first(root);
    if (storedFile !== undefined) return definitionOfStoredFile(storedFile);
    const download = this.#context.downloads.get(root);
    return download === undefined ? undefined : definitionOfDownload(download);
  }

  /** All files of a root, one definition for each place; complete ones first. */
  *definitionsOfRoot(root: Root): Generator<FileDefinition> {
    for (const storedFile of this.#context.index.ofRoot(root)) {
      yield definitionOfStoredFile(storedFile);
    }
    const download = this.#context.downloads.get(root);
    if (download !== undefined) yield definitionOfDownload(download);
  }

  /** The file of a root under one of its names; a complete one first. */
  definitionNamed(root: Root, name: string): FileDefinition | undefined {
    const storedFile = this.#context.index.named(root, name);
    if (storedFile !== undefined) return definitionOfStoredFile(storedFile);
    const download = this.#context.downloads.get(root);
    return download?.name === name ? definitionOfDownload(download) : undefined;
  }

  /** Files of a name; they may differ in root. */
  definitionsByName(name: string): FileDefinition[] {
    const found = this.#context.index.ofName(name).map(definitionOfStoredFile);
    for (const download of this.#context.downloads.values()) {
      if (download.name === name) found.push(definitionOfDownload(download));
    }
    return found;
  }

  /** Files whose names match a glob, at most `max` of them. */
  definitionsMatching(glob: string, max = Infinity): FileDefinition[] {
    const found: FileDefinition[] = [];
    if (max <= 0) return found;
    for (const file of this.eachMatching(glob)) {
      found.push(file);
      if (found.length >= max) break;
    }
    return found;
  }

  /** Files whose names match a glob, one by one; the store must not change in between. */
  *eachMatching(glob: string): Generator<FileDefinition> {
    for (const storedFile of this.#context.index.matching(glob)) {
      yield definitionOfStoredFile(storedFile);
    }
    for (const download of this.#context.downloads.values()) {
      if (matchesGlob(glob, download.name)) yield definitionOfDownload(download);
    }
  }

  /**
   * Every file under each of its names, once: one by one, for a list that is sent bit by bit. What
   * is withdrawn meanwhile is left out, what is added may be.
   */
  *distinctFiles(): Generator<FileDefinition> {
    const { index, downloads } = this.#context;
    for (const storedFile of [...index]) {
      const same = index.ofRoot(storedFile.root).find(({ name }) => name === storedFile.name);
      if (same === storedFile) yield definitionOfStoredFile(storedFile);
    }
    for (const download of [...downloads.values()]) {
      const isHere = downloads.get(download.root) === download;
      if (isHere && !this.isComplete(download.root)) yield definitionOfDownload(download);
    }
  }

  /** Files of the data directory: downloaded ones, and those that are here in part. */
  get downloadedFiles(): number {
    return this.#context.index.downloadedFiles + this.#context.downloads.size;
  }

  /**
   * Bytes of the data directory that files take up, or the file of `root`: downloaded ones, and
   * what is here of others, also where their root is not known yet.
   */
  downloadedBytes(root?: Root): number {
    const { index, downloads } = this.#context;
    if (root !== undefined) {
      const download = downloads.get(root);
      let bytes = download === undefined ? 0 : bytesHad(download);
      for (const { origin, sizeBytes } of index.ofRoot(root)) {
        if (origin === "downloaded") bytes += sizeBytes;
      }
      return bytes;
    }
    let bytes = index.downloadedBytes + this.#unverifiedDownloads.bytes;
    for (const download of downloads.values()) bytes += bytesHad(download);
    return bytes;
  }

  /** SHA-256 of the whole file, in hexadecimal; undefined when it was never checked here. */
  sha256(root: Root): string | undefined {
    return this.#sha256s.get(root);
  }

  /** Remembers the SHA-256 that the file of `root` was found to have. */
  noteSha256(root: Root, sha256: string): void {
    this.#sha256s.note(root, sha256);
  }

  /**
   * The SHA-256 of a complete file, in hexadecimal: the one that is known, else computed in the
   * background, one file after the other, and remembered.
   *
   * @throws {EnvironmentError} when the file is not here, changed, or cannot be read.
   * @throws the signal's reason when it is aborted, an AbortError when the store is closed.
   */
  async sha256Of(root: Root, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    return this.#sha256s.get(root) ?? await this.#sha256Queue.compute(root, options);
  }

  isComplete(root: Root): boolean {
    return this.#context.index.first(root) !== undefined;
  }

  /** How many chunks of `root` are here. */
  chunksHave(root: Root): number {
    const storedFile = this.#context.index.first(root);
    if (storedFile !== undefined) return chunkCount(storedFile.sizeBytes);
    return this.#context.downloads.get(root)?.have.count ?? 0;
  }

  /**
   * Which chunks of `root` are here, or undefined when nothing is known of it. Made anew at each
   * call for a complete file; the live one, for reading only, for a partial one.
   */
  availableChunks(root: Root): Bitfield | undefined {
    const storedFile = this.#context.index.first(root);
    if (storedFile !== undefined) return Bitfield.full(chunkCount(storedFile.sizeBytes));
    return this.#context.downloads.get(root)?.have;
  }

  /**
   * Reads chunks into `target` from `targetOffset` with one call to the system; returns the bytes.
   * A place that changed is withdrawn, and the next one of the same content is tried.
   *
   * @throws {EnvironmentError} "changed" or "not-found" when the chunks are no longer here.
   */
  readRun(root: Root, range: ChunkRange, target: Uint8Array, targetOffset = 0): number {
    return this.#onStoredFile(
      root,
      (storedFile) =>
        readStoredFile(this.#context.handles, storedFile, { range, target, offset: targetOffset }),
      (download) => download.readRun(range, target, targetOffset),
    );
  }

  /**
   * Where the chunks of `range` are, in a file that stays open until {@linkcode chunkClose}. For
   * reading only.
   */
  chunkLocation(root: Root, range: ChunkRange): ChunkLocation {
    return this.#onStoredFile(
      root,
      (storedFile) => {
        const bytes = storedFileBytes(storedFile, range);
        return { fd: this.#pin(root, pinStoredFile(this.#context.handles, storedFile)), ...bytes };
      },
      (download) => ({
        ...download.bytesOf(range),
        fd: this.#pin(root, this.#context.handles.pin(download.path, { write: true })),
      }),
    );
  }

  /** Ends the use of all {@linkcode chunkLocation}s of `root`. */
  chunkClose(root: Root): void {
    for (const handle of this.#pinned.get(root) ?? []) this.#context.handles.unpin(handle);
    this.#pinned.delete(root);
    this.#context.dropDuplicate(root);
  }

  /**
   * Reads leaves of `range`, 32 bytes each, into `target` from `offset`; returns the bytes.
   *
   * @throws {EnvironmentError} when they are not here; a complete file without leaves is withdrawn,
   * and hashed again if it is shared.
   */
  readLeaves(root: Root, range: ChunkRange, target: Uint8Array, offset = 0): number {
    const download = this.#context.downloads.get(root);
    const storedFile = this.#context.index.first(root);
    if (storedFile === undefined) {
      if (download?.hasLeaves) return download.leaf().read(range, target, offset);
      throw notHere(root, "leaves");
    }
    try {
      return this.#context.leafLayer(root, storedFile.sizeBytes).read(range, target, offset);
    } catch (error) {
      if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
      this.#context.warn(`${error.message}; the file is withdrawn`, {
        root,
        name: storedFile.name,
      });
      this.#context.withdrawStoredFiles(this.#context.index.ofRoot(root));
      throw error;
    }
  }

  /** Whether the whole leaf layer of `root` can be read. */
  hasLeaves(root: Root): boolean {
    return this.isComplete(root) || this.#context.downloads.get(root)?.hasLeaves === true;
  }

  /** Begins a download, or goes on with one. See {@linkcode Downloads.begin} for what it throws. */
  beginDownload(request: DownloadRequest): PartialDownload {
    return this.#downloads.begin(request);
  }

  /**
   * Begins to take in a file whose root nobody knows yet, or goes on with what was suspended of it.
   * See {@linkcode Unverified downloads.open} for what it throws.
   */
  openUnverified(request: UnverifiedRequest): UnverifiedDownload {
    return this.#unverifiedDownloads.open(request);
  }

  /** The unfinished download of `root`, whether it is under way or waits. */
  download(root: Root): PartialDownload | undefined {
    return this.#context.downloads.get(root);
  }

  /** Gives up the download of `root` unless it is under way. */
  discardWaiting(root: Root): void {
    this.#downloads.discardWaiting(root);
  }

  /** Removes a downloaded or partial file from the data directory; false when there is none. */
  remove(root: Root): boolean {
    const download = this.#context.downloads.get(root);
    download?.discard();
    const storedFiles = this.#context.index.ofRoot(root)
      .filter(({ origin, path }) =>
        origin === "downloaded" && this.#context.directory.contains(path)
      );
    this.#context.withdrawStoredFiles(storedFiles);
    for (const storedFile of storedFiles) this.#context.removeDownloaded(storedFile);
    return download !== undefined || storedFiles.length > 0;
  }

  /**
   * Checks the bytes of every file, or of those of `root`, against the leaves. A rotten shared file
   * is withdrawn; a downloaded one becomes partial.
   */
  verify(
    options: { readonly root?: Root; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<VerifyResult> {
    return verifyStore(this.#context, this.#downloads, options);
  }

  /** Checks some chunks, when a peer says they are bad; returns how many were. */
  scrubRange(
    root: Root,
    range: ChunkRange,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    return scrubRange(this.#context, this.#downloads, { root, range, ...options });
  }

  /**
   * Puts the data directory in order: takes up downloaded files that the catalogue does not know
   * (after it was damaged), each hashed first, and removes what nothing needs. For the background.
   */
  recover(options: { readonly signal?: AbortSignal } = {}): Promise<RecoverResult> {
    return recover(this.#context, this.#hasher, options);
  }

  addStatistic(name: string, delta: number): void {
    this.#statistics.add(name, delta);
  }

  /** Counters since the data directory was made. */
  statistics(): Map<string, number> {
    return this.#statistics.values();
  }

  /** Writes the counters to the disk; {@linkcode close} does so too. */
  flushStatistics(): void {
    this.#context.remember((catalogue) => this.#statistics.flush(catalogue));
  }

  /** Stops everything, makes the last checkpoints, and gives the data directory free. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.shares.close();
    this.#hasher.close();
    this.#unverifiedDownloads.close();
    await this.#downloads.suspendAll();
    this.flushStatistics();
    this.#context.handles.close();
    this.#context.catalogue?.close();
    this.#context.directory.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // Tries the places of a root in turn, then its partial download.
  #onStoredFile<T>(
    root: Root,
    use: (storedFile: StoredFile) => T,
    usePartial: (download: PartialDownload) => T,
  ): T {
    let cause: unknown;
    for (;;) {
      const storedFile = this.#context.index.first(root);
      if (storedFile === undefined) break;
      try {
        return use(storedFile);
      } catch (error) {
        if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
        this.#context.warn(`${error.message}; it is withdrawn`, { root, name: storedFile.name });
        this.#context.withdrawStoredFiles([storedFile]);
        cause = error;
      }
    }
    const download = this.#context.downloads.get(root);
    if (download !== undefined) return usePartial(download);
    throw cause ?? notHere(root, "chunks");
  }

  #pin(root: Root, handle: Handle): number {
    const handles = this.#pinned.get(root);
    if (handles === undefined) this.#pinned.set(root, [handle]);
    else handles.push(handle);
    return handle.fd;
  }
}

function definitionOfStoredFile(storedFile: StoredFile): FileDefinition {
  const { root, name, sizeBytes, origin, path } = storedFile;
  const chunks = chunkCount(sizeBytes);
  return { root, name, type: nameType(name), sizeBytes, chunks, chunksHave: chunks, origin, path };
}

function definitionOfDownload(download: PartialDownload): FileDefinition {
  const { root, name, sizeBytes, chunks, have, path } = download;
  const type = nameType(name);
  return { root, name, type, sizeBytes, chunks, chunksHave: have.count, origin: "partial", path };
}

/** To a chunk, which the last one may be shorter than. */
function bytesHad({ sizeBytes, have }: PartialDownload): number {
  return Math.min(sizeBytes, have.count * CHUNK_BYTES);
}

function notHere(root: Root, what: string): EnvironmentError {
  return new EnvironmentError("not-found", `Cannot read ${what} of ${root}: they are not here`);
}
