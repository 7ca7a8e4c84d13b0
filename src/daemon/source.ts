/**
 * The requester's side of one transfer: asks a holder for leaves and chunks and checks what comes.
 *
 * This is the hot path. A CHUNKS frame is hashed in place, chunk by chunk, while the rest of it is
 * still on its way; when it is whole, what is right of it is written with one positional write.
 * Which chunks to ask for is decided by `core/download.ts`, through the swarm.
 */

import { hash } from "node:crypto";
import { PeerFault } from "../base/errors.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../base/geometry.ts";
import type { NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { FrameClass } from "../core/download.ts";
import type { Connection, FrameHandler } from "../net/connection.ts";
import { decodePayload } from "../wire/codec.ts";
import type { Frame } from "../wire/framer.ts";
import { CHUNKS_CODE, type Rejection } from "../wire/messages.ts";

/** Bytes of SHA-256 as hexadecimal digits. */
const HASH_DIGITS = 64;

/** What a source tells the swarm. */
export interface SourceObserver {
  /** Whether a CHUNKS frame of this range was asked of this source. */
  classify(source: Source, range: ChunkRange): FrameClass;
  /** Leaves of `range` as hexadecimal, 64 digits a chunk, checked against the root before. */
  leafDigits(range: ChunkRange): string;
  arriving(source: Source, bytes: number): void;
  /** A whole frame: `data` is the chunks of `range`; those in `bad` (indices) are wrong. */
  chunks(source: Source, range: ChunkRange, data: Uint8Array, bad: readonly number[]): void;
  /** A frame that was cancelled came all the same, and was let pass. */
  passed(source: Source, range: ChunkRange): void;
  leaves(source: Source, first: number, hashes: Uint8Array): void;
  has(source: Source, ranges: readonly ChunkRange[]): void;
  hasBits(source: Source, firstByte: number, bits: Uint8Array): void;
  rejected(source: Source, range: ChunkRange, rejection: Rejection): void;
}

/** The CHUNKS frame at the front: what it is, and how many of its chunks were checked already. */
interface FrontFrame {
  readonly range: ChunkRange;
  /** The leaves of the range, 64 hexadecimal digits each. */
  readonly digits: string;
  /** False: it was cancelled on its way, and is let pass unread. */
  readonly asked: boolean;
  checked: number;
}

/** One holder that a swarm takes chunks from. */
export class Source implements FrameHandler {
  readonly id: number;
  readonly nodeId: NodeId;
  /** The holder's address, for people. */
  readonly peer: string;
  readonly connection: Connection;
  /** Checked file bytes that came from here. */
  bytesGood = 0;
  strikes = 0;
  readonly #observer: SourceObserver;
  readonly #sizeBytes: number;
  readonly #chunks: number;
  #front: FrontFrame | null = null;
  #bad: number[] = [];
  #arrived = 0;

  constructor(
    observer: SourceObserver,
    connection: Connection,
    options: {
      readonly id: number;
      readonly nodeId: NodeId;
      readonly peer: string;
      readonly sizeBytes: number;
    },
  ) {
    this.#observer = observer;
    this.connection = connection;
    this.id = options.id;
    this.nodeId = options.nodeId;
    this.peer = options.peer;
    this.#sizeBytes = options.sizeBytes;
    this.#chunks = chunkCount(options.sizeBytes);
  }

  /** Receives until the connection ends. */
  async run(): Promise<void> {
    await this.connection.receive(this);
  }

  request(range: ChunkRange): void {
    this.connection.send({ kind: "request", first: range.first, count: range.count });
  }

  cancel(range: ChunkRange): void {
    this.connection.send({ kind: "cancel", first: range.first, count: range.count });
  }

  requestLeaves(range: ChunkRange): void {
    this.connection.send({ kind: "leaves-request", first: range.first, count: range.count });
  }

  partial(frame: Frame): void {
    if (frame.code === CHUNKS_CODE && frame.payload.length >= 4) this.#check(frame);
  }

  frame(frame: Frame): void {
    if (frame.code === CHUNKS_CODE) return this.#chunksFrame(frame);
    const message = decodePayload(frame.code, frame.payload);
    switch (message.kind) {
      case "leaves":
        return this.#observer.leaves(this, message.first, message.hashes);
      case "have":
        for (const range of message.ranges) this.#checkRange(range);
        return this.#observer.has(this, message.ranges);
      case "bitfield":
        return this.#observer.hasBits(this, message.firstByte, message.bits);
      case "reject":
        this.#checkRange(message.range);
        return this.#observer.rejected(this, message.range, message.rejection);
      case "bye":
        return this.connection.close();
      default:
        throw new PeerFault("unexpected", `Cannot fetch: ${message.kind} is not for a requester`);
    }
  }

  #chunksFrame(frame: Frame): void {
    if (frame.payload.length < 4) {
      throw new PeerFault("malformed", "Cannot read CHUNKS: it has no first index");
    }
    this.#check(frame);
    const front = this.#front!;
    const bad = this.#bad;
    this.#front = null;
    this.#arrived = 0;
    if (bad.length > 0) this.#bad = [];
    if (front.asked) this.#observer.chunks(this, front.range, frame.payload.subarray(4), bad);
    else this.#observer.passed(this, front.range);
  }

  /** Hashes the chunks of the frame that are whole and not yet checked. */
  #check(frame: Frame): void {
    const front = this.#front ??= this.#open(frame);
    const data = frame.payload;
    this.#observer.arriving(this, data.length - this.#arrived);
    this.#arrived = data.length;
    if (!front.asked) return;
    const { first, count } = front.range;
    while (front.checked < count) {
      const at = 4 + front.checked * CHUNK_BYTES;
      const end = at + chunkLength(this.#sizeBytes, first + front.checked);
      if (end > data.length) return;
      const digits = hash("sha256", data.subarray(at, end), "hex");
      const from = front.checked * HASH_DIGITS;
      if (digits !== front.digits.slice(from, from + HASH_DIGITS)) {
        this.#bad.push(first + front.checked);
      }
      front.checked++;
    }
  }

  /** Matches a CHUNKS frame to what was asked, from its header alone. */
  #open(frame: Frame): FrontFrame {
    const p = frame.payload;
    const first = (p[0]! << 24 | p[1]! << 16 | p[2]! << 8 | p[3]!) >>> 0;
    const length = frame.payloadBytes - 4;
    const range = { first, count: Math.ceil(length / CHUNK_BYTES) };
    if (
      !isRangeWithin(range, this.#chunks) || rangeBytes(this.#sizeBytes, range).length !== length
    ) {
      throw new PeerFault(
        "malformed",
        `Cannot take CHUNKS: ${length} bytes from chunk ${first} of ${this.#chunks}`,
      );
    }
    const standing = this.#observer.classify(this, range);
    if (standing === "unasked") {
      throw new PeerFault(
        "unexpected",
        `Cannot take CHUNKS: ${range.count} from ${first} were not asked for`,
      );
    }
    const asked = standing === "asked";
    return { range, digits: asked ? this.#observer.leafDigits(range) : "", asked, checked: 0 };
  }

  #checkRange(range: ChunkRange): void {
    if (!isRangeWithin(range, this.#chunks)) {
      throw new PeerFault(
        "malformed",
        `Cannot take range: chunks ${range.first}+${range.count} of ${this.#chunks}`,
      );
    }
  }
}

/** Read buffer for a source when `sources` share what may be in flight. */
export function sourceReadBytes(sources: number): number {
  return sources <= 2 ? limits.transferReadBytes : limits.transferReadBytes / 2;
}
