/**
 * The requester's side of one transfer: asks a holder for leaves and chunks and checks what comes.
 *
 * This is the hot path. A CHUNKS frame is checked in place while the rest of it is still on its way
 * (`chunk_check.ts`); when it is whole, what is right of it is written with one positional write.
 * Which chunks to ask for is decided by `core/download/download.ts`, through the swarm.
 */

import { type Bitfield, pageRanges } from "../../base/bitfield.ts";
import { PeerFault } from "../../base/errors.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  type ChunkRange,
  isRangeWithin,
  rangeBytes,
} from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SourcePlace } from "../../core/download/download_events.ts";
import { isFar, rankOf } from "../../core/nearness/nearness.ts";
import type { Pace } from "../../base/rates/pace.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { decodePayload } from "../../wire/codec.ts";
import { type Frame, onlyKinds } from "../../wire/framer.ts";
import {
  CHUNKS_CODE,
  type MessageOf,
  MESSAGES,
  type Rejection,
  WITHDRAWN,
} from "../../wire/messages.ts";
import type { ChunkCheck } from "./chunk_check.ts";
import type { LeafSource } from "./leaf_fetch.ts";
import type { Provider } from "./provider.ts";
import type { ChunkSink, ChunkSource } from "./swarm_events.ts";

/** What a holder may send once it knows that the file is wanted. */
const HOLDER_KINDS = ["leaves", "chunks", "have", "bitfield", "reject", "bye"] as const;

/** Takes what a holder gives beside what any source does, and says of itself. */
export interface PeerSink extends Pick<ChunkSink, "chunks"> {
  leaves(source: PeerSource, first: number, hashes: Uint8Array): void;
  leavesArriving(source: PeerSource): void;
  /** It has these chunks as well: in order, none twice. */
  has(source: PeerSource, ranges: readonly ChunkRange[]): void;
  rejected(source: PeerSource, range: ChunkRange, rejection: Rejection): void;
  /** The policy takes it for lost. */
  dropped(source: PeerSource, reason: "bad-data" | "silent"): void;
}

/** The CHUNKS frame at the front. */
interface FrontFrame {
  readonly range: ChunkRange;
  /** Null: it was cancelled on its way, and is let pass unread. */
  readonly check: ChunkCheck | null;
  /** Bytes of its payload that are here. */
  arrived: number;
}

/** One holder that a swarm takes chunks from. */
export class PeerSource implements FrameHandler, ChunkSource, LeafSource {
  readonly id: number;
  readonly provider: Provider & { readonly nodeId: NodeId };
  readonly connection: Connection;
  readonly have: Bitfield | "all";
  readonly place?: SourcePlace;
  readonly pace: Pace;
  strikes = 0;
  /** Whether it said that it offers the file no more. */
  isWithdrawn = false;
  readonly #sink: ChunkSink;
  readonly #peers: PeerSink;
  readonly #announcements: ToldChunks;
  #front: FrontFrame | null = null;

  constructor(
    connection: Connection,
    options: {
      readonly sink: ChunkSink;
      readonly peers: PeerSink;
      readonly id: number;
      readonly nodeId: NodeId;
      /** The holder's address, for people. */
      readonly peer: string;
      /** How fast it is read. */
      readonly pace: Pace;
      /** The chunks that it has, for `peers` to keep up; by default all. */
      readonly have?: Bitfield | "all";
      /** Whether nearer ones come first; they do not by default. */
      readonly byNearness?: boolean;
    },
  ) {
    this.#sink = options.sink;
    this.#peers = options.peers;
    this.connection = connection;
    this.id = options.id;
    const { peer: label, nodeId } = options;
    this.provider = { kind: "peer", label, nodeId, host: connection.remote.host };
    this.have = options.have ?? "all";
    if (options.byNearness) {
      const { nearness, roundTripMs } = connection;
      const rank = rankOf(nearness, roundTripMs);
      this.place = { rank, isFar: isFar(nearness), nodeId };
    }
    this.pace = options.pace;
    connection.setReadPace(this.pace);
    this.#announcements = new ToldChunks(this.#chunks);
  }

  get #chunks(): number {
    return chunkCount(this.#sink.file.sizeBytes);
  }

