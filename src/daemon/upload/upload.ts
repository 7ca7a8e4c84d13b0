/**
 * The holder's side of one transfer: answers requests for chunks and leaves of one file.
 *
 * Requests wait in a bounded queue; the connection asks for the next frame when the one before is
 * written, and gets it by one positional read into a reused buffer. Nothing is read ahead.
 */

import { Bitfield, mergedRanges } from "../../base/bitfield.ts";
import { EnvironmentError, messageOf, PeerFault } from "../../base/errors.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import type { Pace } from "../../base/rates/pace.ts";
import type { BulkSource, Connection, FrameHandler } from "../../net/connection.ts";
import {
  CHUNKS_HEADER_BYTES,
  decodePayload,
  encodeFrame,
  writeChunksHeader,
} from "../../wire/codec.ts";
import { type Frame, onlyKinds } from "../../wire/framer.ts";
import type { Message, Rejection } from "../../wire/messages.ts";
import { sendBuffers } from "../../net/buffer_pool.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { LeafAnswers, type LeafStore } from "./leaf_answers.ts";
import { MinimumRate } from "./minimum_rate.ts";

/** What a requester may send once it wants the file. */
const REQUESTER_KINDS = ["request", "cancel", "leaves-request", "bad-chunk", "bye"] as const;

/** From where an upload reads: a store, or a file in flight. */
interface UploadStore extends LeafStore {
  isComplete(root: Root): boolean;
  availableChunks(root: Root): Bitfield | undefined;
  readRun(root: Root, range: ChunkRange, target: Uint8Array, offset: number): number;
  /** Checks chunks that somebody says are wrong. */
  scrubRange(root: Root, range: ChunkRange): Promise<unknown>;
  chunkClose(root: Root): void;
  /** Has the file stay here until that is disposed of. */
  use(root: Root): Disposable;
}

/** What an upload works with. */
export interface UploadContext extends Pick<NodeContext, "clock" | "log" | "rates"> {
  readonly store: UploadStore;
}

/** A file, and the requester that it is sent to. */
export interface UploadedFile {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
  readonly nodeId: NodeId;
  /** The requester's address, for people. */
  readonly peer: string;
  /** Whether this node pushes the file: then the requester must keep to the minimum rate. */
  readonly isPushed?: boolean;
  /** Whether a holder of a part says which chunks it has and gains; it does unless this is false. */
  readonly tellsNews?: boolean;
}

/**
 * What a requester is told of the chunks that are here. A partial holder sends its bitfield again,
 * since the one in the offer has only the first page, and is as old as the requester's answer; and
 * from then on what it gained.
 */
class ChunkNews {
  /** Whether all chunks were here in the beginning. */
  readonly wasComplete: boolean;
  readonly #have: () => Bitfield | undefined;
  /** The first byte of the bitfield that the requester has not got yet. */
  #pageAt: number;
  #gained: ChunkRange[] = [];
  #chunksGained = 0;

  /** `have` gives the chunks that are here; undefined when there is nothing of the file. */
  constructor(isComplete: boolean, have: () => Bitfield | undefined) {
    this.wasComplete = isComplete;
    this.#have = have;
    this.#pageAt = isComplete ? Infinity : 0;
  }

  /** Chunks that the requester was not told of. */
  get chunksGained(): number {
    return this.#chunksGained;
  }

  gained(range: ChunkRange): void {
    this.#gained.push(range);
    this.#chunksGained += range.count;
  }

