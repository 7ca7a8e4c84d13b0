/**
 * A file that comes from where its chunks cannot be checked one by one: its root is not known
 * before all of it is here. Its bytes are written as they come and can be read at once. At the end
 * it is promoted: hashed, and from then on a file of the store like others.
 *
 * The caller checks that the bytes are right. Nothing of it survives a restart.
 */

import { createHash, type Hash } from "node:crypto";
import { nextTurn } from "../../base/clock.ts";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { DataFile } from "../files/data_file.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import type { FileDefinition } from "../files/stored_file.ts";
import { type Span, Spans } from "./spans.ts";

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
      /** Its SHA-256, where that was computed on the way. */
      readonly sha256: string | undefined;
      /** Called as soon as it can be read as this file; from then on `path` is not read. */
      readonly promoted: (file: FileDefinition) => void;
    },
  ): Promise<void>;
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
  readonly #digest = new PrefixDigest();

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

  /** Bytes past it are forgotten. */
  set sizeBytes(sizeBytes: number | null) {
    this.#spans.sizeBytes = sizeBytes;
    if (sizeBytes !== null && this.#digest.bytes > sizeBytes) this.#digest.restart();
  }

  /** The bytes that are here, as runs in order; not to be kept. */
  get have(): readonly Span[] {
    return this.#spans.list();
  }

  /** How many bytes are here. */
  get bytesHad(): number {
    return this.#spans.bytes;
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
    this.data.write(bytes, offset);
    this.#spans.add(offset, end);
    this.#digest.written(offset, bytes);
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
   * SHA-256 of all of it, in hexadecimal. It is computed while bytes come in order; what did not
   * is read again, other work going on in between.
   *
   * @throws {EnvironmentError} when it cannot be read.
   * @throws {RangeError} when not all bytes are here.
   */
  async sha256(options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    this.#checkWhole();
    const sizeBytes = this.sizeBytes!;
    const bufferBytes = Math.min(limits.requestChunksMax * CHUNK_BYTES, sizeBytes);
    const buffer = new Uint8Array(this.#digest.bytes < sizeBytes ? bufferBytes : 0);
    while (this.#digest.bytes < sizeBytes) {
      this.#checkWhole();
      const position = this.#digest.bytes;
      const length = Math.min(buffer.length, sizeBytes - position);
      if (this.data.read(buffer, { offset: 0, length, position }) < length) throw this.#cutOff();
      this.#digest.written(position, buffer.subarray(0, length));
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    return this.#digest.hex();
  }

  /**
   * Makes it a file of the store: flushes it, hashes it in a worker, and moves it to where the
   * store keeps its files; its SHA-256 is remembered if it came in order. Where the same content is
   * here already, this data is removed instead.
   *
   * @throws {EnvironmentError} when the disk refuses; the unverified download stays as it was.
   * @throws {RangeError} when not all bytes are here.
   * @throws the signal's reason when it is aborted.
   */
  async promote(options: PromoteOptions = {}): Promise<FileDefinition> {
    this.#checkWhole();
    this.#state = "promoting";
    try {
      this.#cutToSize();
      const isDigested = this.#digest.bytes === this.sizeBytes;
      const sha256 = isDigested ? this.#digest.hex() : undefined;
      const promoted = (file: FileDefinition) => this.#promoted = file;
      await this.#ends.promote(this, { ...options, sha256, promoted });
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
    this.#digest.restart();
    this.#spans.sizeBytes = null;
    this.validators = null;
    this.data.truncate(0);
  }

  /**
   * Stops for now: it is kept for a while, to be opened again under its name and key. One that is
   * being promoted goes on.
   */
  suspend(): void {
    if (this.#state !== "open") return;
    this.#state = "suspended";
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
    if (this.data.read(target, { offset, length, position }) === length) return length;
    throw this.#cutOff();
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

/** SHA-256 of the beginning of a file, as far as it was written in order. */
class PrefixDigest {
  #hash: Hash = createHash("sha256");
  #bytes = 0;

  /** How many bytes it is of. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes bytes that follow those before; what is written over those starts it over. */
  written(offset: number, bytes: Uint8Array): void {
    if (offset < this.#bytes) return this.restart();
    if (offset > this.#bytes) return;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  hex(): string {
    return this.#hash.copy().digest("hex");
  }

  restart(): void {
    this.#hash = createHash("sha256");
    this.#bytes = 0;
  }
}
