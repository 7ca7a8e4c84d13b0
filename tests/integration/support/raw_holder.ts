// A holder that a test plays: it hears the queries of one daemon, turns to it, offers a file and
// serves it, honestly except where the test says otherwise.

import { hash } from "node:crypto";
import { Bitfield } from "../../../src/base/bitfield.ts";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../../src/base/geometry.ts";
import { HASH_BYTES, type QueryId, type Root } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { matchesGlob } from "../../../src/base/names.ts";
import { MerkleBuilder } from "../../../src/store/hashing/merkle.ts";
import { CHUNKS_HEADER_BYTES, writeChunksHeader } from "../../../src/wire/codec.ts";
import type { MessageOf } from "../../../src/wire/messages.ts";
import type { FileOffer } from "../../../src/wire/structures.ts";
import { RawNode, type RawNodeOptions, type RawPeer } from "./raw_node.ts";

/** A file in memory, with its leaf layer and root. */
export interface HeldFile {
  readonly name: string;
  readonly data: Uint8Array;
  readonly root: Root;
  /** 32 bytes a chunk. */
  readonly leaves: Uint8Array;
}

/** Hashes `data` as a file of this name. */
export function holdFile(name: string, data: Uint8Array): HeldFile {
  const chunks = chunkCount(data.length);
  const leaves = new Uint8Array(chunks * HASH_BYTES);
  for (let i = 0; i < chunks; i++) {
    const { offset, length } = rangeBytes(data.length, { first: i, count: 1 });
    const digest = hash("sha256", data.subarray(offset, offset + length), "hex");
    leaves.set(fromHex(digest), i * HASH_BYTES);
  }
  const builder = new MerkleBuilder();
  builder.addLeaves(leaves);
  return { name, data, root: builder.root(), leaves };
}

/** A frame with the chunks of `range` in it, as an honest holder sends it. */
export function chunksFrame(file: HeldFile, range: ChunkRange): Uint8Array {
  const { offset, length } = rangeBytes(file.data.length, range);
  const frame = new Uint8Array(CHUNKS_HEADER_BYTES + length);
  writeChunksHeader(frame, range.first, length);
  frame.set(file.data.subarray(offset, offset + length), CHUNKS_HEADER_BYTES);
  return frame;
}

/** A transfer in which the raw holder serves; what a test's own answers are given. */
export interface Serving {
  readonly file: HeldFile;
  readonly peer: RawPeer;
  /** Requests answered so far in this transfer. */
  readonly served: number;
  /** Serves `range` as an honest holder would. */
  serve(range: ChunkRange): void;
}

/** Where a holder is not honest; each part by default is. */
export interface Behaviour {
  /** What the offer says otherwise. */
  readonly offer?: Partial<FileOffer>;
  /** The chunks that it says it has; all by default. */
  readonly claims?: ChunkRange;
  /** Answers a request for chunks. */
  readonly onRequest?: (range: ChunkRange, serving: Serving) => void | Promise<void>;
  /** Answers a request for leaves. */
  readonly onLeaves?: (range: ChunkRange, serving: Serving) => void;
  /** Called when the requester answers the offer with WANT. */
  readonly onWanted?: (serving: Serving) => void;
}

/** A raw node that holds one file and offers it to whoever asks over its one link. */
export class RawHolder implements AsyncDisposable {
  readonly node: RawNode;
  readonly file: HeldFile;
  /** Chunks asked of it, over all transfers. */
  readonly requested: ChunkRange[] = [];
  /** BAD-CHUNK messages that it got. */
  readonly complaints: ChunkRange[] = [];
  /** The queries that came, other than for its file too. */
  readonly queries: MessageOf<"query">[] = [];
  /** How requesters answered its offers. */
  readonly verdicts: ("want" | "more" | "enough")[] = [];
  readonly #behaviour: Behaviour;
  readonly #peerAddress: string;

  private constructor(node: RawNode, file: HeldFile, behaviour: Behaviour, peerAddress: string) {
    this.node = node;
    this.file = file;
    this.#behaviour = behaviour;
    this.#peerAddress = peerAddress;
  }