  /**
   * Holds chunks that it says it has, in order and none twice, to what a source may announce.
   *
   * @throws {PeerFault} when they are not in the file, or were announced too often.
   */
  announced(ranges: readonly ChunkRange[]): readonly ChunkRange[] {
    return this.#announcements.ofHave(ranges);
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

  drop(reason: "bad-data" | "silent"): void {
    this.#peers.dropped(this, reason);
  }

  end(reason: string): void {
    this.connection.send({ kind: "bye", reason });
    this.connection.closeAfterWriting();
  }

  requestLeaves(range: ChunkRange): void {
    this.connection.send({ kind: "leaves-request", first: range.first, count: range.count });
  }

  partial(frame: Frame): void {
    if (frame.code === CHUNKS_CODE && frame.payload.length >= 4) this.#check(frame);
    else if (frame.code === MESSAGES.leaves.code) this.#peers.leavesArriving(this);
  }

  frame(frame: Frame): void {
    if (frame.code === CHUNKS_CODE) return this.#chunksFrame(frame);
    const message = decodePayload(frame.code, frame.payload);
    switch (message.kind) {
      case "leaves":
        return this.#peers.leaves(this, message.first, message.hashes);
      case "have":
        return this.#peers.has(this, this.announced(message.ranges));
      case "bitfield":
        return this.#peers.has(this, this.#announcements.ofBitfield(message));
      case "reject":
        checkRange(message.range, this.#chunks);
        this.isWithdrawn ||= message.rejection === "withdrawn";
        return this.#peers.rejected(this, message.range, message.rejection);
      case "bye":
        this.isWithdrawn ||= message.reason === WITHDRAWN;
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
    const { range, check } = front;
    if (check === null) return this.#sink.passed(this, range);
    check.finish(
      frame.payload.subarray(4),
      (data) => this.#peers.chunks(this, range, data, check.wrong),
    );
  }

  #check(frame: Frame): void {
    const front = this.#front ??= this.#open(frame);
    this.#sink.arriving(this, frame.payload.length - front.arrived);
    front.arrived = frame.payload.length;
    front.check?.advance(frame.payload.subarray(4), frame.payload.length - 4);
  }

  /** Matches a CHUNKS frame to what was asked, from its header alone. */
  #open(frame: Frame): FrontFrame {
    const p = frame.payload;
    const first = (p[0]! << 24 | p[1]! << 16 | p[2]! << 8 | p[3]!) >>> 0;
    const length = frame.payloadBytes - 4;
    const range = { first, count: Math.ceil(length / CHUNK_BYTES) };
    const { sizeBytes } = this.#sink.file;
    const chunks = this.#chunks;
    if (!isRangeWithin(range, chunks) || rangeBytes(sizeBytes, range).length !== length) {
      throw new PeerFault(
        "malformed",
        `Cannot take CHUNKS: ${length} bytes from chunk ${first} of ${chunks}`,
      );
    }
    const standing = this.#sink.classify(this, range);
    if (standing === "unasked") {
      throw new PeerFault(
        "unexpected",
        `Cannot take CHUNKS: ${range.count} from ${first} were not asked for`,
      );
    }
    if (standing === "cancelled") return { range, check: null, arrived: 0 };
    return { range, check: this.#sink.checkOf(range), arrived: 0 };
  }
}

/**
 * What one holder says that it has of a file, in its bitfield and by HAVE: within the file, in order,
 * and no more often than an honest one has reason to.
 */
class ToldChunks {
  readonly #chunks: number;
  /** Chunks that it announced so far, each as often as it did. */
  #announced = 0;

  constructor(chunks: number) {
    this.#chunks = chunks;
  }

  /** The ranges of a HAVE, which cost no more than the whole file: none overlaps another. */
  ofHave(ranges: readonly ChunkRange[]): readonly ChunkRange[] {
    let end = 0;
    for (const range of ranges) {
      checkRange(range, this.#chunks);
      if (range.first < end) {
        throw new PeerFault(
          "malformed",
          `Cannot take HAVE: chunk ${range.first} comes after chunk ${end - 1}`,
        );
      }
      end = range.first + range.count;
    }
    this.#count(countOf(ranges));
    return ranges;
  }

  ofBitfield({ firstByte, bits }: MessageOf<"bitfield">): readonly ChunkRange[] {
    const ranges = pageRanges(this.#chunks, firstByte, bits);
    this.#count(bits.length * 8);
    return ranges;
  }

  /** `chunks` is how many it takes to look through an announcement. */
  #count(chunks: number): void {
    this.#announced += chunks;
    if (this.#announced <= limits.announcedTimesMax * (this.#chunks + 8)) return;
    throw new PeerFault(
      "flooding",
      `Cannot take announcement: ${this.#announced} chunks of a file of ${this.#chunks}`,
    );
  }
}

function checkRange(range: ChunkRange, chunks: number): void {
  if (isRangeWithin(range, chunks)) return;
  throw new PeerFault(
    "malformed",
    `Cannot take range: chunks ${range.first}+${range.count} of ${chunks}`,
  );
}

function countOf(ranges: readonly ChunkRange[]): number {
  let chunks = 0;
  for (const { count } of ranges) chunks += count;
  return chunks;
}
