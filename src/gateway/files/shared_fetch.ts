/**
 * One file on its way to any number of HTTP clients: one fetch of the node, what it has found, and
 * which of its bytes may be shown (`released_bytes.ts`).
 *
 * It knows nothing of HTTP. Who reads from it does so at a pace and place of its own.
 */

import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { errorOf, type FetchFailure, isNoLongerHere } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import type {
  FetchNotice,
  FetchObserver,
  FetchRequest,
  FileReader,
  UsedFiles,
} from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { Root } from "../../base/ids.ts";
import type { FileSupply } from "../server/file_body.ts";
import type { FileSource } from "../server/ranged_answer.ts";
import { ReleasedBytes } from "./released_bytes.ts";

/** Which file is wanted, as far as it is known. */
export type SoughtFile = Pick<FetchRequest, "name" | "root" | "sha256" | "sizeBytes">;

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
      /** The client that waits, and for how long; null: a mirror gives it something meanwhile. */
      readonly client?: { readonly holdMs: number | null };
      /** Whether nodes are not believed what the file is, and mirrors alone give it. */
      readonly mirrorsAlone?: boolean;
      /** Bytes of this root that were shown are not here any more: they are had again. */
      readonly again?: { readonly root: Root; readonly why: string };
      /** Is told what must stay here for those who wait. */
      readonly use: UsedFiles;
    },
  ): Promise<Done>;
  /** Begins a use of files: what it is told of is not removed for room until it is disposed of. */
  use(): UsedFiles;
  /** Whether there is no link and no directory: nobody to ask. */
  isAlone(): boolean;
  /** Dials whom it knows, if it has no links: somebody wants a file that only others may have. */
  seekLinks(): void;
  /** Whether a complete file is here that may be the one: then nobody else is asked first. */
  mayBeHere(file: SoughtFile): boolean;
}

/** The root of a file that was not kept: nobody hashed all of it. */
const NO_ROOT = /^0+$/;

/** What a fetch says of the file since it began, or started over. */
interface FoundSoFar {
  readonly sizeBytes: number | null;
  readonly hasPeers: boolean;
  /** Whether all of the file was here before, so that the fetch ends at once. */
  readonly isHere: boolean;
}

const NOTHING: FoundSoFar = { sizeBytes: null, hasPeers: false, isHere: false };

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
  /** Whether the file may have been here whole when this began. */
  readonly mayBeHere: boolean;
  /** Resolves when the fetch behind it has ended, however it did. */
  readonly ended: Promise<void>;
  readonly changes = new Changes();
  readonly bytes = new ReleasedBytes();
  readonly #node: FetchingNode;
  /** How long its clients wait without a mirror; null with one. */
  readonly #holdMs: number | null;
  readonly #mirrorsAlone: boolean;
  readonly #abort = new AbortController();
  /** Ends the fetch that has bytes again. */
  #again: AbortController | null = null;
  /** How many of those there were, by the first chunk that could not be read. */
  readonly #agains = new Map<number, number>();
  #hasFound = false;
  #finding = NOTHING;
  readonly #subscribers: Subscribers;
  /** While it goes on, or somebody reads from it. */
  #use: UsedFiles | null = null;
  /** How the fetch behind it ended; null while it goes on. */
  #outcome: { readonly done: Done | null; readonly failure: Error | null } | null = null;

  /** Begins the fetch at once. */
  constructor(
    node: FetchingNode,
    request: FetchRequest,
    options: {
      readonly from: number;
      /** Whether nodes are not believed what the file is. */
      readonly mirrorsAlone: boolean;
      readonly clock: Clock;
      /** How long its clients wait without a mirror; null with one. */
      readonly holdMs: number | null;
    },
  ) {
    this.#holdMs = options.holdMs;
    this.#mirrorsAlone = options.mirrorsAlone;
    this.request = request;
    this.from = options.from;
    this.#node = node;
    this.mayBeHere = node.mayBeHere(request);
    this.#subscribers = new Subscribers(options.clock);
    this.ended = this.#run();
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

  /** The root of the file that is in the store now; null while there is none. */
  get root(): Root | null {
    return this.isKept ? this.#done!.root : null;
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
    const end = this.#subscribers.add();
    if (this.#use === null && this.root !== null) {
      this.#use = this.#node.use();
      this.#use.add(this.root);
    }
    return () => {
      end();
      this.#endUse();
      // Nobody else knows of it.
      if (this.aloneSinceMs !== null) this.#again?.abort();
    };
  }

  releasedEnd(offset: number, options: { readonly max: number }): number {
    return this.bytes.endOf(offset, options);
  }

  /**
   * Released bytes; null when they are not what they were, and are fetched again.
   *
   * @throws {EnvironmentError} when the bytes cannot be read any more.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> | null {
    try {
      return this.bytes.read(offset, length);
    } catch (error) {
      if (!isNoLongerHere(error) || !this.#haveAgain(offset, error.message)) throw error;
      this.bytes.takeBack(offset, length);
      return null;
    }
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

  #endUse(): void {
    if (this.#outcome === null || this.aloneSinceMs === null) return;
    this.#use?.[Symbol.dispose]();
    this.#use = null;
  }

  /** Has the file again that was here and cannot be read at `offset`; false when that makes no sense. */
  #haveAgain(offset: number, why: string): boolean {
    // What still runs sees by itself that something is missing.
    if (this.#outcome === null) return true;
    const done = this.#done;
    const chunk = Math.floor(offset / CHUNK_BYTES);
    const agains = this.#agains.get(chunk) ?? 0;
    if (done === null || !this.isKept || agains >= limits.fetchesAgainMax) return false;
    this.#agains.set(chunk, agains + 1);
    this.#again = new AbortController();
    this.#outcome = null;
    void this.#run({ root: done.root, why });
    return true;
  }

  async #run(again?: { readonly root: Root; readonly why: string }): Promise<void> {
    const use = this.#use ??= this.#node.use();
    try {
      const done = await this.#node.fetch(this.request, {
        observer: this,
        use,
        signal: (this.#again ?? this.#abort).signal,
        client: { holdMs: this.#holdMs },
        ...(this.#mirrorsAlone && again === undefined ? { mirrorsAlone: true } : {}),
        ...(this.from > 0 && again === undefined ? { from: this.from } : {}),
        ...(again === undefined ? {} : { again }),
      });
      this.#outcome = { done, failure: null };
      // A file that is here whole is proved whole.
      if (this.isKept) this.bytes.releaseAll();
    } catch (error) {
      this.#outcome = { done: null, failure: errorOf(error) };
    }
    this.#endUse();
    this.changes.tell();
  }
}
