/**
 * One unfinished file: its data on disk, which chunks of it are there, its leaf layer, and the
 * checkpoints that make this survive a crash.
 *
 * It writes what it is given: the receiver has checked each chunk against its leaf.
 * `core/download/download.ts` says whom to ask for what.
 */

import { type Bitfield, mergedRanges } from "../../base/bitfield.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import {
  type ByteSpan,
  CHUNK_BYTES,
  chunkCount,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { wrongChunks } from "../../base/leaves.ts";
import { nameType } from "../../base/names.ts";
import type { PartialRow } from "../catalogue/catalogue.ts";
import type { StoreContext } from "../catalogue/store_context.ts";
import { DataFile } from "../files/data_file.ts";
import { CheckedChunks } from "../files/checked_chunks.ts";
import { type FileDefinition, type Fingerprint, fingerprintAt } from "../files/stored_file.ts";
import { type LeafLayer, LeafLayerWriter } from "../hashing/leaf_layer.ts";
import { checkData, notAsItWas } from "../hashing/verify.ts";
import { DownloadProgress, type DownloadProgressEffects } from "./checkpoint.ts";

/** What to download. */
export interface DownloadRequest {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Write the data here, absolute, instead of into the data directory. Nothing of it is remembered
   * across a restart; what lies there already is taken up by {@linkcode PartialDownload.scrub}.
   */
  readonly path?: string | undefined;
  /** The chunks for which there has to be room; without it, nobody looks. */
  readonly wanted?: ChunkRange;
}

/** What is known of a download that is taken up again. */
export interface KnownOfDownload {
  /** The chunks that count as had. */
  readonly have?: Bitfield;
  /** Whether its leaf layer is on the disk. */
  readonly hasLeaves?: boolean;
  /** Bytes on the disk of which nothing is known before {@linkcode PartialDownload.sortOut}. */
  readonly unverifiedBytes?: number;
  /** How many chunks of those are said to be good. */
  readonly chunksDoubted?: number;
}

/** What becomes of a download that stops. */
export interface DownloadEnds {
  /** Puts the whole file where it belongs and forgets the download. */
  complete(download: PartialDownload): Promise<void>;
  suspended(download: PartialDownload): void;
  /** Whether it is under way, so that it may be written at any time. */
  isActive(download: PartialDownload): boolean;
  discarded(download: PartialDownload): void;
}

/** A file that is being downloaded, or was and may be again. */
export class PartialDownload {
  readonly root: Root;
  readonly name: string;
  /** Whether the data lies in the data directory and is remembered across a restart. */
  readonly isInternal: boolean;
  readonly #context: StoreContext;
  readonly #ends: DownloadEnds;
  readonly #data: DataFile;
  readonly #progress: DownloadProgress;
  readonly #leaves: LeafLayerWriter;
  #sizeBytes: number;
  #unverifiedBytes: number;
  #chunksDoubted: number;
  #checked: CheckedChunks | null = null;
  /** The look through all that was found, while it goes on. */
  #sorting: Promise<unknown> | null = null;

