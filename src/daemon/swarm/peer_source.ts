/**
 * The requester's side of one transfer: asks a holder for leaves and chunks and checks what comes.
 *
 * This is the hot path. A CHUNKS frame is hashed in place, chunk by chunk, while the rest of it is
 * still on its way; when it is whole, what is right of it is written with one positional write.
 * Where hashing is slow and another core is free, whole frames are hashed there instead.
 * Which chunks to ask for is decided by `core/download/download.ts`, through the swarm.
 */

import { hash } from "node:crypto";
import { pageRanges } from "../../base/bitfield.ts";
import { PeerFault } from "../../base/errors.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkLength,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FrameClass } from "../../core/download/download.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { decodePayload } from "../../wire/codec.ts";
import type { Frame } from "../../wire/framer.ts";
import { onlyKinds } from "../../wire/gate.ts";
import { CHUNKS_CODE, MESSAGES, type Rejection } from "../../wire/messages.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";
import type { Provider } from "./provider.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** Bytes of SHA-256 as hexadecimal digits. */
const HASH_DIGITS = 64;

/** Chunks of a frame that is worth a copy to another core. */
const ELSEWHERE_CHUNKS_MIN = 8;

/** What a holder may send once it knows that the file is wanted. */
const HOLDER_KINDS = ["leaves", "chunks", "have", "bitfield", "reject", "bye"] as const;

/** What a source tells the swarm. */
export interface PeerSourceObserver {
  /** Whether a CHUNKS frame of this range was asked of this source. */
  classify(source: PeerSource, range: ChunkRange): FrameClass;
  /** Leaves of `range` as hexadecimal, 64 digits a chunk, checked against the root before. */
  leafDigits(range: ChunkRange): string;
  arriving(source: PeerSource, bytes: number): void;
  /** A whole frame: `data` is the chunks of `range`; those in `bad` (indices) are wrong. */
  chunks(source: PeerSource, range: ChunkRange, data: Uint8Array, bad: readonly number[]): void;
  /** A frame that was cancelled came all the same, and was let pass. */
  passed(source: PeerSource, range: ChunkRange): void;
  leaves(source: PeerSource, first: number, hashes: Uint8Array): void;
  leavesArriving(source: PeerSource): void;
  /** It has these chunks as well: in order, none twice. */
  has(source: PeerSource, ranges: readonly ChunkRange[]): void;
  rejected(source: PeerSource, range: ChunkRange, rejection: Rejection): void;
}

/** The CHUNKS frame at the front: what it is, and how many of its chunks were checked already. */
interface FrontFrame {
  readonly range: ChunkRange;
  /** The leaves of the range, 64 hexadecimal digits each. */
  readonly digits: string;
  /** False: it was cancelled on its way, and is let pass unread. */
  readonly asked: boolean;
  /** Whether another core shall hash it, once it is whole. */
  elsewhere: boolean;
  checked: number;
  /** Indices of chunks that do not match their leaves. */
  readonly bad: number[];
}

/** One holder that a swarm takes chunks from. */
export class PeerSource implements FrameHandler, ChunkSource {
  readonly id: number;
  readonly nodeId: NodeId;
  /** The holder's address, for people. */
  readonly peer: string;
  readonly provider: Provider;
  readonly connection: Connection;
  /** Checked file bytes that came from here. */
  bytesGood = 0;
  strikes = 0;
  readonly #observer: PeerSourceObserver;
  readonly #hasher: ChunkHasher;
  readonly #sizeBytes: number;
  readonly #chunks: number;
  #front: FrontFrame | null = null;
  #arrived = 0;
  /** Chunks that it announced so far, each as often as it did. */
  #announced = 0;

  constructor(
    observer: PeerSourceObserver,
    connection: Connection,
    options: {
      readonly id: number;
      readonly nodeId: NodeId;
      readonly peer: string;
      readonly sizeBytes: number;
      readonly hasher: ChunkHasher;
    },
  ) {
    this.#observer = observer;
    this.#hasher = options.hasher;
    this.connection = connection;
    this.id = options.id;
    this.nodeId = options.nodeId;
    this.peer = options.peer;
    this.provider = { kind: "peer", label: options.peer, nodeId: options.nodeId };
    this.#sizeBytes = options.sizeBytes;
    this.#chunks = chunkCount(options.sizeBytes);
  }

