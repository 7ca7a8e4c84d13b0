/**
 * A file that comes from where its chunks cannot be checked one by one: its root is not known
 * before all of it is here. Its bytes are written as they come and can be read at once. At the end
 * it is promoted: hashed, and from then on a file of the store like others.
 *
 * The caller checks that the bytes are right. Nothing of it survives a restart.
 */

import { nextTurn } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { DataFile } from "../files/data_file.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import type { FileDefinition } from "../files/stored_file.ts";
import { PrefixHash } from "../hashing/prefix_hash.ts";
import { type Span, Spans } from "./spans.ts";
import { WrittenSums } from "./written_sums.ts";

/** What to download. */
export interface UnverifiedRequest {
  readonly name: string;
  /** Null while it is not known. */
  readonly sizeBytes: number | null;
  /** What tells it from other files of its name: the URL that it comes from. */
  readonly key: string;
  /**
   * Write the data here, absolute, instead of into the data directory. What lies there counts as
   * the beginning of the file, and stays when the unverified download is given up.
   */
  readonly path?: string;
}

/** By what a server tells whether a file is still the same. */
export interface ResumeValidators {
  /** Whose ETag it is: HOST or HOST:PORT. */
  readonly mirror: string;
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/** How to make an unverified download a file of the store. */
interface PromoteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with its root before it becomes a file; what it throws leaves all as it was. */
  readonly placing?: ((root: Root) => Promise<void>) | undefined;
}