  /** The next page of the bitfield; null when all were sent. */
  nextPage(): Message | null {
    if (this.#pageAt === Infinity) return null;
    const have = this.#have();
    const left = have === undefined ? 0 : Math.ceil(have.length / 8) - this.#pageAt;
    if (have === undefined || left <= 0) {
      this.#pageAt = Infinity;
      return null;
    }
    const firstByte = this.#pageAt;
    const bits = have.page(firstByte, Math.min(limits.bitfieldPageBytesMax, left));
    this.#pageAt += bits.length;
    return { kind: "bitfield", firstByte, bits };
  }

  /** What was gained since the last time: in order, each chunk once. */
  takeGained(): Message[] {
    if (this.#gained.length === 0) return [];
    const ranges = mergedRanges(this.#gained);
    this.#gained = [];
    this.#chunksGained = 0;
    const messages: Message[] = [];
    for (let at = 0; at < ranges.length; at += limits.haveRangesMax) {
      messages.push({ kind: "have", ranges: ranges.slice(at, at + limits.haveRangesMax) });
    }
    return messages;
  }
}

/** One requester being served with one file. */
export class Upload implements FrameHandler, BulkSource {
  readonly file: UploadedFile;
  /** File bytes handed to the connection so far. */
  bytesSent = 0;
  readonly #context: UploadContext;
  readonly #connection: Connection;
  #queue: ChunkRange[] = [];
  #use: Disposable | null = null;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  readonly #news: ChunkNews;
  readonly #leaves: LeafAnswers;
  #complaints = 0;
  /** For a file that is pushed: its rate, and the chunks that were sent, each of use but once. */
  readonly #push: { readonly rate: MinimumRate; readonly sent: Bitfield } | null;
  readonly beganMs: number;
  readonly pace: Pace;
  /** When the requester was last heard, or sent data. */
  #usedMs: number;

  constructor(context: UploadContext, connection: Connection, file: UploadedFile) {
    this.#context = context;
    this.#connection = connection;
    this.file = file;
    const { store } = context;
    const { root } = file;
    const isSilent = file.tellsNews === false;
    this.#news = new ChunkNews(
      isSilent || store.isComplete(root),
      () => store.availableChunks(root),
    );
    const { log } = context;
    this.#leaves = new LeafAnswers(root, {
      store,
      log,
      send: (message) => this.#connection.send(message),
    });
    this.beganMs = this.#usedMs = context.clock.nowMs();
    const { host } = connection.remote;
    this.pace = context.rates.flow("upload", { host, peer: file.nodeId });
    this.#push = file.isPushed
      ? { rate: new MinimumRate(this.#usedMs), sent: new Bitfield(this.#chunks) }
      : null;
  }

  /** Whether it is this node's own rate that makes it slow. */
  get isHeld(): boolean {
    return this.pace.isHeld;
  }

  /** The requester's host. */
  get host(): string {
    return this.#connection.remote.host;
  }

  /**
   * For how long the requester has neither said anything nor had anything to wait for. HAVE does not
   * count: it is sent to a requester that is gone as well.
   */
  idleMs(nowMs: number): number {
    const isBusy = this.#queue.length > 0 || this.#leaves.isBusy || this.pace.isWaiting ||
      this.#connection.writeSinceMs !== null;
    return isBusy ? 0 : nowMs - this.#usedMs;
  }

  /** Whether the file is pushed, and the requester takes it too slowly. To be asked each tick. */
  isTooSlow(nowMs: number): boolean {
    if (this.#push === null) return false;
    const { rate, sent } = this.#push;
    if (this.pace.isHeld) return rate.excuse(nowMs);
    return rate.tick(sent.count * CHUNK_BYTES, nowMs);
  }

  /** Serves until the connection ends. */
  async run(): Promise<void> {
    this.#connection.setGate(onlyKinds("Cannot serve", REQUESTER_KINDS));
    this.attach();
    try {
      await this.#connection.receive(this);
    } finally {
      this.detach();
    }
  }

  /** Gives the connection what is asked for; the frames that ask come from elsewhere. */
  attach(): void {
    this.#use ??= this.#context.store.use(this.file.root);
    this.#connection.setBulk(this);
    this.#connection.wake();
  }

  detach(): void {
    this.#connection.setBulk(null);
    this.#leaves.end();
    this.pace.close();
    this.#releaseBuffer();
    this.#context.store.chunkClose(this.file.root);
    this.#use?.[Symbol.dispose]();
    this.#use = null;
  }

  /** Remembers chunks that this partial holder gained; {@linkcode flushGained} tells them. */
  gained(range: ChunkRange): void {
    this.#news.gained(range);
    const isMuch = this.#news.chunksGained >= limits.nearGainedChunks;
    if (isMuch && !isFar(this.#connection.nearness)) this.flushGained();
  }

  /** Sends HAVE for what was gained since the last time: in order, each chunk once. */
  flushGained(): void {
    for (const message of this.#news.takeGained()) this.#connection.send(message);
  }

  /** Ends the upload because the file is not offered any more. */
  withdraw(reason: string): void {
    this.#connection.send({ kind: "bye", reason });
    this.#connection.closeAfterWriting();
  }

  frame(frame: Frame): void {
    this.#usedMs = this.#context.clock.nowMs();
    const message = decodePayload(frame.code, frame.payload);
    switch (message.kind) {
      case "request":
        return this.#request(message);
      case "cancel":
        this.#queue = this.#queue.filter((range) =>
          range.first !== message.first || range.count !== message.count
        );
        return;
      case "leaves-request":
        this.#checkRange("Cannot serve leaves", message, limits.leavesPerFrameMax);
        return this.#leaves.request(message);
      case "bad-chunk":
        return this.#complaint(message);
      case "bye":
        return this.#connection.close();
      default:
        throw new PeerFault("unexpected", `Cannot serve: ${message.kind} is not for a holder`);
    }
  }

  nextFrame(): Uint8Array | null {
    // It holds the frame before, which has been written by now.
    if (this.#buffer !== null) this.#usedMs = this.#context.clock.nowMs();
    // Bitfields of big files go page by page, like data, not into the queue at once.
    const page = this.#news.nextPage();
    if (page !== null) return encodeFrame(page);
    for (;;) {
      const range = this.#queue.shift();
      if (range === undefined) {
        this.#releaseBuffer();
        return null;
      }
      const { length } = rangeBytes(this.file.sizeBytes, range);
      this.#buffer ??= sendBuffers.take();
      try {
        const count = this.#context.store.readRun(
          this.file.root,
          range,
          this.#buffer,
          CHUNKS_HEADER_BYTES,
        );
        if (count !== length) {
          throw new EnvironmentError("changed", `Cannot read chunks: ${count} of ${length} bytes`);
        }
      } catch (error) {
        // A file that changed or vanished is the disk's fault, not the requester's.
        this.#context.log.warn("cannot read a shared file", {
          name: this.file.name,
          root: this.file.root,
          error: messageOf(error),
        });
        this.#reject(range, "withdrawn");
        continue;
      }
      writeChunksHeader(this.#buffer, range.first, length);
      this.bytesSent += length;
      this.#push?.sent.addRange(range);
      return this.#buffer.subarray(0, CHUNKS_HEADER_BYTES + length);
    }
  }

  #request(range: ChunkRange): void {
    this.#checkRange("Cannot serve request", range, limits.requestChunksMax);
    if (this.#queue.length >= limits.uploadQueueMax) return this.#reject(range, "busy");
    if (!this.#has(range)) return this.#reject(range, this.#mayHaveLost ? "withdrawn" : "not-had");
    this.#queue.push({ first: range.first, count: range.count });
    this.#connection.wake();
  }

  #checkRange(what: string, range: ChunkRange, max: number): void {
    if (isRangeWithin(range, this.#chunks) && range.count <= max) return;
    const { first, count } = range;
    throw new PeerFault("malformed", `${what}: chunks ${first}+${count} of ${this.#chunks}`);
  }

  /** Whether chunks may be gone that the requester was told of: rotten ones, or a changed file. */
  get #mayHaveLost(): boolean {
    return this.#news.wasComplete || this.#complaints > 0;
  }

  #has(range: ChunkRange): boolean {
    const { store } = this.#context;
    return store.isComplete(this.file.root) ||
      store.availableChunks(this.file.root)?.hasRange(range) === true;
  }

  #reject(range: ChunkRange, rejection: Rejection): void {
    this.#connection.send({
      kind: "reject",
      range: { first: range.first, count: range.count },
      rejection,
    });
  }

  /** A requester got a wrong chunk from here: checks the copy here, for its first complaints. */
  #complaint(range: ChunkRange): void {
    this.#checkRange("Cannot take complaint", range, limits.requestChunksMax);
    if (++this.#complaints > limits.strikesMax) return;
    this.#context.log.warn("a peer says that a chunk from here is wrong", {
      peer: this.file.peer,
      name: this.file.name,
      root: this.file.root,
      chunk: range.first,
    });
    this.#context.store.scrubRange(this.file.root, range).catch((error) =>
      this.#context.log.warn("cannot recheck", { root: this.file.root, error: messageOf(error) })
    );
  }

  get #chunks(): number {
    return chunkCount(this.file.sizeBytes);
  }

  #releaseBuffer(): void {
    if (this.#buffer !== null) sendBuffers.give(this.#buffer);
    this.#buffer = null;
  }
}