  /** Receives until the connection ends. */
  async run(): Promise<void> {
    this.connection.setGate(onlyKinds("Cannot fetch", HOLDER_KINDS));
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
    else if (frame.code === MESSAGES.leaves.code) this.#observer.leavesArriving(this);
  }

  frame(frame: Frame): void {
    if (frame.code === CHUNKS_CODE) return this.#chunksFrame(frame);
    const message = decodePayload(frame.code, frame.payload);
    switch (message.kind) {
      case "leaves":
        return this.#observer.leaves(this, message.first, message.hashes);
      case "have":
        this.#checkOrder(message.ranges);
        return this.#announce(message.ranges, countOf(message.ranges));
      case "bitfield":
        return this.#announce(
          pageRanges(this.#chunks, message.firstByte, message.bits),
          message.bits.length * 8,
        );
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
    this.#front = null;
    this.#arrived = 0;
    if (!front.asked) return this.#observer.passed(this, front.range);
    const data = frame.payload.subarray(4);
    if (front.elsewhere && this.#hasher.hasRoom) return this.#hashElsewhere(front, data);
    front.elsewhere = false;
    this.#hash(front, data);
    this.#observer.chunks(this, front.range, data, front.bad);
  }

  /** Looks at what has arrived of the frame at the front. */
  #check(frame: Frame): void {
    const front = this.#front ??= this.#open(frame);
    this.#observer.arriving(this, frame.payload.length - this.#arrived);
    this.#arrived = frame.payload.length;
    this.#hash(front, frame.payload.subarray(4));
  }

  /** Hashes the chunks that are whole and not yet checked. */
  #hash(front: FrontFrame, data: Uint8Array): void {
    if (!front.asked || front.elsewhere) return;
    const { first, count } = front.range;
    while (front.checked < count) {
      const at = front.checked * CHUNK_BYTES;
      const end = at + chunkLength(this.#sizeBytes, first + front.checked);
      if (end > data.length) return;
      const digits = hash("sha256", data.subarray(at, end), "hex");
      if (!front.digits.startsWith(digits, front.checked * HASH_DIGITS)) {
        front.bad.push(first + front.checked);
      }
      front.checked++;
    }
  }

  #hashElsewhere(front: FrontFrame, data: Uint8Array): void {
    this.#hasher.take(data, (digits, copy) => {
      if (digits !== front.digits) {
        for (let i = 0; i < front.range.count; i++) {
          const at = i * HASH_DIGITS;
          if (!front.digits.startsWith(digits.slice(at, at + HASH_DIGITS), at)) {
            front.bad.push(front.range.first + i);
          }
        }
      }
      this.#observer.chunks(this, front.range, copy, front.bad);
    });
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
    return {
      range,
      digits: asked ? this.#observer.leafDigits(range) : "",
      asked,
      elsewhere: asked && range.count >= ELSEWHERE_CHUNKS_MIN && this.#hasher.hasRoom,
      checked: 0,
      bad: [],
    };
  }

  /** Passes on what the holder says it has; `chunks` is how many it takes to look through that. */
  #announce(ranges: readonly ChunkRange[], chunks: number): void {
    this.#announced += chunks;
    if (this.#announced > limits.announcedTimesMax * (this.#chunks + 8)) {
      throw new PeerFault(
        "flooding",
        `Cannot take announcement: ${this.#announced} chunks of a file of ${this.#chunks}`,
      );
    }
    this.#observer.has(this, ranges);
  }

  /** In order and without overlap, the ranges of one HAVE cost no more than the whole file. */
  #checkOrder(ranges: readonly ChunkRange[]): void {
    let end = 0;
    for (const range of ranges) {
      this.#checkRange(range);
      if (range.first < end) {
        throw new PeerFault(
          "malformed",
          `Cannot take HAVE: chunk ${range.first} comes after chunk ${end - 1}`,
        );
      }
      end = range.first + range.count;
    }
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

function countOf(ranges: readonly ChunkRange[]): number {
  let chunks = 0;
  for (const { count } of ranges) chunks += count;
  return chunks;
}

/** Read buffer for a source when `sources` share what may be in flight. */
export function sourceReadBytes(sources: number): number {
  return sources <= 2 ? limits.transferReadBytes : limits.transferReadBytes / 2;
}