/** What becomes of an unverified download that stops. */
export interface UnverifiedEnds {
  /** Makes a whole file one of the store. */
  promote(
    unverified: UnverifiedDownload,
    options: PromoteOptions & {
      /** Its SHA-256, and its leaves where they were computed on the way. */
      readonly sha256: string;
      readonly leaves: Uint8Array | null;
      /** Called as soon as it can be read as this file; from then on `path` is not read. */
      readonly promoted: (file: FileDefinition) => void;
    },
  ): Promise<void>;
  /**
   * It is to take up so many bytes more than it said before.
   *
   * @throws {EnvironmentError} when there is no room for them.
   */
  grows(unverified: UnverifiedDownload, bytes: number): void;
  /** Milliseconds since 1970. */
  nowUnixMs(): number;
  /** Keeps it for a while. */
  suspended(unverified: UnverifiedDownload): void;
  /** Removes its data. */
  discarded(unverified: UnverifiedDownload): void;
  /** Reads a complete file of the store, for readers of one that was promoted. */
  readRun(root: Root, range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** One file that comes unverified. */
export class UnverifiedDownload implements UnverifiedRequest {
  readonly name: string;
  readonly key: string;
  /** Its data: for the store. */
  readonly data: DataFile;
  /** Whether the data lies where the caller wanted it, so that it is the caller's. */
  readonly isForeign: boolean;
  /** Set by the caller; kept while it is suspended. */
  validators: ResumeValidators | null = null;
  readonly #ends: UnverifiedEnds;
  readonly #spans: Spans;
  #state: "open" | "promoting" | "suspended" | "ended" = "open";
  #promoted: FileDefinition | undefined;
  readonly #hashed = new PrefixHash();
  readonly #sums = new WrittenSums();
  /** Whether something that was read is not what was written. */
  #isRotten = false;
  /** Bytes for which there is room. */
  #roomBytes = 0;
  #usedUnixMs: number;
  /** Whether it filled the disk: it gives the room back as soon as nobody writes to it. */
  #isTooBig = false;

  constructor(
    request: UnverifiedRequest & { readonly path: string; readonly isForeign: boolean },
    { handles, ends }: { readonly handles: HandleCache; readonly ends: UnverifiedEnds },
  ) {
    this.name = request.name;
    this.key = request.key;
    this.isForeign = request.isForeign;
    this.#spans = new Spans(request.sizeBytes);
    this.data = new DataFile(request.path, handles);
    this.#ends = ends;
    this.#usedUnixMs = ends.nowUnixMs();
    // What lies there already is taken for its beginning.
    if (this.isForeign) {
      this.#spans.add(0, Math.min(this.data.sizeBytes, request.sizeBytes ?? Infinity));
    }
  }

  /** Where its data lies; after it was promoted, where it lay. */
  get path(): string {
    return this.data.path;
  }

  /** Null while it is not known. */
  get sizeBytes(): number | null {
    return this.#spans.sizeBytes;
  }

  /**
   * Bytes past it are forgotten.
   *
   * @throws {EnvironmentError} when there is no room for so many.
   */
  set sizeBytes(sizeBytes: number | null) {
    if (sizeBytes !== null) {
      this.#takeRoom(sizeBytes);
      this.#roomBytes = sizeBytes;
    }
    this.#spans.sizeBytes = sizeBytes;
    if (sizeBytes !== null && this.#hashed.bytes > sizeBytes) this.#hashed.restart();
  }

  /** The bytes that are here, as runs in order; not to be kept. */
  get have(): readonly Span[] {
    return this.#spans.list();
  }

  /** How many bytes are here. */
  get bytesHad(): number {
    return this.#spans.bytes;
  }

  /** Bytes of the data directory that it is still to take up, as far as that is known. */
  get comingBytes(): number {
    return this.isForeign || this.#state === "ended"
      ? 0
      : Math.max(0, this.#roomBytes - this.bytesHad);
  }

  /** When it was written last, in milliseconds since 1970. */
  get usedUnixMs(): number {
    return this.#usedUnixMs;
  }

  /** The first byte from `offset` on that is not here. */
  nextMissing(offset: number): number {
    const span = this.have.find(({ start, end }) => start <= offset && offset < end);
    return span === undefined ? offset : span.end;
  }

  /** Whether every byte is here; false while the size is not known. */
  get isWhole(): boolean {
    return this.#spans.isWhole;
  }

  /** Whether it was promoted or discarded. */
  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /**
   * Writes bytes at `offset`: they can be read at once.
   *
   * @throws {EnvironmentError} "no-space" and others; then none of them counts as here.
   * @throws {RangeError} when they reach past the size.
   */
  write(offset: number, bytes: Uint8Array): void {
    this.#checkOpen();
    const end = offset + bytes.length;
    const sizeMax = this.sizeBytes ?? limits.fetchBytesMax;
    if (end > sizeMax) {
      throw new RangeError(`Cannot write ${this.name}: byte ${end} is past its end, ${sizeMax}`);
    }
    try {
      // One that nobody knows the size of grows step by step.
      if (end > this.#roomBytes) this.#takeRoom(Math.min(sizeMax, end + limits.roomStepBytes));
      this.data.write(bytes, offset);
    } catch (error) {
      this.#isTooBig ||= error instanceof EnvironmentError && error.code === "no-space";
      throw error;
    }
    this.#spans.add(offset, end);
    this.#sums.written(offset, bytes);
    this.#hashed.written(offset, bytes);
  }

  /** Has chunks count as missing: they turned out to be wrong. */
  drop(range: ChunkRange): void {
    const start = range.first * CHUNK_BYTES;
    this.#spans.remove(start, start + range.count * CHUNK_BYTES);
    if (start < this.#hashed.bytes) this.#hashed.restart();
  }

  /** Whether all bytes of `range` are here. The last chunk counts only when the size is known. */
  has(range: ChunkRange): boolean {
    const start = range.first * CHUNK_BYTES;
    const end = start + range.count * CHUNK_BYTES;
    return this.#spans.has(start, Math.min(end, this.sizeBytes ?? end));
  }

  /**
   * Reads it as a file of `sizeBytes`: whole chunks, and the last one as long as that makes it. It
   * goes on reading when the unverified download is promoted.
   */
  reader(sizeBytes: number) {
    return {
      sizeBytes,
      readRun: (range: ChunkRange, target: Uint8Array, offset: number) =>
        this.#read(rangeBytes(sizeBytes, range), { range, target, offset }),
    };
  }

  /**
   * Has its leaves computed together with its SHA-256, so that {@linkcode promote} need not read it
   * again. Not for a file that is too big to hold them, nor where much would be hashed again, nor for
   * data that lies where others can change it.
   */
  wantLeaves(): void {
    const { sizeBytes } = this;
    if (sizeBytes === null || this.isForeign || this.#state !== "open") return;
    if (chunkCount(sizeBytes) > limits.unsyncedLeavesMax) return;
    if (this.#hashed.bytes <= limits.hashedAgainBytes) this.#hashed.wantLeaves(sizeBytes);
  }

  /**
   * Goes on with the SHA-256 over bytes that came out of order, as far as none is missing, and no
   * further than `bytesMax`: so that less is left for {@linkcode sha256}.
   */
  hashOn(bytesMax: number): void {
    const from = this.#hashed.bytes;
    const length = Math.min(this.nextMissing(from) - from, bytesMax);
    if (length <= 0 || this.#state !== "open" || this.#isRotten) return;
    try {
      const read = this.#readBack(from, length, new Uint8Array(length + CHUNK_BYTES));
      if (read !== undefined) this.#hashed.written(from, read);
    } catch (error) {
      // Who wants the whole hears of it.
      if (!this.#isRotten) throw error;
    }
  }

  /**
   * SHA-256 of all of it, in hexadecimal. It is computed while bytes come in order; what did not
   * is read again, other work going on in between.
   *
   * @throws {EnvironmentError} when it cannot be read.
   * @throws {RangeError} when not all bytes are here.
   */
  async sha256(options: Pick<PromoteOptions, "signal"> = {}): Promise<string> {
    this.#checkWhole();
    const sizeBytes = this.sizeBytes!;
    const stepBytes = Math.min(limits.requestChunksMax * CHUNK_BYTES, sizeBytes);
    const buffer = new Uint8Array(this.#hashed.bytes < sizeBytes ? stepBytes + CHUNK_BYTES : 0);
    while (this.#hashed.bytes < sizeBytes) {
      this.#checkWhole();
      const position = this.#hashed.bytes;
      const length = Math.min(stepBytes, sizeBytes - position);
      const read = this.#readBack(position, length, buffer);
      if (read === undefined) throw this.#cutOff();
      this.#hashed.written(position, read);
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    return this.#hashed.hex();
  }

  /**
   * Makes it a file of the store: flushes it, hashes it in a worker unless its leaves are known, and
   * moves it to where the store keeps its files; its SHA-256 is remembered. Where the same content is
   * here already, this data is removed instead.
   *
   * @throws {EnvironmentError} when the disk refuses; the unverified download stays as it was.
   * @throws {RangeError} when not all bytes are here.
   * @throws the signal's reason when it is aborted.
   */
  async promote(options: PromoteOptions = {}): Promise<FileDefinition> {
    this.#checkWhole();
    // It tells the bytes that were written from what lies there when they are read once more.
    await this.sha256(options);
    this.#checkWhole();
    if (this.#isRotten) throw this.#notAsWritten();
    this.#state = "promoting";
    try {
      this.#cutToSize();
      const sha256 = this.#hashed.hex();
      const leaves = this.#hashed.leaves();
      const promoted = (file: FileDefinition) => this.#promoted = file;
      await this.#ends.promote(this, { ...options, sha256, leaves, promoted });
    } catch (error) {
      // Closing the store ended it meanwhile, or it is as it was.
      if (this.#state === "promoting") this.#state = "open";
      throw error;
    }
    this.#state = "ended";
    return this.#promoted!;
  }

  /** Throws away all bytes: what comes from now on is another file. */
  restart(): void {
    this.#checkOpen();
    this.#spans.cut(0);
    this.#hashed.restart();
    this.#sums.restart();
    this.#isRotten = this.#isTooBig = false;
    this.#roomBytes = 0;
    this.#spans.sizeBytes = null;
    this.validators = null;
    this.data.truncate(0);
  }

  /**
   * Stops for now: it is kept for a while, to be opened again under its name and key, unless it
   * filled the disk. One that is being promoted goes on.
   */
  suspend(): void {
    if (this.#state !== "open") return;
    if (this.#isRotten || this.#isTooBig) return this.discard();
    this.#state = "suspended";
    this.#roomBytes = 0;
    this.#usedUnixMs = this.#ends.nowUnixMs();
    this.data.close();
    this.#ends.suspended(this);
  }

  /**
   * Gives it up and removes the data; data that lies where the caller wanted it stays, whatever it
   * is: {@linkcode restart} empties it.
   */
  discard(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    // Its readers look elsewhere.
    this.#spans.cut(0);
    this.data.close();
    this.#ends.discarded(this);
  }

  /** Goes on after {@linkcode suspend}: for the store. */
  resume(sizeBytes: number | null): void {
    this.#state = "open";
    if (sizeBytes !== null) this.sizeBytes = sizeBytes;
  }

  #takeRoom(sizeBytes: number): void {
    if (this.isForeign || sizeBytes <= this.#roomBytes) return;
    const before = Math.max(this.#roomBytes, this.bytesHad);
    if (sizeBytes > before) this.#ends.grows(this, sizeBytes - before);
    this.#roomBytes = sizeBytes;
  }

  #read(
    { offset: position, length }: { readonly offset: number; readonly length: number },
    to: { readonly range: ChunkRange; readonly target: Uint8Array; readonly offset: number },
  ): number {
    if (this.#promoted !== undefined) {
      return this.#ends.readRun(this.#promoted.root, to.range, to.target, to.offset);
    }
    if (this.#state === "ended" || !this.#spans.has(position, position + length)) {
      throw new EnvironmentError(
        "not-found",
        `Cannot read bytes ${position}+${length} of ${this.name}: not all are here`,
      );
    }
    const { target, offset } = to;
    if (this.data.read(target, { offset, length, position }) < length) throw this.#cutOff();
    this.#checkSums(to.range.first, target.subarray(offset, offset + length));
    return length;
  }

  /**
   * Bytes that were written, read in `buffer`, which has room for one chunk more; undefined when less
   * is there.
   */
  #readBack(position: number, bytes: number, buffer: Uint8Array): Uint8Array | undefined {
    const first = Math.floor(position / CHUNK_BYTES);
    const before = position - first * CHUNK_BYTES;
    const length = before + bytes;
    const at = { offset: 0, length, position: first * CHUNK_BYTES };
    if (this.data.read(buffer, at) < length) return undefined;
    this.#checkSums(first, buffer.subarray(0, length));
    return buffer.subarray(before, length);
  }

  #checkSums(first: number, data: Uint8Array): void {
    if (this.#sums.wrongChunk(first, data) === undefined) return;
    this.#isRotten = true;
    throw this.#notAsWritten();
  }

  #notAsWritten(): EnvironmentError {
    const why = "its data changed on the disk after it was written";
    return new EnvironmentError("changed", `Cannot keep ${this.name}: ${why}`);
  }

  #cutToSize(): void {
    const sizeBytes = this.sizeBytes!;
    const bytes = this.data.sizeBytes;
    if (bytes > sizeBytes) this.data.truncate(sizeBytes);
    if (bytes < sizeBytes) throw this.#cutOff();
  }

  #cutOff(): EnvironmentError {
    return new EnvironmentError("changed", `Cannot read ${this.path}: it was cut off`);
  }

  #checkWhole(): void {
    this.#checkOpen();
    if (this.isWhole) return;
    throw new RangeError(
      `Cannot use ${this.name}: ${this.bytesHad} of ${this.sizeBytes ?? "?"} bytes are here`,
    );
  }

  #checkOpen(): void {
    if (this.#state !== "open") {
      throw new RangeError(
        `Cannot use the unverified download of ${this.name}: it is ${this.#state}`,
      );
    }
  }
}
