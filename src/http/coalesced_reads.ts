/**
 * What the fetches of a node read from mirrors (origins) at the same moment: one that wants what
 * another one is just reading takes it from there, and asks no mirror. So a mirror gives a file once,
 * however many fetches of one node want it.
 *
 * Rules
 *  1. A fetch takes over from another one that reads from a mirror itself, or shares the file with
 *     fellows, at a URL that it would ask too, where both are held to the same root and SHA-256. Nobody
 *     takes over from who does so, and who has fellows does not, and so nobody waits for itself.
 *  2. It takes over what the mirror gave in order, chunk by chunk as that comes. What peers and fellows
 *     gave to the other one it gets only when the whole was found to be right.
 *  3. It waits as long as the other one reads on, shares the file with fellows, or checks it. When
 *     that ends, or starts over, the answer ends: the next one comes from whoever reads it then, or
 *     from the mirror, from the next byte on.
 *  4. Who wants what the other one is far from, asks the mirror: a reader of the end of a file does not
 *     wait for all of it. The mirror is asked too where it does not say that what is here already is of
 *     the same file.
 */

import type { Changes } from "../base/changes.ts";
import { EnvironmentError } from "../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import type { MirrorBody, MirrorFile } from "./mirrors.ts";
import type { ByteRange, RangeBody, RangeSource } from "./resumable_read.ts";
import type { FetchRequest, FileReader } from "../wire/fetching.ts";

/** An answer: a mirror's own, or what another fetch has of one. */
export interface ReadBody extends RangeBody, Pick<MirrorBody, "validators"> {
  /** Whether another fetch reads it. */
  readonly isTakenOver?: boolean;
}

/** What a mirror said of the file. */
export type MirrorAnswer = Pick<ReadBody, "mirror" | "validators">;

/** What a fetch reads of a mirror, as others see it. */
export interface OngoingRead {
  readonly request: Pick<FetchRequest, "root" | "sha256">;
  readonly file: MirrorFile;
  /** Something of what stands here changed. */
  readonly changes: Changes;
  /** The answer that it reads, from the mirror or from another fetch; null before it began. */
  readonly answer: MirrorAnswer | null;
  /** Whether fellows bring some of the file, or are listened for: it may come without an answer. */
  readonly isShared: boolean;
  /** Bytes of the file; null while that is not known. */
  readonly sizeBytes: number | null;
  /** Bytes that are here; the chunks in order that the mirror gave. */
  readonly bytes: number;
  readonly firstChunk: number;
  readonly nextChunk: number;
  /** Counts how often it started over: what came before is of no use. */
  readonly beginnings: number;
  /** Whether more comes, or what is here is being checked. */
  readonly isGoingOn: boolean;
  /** Whether nothing more is read: it is being put away. */
  readonly isEnded: boolean;
  /** Reads the chunks that are here; null when it is over. */
  readonly reader: FileReader | null;
}

/** The reads of one node. */
export class CoalescedReads {
  readonly #reads = new Set<CoalescedRead>();

  /** Takes in the read of one fetch. */
  join(read: OngoingRead): CoalescedRead {
    const one: CoalescedRead = new CoalescedRead(read, {
      find: (range) => this.#reads.values().find((other) => other.mayGive(one, range)),
      left: () => void this.#reads.delete(one),
    });
    this.#reads.add(one);
    return one;
  }
}

/** The reads of one node, as one of them sees them. */
interface OtherReads {
  /** Another one that gives such a range. */
  find(range: ByteRange): CoalescedRead | undefined;
  /** This one is over. */
  left(): void;
}

/** The read of one fetch, from a mirror or from another fetch. */
export class CoalescedRead implements RangeSource<ReadBody> {
  readonly #read: OngoingRead;
  readonly #others: OtherReads;
  /** Where it reads just now. */
  #state: "idle" | "asking" | "taking-over" = "idle";
  /** Whom it took over from last. */
  #from: { readonly other: CoalescedRead; readonly beginnings: number } | null = null;
  /** The complete file, found to be right. */
  #landed: FileReader | null = null;
  #isOver = false;

  constructor(read: OngoingRead, others: OtherReads) {
    this.#read = read;
    this.#others = others;
  }

