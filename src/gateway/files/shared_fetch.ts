/**
 * One file on its way to any number of HTTP clients: one fetch of the node, and which of its bytes
 * are released: may be shown to somebody who can never take them back.
 *
 * It knows nothing of HTTP. Who reads from it does so at a pace and place of its own.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { errorOf, type FetchFailure } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { FetchNotice, FetchObserver, FileReader } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import type { Done } from "../../wire/messages.ts";
import type { FileSupply } from "../server/file_body.ts";
import type { FileSource } from "../server/ranged_answer.ts";

/** What shared fetches need of the node. */
export interface FetchingNode {
  /**
   * Gets one file into the node's store; see `Node.fetch`.
   *
   * @throws {FetchFailure} with the reason.
   * @throws {EnvironmentError} when the disk refuses.
   */
  fetch(
    request: FetchRequest,
    options: {
      readonly observer: FetchObserver;
      readonly signal: AbortSignal;
      /** The first byte that somebody waits for. */
      readonly from?: number;
    },
  ): Promise<Done>;
  /** Whether there is no link and no directory: nobody to ask. */
  isAlone(): boolean;
}

/** The root of a file that was not kept: nobody hashed all of it. */
const NO_ROOT = /^0+$/;

/** A fetch that HTTP clients wait for. */
export class SharedFetch implements FetchObserver, FileSupply {
  readonly request: FetchRequest;
  /** The first byte for which it was begun; what is before it may never come. */
  readonly from: number;
  /** Resolves when the fetch behind it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly changes = new Changes();
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  #reader: FileReader | null = null;
  #released: Bitfield | null = null;
  #hasFound = false;
  #foundBytes: number | null = null;
  #hasPeers = false;
  #isHere = false;
  #round = 0;
  /** How the fetch behind it ended: one of them is not null then. */
  #done: Done | null = null;
  #failure: Error | null = null;
  #subscribers = 0;
  #aloneSinceMs: number;

  /** Begins the fetch at once. */
  constructor(
    node: FetchingNode,
    request: FetchRequest,
    options: { readonly from: number; readonly clock: Clock },
  ) {
    this.request = request;
    this.from = options.from;
    this.#clock = options.clock;
    this.#aloneSinceMs = options.clock.nowMs();
    this.ended = this.#run(node);
  }

  /** Bytes of the file: what it has to be, or what the fetch found; null while nobody knows. */
  get sizeBytes(): number | null {
    const { request } = this;
    const knownBytes = this.#done?.sizeBytes ?? request.sizeBytes ?? this.#reader?.sizeBytes;
    return knownBytes ?? this.#foundBytes;
  }

  /** Whether the size is that of the file that is meant, and will not change any more. */
  get isSizeCertain(): boolean {
    return this.request.sizeBytes !== null || this.#done !== null || this.hasReleased;
  }

  /** Whether any byte is released yet. */
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

  get isOver(): boolean {
    return this.#done !== null || this.#failure !== null;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  get round(): number {
    return this.#round;
  }

  /** Whether the whole file is in the store now. */
  get isKept(): boolean {
    return this.#done !== null && !NO_ROOT.test(this.#done.root);
  }

  /** Whether every byte of the file is released. */
  get isAllReleased(): boolean {
    return this.#released !== null && this.#released.count === this.#released.length;
  }

  /** The strong entity tag of the file; null while nobody knows its hash for certain. */
  get etag(): string | null {
    if (this.request.sha256 !== null) return `"${this.request.sha256}"`;
    return this.#done !== null && this.isKept ? `"${this.#done.root}"` : null;
  }

  get source(): FileSource {
    if (this.#done === null) {
      if (this.#isHere) return "here";
      return this.#hasPeers || this.request.mirrors.length === 0 ? "peers" : "mirror";
    }
    const { sources, mirrors } = this.#done;
    if (sources.length > 0) return "peers";
    return mirrors.length > 0 ? "mirror" : "here";
  }

  /** Somebody waits for it or reads from it; the returned function ends that, once. */
  subscribe(): () => void {
    this.#subscribers++;
    let isSubscribed = true;
    return () => {
      if (!isSubscribed) return;
      isSubscribed = false;
      if (--this.#subscribers === 0) this.#aloneSinceMs = this.#clock.nowMs();
    };
  }

  /** Since when nobody waits for it; null while somebody does. */
  get aloneSinceMs(): number | null {
    return this.#subscribers === 0 ? this.#aloneSinceMs : null;
  }

  releasedEnd(offset: number, options: { readonly max: number }): number {
    const size = this.#reader?.sizeBytes;
    if (this.#released === null || size === undefined || offset >= size) return offset;
    const last = Math.min(chunkCount(size), Math.ceil((offset + options.max) / CHUNK_BYTES));
    let chunk = Math.floor(offset / CHUNK_BYTES);
    while (chunk < last && this.#released.has(chunk)) chunk++;
    return Math.max(offset, Math.min(chunk * CHUNK_BYTES, size, offset + options.max));
  }

  /** @throws {EnvironmentError} when the bytes cannot be read any more. */
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
    this.changes.tell();
  }

  readable(reader: FileReader): void {
    this.#hasFound = true;
    if (this.#released?.length !== chunkCount(reader.sizeBytes)) {
      this.#released = new Bitfield(chunkCount(reader.sizeBytes));
    }
    this.#reader = reader;
    this.changes.tell();
  }

  gained(): void {
    // What was gained and is not released is of no use to anybody here.
  }

  released(range: ChunkRange): void {
    if (this.#released === null || this.#released.addRange(range) === 0) return;
    this.changes.tell();
  }

  async #run(node: FetchingNode): Promise<void> {
    try {
      this.#done = await node.fetch(this.request, {
        observer: this,
        signal: this.#abort.signal,
        ...(this.from > 0 ? { from: this.from } : {}),
      });
      // A file that is here whole is proved whole.
      if (this.isKept) this.#released?.addRange({ first: 0, count: this.#released.length });
    } catch (error) {
      this.#failure = errorOf(error);
    }
    this.changes.tell();
  }
}
