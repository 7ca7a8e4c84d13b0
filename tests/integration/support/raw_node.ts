// A node that a test plays itself, message by message, on the project's own connections and wire
// format: for those that lie, stall, or send what no honest node sends. It has no policy at all:
// it answers what the test has it answer.

import { EnvironmentError } from "../../../src/base/errors.ts";
import { newNodeId, type NodeId, type QueryId } from "../../../src/base/ids.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { Connection } from "../../../src/net/connection.ts";
import {
  accept,
  initiate,
  type LocalIdentity,
  type RemoteIdentity,
} from "../../../src/net/handshake.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import type { Duplex, Listener } from "../../../src/net/transport.ts";
import { decodePayload } from "../../../src/wire/codec.ts";
import { formatAddress } from "../../../src/wire/host.ts";
import {
  CHUNKS_CODE,
  type Message,
  type MessageKind,
  type MessageOf,
  type NodeVersion,
  type Purpose,
  type Query,
} from "../../../src/wire/messages.ts";
import { callbackMac } from "../../../src/wire/proofs.ts";
import { WAIT_MS, within } from "./wait.ts";

/** A CHUNKS frame: file bytes from chunk `first`. */
export interface ChunksMessage {
  readonly kind: "chunks";
  readonly first: number;
  readonly data: Uint8Array;
}

/** What can come over a connection. */
export type AnyMessage = Message | ChunksMessage;

/** The other side of one connection. */
export class RawPeer {
  readonly connection: Connection;
  readonly #remote: RemoteIdentity | undefined;
  readonly #frames: Uint8Array[] = [];
  #pending: Promise<AnyMessage> | null = null;

  /** @param remote What the handshake showed; undefined where there was none. */
  constructor(connection: Connection, remote: RemoteIdentity | undefined) {
    this.connection = connection;
    this.#remote = remote;
    connection.setBulk({ nextFrame: () => this.#frames.shift() ?? null });
  }

  /** @throws {Error} where there was no handshake. */
  get remote(): RemoteIdentity {
    if (this.#remote === undefined) throw new Error("There was no handshake");
    return this.#remote;
  }

  send(...messages: readonly Message[]): void {
    for (const message of messages) this.connection.send(message);
  }

  /** Sends a whole frame as it is, header included; after all that `send` was given before. */
  sendFrame(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.connection.wake();
  }

  /**
   * The next message, whatever it is.
   *
   * @throws {Error} when none comes in time; {EnvironmentError} at the end of the connection.
   */
  async receive(timeoutMs = WAIT_MS): Promise<AnyMessage> {
    this.#pending ??= this.#read();
    const message = await within(this.#pending, { what: "a message", timeoutMs });
    this.#pending = null;
    return message;
  }

  /** The next message of this kind. Others are passed over; a PING is answered. */
  async next<K extends MessageKind>(kind: K, timeoutMs = WAIT_MS): Promise<MessageOf<K>> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const message = await this.receive(Math.max(1, endMs - performance.now()));
      if (message.kind === kind) return message as MessageOf<K>;
      this.#answerPing(message);
    }
  }

  /**
   * Waits for the end of the connection, answering PINGs; gives all else that came before it.
   *
   * @throws {Error} when it does not end in time.
   */
  async ended(timeoutMs = WAIT_MS): Promise<AnyMessage[]> {
    const endMs = performance.now() + timeoutMs;
    const heard: AnyMessage[] = [];
    for (;;) {
      try {
        const message = await this.receive(Math.max(1, endMs - performance.now()));
        this.#answerPing(message);
        if (message.kind !== "ping") heard.push(message);
      } catch (error) {
        if (error instanceof EnvironmentError) return heard;
        throw error;
      }
    }
  }

  close(): void {
    this.connection.close();
  }

  #answerPing(message: AnyMessage): void {
    if (message.kind === "ping") this.send({ kind: "pong", token: message.token });
  }

  async #read(): Promise<AnyMessage> {
    const { code, payload } = await this.connection.receiveFrame();
    if (code !== CHUNKS_CODE) return decodePayload(code, payload);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return { kind: "chunks", first: view.getUint32(0), data: payload.slice(4) };
  }
}

/** How a raw node is set up. */
export interface RawNodeOptions {
  /** By default a new one. */
  readonly nodeId?: NodeId;
  readonly network?: string;
  readonly networkKey?: Uint8Array;
  /** What HELLO says about where it listens; by default the truth. */
  readonly listenPort?: number;
  /** What it does with each connection that comes in; by default it leaves it open, unread. */
  readonly onPeer?: (peer: RawPeer) => void | Promise<void>;
}