  /**
   * The bytes of a range, from another fetch that reads them, or from the mirror.
   *
   * @throws {MirrorError} when no mirror gives it.
   */
  async open(range: ByteRange, options: { readonly signal: AbortSignal }): Promise<ReadBody> {
    const { signal } = options;
    for (let other = this.#other(range); other !== undefined; other = this.#other(range)) {
      this.#state = "taking-over";
      this.#from = { other, beginnings: other.#read.beginnings };
      if (other.answer !== null) {
        return new TakenOverBody(other, { range, signal, ended: () => this.#state = "idle" });
      }
      await other.changed(signal).finally(() => this.#state = "idle");
    }
    this.#state = "asking";
    return await this.#read.file.open(range, options);
  }

  /** The file is complete and right: who takes over from here gets the rest of that. */
  land(reader: FileReader): void {
    if (reader.sizeBytes === this.#read.sizeBytes) this.#landed = reader;
    this.leave();
  }

  /** The fetch is over. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#others.left();
    this.#read.changes.tell();
  }

  /** Rules 1 and 4: whether `other` may take over a range from here. */
  mayGive(other: CoalescedRead, { offset }: ByteRange): boolean {
    const from = this.#read, to = other.read;
    const { request, file: { url } } = from;
    const isReading = this.#state === "asking" || this.#state === "idle" && from.isShared;
    if (from === to || !isReading || from.isEnded || !from.isGoingOn) return false;
    if (request.root !== to.request.root || request.sha256 !== to.request.sha256) return false;
    if (url === null || !to.file.asks(url)) return false;
    const farBytes = offset - from.nextChunk * CHUNK_BYTES;
    if (offset < from.firstChunk * CHUNK_BYTES || farBytes > limits.mirrorSkipBytes) return false;
    if (this.answer === null) return true;
    // Where nobody knows how long it is, it is of no use before its end.
    return from.sizeBytes !== null && this.#isOfSameFile(to);
  }

  /** How many chunks from one on can be read; null when none come any more. */
  available(chunk: number, beginnings: number): number | null {
    const { nextChunk, reader, isGoingOn } = this.#read;
    if (beginnings !== this.#read.beginnings) return null;
    if (this.#landed !== null) return chunkCount(this.#landed.sizeBytes) - chunk;
    if (this.#isOver) return null;
    // It was put away, and will have landed at once, or be over.
    if (reader === null) return 0;
    return nextChunk > chunk ? nextChunk - chunk : isGoingOn ? 0 : null;
  }

  /** Reads chunks that are available; false when the disk refuses: nobody takes over from here then. */
  readRun(range: ChunkRange, target: Uint8Array): boolean {
    try {
      (this.#landed ?? this.#read.reader!).readRun(range, target, 0);
      return true;
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      this.#landed = null;
      this.leave();
      return false;
    }
  }

  get read(): OngoingRead {
    return this.#read;
  }

  /** What is known of the file; null: it is not known yet whether anything comes. */
  get answer(): MirrorAnswer | null {
    const { answer, isShared, sizeBytes, file: { mirror } } = this.#read;
    const mayCome = this.#landed !== null || isShared && sizeBytes !== null;
    if (answer !== null || !mayCome) return answer;
    return { mirror: mirror ?? "", validators: { etag: null, lastModified: null } };
  }

  /** Resolves when anything changed; @throws the reason of the signal. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    const endListening = this.#read.changes.listen(resolve);
    const stop = () => resolve();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      endListening();
      signal.removeEventListener("abort", stop);
    }
    signal.throwIfAborted();
  }

  /** From whom a range is taken over: whose file is complete by now, or who reads it. */
  #other(range: ByteRange): CoalescedRead | undefined {
    const from = this.#from;
    const isSame = from !== null && from.beginnings === from.other.#read.beginnings;
    if (isSame && from.other.#landed !== null) return from.other;
    return this.#read.isShared ? undefined : this.#others.find(range);
  }

  #isOfSameFile(to: OngoingRead): boolean {
    const { sizeBytes } = this.#read;
    if (to.sizeBytes !== null && to.sizeBytes !== sizeBytes) return false;
    if (to.bytes === 0) return true;
    const { mirror, validators: now } = this.answer!;
    const known = to.answer?.validators;
    if (known === undefined || to.answer!.mirror !== mirror) return false;
    return known.etag !== null && known.etag === now.etag ||
      known.lastModified !== null && known.lastModified === now.lastModified;
  }
}

/** What another fetch reads, as an answer. */
class TakenOverBody implements ReadBody {
  readonly isTakenOver = true;
  readonly mirror: string;
  readonly validators: MirrorBody["validators"];
  readonly offset: number;
  readonly sizeBytes: number;
  readonly #from: CoalescedRead;
  readonly #signal: AbortSignal;
  readonly #ended: () => void;
  readonly #beginnings: number;
  readonly #end: number;
  readonly #buffer: Uint8Array;
  #position: number;

  constructor(
    from: CoalescedRead,
    options: {
      readonly range: ByteRange;
      readonly signal: AbortSignal;
      readonly ended: () => void;
    },
  ) {
    const { range: { offset, end = Infinity }, signal, ended } = options;
    const { sizeBytes, beginnings } = from.read;
    const { mirror, validators } = from.answer!;
    this.mirror = mirror;
    this.validators = validators;
    this.offset = this.#position = offset;
    this.sizeBytes = sizeBytes!;
    this.#from = from;
    this.#signal = signal;
    this.#ended = ended;
    this.#beginnings = beginnings;
    this.#end = Math.min(end, this.sizeBytes);
    this.#buffer = new Uint8Array(limits.takenOverChunks * CHUNK_BYTES);
  }

  /** The next bytes, valid until the next call; null when no more come from there. */
  async read(): Promise<Uint8Array | null> {
    while (this.#position < this.#end) {
      this.#signal.throwIfAborted();
      const first = Math.floor(this.#position / CHUNK_BYTES);
      const available = this.#from.available(first, this.#beginnings);
      if (available === null) return null;
      const count = Math.min(available, limits.takenOverChunks);
      if (count > 0) return this.#take({ first, count });
      await this.#from.changed(this.#signal);
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.#ended();
  }

  #take(range: ChunkRange): Uint8Array | null {
    if (!this.#from.readRun(range, this.#buffer)) return null;
    const { offset, length } = rangeBytes(this.sizeBytes, range);
    const bytes = this.#buffer.subarray(
      this.#position - offset,
      Math.min(length, this.#end - offset),
    );
    this.#position += bytes.length;
    return bytes;
  }
}
