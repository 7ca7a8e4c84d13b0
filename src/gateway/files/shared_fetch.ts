/**
 * One file on its way to any number of HTTP clients: one fetch of the node, and which of its bytes
 * may be shown to somebody who can never take them back.
 *
 * It knows nothing of HTTP. Who reads from it does so at a pace and place of its own.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { type FetchFailure, messageOf } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { FetchNotice, FetchObserver, FileReader } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import type { Done } from "../../wire/messages.ts";
import type { FileSupply } from "../server/file_body.ts";
import type { GatewayHost } from "../gateway_host.ts";

/** How the fetch behind a shared fetch ended. */
export type SharedFetchOutcome =
  | { readonly kind: "done"; readonly done: Done }
  | { readonly kind: "failed"; readonly error: unknown };

/** Where the bytes of a shared fetch come from, as far as it is known. */
export type SharedFetchSource = "peers" | "mirror" | "here";

/** The root of a file that was not kept: nobody hashed all of it. */
const NO_ROOT = /^0+$/;

/** A fetch that HTTP clients wait for. */
export class SharedFetch implements FetchObserver, FileSupply {
  readonly request: FetchRequest;
  /** The first byte for which it was begun; what is before it may never come. */
  readonly from: number;
  readonly beganMs = performance.now();
  /** Resolves when the fetch behind it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<() => void>();
  #reader: FileReader | null = null;
  #released: Bitfield | null = null;
  #hasFound = false;
  #foundBytes: number | null = null;
  #hasPeers = false;
  #isHere = false;
  #round = 0;
  #outcome: SharedFetchOutcome | null = null;
  #riders = 0;
  #aloneSinceMs = performance.now();

  /** Begins the fetch at once. */
  constructor(host: GatewayHost, request: FetchRequest, options: { readonly from: number }) {
    this.request = request;
    this.from = options.from;
    this.ended = this.#run(host);
  }

