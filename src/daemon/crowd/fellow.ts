/**
 * One fellow of a file in flight: a connection on which both sides ask for chunks and give them, and
 * tell each other what they have and read. What follows from it is decided in `core/crowd`.
 */

import type { HostPort } from "../../base/address.ts";
import { PeerFault } from "../../base/errors.ts";
import { Bitfield } from "../../base/bitfield.ts";
import { chunkCount, type ChunkRange, isRangeWithin } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { FellowMessage } from "../../core/crowd/crowd_events.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { decodePayload } from "../../wire/codec.ts";
import { type Frame, onlyKinds } from "../../wire/framer.ts";
import { CHUNKS_CODE, MESSAGES } from "../../wire/messages.ts";
import { type PeerSink, PeerSource } from "../swarm/peer_source.ts";
import type { ChunkSink } from "../swarm/swarm_events.ts";
import { Upload, type UploadContext, type UploadedFile } from "../upload/upload.ts";
import { fellowMessageOf, wireMessageOf } from "./fellow_messages.ts";
import { Patience } from "./patience.ts";

/** What a fellow may send. */
const FELLOW_KINDS = [
  "stripes",
  "fellows",
  "gained",
  "request",
  "chunks",
  "reject",
  "cancel",
  "bad-chunk",
  "bye",
] as const;

/** A fellow that comes in. */
export interface FellowIdentity {
  readonly nodeId: NodeId;
  /** Its address, for people, and where it can be dialled; port 0: nowhere. */
  readonly peer: string;
  readonly address: HostPort;
  /** Whether it was this node that dialled. */
  readonly isDialled: boolean;
}

/** What a fellow works with, and tells. */
interface FellowOptions {
  readonly sink: ChunkSink;
  readonly peers: PeerSink;
  readonly upload: UploadContext;
  readonly file: Omit<UploadedFile, "nodeId" | "peer">;
  /** By which the download knows it. */
  readonly sourceId: number;
  readonly identity: FellowIdentity;
  /** Stripes of the file. */
  readonly stripes: number;
  readonly heard: (message: FellowMessage) => void;
  /** It says that its mirror has chunks otherwise. */
  readonly accuses: (range: ChunkRange) => void;
}

/** One fellow. */
export class Fellow implements FrameHandler {
  readonly source: PeerSource;
  readonly connection: Connection;
  /** Whether it gives what it is asked for. */
  readonly patience = new Patience();
  readonly #upload: Upload;
  readonly #options: FellowOptions;
  readonly #messages = new RateLimit(limits.fellowMessagesPerSecond, limits.fellowMessagesBurst);
  #heardMs: number;

  constructor(connection: Connection, options: FellowOptions) {
    const { sink, peers, upload, file, sourceId: id } = options;
    const { nodeId, peer } = options.identity;
    this.connection = connection;
    this.#options = options;
    const have = new Bitfield(chunkCount(file.sizeBytes));
    const pace = upload.rates.flow("download", { host: connection.remote.host, peer: nodeId });
    this.source = new PeerSource(connection, { sink, peers, id, nodeId, peer, have, pace });
    this.#upload = new Upload(upload, connection, { ...file, nodeId, peer });
    this.#heardMs = upload.clock.nowMs();
  }

  get nodeId(): NodeId {
    return this.#options.identity.nodeId;
  }

  get address(): HostPort {
    return this.#options.identity.address;
  }

  get isDialled(): boolean {
    return this.#options.identity.isDialled;
  }

  get peer(): string {
    return this.#options.identity.peer;
  }

  /** Its host, as the connection reports it. */
  get host(): string {
    return this.connection.remote.host;
  }

  /** For how long it has said nothing. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardMs;
  }

  /** Bytes of the file that it was given. */
  get bytesSent(): number {
    return this.#upload.bytesSent;
  }

  /** For how long it has asked for nothing. */
  idleMs(nowMs: number): number {
    return this.#upload.idleMs(nowMs);
  }

  /** Serves and receives until the connection ends. */
  async run(): Promise<void> {
    this.connection.setGate(onlyKinds("Cannot be a fellow", FELLOW_KINDS));
    this.connection.reserve(limits.transferReadBytes / 2);
    this.#upload.attach();
    try {
      await this.connection.receive(this);
    } finally {
      this.#upload.detach();
    }
  }

  tell(message: FellowMessage): void {
    this.connection.send(wireMessageOf(message));
  }

  /** Says that the mirror has a chunk otherwise than it was given. */
  accuse(chunk: number): void {
    this.connection.send({ kind: "bad-chunk", first: chunk, count: 1 });
  }

  end(reason: string): void {
    this.source.end(reason);
  }

  partial(frame: Frame): void {
    // A frame that comes slowly is a sign of life too.
    this.#heardMs = this.#options.upload.clock.nowMs();
    if (frame.code === CHUNKS_CODE) this.source.partial(frame);
  }

  frame(frame: Frame): void {
    const nowMs = this.#heardMs = this.#options.upload.clock.nowMs();
    switch (frame.code) {
      case CHUNKS_CODE:
      case MESSAGES.reject.code:
      case MESSAGES.bye.code:
        return this.source.frame(frame);
      case MESSAGES.request.code:
      case MESSAGES.cancel.code:
        return this.#upload.frame(frame);
    }
    if (!this.#messages.take(nowMs)) {
      const most = limits.fellowMessagesPerSecond;
      throw new PeerFault("flooding", `Cannot hear a fellow: over ${most} messages a second`);
    }
    const message = decodePayload(frame.code, frame.payload);
    if (message.kind === "bad-chunk") return this.#options.accuses(this.#checkAccused(message));
    const { host } = this.connection.remote;
    const told = fellowMessageOf(message, host);
    if (told === undefined) {
      throw new PeerFault("unexpected", "Cannot be a fellow: a message of something else came");
    }
    if (told.kind === "announce") this.source.announced(told.ranges);
    if (told.kind === "report") this.#checkClaims(told.report.claims);
    this.#options.heard(told);
  }

  #checkClaims(claims: readonly number[]): void {
    const { stripes } = this.#options;
    for (const stripe of claims) {
      if (stripe < stripes) continue;
      throw new PeerFault("malformed", `Cannot take STRIPES: stripe ${stripe} of ${stripes}`);
    }
  }

  #checkAccused({ first, count }: ChunkRange): ChunkRange {
    const chunks = chunkCount(this.#options.file.sizeBytes);
    if (isRangeWithin({ first, count }, chunks) && count <= limits.requestChunksMax) {
      return { first, count };
    }
    throw new PeerFault(
      "malformed",
      `Cannot take BAD-CHUNK: chunks ${first}+${count} of ${chunks}`,
    );
  }
}
