/**
 * One file on its way to any number of HTTP clients: one fetch of the node, what it has found, and
 * which of its bytes may be shown (`released_bytes.ts`).
 *
 * It knows nothing of HTTP. Who reads from it does so at a pace and place of its own.
 */

import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { errorOf, type FetchFailure } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { FetchNotice, FetchObserver, FetchRequest, FileReader } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { FileSupply } from "../server/file_body.ts";
import type { FileSource } from "../server/ranged_answer.ts";
import { ReleasedBytes } from "./released_bytes.ts";

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

/** What a fetch says of the file since it began, or started over. */
interface Finding {
  readonly sizeBytes: number | null;
  readonly hasPeers: boolean;
  /** Whether all of the file was here before, so that the fetch ends at once. */
  readonly isHere: boolean;
}

const NOTHING: Finding = { sizeBytes: null, hasPeers: false, isHere: false };

/** Who waits for a shared fetch, or reads from it. */
class Subscribers {
  readonly #clock: Clock;
  #count = 0;
  #aloneSinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aloneSinceMs = clock.nowMs();
  }

  /** Since when there is none; null while there is one. */
  get aloneSinceMs(): number | null {
    return this.#count === 0 ? this.#aloneSinceMs : null;
  }

  /** Adds one; the returned function removes it, once. */
  add(): () => void {
    this.#count++;
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      if (--this.#count === 0) this.#aloneSinceMs = this.#clock.nowMs();
    };
  }
}

/** A fetch that HTTP clients wait for. */
export class SharedFetch implements FetchObserver, FileSupply {
  readonly request: FetchRequest;
  /** The first byte for which it was begun; what is before it may never come. */
  readonly from: number;
  /** Resolves when the fetch behind it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly changes = new Changes();
  readonly bytes = new ReleasedBytes();
  readonly #abort = new AbortController();
  #hasFound = false;
  #finding = NOTHING;
  readonly #subscribers: Subscribers;
  /** How the fetch behind it ended; null while it goes on. */
  #outcome: { readonly done: Done | null; readonly failure: Error | null } | null = null;

  /** Begins the fetch at once. */
  constructor(
    node: FetchingNode,
    request: FetchRequest,
    options: { readonly from: number; readonly clock: Clock },
  ) {
    this.request = request;
    this.from = options.from;
    this.#subscribers = new Subscribers(options.clock);
    this.ended = this.#run(node);
  }

  /** Bytes of the file: what it has to be, or what the fetch found; null while nobody knows. */
  get sizeBytes(): number | null {
    const knownBytes = this.#done?.sizeBytes ?? this.request.sizeBytes ?? this.bytes.sizeBytes;
    return knownBytes ?? this.#finding.sizeBytes;
  }

  /** Whether the size is that of the file that is meant, and will not change any more. */
  get isSizeCertain(): boolean {
    return this.request.sizeBytes !== null || this.#done !== null || this.bytes.hasAny;
  }

  /** Whether all of the file was here before, so that the fetch ends at once. */
  get isHere(): boolean {
    return this.#finding.isHere;
  }

  /** Whether anybody is there who gives the file. */
  get hasFound(): boolean {
    return this.#hasFound;
  }

  get isOver(): boolean {
    return this.#outcome !== null;
  }

  get failure(): Error | null {
    return this.#outcome?.failure ?? null;
  }

  get round(): number {
    return this.bytes.round;
  }

  /** Whether the whole file is in the store now. */
  get isKept(): boolean {
    return this.#done !== null && !NO_ROOT.test(this.#done.root);
  }

  /** The strong entity tag of the file; null while nobody knows its hash for certain. */
  get etag(): string | null {
    if (this.request.sha256 !== null) return `"${this.request.sha256}"`;
    return this.#done !== null && this.isKept ? `"${this.#done.root}"` : null;
  }

  get source(): FileSource {
    if (this.#done === null) {
      if (this.isHere) return "here";
      return this.#finding.hasPeers || this.request.mirrors.length === 0 ? "peers" : "mirror";
    }
    const { sources, mirrors } = this.#done;
    if (sources.length > 0) return "peers";
    return mirrors.length > 0 ? "mirror" : "here";
  }

  /** Since when nobody waits for it; null while somebody does. */
  get aloneSinceMs(): number | null {
    return this.#subscribers.aloneSinceMs;
  }

  /** Somebody waits for it or reads from it; the returned function ends that, once. */
  subscribe(): () => void {
    return this.#subscribers.add();
  }

  releasedEnd(offset: number, options: { readonly max: number }): number {
    return this.bytes.endOf(offset, options);
  }

  /** @throws {EnvironmentError} when the bytes cannot be read any more. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes.read(offset, length);
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
    if (event.kind === "found" || event.kind === "progress") {
      const hasPeers = this.#finding.hasPeers || event.sources > 0;
      this.#finding = { ...this.#finding, hasPeers };
    }
    if (event.kind === "found") {
      const { bytesHad, sizeBytes } = event;
      this.#hasFound = true;
      this.#finding = {
        ...this.#finding,
        sizeBytes,
        isHere: bytesHad > 0 && bytesHad === sizeBytes,
      };
    } else if (event.kind === "restarted") {
      this.bytes.restart();
      this.#finding = NOTHING;
    } else return;
    this.changes.tell();
  }

  readable(reader: FileReader): void {
    this.#hasFound = true;
    this.bytes.readBy(reader);
    this.changes.tell();
  }

  gained(): void {
    // What was gained and is not released is of no use to anybody here.
  }

  released(range: ChunkRange): void {
    if (this.bytes.release(range)) this.changes.tell();
  }

  get #done(): Done | null {
    return this.#outcome?.done ?? null;
  }

  async #run(node: FetchingNode): Promise<void> {
    try {
      const done = await node.fetch(this.request, {
        observer: this,
        signal: this.#abort.signal,
        ...(this.from > 0 ? { from: this.from } : {}),
      });
      this.#outcome = { done, failure: null };
      // A file that is here whole is proved whole.
      if (this.isKept) this.bytes.releaseAll();
    } catch (error) {
      this.#outcome = { done: null, failure: errorOf(error) };
    }
    this.changes.tell();
  }
}