  /** Links with the daemon at `address` and offers `file` to it from then on. */
  static async start(
    address: string,
    file: HeldFile,
    options: { readonly behaviour?: Behaviour; readonly node?: RawNodeOptions } = {},
  ): Promise<RawHolder> {
    const node = new RawNode(options.node);
    try {
      const holder = new RawHolder(node, file, options.behaviour ?? {}, address);
      const link = await node.dial(address, "link");
      node.run(() => holder.#answerQueries(link));
      return holder;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nodeId(): string {
    return this.node.nodeId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }

  async #answerQueries(link: RawPeer): Promise<void> {
    for (;;) {
      // A test that lasts long is no reason for a wait without a bound: its link is closed.
      const query = await link.next("query", 600_000);
      this.queries.push(query);
      const { by, value } = query.sought;
      const { root, name } = this.file;
      const isSought = by === "glob"
        ? matchesGlob(value, name)
        : value === (by === "root" ? root : name);
      if (isSought) this.node.run(() => this.#offer(query.id));
    }
  }

  async #offer(id: QueryId): Promise<void> {
    const { file } = this;
    const peer = await this.node.callBack(this.#peerAddress, id);
    const chunks = chunkCount(file.data.length);
    const { claims, offer } = this.#behaviour;
    const isWhole = claims === undefined || claims.count === chunks;
    const have = new Bitfield(chunks);
    if (claims !== undefined) have.addRange(claims);
    const described: FileOffer = {
      root: file.root,
      name: file.name,
      type: "",
      sizeBytes: file.data.length,
      chunksHave: claims?.count ?? chunks,
      whole: isWhole,
      ...offer,
    };
    const bitfield = isWhole
      ? new Uint8Array()
      : have.page(0, Math.min(limits.bitfieldPageBytesMax, Math.ceil(chunks / 8)));
    peer.send({ kind: "offer", file: described, bitfield }, { kind: "offers-end" });
    const verdict = await peer.receive();
    if (verdict.kind !== "want" && verdict.kind !== "more" && verdict.kind !== "enough") {
      throw new Error(`Offered, and got ${verdict.kind}`);
    }
    this.verdicts.push(verdict.kind);
    if (verdict.kind === "want") await this.#serve(peer);
    else peer.close();
  }

  async #serve(peer: RawPeer): Promise<void> {
    const { file } = this;
    let served = 0;
    const serving: Serving = {
      file,
      peer,
      get served() {
        return served;
      },
      serve(range) {
        served++;
        peer.sendFrame(chunksFrame(file, range));
      },
    };
    this.#behaviour.onWanted?.(serving);
    const honestLeaves = (range: ChunkRange) => {
      const hashes = file.leaves.slice(range.first * 32, (range.first + range.count) * 32);
      peer.send({ kind: "leaves", first: range.first, hashes });
    };
    try {
      for (;;) {
        const message = await peer.receive(600_000);
        switch (message.kind) {
          case "leaves-request": {
            const onLeaves = this.#behaviour.onLeaves ?? honestLeaves;
            onLeaves(message, serving);
            break;
          }
          case "request": {
            const range = { first: message.first, count: message.count };
            this.requested.push(range);
            const onRequest = this.#behaviour.onRequest ?? ((range) => serving.serve(range));
            await onRequest(range, serving);
            break;
          }
          case "bad-chunk":
            this.complaints.push({ first: message.first, count: message.count });
            break;
          case "bye":
            return peer.close();
          default:
            break;
        }
      }
    } catch (error) {
      // The requester hangs up when it has all, or has had enough of a liar.
      if (!(error instanceof EnvironmentError)) throw error;
    }
  }
}

/** A root that no file of the test has: one digit of `root` changed. */
export function otherRoot(root: Root): Root {
  const bytes = fromHex(root);
  bytes[0]! ^= 0xff;
  return toHex(bytes) as Root;
}