  constructor(
    { root, name, sizeBytes, path }: DownloadRequest,
    context: StoreContext,
    options: KnownOfDownload & { readonly ends: DownloadEnds },
  ) {
    this.root = root;
    this.name = name;
    this.#sizeBytes = sizeBytes;
    this.isInternal = path === undefined;
    this.#context = context;
    this.#ends = options.ends;
    this.#data = new DataFile(path ?? context.directory.partialPath(root), context.handles);
    this.#progress = new DownloadProgress(this.chunks, this.#progressEffects(), options.have);
    this.#unverifiedBytes = options.unverifiedBytes ?? 0;
    this.#chunksDoubted = options.chunksDoubted ?? 0;
    this.#leaves = new LeafLayerWriter(context.leafLayer(root, sizeBytes), context.handles, {
      isWhole: options.hasLeaves === true,
    });
  }

  get path(): string {
    return this.#data.path;
  }

  /**
   * Bytes that were found at the path and of which nothing is known: {@linkcode sortOut} does that
   * once the leaf layer is here. Until then no chunk counts as had.
   */
  get unverifiedBytes(): number {
    return this.#unverifiedBytes;
  }

  get leafPath(): string {
    return this.#leaves.layer.file.path;
  }

  get chunks(): number {
    return chunkCount(this.#sizeBytes);
  }

  /** Chunks that are written and checked: these may be served. For reading only. */
  get have(): Bitfield {
    return this.#progress.have;
  }

  definition(): FileDefinition {
    const { root, name, sizeBytes, chunks, have, path } = this;
    const type = nameType(name);
    return { root, name, type, sizeBytes, chunks, chunksHave: have.count, origin: "partial", path };
  }

  /** What the catalogue remembers of it; `have` is a bitfield, `left` as in {@linkcode PartialRow}. */
  row(have: Uint8Array, left: Fingerprint | null = null): PartialRow {
    const { root, name, sizeBytes, hasLeaves } = this;
    return { root, name, sizeBytes, have, hasLeaves, left };
  }

  /** Bytes that are here, to a chunk, which the last one may be shorter than. */
  get bytesHad(): number {
    return Math.min(this.#sizeBytes, this.have.count * CHUNK_BYTES);
  }

  /** What peers say until the last chunk is here, which proves it. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether the leaf layer is here and belongs to the root. */
  get hasLeaves(): boolean {
    return this.#leaves.isWhole;
  }

  /** The leaf that must come next while the layer is not whole. */
  get nextLeaf(): number {
    return this.#leaves.next;
  }

  /** Whether it was finished or discarded: nothing can be done with it any more. */
  get isEnded(): boolean {
    return this.#progress.isEnded;
  }

  /**
   * Takes leaves from a peer: `hashes`, 32 bytes each, from index {@linkcode nextLeaf}.
   *
   * @throws {PeerFault} when they do not follow the last ones or go past the end.
   */
  addLeaves(first: number, hashes: Uint8Array): void {
    this.#checkOpen();
    this.#leaves.add(first, hashes);
  }

  /**
   * Checks the leaves against the root.
   *
   * @throws {PeerFault} "bad-data" when they do not belong to it; then all must come again.
   */
  finishLeaves(): void {
    this.#checkOpen();
    this.#leaves.finish();
  }

  /**
   * Whether the leaf layer that is here belongs to the root. If not, it is forgotten and must come
   * again, and what is here of the data counts no more until it has. Computed once a run, unless
   * `again` is set or the layer was changed.
   *
   * @throws {EnvironmentError} "in-use" when too many files are open.
   */
  async checkLeaves(options: { readonly again?: boolean } = {}): Promise<boolean> {
    if (!this.hasLeaves) return false;
    if (await this.#leaves.layer.isSound(options)) return true;
    this.#loseLeaves();
    return false;
  }

  /** The same at once, for who has found a chunk that does not fit its leaf. */
  checkLeavesNow(): boolean {
    if (!this.hasLeaves) return false;
    if (this.#leaves.layer.isSoundNow()) return true;
    this.#loseLeaves();
    return false;
  }

  /** Whether {@linkcode checkLeaves} has nothing to compute. */
  get areLeavesProven(): boolean {
    return this.hasLeaves && this.#leaves.layer.isProven;
  }

  /**
   * Throws away leaves of a layer that is not whole, so that another peer can give it. A disk that
   * refuses is only told of: the next leaves are written over the old ones.
   */
  restartLeaves(): void {
    try {
      this.#leaves.discard();
    } catch (error) {
      this.#context.warn(messageOf(error), { root: this.root, name: this.name });
    }
  }

  /**
   * Tries another size with as many chunks; what is here stays. Only the last chunk, which must be
   * missing, differs between the two.
   */
  changeSize(sizeBytes: number): void {
    this.#checkOpen();
    if (chunkCount(sizeBytes) !== this.chunks || this.have.has(this.chunks - 1)) {
      throw new RangeError(
        `Cannot take ${sizeBytes} bytes for ${this.#sizeBytes}: it is disproved`,
      );
    }
    this.#sizeBytes = sizeBytes;
  }

  /** The leaf layer, to check chunks against. */
  leaf(): LeafLayer {
    if (!this.hasLeaves) throw new RangeError("Cannot read leaves: the layer is not here yet");
    return this.#leaves.layer;
  }

  /**
   * Writes checked chunks, whole ones from index `firstChunk`, and counts them as had: the data is
   * in the system's cache and may be served at once. Only a checkpoint makes them survive a crash.
   *
   * @throws {EnvironmentError} "no-space" and others; then none of these chunks counts as had.
   */
  writeRun(firstChunk: number, bytes: Uint8Array): void {
    this.#checkOpen();
    const range = { first: firstChunk, count: chunkCount(bytes.length) };
    if (
      !Number.isInteger(firstChunk) || !isRangeWithin(range, this.chunks) ||
      rangeBytes(this.sizeBytes, range).length !== bytes.length
    ) {
      throw new RangeError(
        `Cannot write ${bytes.length} bytes at chunk ${firstChunk}: not whole chunks of the file`,
      );
    }
    const before = this.#print();
    this.#data.write(bytes, rangeBytes(this.sizeBytes, range).offset);
    const after = this.#print();
    if (after !== null) this.#checkedChunks.wrote(range, before, after);
    this.#progress.add(range, bytes.length);
  }

  /**
   * Reads chunks that are had into `target` from `offset`; returns the bytes.
   *
   * @throws {EnvironmentError} "not-found" when one is not here, "changed" when the data is cut off.
   */
  readRun(range: ChunkRange, target: Uint8Array, offset = 0): number {
    const { offset: position, length } = this.#chunkLocation(range);
    if (this.#data.read(target, { offset, length, position }) === length) return length;
    this.#checked?.drop(range);
    this.#progress.drop(range);
    throw new EnvironmentError("changed", `Cannot read ${this.path}: it was cut off`);
  }

  /**
   * Like {@linkcode readRun}, and holds every chunk against its leaf, unless it was checked in this
   * run and nobody else has changed the data since.
   *
   * @throws {EnvironmentError} "corrupt" as well, when one does not fit; nothing follows from it here.
   */
  readChecked(range: ChunkRange, target: Uint8Array, offset = 0): number {
    const checked = this.#checkedChunks;
    if (checked.has(range)) {
      const length = this.readRun(range, target, offset);
      const now = this.#print();
      if (now !== null && checked.stands(now)) return length;
    }
    const before = this.#print();
    const length = this.readRun(range, target, offset);
    const wrong = wrongChunks(
      target.subarray(offset, offset + length),
      this.leaf().hexOf(range),
      range.first,
    );
    if (wrong.length > 0) throw notAsItWas(this.path, wrong);
    if (before !== null) checked.checked(range, before, this.#context.clock.unixMs());
    return length;
  }

  /** Whether enough was written, or long enough ago, that a checkpoint should be made. */
  checkpointDue(nowMs: number): boolean {
    return this.#progress.isDue(nowMs);
  }

  /**
   * Makes what was written until now survive a crash: flushes the data, then remembers the chunks.
   * Chunks may be written meanwhile; they belong to the next checkpoint. While one runs, a second
   * call gives the same promise.
   *
   * @throws {EnvironmentError} when the disk refused; what it may have lost is no longer had.
   */
  checkpoint(): Promise<void> {
    return this.#progress.checkpoint();
  }

  /**
   * Hashes the data that is on disk, or `range` of it, against the leaves and has the chunks that
   * are good; returns how many are here then. For a file that was found without a bitfield, and
   * against rot.
   */
  async scrub(
    options: { readonly range?: ChunkRange; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    const { sizeBytes } = this;
    const before = this.#print();
    // Where nothing counts yet, all counts at once in the end.
    const isDoubted = this.#unverifiedBytes > 0;
    const good: ChunkRange[] = [];
    const handle = this.#data.pin();
    try {
      for await (const run of checkData({ sizeBytes, fd: handle.fd }, this.leaf(), options)) {
        if (this.isEnded || this.#sizeBytes !== sizeBytes) return this.have.count;
        if (!run.isGood) this.drop(run.range);
        else if (isDoubted) good.push(run.range);
        else this.#good(run.range, before);
      }
    } finally {
      this.#context.handles.unpin(handle);
    }
    for (const range of mergedRanges(good)) this.#good(range, before);
    if (options.range === undefined) this.#allChecked(before);
    return this.have.count;
  }

  /**
   * Looks through the bytes of which nothing is known, once, and has those chunks that are good: for
   * one whose leaf layer is here.
   *
   * @throws {EnvironmentError} when they cannot be read.
   */
  async sortOut(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#unverifiedBytes === 0) return;
    this.#sorting ??= this.scrub(options).finally(() => this.#sorting = null);
    await this.#sorting;
  }

  /** Removes chunks that turned out to be bad. */
  drop(range: ChunkRange): void {
    this.#checkOpen();
    this.#checked?.drop(range);
    this.#progress.drop(range);
  }

  /**
   * Makes it a file of the store, once every chunk is here: moved to where the store keeps its
   * files, unless the download has a path of its own.
   *
   * @throws {EnvironmentError} when the disk refuses, "changed" when chunks turned out to be bad
   * meanwhile; the download is suspended then.
   */
  async finish(): Promise<void> {
    this.#checkFull();
    try {
      this.#cutToSize();
      await this.#progress.settle();
      this.#checkFull();
      this.#data.close();
      await this.#ends.complete(this);
    } catch (error) {
      if (!this.isEnded) this.#ends.suspended(this);
      throw error;
    }
    this.#progress.end();
  }

  /**
   * Stops for now: all that is here is kept, and is taken up again later.
   *
   * @param options `cutToPrefix` shortens the data to the chunks that are here without a gap from
   * the first on, for a file that another program may go on with from its length.
   * @throws {EnvironmentError} when the disk refuses; it is suspended all the same, and what could
   * not be remembered is so at the next checkpoint.
   */
  async suspend(options: { readonly cutToPrefix?: boolean } = {}): Promise<void> {
    if (this.isEnded) return;
    this.restartLeaves();
    try {
      await this.#progress.settle();
    } finally {
      if (!this.isEnded) this.#putAway(options.cutToPrefix === true);
    }
  }

  /**
   * Gives up: removes the data and all that is remembered.
   *
   * @throws {EnvironmentError} when the data cannot be removed; all else is done then.
   */
  discard(): void {
    if (this.isEnded) return;
    this.#progress.end();
    this.restartLeaves();
    try {
      this.#data.remove();
    } finally {
      this.#ends.discarded(this);
    }
  }

  #putAway(cutToPrefix: boolean): void {
    try {
      if (cutToPrefix) this.#cutToPrefix();
      // Its time is that of the last write: who changes it in the same second would not be seen.
      this.#checked = null;
      this.rememberLeft();
    } finally {
      this.#ends.suspended(this);
    }
  }

  /** Nobody writes any more: what the data is like tells a later run whether it changed. */
  rememberLeft(left = this.#print()): void {
    if (!this.isInternal || this.have.count === 0 || left === null) return;
    this.#context.remember((catalogue) =>
      catalogue.putPartial(this.row(this.have.toBytes(), left))
    );
  }

  #good(range: ChunkRange, before: Fingerprint | null): void {
    if (before !== null) {
      this.#checkedChunks.checked(range, before, this.#context.clock.unixMs());
    }
    this.#progress.add(range, rangeBytes(this.#sizeBytes, range).length);
  }

  /** All that is here was checked, and was like `before` then. */
  #allChecked(before: Fingerprint | null): void {
    const lost = this.#chunksDoubted - this.have.count;
    this.#unverifiedBytes = this.#chunksDoubted = 0;
    if (lost > 0) {
      const { root, name, path } = this;
      const what = `${lost} chunks of a partial download are not what they were; they are missing`;
      this.#context.warn(what, { root, name, path });
    }
    if (!this.#ends.isActive(this)) this.rememberLeft(before);
  }

  #loseLeaves(): void {
    const { root, name } = this;
    this.#context.warn("The leaf layer of a partial download is damaged; it has to come again", {
      root,
      name,
    });
    this.#leaves.lose();
    // Nothing can tell by now which chunks are good.
    this.#chunksDoubted = Math.max(this.#chunksDoubted, this.have.count);
    this.#unverifiedBytes = Math.max(1, this.#data.sizeBytes);
    this.#checked = null;
    this.#progress.doubt();
  }

  get #checkedChunks(): CheckedChunks {
    return this.#checked ??= new CheckedChunks(this.chunks);
  }

  /** What the data is like; null where there is none. */
  #print(): Fingerprint | null {
    try {
      return fingerprintAt(this.#data.path);
    } catch {
      return null;
    }
  }

  // Data that is shorter than the file was cut off or taken away; making it longer would put zeros
  // where chunks were.
  #cutToSize(): void {
    const bytes = this.#data.sizeBytes;
    if (bytes > this.#sizeBytes) this.#data.truncate(this.#sizeBytes);
    if (bytes >= this.#sizeBytes) return;
    const first = Math.floor(bytes / CHUNK_BYTES);
    this.#progress.drop({ first, count: this.chunks - first });
    throw new EnvironmentError("changed", `Cannot finish ${this.path}: it was cut off`);
  }

  #cutToPrefix(): void {
    let first = 0;
    while (first < this.chunks && this.have.has(first)) first++;
    if (first === this.chunks) return;
    this.#progress.drop({ first, count: this.chunks - first });
    this.#data.truncate(rangeBytes(this.sizeBytes, { first, count: 1 }).offset);
  }

  #progressEffects(): DownloadProgressEffects {
    const { root } = this;
    const { catalogue, isDurable } = this.#context;
    return {
      flush: async (isDataDirty) => {
        if (!isDurable) return;
        await this.#leaves.flush();
        if (isDataDirty) await this.#data.flush();
      },
      save: (have) => {
        // What is not sorted out yet is remembered as it was.
        if (this.isInternal && this.#unverifiedBytes === 0) catalogue?.putPartial(this.row(have));
      },
      gained: (range) => this.#context.emit({ kind: "gained", root, range }),
      lost: (range) => this.#context.emit({ kind: "lost", root, range }),
    };
  }

  /** Where chunks that are had stand in the data. */
  #chunkLocation(range: ChunkRange): ByteSpan {
    if (isRangeWithin(range, this.chunks) && this.have.hasRange(range)) {
      return rangeBytes(this.sizeBytes, range);
    }
    throw new EnvironmentError(
      "not-found",
      `Cannot read chunks ${range.first}+${range.count} of ${this.root}: not all are here`,
    );
  }

  #checkFull(): void {
    this.#checkOpen();
    if (this.have.isFull) return;
    // All were here when it was decided.
    const what = `${this.have.count} of ${this.chunks} chunks are here`;
    throw new EnvironmentError("changed", `Cannot finish ${this.name}: ${what}`);
  }

  #checkOpen(): void {
    if (this.isEnded) {
      throw new RangeError(`Cannot use the download of ${this.name}: it has ended`);
    }
  }
}