  /** Bytes of the file: what it has to be, or what the fetch found; null while nobody knows. */
  get sizeBytes(): number | null {
    if (this.#outcome?.kind === "done") return this.#outcome.done.sizeBytes;
    return this.request.sizeBytes ?? this.#reader?.sizeBytes ?? this.#foundBytes;
  }

  /** Whether the size is that of the file that is meant, and will not change any more. */
  get isSizeCertain(): boolean {
    if (this.request.sizeBytes !== null || this.#outcome?.kind === "done") return true;
    return this.hasReleased;
  }

  /** Whether any byte may be shown yet. */
  get hasReleased(): boolean {
    return (this.#released?.count ?? 0) > 0;
  }

  /** Whether all of the file was here before, so that the fetch ends at once. */
  get isHere(): boolean {
    return this.#isHere;
  }

  /** Whether anybody is there who gives the file. */
  get hasFound(): boolean {
    return this.#hasFound;
  }

  get outcome(): SharedFetchOutcome | null {
    return this.#outcome;
  }

  get isOver(): boolean {
    return this.#outcome !== null;
  }

  get failure(): Error | null {
    if (this.#outcome?.kind !== "failed") return null;
    const { error } = this.#outcome;
    return error instanceof Error ? error : new Error(messageOf(error));
  }

  /** Counts up when all that was read so far turned out not to be the file. */
  get round(): number {
    return this.#round;
  }

  /** Whether the whole file is in the store now. */
  get isKept(): boolean {
    return this.#outcome?.kind === "done" && !NO_ROOT.test(this.#outcome.done.root);
  }

  /** Whether every byte of the file may be shown. */
  get isAllReleased(): boolean {
    return this.#released !== null && this.#released.count === this.#released.length;
  }

  /** The strong entity tag of the file; null while nobody knows its hash for certain. */
  get etag(): string | null {
    if (this.request.sha256 !== null) return `"${this.request.sha256}"`;
    if (this.#outcome?.kind !== "done" || !this.isKept) return null;
    return `"${this.#outcome.done.root}"`;
  }

  get source(): SharedFetchSource {
    if (this.#outcome?.kind !== "done") {
      if (this.#isHere) return "here";
      return this.#hasPeers || this.request.mirrors.length === 0 ? "peers" : "mirror";
    }
    const { sources, mirrors } = this.#outcome.done;
    if (sources.length > 0) return "peers";
    return mirrors.length > 0 ? "mirror" : "here";
  }

  /** Calls back whenever something changed; returns the end of it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody waits for it or reads from it; the returned function ends that, once. */
  ride(): () => void {
    this.#riders++;
    let rides = true;
    return () => {
      if (!rides) return;
      rides = false;
      if (--this.#riders === 0) this.#aloneSinceMs = performance.now();
    };
  }

  /** Since when nobody waits for it; null while somebody does. */
  get aloneSinceMs(): number | null {
    return this.#riders === 0 ? this.#aloneSinceMs : null;
  }

  /** Where the run of bytes ends that begins at `offset` and may be shown; `offset` for none. */
  releasedEnd(offset: number, options: { readonly max: number }): number {
    const size = this.#reader?.sizeBytes;
    if (this.#released === null || size === undefined || offset >= size) return offset;
    const last = Math.min(chunkCount(size), Math.ceil((offset + options.max) / CHUNK_BYTES));
    let chunk = Math.floor(offset / CHUNK_BYTES);
    while (chunk < last && this.#released.has(chunk)) chunk++;
    return Math.max(offset, Math.min(chunk * CHUNK_BYTES, size, offset + options.max));
  }

  /**
   * Bytes that may be shown, from `offset`: so many of the `length` as one read gives.
   *
   * @throws {EnvironmentError} when they cannot be read any more.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    if (this.#reader === null) throw new RangeError("Cannot read: nothing is here yet");
    const first = Math.floor(offset / CHUNK_BYTES);
    const skip = offset - first * CHUNK_BYTES;
    const count = Math.min(limits.requestChunksMax, Math.ceil((skip + length) / CHUNK_BYTES));
    const buffer = new Uint8Array(count * CHUNK_BYTES);
    const bytes = this.#reader.readRun({ first, count }, buffer, 0);
    return buffer.subarray(skip, Math.min(bytes, skip + length));
  }

  get isAborted(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Gives the fetch up; `reason` says why, where it is more than that nobody waits any more. */
  abort(reason?: FetchFailure): void {
    this.#abort.abort(reason);
  }

  // FetchObserver

  event(event: FetchNotice): void {
    if (event.kind === "found") {
      this.#hasFound = true;
      this.#foundBytes = event.sizeBytes;
      this.#hasPeers ||= event.sources > 0;
      this.#isHere = event.bytesHad > 0 && event.bytesHad === event.sizeBytes;
    } else if (event.kind === "progress") {
      this.#hasPeers ||= event.sources > 0;
      return;
    } else if (event.kind === "restarted") {
      this.#round++;
      this.#reader = null;
      this.#released = null;
      this.#hasPeers = this.#isHere = false;
      this.#foundBytes = null;
    } else return;
    this.#changed();
  }

  readable(reader: FileReader): void {
    this.#hasFound = true;
    if (this.#released?.length !== chunkCount(reader.sizeBytes)) {
      this.#released = new Bitfield(chunkCount(reader.sizeBytes));
    }
    this.#reader = reader;
    this.#changed();
  }

  gained(): void {
    // What was gained and is not vouched for is of no use to anybody here.
  }

  released(range: ChunkRange): void {
    if (this.#released === null || this.#released.addRange(range) === 0) return;
    this.#changed();
  }

  async #run(host: GatewayHost): Promise<void> {
    try {
      const done = await host.fetch(this.request, {
        observer: this,
        signal: this.#abort.signal,
        ...(this.from > 0 ? { from: this.from } : {}),
      });
      this.#outcome = { kind: "done", done };
      // A file that is here whole is proved whole.
      if (!NO_ROOT.test(done.root) && this.#released !== null) {
        this.#released.addRange({ first: 0, count: this.#released.length });
      }
    } catch (error) {
      this.#outcome = { kind: "failed", error };
    }
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
