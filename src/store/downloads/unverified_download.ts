/**
 * A file on its way from somewhere that nobody has to check chunk by chunk: its root is not known
 * before all of it is here. Its bytes are written as they come, read by whoever may have them
 * already, and at the end it is adopted: hashed, and from then on a file of the store like others.
 *
 * Whether the bytes are right is the caller's matter. Nothing of it survives a restart.
 */

import { createHash, type Hash } from "node:crypto";
import { fstatSync, ftruncateSync } from "node:fs";
import { EnvironmentError } from "../../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { HandleCache } from "../files/handle_cache.ts";
import { environmentError, nextTurn, readAt, writeAt } from "../files/io.ts";
import type { FileDefinition } from "../files/stored_file.ts";
import { type Span, Spans } from "./spans.ts";

/** What is to be taken in. */
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

/** Reads chunks that are here: the shape of a FileReader. */
export interface UnverifiedReader {
  readonly sizeBytes: number;
  readRun(range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** What an unverified download needs of the store around it. */
export interface UnverifiedDownloadHost {
  readonly handles: HandleCache;
  /** Makes a whole file one of the store. */
  adopt(
    unverified: UnverifiedDownload,
    options: {
      /** Its SHA-256, where that was computed on the way. */
      readonly sha256: string | undefined;
      readonly signal: AbortSignal | undefined;
      readonly placing: ((root: Root) => Promise<void>) | undefined;
      /** Called as soon as it can be read as this file; from then on `path` is not read. */
      readonly adopted: (file: FileDefinition) => void;
    },
  ): Promise<void>;
  /** Keeps it for a while. */
  suspended(unverified: UnverifiedDownload): void;
  /** Removes its data. */
  discarded(unverified: UnverifiedDownload): void;
  /** Reads of the file that it was adopted as. */
  readAdopted(file: FileDefinition, range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** One file that is being taken in. */
export class UnverifiedDownload implements UnverifiedRequest {
  readonly name: string;
  readonly key: string;
  /** Where its data lies; after it was adopted, where it lay. */
  readonly path: string;
  /** Whether the data lies where the caller wanted it, so that it is the caller's. */
  readonly isForeign: boolean;
  /** Set by whoever learns them; kept while it waits to be gone on with. */
  validators: ResumeValidators | null = null;
  readonly #host: UnverifiedDownloadHost;
  readonly #spans = new Spans();
  #sizeBytes: number | null;
  #state: "open" | "adopting" | "suspended" | "ended" = "open";
  #adopted: FileDefinition | undefined;
  /** SHA-256 of the first `#digestBytes` bytes. */
  #digest: Hash = createHash("sha256");
  #digestBytes = 0;

  constructor(
    request: UnverifiedRequest & { readonly path: string; readonly isForeign: boolean },
    host: UnverifiedDownloadHost,
  ) {
    this.name = request.name;
    this.key = request.key;
    this.path = request.path;
    this.isForeign = request.isForeign;
    this.#sizeBytes = request.sizeBytes;
    this.#host = host;
    if (this.isForeign) this.#takeWhatLiesThere();
  }

  /** Null while it is not known. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  /** Bytes past it are forgotten. */
  set sizeBytes(sizeBytes: number | null) {
    this.#sizeBytes = sizeBytes;
    if (sizeBytes === null) return;
    this.#spans.cut(sizeBytes);
    if (this.#digestBytes > sizeBytes) this.#restartDigest();
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
    return this.#sizeBytes !== null && this.#spans.has(0, this.#sizeBytes);
  }

  /** Whether it was adopted or discarded. */
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
    const sizeMax = this.#sizeBytes ?? limits.fetchBytesMax;
    if (end > sizeMax) {
      throw new RangeError(`Cannot write ${this.name}: byte ${end} is past its end, ${sizeMax}`);
    }
    try {
      writeAt(this.#open(), bytes, offset);
    } catch (error) {
      throw environmentError(error, `write ${this.path}`);
    }
    this.#spans.add(offset, end);
    if (offset === this.#digestBytes) {
      this.#digest.update(bytes);
      this.#digestBytes = end;
    } else if (offset < this.#digestBytes) this.#restartDigest();
  }

  /** Whether all bytes of `range` are here. The last chunk counts only when the size is known. */
  has(range: ChunkRange): boolean {
    const start = range.first * CHUNK_BYTES;
    const end = start + range.count * CHUNK_BYTES;
    return this.#spans.has(start, Math.min(end, this.#sizeBytes ?? end));
  }

  /**
   * Reads it as a file of `sizeBytes`: whole chunks, and the last one as long as that makes it. It
   * goes on reading when the unverified download is adopted.
   */
  reader(sizeBytes: number): UnverifiedReader {
    return {
      sizeBytes,
      readRun: (range, target, offset) =>
        this.#read(rangeBytes(sizeBytes, range), {
          range,
          target,
          offset,
        }),
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
    const sizeBytes = this.#sizeBytes!;
    const bufferBytes = Math.min(limits.requestChunksMax * CHUNK_BYTES, sizeBytes);
    const buffer = new Uint8Array(this.#digestBytes < sizeBytes ? bufferBytes : 0);
    while (this.#digestBytes < sizeBytes) {
      this.#checkWhole();
      const position = this.#digestBytes;
      const length = Math.min(buffer.length, sizeBytes - position);
      const read = readAt(this.#open(), buffer, { offset: 0, length, position });
      if (read < length) throw this.#cutOff();
      this.#digest.update(buffer.subarray(0, length));
      this.#digestBytes += length;
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    return this.#digest.copy().digest("hex");
  }

  /**
   * Makes it a file of the store: flushes it, hashes it in a worker, and puts it in its place; its
   * SHA-256 is remembered if it came in order. Where the same content is here already, that is what
   * counts, and this data is removed. `placing` is called with its root before that is done with it;
   * what it throws leaves all as it was.
   *
   * @throws {EnvironmentError} when the disk refuses; the unverified download stays as it was.
   * @throws {RangeError} when not all bytes are here.
   * @throws the signal's reason when it is aborted.
   */
  async adopt(
    options: {
      readonly signal?: AbortSignal;
      readonly placing?: (root: Root) => Promise<void>;
    } = {},
  ): Promise<FileDefinition> {
    this.#checkWhole();
    this.#state = "adopting";
    try {
      this.#cutToSize();
      const isDigested = this.#digestBytes === this.#sizeBytes;
      const sha256 = isDigested ? this.#digest.copy().digest("hex") : undefined;
      const adopted = (file: FileDefinition) => this.#adopted = file;
      const { signal, placing } = options;
      await this.#host.adopt(this, { sha256, signal, placing, adopted });
    } catch (error) {
      // Closing the store ended it meanwhile, or it is as it was.
      if (this.#state === "adopting") this.#state = "open";
      throw error;
    }
    this.#state = "ended";
    return this.#adopted!;
  }

  /** Throws away all bytes: what comes from now on is another file. */
  restart(): void {
    this.#checkOpen();
    this.#spans.cut(0);
    this.#restartDigest();
    this.#sizeBytes = null;
    this.validators = null;
    try {
      ftruncateSync(this.#open(), 0);
    } catch (error) {
      throw environmentError(error, `write ${this.path}`);
    }
  }

  /**
   * Stops for now: it is kept for a while, to be opened again under its name and key. One that is
   * being adopted is let be.
   */
  suspend(): void {
    if (this.#state !== "open") return;
    this.#state = "suspended";
    this.#host.handles.forget(this.path);
    this.#host.suspended(this);
  }

  /**
   * Gives it up and removes the data; data that lies where the caller wanted it stays, whatever it
   * is: {@linkcode restart} empties it.
   */
  discard(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    // Whoever still reads from it looks elsewhere.
    this.#spans.cut(0);
    this.#host.handles.forget(this.path);
    this.#host.discarded(this);
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
    if (this.#adopted !== undefined) {
      return this.#host.readAdopted(this.#adopted, to.range, to.target, to.offset);
    }
    if (this.#state === "ended" || !this.#spans.has(position, position + length)) {
      throw new EnvironmentError(
        "not-found",
        `Cannot read bytes ${position}+${length} of ${this.name}: not all are here`,
      );
    }
    const { target, offset } = to;
    if (readAt(this.#open(), target, { offset, length, position }) === length) return length;
    throw this.#cutOff();
  }

  #takeWhatLiesThere(): void {
    try {
      const bytes = fstatSync(this.#open()).size;
      this.#spans.add(0, Math.min(bytes, this.#sizeBytes ?? bytes));
    } catch (error) {
      throw environmentError(error, `open ${this.path}`);
    }
  }

  #cutToSize(): void {
    const sizeBytes = this.#sizeBytes!;
    try {
      const fd = this.#open();
      const bytes = fstatSync(fd).size;
      if (bytes > sizeBytes) ftruncateSync(fd, sizeBytes);
      if (bytes < sizeBytes) throw this.#cutOff();
    } catch (error) {
      throw environmentError(error, `write ${this.path}`);
    }
  }

  #cutOff(): EnvironmentError {
    return new EnvironmentError("changed", `Cannot read ${this.path}: it was cut off`);
  }

  #restartDigest(): void {
    this.#digest = createHash("sha256");
    this.#digestBytes = 0;
  }

  #open(): number {
    return this.#host.handles.open(this.path, { write: true });
  }

  #checkWhole(): void {
    this.#checkOpen();
    if (this.isWhole) return;
    throw new RangeError(
      `Cannot use ${this.name}: ${this.bytesHad} of ${this.#sizeBytes ?? "?"} bytes are here`,
    );
  }

  #checkOpen(): void {
    if (this.#state !== "open") {
      throw new RangeError(`Cannot use the intake of ${this.name}: it is ${this.#state}`);
    }
  }
}
