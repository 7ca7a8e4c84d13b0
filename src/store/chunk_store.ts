/**
 * The face of the store: where chunks are, reading them, writing them, which are there, and all
 * file definitions. What it hands out was checked against its root when it came or was shared.
 *
 * It knows nothing of peers. Hashing and watching shared files is in `shares.ts`.
 */

import { Bitfield } from "../base/bitfield.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { EnvironmentError, messageOf } from "../base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../base/geometry.ts";
import type { Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { matchesGlob } from "../base/names.ts";
import { FetchHistory } from "./catalogue/fetch_history.ts";
import { AdvanceBook } from "./catalogue/advance_book.ts";
import { GivenFiles } from "./catalogue/given_files.ts";
import { type CatalogueContents, openCatalogue } from "./catalogue/open_catalogue.ts";
import { RottenFile, Sha256Index } from "./catalogue/sha256_index.ts";
import { PeerTotals } from "./catalogue/peer_totals.ts";
import { SavingsLog } from "./catalogue/savings_log.ts";
import { Statistics } from "./catalogue/statistics.ts";
import { StoreContext } from "./catalogue/store_context.ts";
import { Downloads } from "./downloads/downloads.ts";
import type { DownloadRequest, PartialDownload } from "./downloads/partial_download.ts";
import type { UnverifiedDownload, UnverifiedRequest } from "./downloads/unverified_download.ts";
import { UnverifiedDownloads } from "./downloads/unverified_downloads.ts";
import { DataDirectory } from "./files/data_directory.ts";
import { readStoredFile } from "./files/file_reader.ts";
import type { FileDefinition, OnWarning, StoreChange, StoredFile } from "./files/stored_file.ts";
import { readCheckedFile } from "./checked_read.ts";
import { Hasher } from "./hashing/hasher.ts";
import { Mending } from "./mending.ts";
import { type Leftover, leftovers, recover, type RecoverResult, tidy } from "./recover.ts";
import { StoreKeeping } from "./keeping.ts";
import { scrubRange, type VerifyResult, verifyStore } from "./scrub.ts";
import { Shares } from "./shares/shares.ts";

/** How to open a store. */
interface ChunkStoreOptions {
  /** The data directory; made when it is missing. */
  readonly dataDir: string;
  /**
   * Remember nothing and flush nothing: for a fetch that runs its own node. The caller makes and
   * removes the directory.
   */
  readonly ephemeral?: boolean;
  readonly clock?: Clock;
  readonly onWarning: OnWarning;
}

/** All files of a node, shared, downloaded and partial. */
export class ChunkStore implements AsyncDisposable {
  /** The paths that are shared. */
  readonly shares: Shares;
  /** The downloads, and what of them may go. */
  readonly keeping: StoreKeeping;
  /** How fetches went. */
  readonly history: FetchHistory;
  /** What passed between this node and others. */
  readonly peerTotals: PeerTotals;
  /** Where their bytes came from, by the hour. */
  readonly savings: SavingsLog;
  /** Who was given what nothing proves. */
  readonly givenFiles: GivenFiles;
  /** What is fetched before anybody asks for it. */
  readonly advance: AdvanceBook;
  readonly #context: StoreContext;
  readonly #downloads: Downloads;
  readonly #unverifiedDownloads: UnverifiedDownloads;
  readonly #hasher: Hasher;
  readonly #statistics: Statistics;
  readonly #sha256s: Sha256Index;
  readonly #mending: Mending;
  #tidying: Timer | undefined;
  #tidied: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  private constructor(context: StoreContext, contents?: CatalogueContents) {
    this.#context = context;
    this.#hasher = new Hasher(context.clock);
    this.#statistics = new Statistics(contents?.statistics);
    this.#sha256s = new Sha256Index(context, this.#hasher, contents?.sha256s);
    this.history = new FetchHistory(context, contents?.trusts);
    this.peerTotals = new PeerTotals(contents?.peerTotals);
    this.savings = new SavingsLog(contents?.savings);
    this.givenFiles = new GivenFiles(contents?.givenFiles ?? [], {
      remember: (write) => context.remember(write),
    });
    this.advance = new AdvanceBook({
      packages: contents?.packages ?? [],
      files: contents?.advanceFiles ?? [],
    }, { remember: (write) => context.remember(write) });
    this.#downloads = new Downloads(context);
    this.#unverifiedDownloads = new UnverifiedDownloads(context, {
      downloads: this.#downloads,
      sha256s: this.#sha256s,
      readRun: (root, range, target, offset) => this.readChecked(root, range, target, offset),
    });
    this.keeping = new StoreKeeping(context, this.#downloads, this.#unverifiedDownloads);
    this.#mending = new Mending(context, this.#downloads, this.#sha256s);
    this.shares = new Shares(context, this.#hasher);
    for (const file of contents?.storedFiles ?? []) context.index.add(file);
    this.#downloads.restore(contents?.partials ?? []);
    this.#sha256s.forgetGone();
  }

  /**
   * Opens the store of a data directory.
   *
   * @throws {EnvironmentError} with a hint when the directory cannot be written or another daemon
   * has it.
   */
  static async open(options: ChunkStoreOptions): Promise<ChunkStore> {
    const { dataDir, ephemeral = false, clock = systemClock, onWarning: warn } = options;
    const directory = DataDirectory.open(dataDir, { lock: !ephemeral });
    try {
      const opened = ephemeral ? undefined : await openCatalogue(directory, warn);
      const context = new StoreContext(
        { directory, catalogue: opened?.catalogue, clock, warn },
        opened?.contents,
      );
      return new ChunkStore(context, opened?.contents);
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

  /** All files: a definition for each complete one, wherever it lies, and for each partial one. */
  fileDefinitions(): FileDefinition[] {
    return [
      ...Array.from(this.#context.index, (file) => file.definition()),
      ...Array.from(this.#downloads, (download) => download.definition()),
    ];
  }

  /** The file of a root; a complete one first. */
  definition(root: Root): FileDefinition | undefined {
    return (this.#context.index.first(root) ?? this.#downloads.get(root))?.definition();
  }

  /** All files of a root; complete ones first. */
  *definitionsOfRoot(root: Root): Generator<FileDefinition> {
    for (const file of this.#context.index.ofRoot(root)) yield file.definition();
    const download = this.#downloads.get(root);
    if (download !== undefined) yield download.definition();
  }

  /** The file of a root under one of its names; a complete one first. */
  definitionNamed(root: Root, name: string): FileDefinition | undefined {
    const file = this.#context.index.named(root, name);
    if (file !== undefined) return file.definition();
    const download = this.#downloads.get(root);
    return download?.name === name ? download.definition() : undefined;
  }

  /** Files of a name; they may differ in root. */
  definitionsByName(name: string): FileDefinition[] {
    const downloads = [...this.#downloads].filter((download) => download.name === name);
    return [...this.#context.index.ofName(name), ...downloads].map((file) => file.definition());
  }

  /** Files whose names match a glob, one by one; what changes meanwhile may be missed. */
  *eachMatching(glob: string): Generator<FileDefinition> {
    for (const file of this.#context.index.matching(glob)) yield file.definition();
    for (const download of this.#downloads) {
      if (matchesGlob(glob, download.name)) yield download.definition();
    }
  }

  /**
   * Every file under each of its names, once: one by one, for a list that is sent bit by bit. What
   * is withdrawn meanwhile is left out, what is added may be.
   */
  *distinctFiles(): Generator<FileDefinition> {
    const { index } = this.#context;
    for (const file of [...index]) {
      if (index.named(file.root, file.name) === file) yield file.definition();
    }
    for (const download of [...this.#downloads]) {
      const isHere = this.#downloads.get(download.root) === download;
      if (isHere && !this.isComplete(download.root)) yield download.definition();
    }
  }

  /** Files of the data directory that are here whole. */
  get completeDownloads(): number {
    return this.#context.index.downloadedFiles;
  }

  /** Files of the data directory: downloaded ones, and those that are here in part. */
  get downloadedFiles(): number {
    return this.#context.index.downloadedFiles + this.#downloads.size;
  }

  /**
   * Bytes of the data directory that files take up, or the file of `root`: downloaded ones, and
   * what is here of others, also where their root is not known yet.
   */
  downloadedBytes(root?: Root): number {
    const { index } = this.#context;
    if (root !== undefined) {
      let bytes = this.#downloads.get(root)?.bytesHad ?? 0;
      for (const { origin, sizeBytes } of index.ofRoot(root)) {
        if (origin === "downloaded") bytes += sizeBytes;
      }
      return bytes;
    }
    let bytes = index.downloadedBytes + this.#unverifiedDownloads.bytes;
    for (const download of this.#downloads) bytes += download.bytesHad;
    return bytes;
  }

  /** Files of which a part is here, those included whose root is not known yet, and these parts. */
  partialFiles(): { readonly count: number; readonly bytes: number } {
    const names = new Set(this.#unverifiedDownloads.names());
    let { bytes } = this.#unverifiedDownloads;
    let count = names.size;
    for (const { name, bytesHad } of this.#downloads) {
      bytes += bytesHad;
      // What a mirror began may be brought in by nodes as well, as the same file.
      if (!names.has(name)) count++;
    }
    return { count, bytes };
  }

  /** SHA-256 of the whole file, in hexadecimal; undefined when it was never checked here. */
  sha256(root: Root): string | undefined {
    return this.#sha256s.get(root);
  }

  /**
   * Whether the SHA-256 of a root was found out in this run. One that the catalogue remembers is no
   * reason to disbelieve a file.
   */
  isSha256Fresh(root: Root): boolean {
    return this.#sha256s.isFresh(root);
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
    try {
      return this.#sha256s.get(root) ?? await this.#sha256s.compute(root, options);
    } catch (error) {
      if (error instanceof RottenFile) this.#suspectAll(root);
      throw error;
    }
  }

  isComplete(root: Root): boolean {
    return this.#context.index.first(root) !== undefined;
  }

  /**
   * Which chunks of `root` are here, or undefined when nothing is known of it. Made at each call
   * for a complete file; the live one, for reading only, for a partial one.
   */
  availableChunks(root: Root): Bitfield | undefined {
    const file = this.#context.index.first(root);
    return file === undefined
      ? this.#downloads.get(root)?.have
      : Bitfield.full(chunkCount(file.sizeBytes));
  }

  /**
   * Reads chunks from where they are into `target` from `targetOffset`, with one call to the
   * system, for a peer, who checks them; returns the bytes. A file that changed is withdrawn, and the
   * next one of the same content is tried. Chunks are written by {@linkcode PartialDownload.writeRun}.
   *
   * @throws {EnvironmentError} "changed" or "not-found" when the chunks are no longer here.
   */
  readRun(root: Root, range: ChunkRange, target: Uint8Array, targetOffset = 0): number {
    return this.#read(root, {
      file: (file) => {
        readStoredFile(this.#context.handles, file, { range, target, offset: targetOffset });
        return rangeBytes(file.sizeBytes, range).length;
      },
      download: (download) => download.readRun(range, target, targetOffset),
    });
  }

  /**
   * The same, for who cannot check: every chunk is held against its leaf, unless it was in this run
   * and the file did not change since. Chunks that do not fit are looked into in the background:
   * {@linkcode ready} says when that is done.
   *
   * @throws {EnvironmentError} "corrupt" as well, when the bytes are not those of `root`.
   */
  readChecked(root: Root, range: ChunkRange, target: Uint8Array, targetOffset = 0): number {
    const read = { range, target, offset: targetOffset };
    try {
      return this.#read(root, {
        file: (file) => readCheckedFile(this.#context, file, read),
        download: (download) => download.readChecked(range, target, targetOffset),
      });
    } catch (error) {
      if (isCorrupt(error)) this.#mending.suspect(root, range);
      throw error;
    }
  }

  /**
   * Resolves when the leaves of what is here of `root` make it, and what did not fit them was looked
   * into: what is not right is not here any more then.
   *
   * @throws {EnvironmentError} when the disk refuses.
   */
  async ready(root: Root): Promise<void> {
    await this.#mending.ready(root);
  }

  #read(root: Root, from: {
    readonly file: (file: StoredFile) => number;
    readonly download: (download: PartialDownload) => number;
  }): number {
    const { index } = this.#context;
    let cause: unknown;
    for (let file = index.first(root); file !== undefined; file = index.first(root)) {
      try {
        return from.file(file);
      } catch (error) {
        if (!(error instanceof EnvironmentError) || error.code === "in-use") throw error;
        if (isCorrupt(error)) throw error;
        this.#context.warn(`${error.message}; it is withdrawn`, { root, name: file.name });
        this.#context.withdrawStoredFiles([file]);
        cause = error;
      }
    }
    const download = this.#downloads.get(root);
    if (download !== undefined) return from.download(download);
    throw cause ?? notHere(root, "chunks");
  }

  /** Nobody knows which chunks of a file do not fit: all are looked at. */
  #suspectAll(root: Root): void {
    const definition = this.definition(root);
    if (definition === undefined) return;
    this.#mending.suspect(root, { first: 0, count: definition.chunks });
  }

  /** Uses what is here of `root`, wherever it lies: it is not removed for room until that is disposed of. */
  use(root: Root): Disposable {
    const use = this.keeping.use();
    use.add(root);
    return use;
  }

  /**
   * Closes the complete files of `root`, for who has read what it wanted: the next read opens them
   * again. A partial one stays open for its download.
   */
  chunkClose(root: Root): void {
    for (const { path } of this.#context.index.ofRoot(root)) {
      if (!this.#context.handles.isPinned(path)) this.#context.handles.forget(path);
    }
    this.#context.dropDuplicate(root);
  }

  /**
   * Whether the leaves that are here of `root` were found to make it in this run, and lie as they did
   * then. Where they do not, or there are none, {@linkcode ready} looks into them.
   */
  areLeavesProven(root: Root): boolean {
    const file = this.#context.index.first(root);
    if (file !== undefined) return this.#context.leafLayer(root, file.sizeBytes).isProven;
    return this.#downloads.get(root)?.areLeavesProven ?? false;
  }

  /**
   * Reads leaves of `range`, 32 bytes each, into `target` from `offset`; returns the bytes.
   *
   * @throws {EnvironmentError} when they are not here; where they are damaged, they are computed again
   * in the background, or have to come again.
   */
  readLeaves(root: Root, range: ChunkRange, target: Uint8Array, offset = 0): number {
    const file = this.#context.index.first(root);
    const download = file === undefined ? this.#downloads.get(root) : undefined;
    if (file === undefined && !download?.hasLeaves) throw notHere(root, "leaves");
    try {
      const leaves = download?.leaf() ?? this.#context.leafLayer(root, file!.sizeBytes);
      return leaves.read(range, target, offset);
    } catch (error) {
      if (isCorrupt(error)) this.#mending.suspect(root, { first: 0, count: 0 });
      throw error;
    }
  }

  /** Begins a download, or goes on with one. See {@linkcode Downloads.begin} for what it throws. */
  beginDownload(request: DownloadRequest): PartialDownload {
    return this.#downloads.begin(request);
  }

  /**
   * Begins a download of a file whose root is not known yet, or goes on with one that was suspended.
   * See {@linkcode UnverifiedDownloads.open} for what it throws.
   */
  openUnverified(request: UnverifiedRequest): UnverifiedDownload {
    return this.#unverifiedDownloads.open(request);
  }

  /** The unfinished download of `root`, whether it is under way or waits. */
  download(root: Root): PartialDownload | undefined {
    return this.#downloads.get(root);
  }

  /** Gives up the download of `root` unless it is under way. */
  discardWaiting(root: Root): void {
    this.#downloads.discardWaiting(root);
  }

  /** Removes a downloaded or partial file from the data directory; false when there is none. */
  remove(root: Root): boolean {
    const download = this.#downloads.get(root);
    download?.discard();
    const files = this.#context.index.ofRoot(root).filter((file) => this.#context.isOwn(file));
    this.#context.withdrawStoredFiles(files);
    for (const file of files) this.#context.removeDownloaded(file);
    const leftover = this.leftovers().find((one) => one.root === root);
    if (leftover !== undefined) this.#context.removeData(leftover.path);
    return download !== undefined || files.length > 0 || leftover !== undefined;
  }

  /**
   * Checks the bytes of every file, or of those of `root`, against the leaves. A rotten shared file
   * is withdrawn; a downloaded one becomes partial.
   */
  verify(
    options: { readonly root?: Root; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<VerifyResult> {
    return verifyStore(this.#context, this.#downloads, {
      ...options,
      checkLeaves: (file, how) => this.#mending.checkLeaves(file, how),
    });
  }

  /** Checks some chunks, when a peer says they are bad; returns how many were. */
  async scrubRange(root: Root, range: ChunkRange): Promise<number> {
    await this.#mending.ready(root);
    const bad = await scrubRange(this.#context, this.#downloads, { root, range });
    if (bad > 0) this.#sha256s.forget(root);
    return bad;
  }

  /**
   * Puts the data directory in order: takes up downloaded files that the catalogue does not know
   * (after it was damaged), each hashed first, checks partial downloads that a crash left, and removes
   * what nothing needs, now and from time to time from now on. For the background.
   */
  async recover(): Promise<RecoverResult> {
    this.#tidying ??= this.#context.clock.every(limits.tidyMs, () => {
      // One after the other: whoever closes the store waits for the last.
      this.#tidied = this.#tidied.then(() => tidy(this.#context))
        .catch((error) => this.#context.warn(messageOf(error), {}));
    });
    await this.#downloads.sortOut();
    const recovered = await recover(this.#context, this.#hasher);
    this.keeping.forgetGone();
    return recovered;
  }

  /** Data in the data directory of fetches that nothing is known of, since the daemon was killed. */
  leftovers(): Leftover[] {
    return leftovers(this.#context);
  }

  addStatistic(name: string, delta: number): void {
    this.#statistics.add(name, delta);
  }

  /** Counters since the data directory was made. */
  statistics(): Map<string, number> {
    return this.#statistics.values();
  }

  /** Writes the counters, and when files were used, to the disk; {@linkcode close} does so too. */
  flushStatistics(): void {
    this.#context.remember((catalogue) => {
      this.#statistics.flush(catalogue);
      this.savings.flush(catalogue);
      this.#context.kept.flush(catalogue);
      this.peerTotals.flush(catalogue);
    });
  }

  /** Stops everything, makes the last checkpoints, and gives the data directory free. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tidying?.cancel();
    await this.#tidied;
    await this.shares.close();
    this.#hasher.close();
    this.#mending.close();
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
}

/** Bytes, or leaves, are not what they were, or the leaves are gone. */
function isCorrupt(error: unknown): boolean {
  return error instanceof EnvironmentError && error.code === "corrupt";
}

function notHere(root: Root, what: string): EnvironmentError {
  return new EnvironmentError("not-found", `Cannot read ${what} of ${root}: they are not here`);
}