/** A node in the hands of the test. It listens, and dials when told to. */
export class RawNode implements AsyncDisposable {
  readonly nodeId: NodeId;
  readonly identity: LocalIdentity;
  /** HOST:PORT at which it listens. */
  readonly address: string;
  /** What went wrong with connections that came in. */
  readonly errors: unknown[] = [];
  readonly #listener: Listener;
  readonly #onPeer: (peer: RawPeer) => void | Promise<void>;
  readonly #connections = new Set<Connection>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #end = Promise.withResolvers<void>();
  #isDisposed = false;

  constructor(options: RawNodeOptions = {}) {
    this.nodeId = options.nodeId ?? newNodeId(systemRandom);
    this.#listener = tcpTransport.listen({ host: "127.0.0.1", port: 0 });
    const { host, port } = this.#listener.address;
    this.address = formatAddress(host, port);
    this.identity = {
      nodeId: this.nodeId,
      listenPort: options.listenPort ?? port,
      network: options.network ?? "pacsrv",
      networkKey: options.networkKey,
      random: systemRandom,
    };
    this.#onPeer = options.onPeer ?? (() => {});
    this.run(() => this.#acceptAll());
  }

  /**
   * Dials HOST:PORT and shakes hands.
   *
   * @param options.first Messages that travel with the proof.
   * @throws {Error} as `initiate` does.
   */
  async dial(
    address: string,
    purpose: Purpose,
    options: {
      readonly first?: (remote: RemoteIdentity) => readonly Message[];
      readonly version?: NodeVersion;
    } = {},
  ): Promise<RawPeer> {
    const connection = await this.connect(address);
    const remote = await initiate(connection, { identity: this.identity, purpose, ...options });
    return new RawPeer(connection, remote);
  }

  /** Dials HOST:PORT and leaves the handshake to the test. */
  async dialUnproved(address: string): Promise<RawPeer> {
    return new RawPeer(await this.connect(address), undefined);
  }

  /** Bytes that came in over all its connections. */
  get bytesIn(): number {
    return [...this.#connections].reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  }

  /** Opens a connection without a handshake; closed with the node. */
  async connect(address: string): Promise<Connection> {
    const at = address.lastIndexOf(":");
    const host = address.slice(0, at).replace(/^\[|\]$/g, "");
    const port = Number(address.slice(at + 1));
    return this.#keep(await tcpTransport.dial({ host, port }, { timeoutMs: 5_000 }));
  }

  /** As a holder: turns to the requester at `address`, and proves to know the query. */
  async callBack(
    address: string,
    id: QueryId,
    options: { readonly version?: NodeVersion } = {},
  ): Promise<RawPeer> {
    const peer = await this.dial(address, "callback", {
      ...options,
      first: ({ nonces }) => [{ kind: "callback", mac: callbackMac("holder", id, nonces) }],
    });
    await peer.next("callback-ok");
    return peer;
  }

  /** Runs something until the node is disposed of; its errors are kept, not thrown. */
  run(task: () => Promise<void>): void {
    const running = task().catch((error) => {
      this.errors.push(error);
    }).finally(() => this.#tasks.delete(running));
    this.#tasks.add(running);
  }

  /** Lets time pass, for what is run until the node is disposed of: not longer than that. */
  async pause(ms: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, ms);
    await Promise.race([over.promise, this.#end.promise]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#isDisposed = true;
    this.#end.resolve();
    for (const connection of this.#connections) connection.close();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async #acceptAll(): Promise<void> {
    for await (const duplex of this.#listener) this.run(() => this.#accepted(duplex));
  }

  async #accepted(duplex: Duplex): Promise<void> {
    const connection = this.#keep(duplex);
    const remote = await accept(connection, { identity: this.identity, admit: () => undefined });
    await this.#onPeer(new RawPeer(connection, remote));
  }

  #keep(duplex: Duplex): Connection {
    const connection = new Connection(duplex);
    this.#connections.add(connection);
    // A task that dials on while the node goes away must not outlive it.
    if (this.#isDisposed) connection.close();
    return connection;
  }
}

/** A query as its origin sends it, by default for a name that nobody has. */
export function rawQuery(fields: Partial<Omit<Query, "kind">> & Pick<Query, "id">): Query {
  return {
    kind: "query",
    ttl: 7,
    hops: 0,
    sought: { by: "name", value: "nothing.bin" },
    callbackHost: "",
    callbackPort: 0,
    ...fields,
  };
}
