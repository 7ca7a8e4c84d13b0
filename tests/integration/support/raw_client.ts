// A client of a directory that a test plays itself: says its batches and questions message by
// message, and answers the directory's dial as the test has it.

import { toHex } from "../../../src/base/bytes.ts";
import { newSessionId, type Root, type SessionId } from "../../../src/base/ids.ts";
import { seededRandom, systemRandom } from "../../../src/base/random.ts";
import type { Message, MessageKind, MessageOf } from "../../../src/wire/messages.ts";
import { macEquals, sessionMac } from "../../../src/wire/proofs.ts";
import type { Holder, KnownFile, ListedFile, Load } from "../../../src/wire/structures.ts";
import { RawNode, type RawNodeOptions, type RawPeer } from "./raw_node.ts";
import { WAIT_MS, waitUntil } from "./wait.ts";

/** A client that has nothing to do, and takes nothing. */
export const IDLE: Load = { uploads: 0, uploadsMax: 32, bytesPerSecond: 0, acceptBytes: 0 };

/** How a raw client is set up. */
export interface RawClientOptions extends Omit<RawNodeOptions, "onPeer"> {
  /** What it does when it is dialled for a purpose; by default it proves its session. */
  readonly onPeer?: (peer: RawPeer, client: RawClient) => void | Promise<void>;
}

/** What a directory says to a batch. */
export type BatchAnswer = MessageOf<"listed"> | MessageOf<"denied">;

/** One client of one directory. */
export class RawClient implements AsyncDisposable {
  readonly node: RawNode;
  /** HOST:PORT of its directory; a test may move it to another. */
  directory: string;
  readonly session: SessionId = newSessionId(systemRandom);
  load: Load = IDLE;
  /** The sequence of its last batch or leave. */
  sequence = 0;
  /** How often it was dialled and asked for its load. */
  checks = 0;

  constructor(directory: string, options: RawClientOptions = {}) {
    this.directory = directory;
    const { onPeer = (peer: RawPeer) => this.prove(peer), ...rest } = options;
    this.node = new RawNode({ ...rest, onPeer: (peer) => onPeer(peer, this) });
  }

  /** Opens a connection to the directory. */
  async open(first: readonly Message[] = []): Promise<RawPeer> {
    return await this.node.dial(this.directory, "directory", { first: () => first });
  }

  /** A REFRESH with the next sequence, unless `fields` has another. */
  refresh(fields: Partial<MessageOf<"refresh">> = {}): MessageOf<"refresh"> {
    this.sequence = fields.sequence ?? this.sequence + 1;
    return {
      kind: "refresh",
      session: this.session,
      sequence: this.sequence,
      load: this.load,
      whole: true,
      filesListed: 0,
      ...fields,
    };
  }

  /** Says a batch on a connection of its own. */
  async batch(
    files: readonly ListedFile[],
    fields: Partial<MessageOf<"refresh">> = {},
  ): Promise<BatchAnswer> {
    const peer = await this.open([this.refresh(fields)]);
    for (let at = 0; at < files.length; at += 100) {
      peer.send({ kind: "advertise", files: files.slice(at, at + 100) });
      await peer.connection.flushed();
    }
    peer.send({ kind: "batch-end" });
    const answer = await peer.receive();
    peer.close();
    return expectKind(answer, "listed", "denied");
  }

  /** Says a batch of nothing new until the directory has found out how it reaches this client. */
  async settled(filesListed: number): Promise<MessageOf<"listed">> {
    return await waitUntil(async () => {
      const answer = await this.batch([], { whole: false, filesListed });
      return answer.kind === "listed" && answer.reach !== "checking" && answer;
    }, { what: "the end of the directory's check", timeoutMs: WAIT_MS, everyMs: 50 });
  }

  /** Says that it goes. */
  async leave(sequence = this.sequence + 1): Promise<BatchAnswer> {
    this.sequence = Math.max(this.sequence, sequence);
    const peer = await this.open([{ kind: "leave", session: this.session, sequence }]);
    const answer = await peer.receive();
    peer.close();
    return expectKind(answer, "listed", "denied");
  }

  /** Who holds a name, as the directory says. */
  async holders(name: string): Promise<readonly Holder[]> {
    const sought = { by: "name", value: name } as const;
    const peer = await this.open([{ kind: "holders-query", sought, max: 16 }]);
    const { holders } = expectKind(await peer.receive(), "holders");
    peer.close();
    return holders;
  }

  /** What goes by a name, as the directory says. */
  async metadata(name: string): Promise<readonly KnownFile[]> {
    const sought = { by: "name", value: name } as const;
    const peer = await this.open([{ kind: "metadata-query", sought }]);
    const { files } = expectKind(await peer.receive(), "metadata");
    peer.close();
    return files;
  }

  /** Answers a dial of its directory as an honest client does. */
  async prove(peer: RawPeer): Promise<void> {
    const { mac } = await peer.next("load-query");
    const { nonces } = peer.remote;
    const isKnown = macEquals(mac, sessionMac("directory", this.session, nonces));
    peer.send({
      kind: "load-report",
      mac: isKnown ? sessionMac("client", this.session, nonces) : new Uint8Array(32),
      load: this.load,
    });
    this.checks++;
    await peer.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
  }
}

/** A file of one chunk, the same for the same name. */
export function rawFile(name: string, fields: Partial<ListedFile["file"]> = {}): ListedFile {
  let seed = 0;
  for (const character of name) seed = Math.imul(seed, 31) + character.charCodeAt(0);
  const root = toHex(seededRandom(seed).bytes(32)) as Root;
  return {
    file: { root, name, type: "bin", sizeBytes: 10_000, chunksHave: 1, whole: true, ...fields },
    sha256: null,
  };
}

/** The message, which must be of one of these kinds. */
export function expectKind<K extends MessageKind>(
  message: { readonly kind: string },
  ...kinds: readonly K[]
): MessageOf<K> {
  if ((kinds as readonly string[]).includes(message.kind)) return message as MessageOf<K>;
  throw new Error(`${message.kind} came instead of ${kinds.join(" or ")}`);
}
