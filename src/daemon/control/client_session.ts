/**
 * One client on the client port: greets it, answers its questions, runs its fetch and sends it the
 * file's bytes. A connection does one thing at a time.
 */

import type { HostPort } from "../../base/address.ts";
import { Bitfield } from "../../base/bitfield.ts";
import { FetchFailure, messageOf, PeerFault, UsageError } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { parseUrl } from "../../base/mirror_url.ts";
import { nameProblem } from "../../base/names.ts";
import { systemRandom } from "../../base/random.ts";
import type { BulkSource, Connection, FrameHandler } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage } from "../../net/handshake.ts";
import { DATA_HEADER_BYTES, decodePayload, writeDataHeader } from "../../wire/codec.ts";
import type { FetchObserver, FileReader } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import type { Frame } from "../../wire/framer.ts";
import { onlyKinds } from "../../wire/gate.ts";
import {
  CHANGING_VERBS,
  CLIENT_MAGIC,
  type Done,
  type Message,
  type MessageOf,
  PROTOCOL_VERSION,
} from "../../wire/messages.ts";
import { clientMac, macEquals } from "../../wire/proofs.ts";
import type { Answerer } from "./answers.ts";
import { giveSendBuffer, takeSendBuffer } from "../../net/buffer_pool.ts";
import type { Node } from "../node/node.ts";

/** What a client may send once it is greeted. */
const CLIENT_KINDS = ["heartbeat", "client-auth", "get", "ask"] as const;

/** What a session needs of its daemon. */
export interface SessionHost {
  readonly node: Node;
  readonly answerer: Answerer;
  readonly token: { readonly path: string; readonly token: Uint8Array };
  readonly log: Logger;
}

/** A client's connection. */
export class ClientSession implements FrameHandler, BulkSource, FetchObserver {
  readonly #host: SessionHost;
  readonly #connection: Connection;
  readonly #ended = new AbortController();
  #nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array } = {
    client: new Uint8Array(),
    daemon: new Uint8Array(),
  };
  #isTrusted = false;
  #isBusy = false;
  #heardMs = performance.now();

  // The file being delivered.
  #wanted: ChunkRange | null = null;
  #delivers = false;
  #reader: FileReader | null = null;
  #ready: ChunkRange[] = [];
  /** Chunks that are ready or sent: each is told of more than once, and sent once. */
  #told: Bitfield | null = null;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #drained: (() => void) | null = null;
  #readError: unknown;

  constructor(host: SessionHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** The client's address, for the log. */
  get remote(): HostPort {
    return this.#connection.remote;
  }

  /** Serves the client until the connection ends. */
  async run(): Promise<void> {
    const beat = setInterval(() => this.#beat(), limits.clientBeatMs);
    try {
      await withDeadline(this.#connection, "Cannot greet client", () => this.#greet());
      this.#connection.setGate(onlyKinds("Cannot serve client", CLIENT_KINDS));
      this.#connection.setBulk(this);
      await this.#connection.receive(this);
      const { reason } = this.#connection;
      if (reason instanceof PeerFault) throw reason;
    } finally {
      clearInterval(beat);
      this.#ended.abort();
      this.#connection.setBulk(null);
      this.#releaseBuffer();
    }
  }

  close(): void {
    this.#connection.close();
  }

  frame(frame: Frame): void {
    this.#heardMs = performance.now();
    const message = decodePayload(frame.code, frame.payload);
    switch (message.kind) {
      case "heartbeat":
        return;
      case "client-auth":
        return this.#authenticate(message.mac);
      case "get":
        return this.#begin(() => this.#get(message));
      case "ask":
        return this.#begin(() => this.#answer(message));
      default:
        throw new PeerFault("unexpected", `Cannot serve client: ${message.kind} is not a request`);
    }
  }

  // FetchObserver

  event(event: MessageOf<"searching" | "found" | "restarted" | "progress">): void {
    if (event.kind === "restarted") {
      this.#ready = [];
      this.#reader = null;
      this.#told = null;
    }
    this.#connection.send(event);
  }

  readable(reader: FileReader): void {
    // The same content from another place: what is ready can be read there as well.
    this.#reader = reader;
    this.#told ??= new Bitfield(chunkCount(reader.sizeBytes));
  }

  gained(range: ChunkRange): void {
    if (!this.#delivers || this.#reader === null || this.#told === null) return;
    const wanted = this.#wanted ?? { first: 0, count: chunkCount(this.#reader.sizeBytes) };
    const first = Math.max(range.first, wanted.first);
    const end = Math.min(range.first + range.count, wanted.first + wanted.count);
    if (first >= end) return;
    for (const run of this.#told.missingRuns({ first, count: end - first })) this.#addReady(run);
    this.#connection.wake();
  }

  // BulkSource

  nextFrame(): Uint8Array | null {
    const ready = this.#ready[0];
    if (ready === undefined || this.#reader === null) {
      this.#releaseBuffer();
      this.#drained?.();
      return null;
    }
    const count = Math.min(ready.count, limits.dataBytesMax / CHUNK_BYTES);
    const range = { first: ready.first, count };
    if (count === ready.count) this.#ready.shift();
    else this.#ready[0] = { first: ready.first + count, count: ready.count - count };
    const { offset, length } = rangeBytes(this.#reader.sizeBytes, range);
    this.#buffer ??= takeSendBuffer();
    try {
      this.#reader.readRun(range, this.#buffer, DATA_HEADER_BYTES);
    } catch (error) {
      this.#readError = error;
      this.#ready = [];
      this.#drained?.();
      return null;
    }
    writeDataHeader(this.#buffer, offset, length);
    return this.#buffer.subarray(0, DATA_HEADER_BYTES + length);
  }

  #addReady({ first, count }: ChunkRange): void {
    this.#told!.addRange({ first, count });
    const last = this.#ready.at(-1);
    if (last !== undefined && last.first + last.count === first) {
      this.#ready[this.#ready.length - 1] = { first: last.first, count: last.count + count };
    } else this.#ready.push({ first, count });
  }

  async #greet(): Promise<void> {
    this.#connection.setGate(onlyKinds("Cannot greet client", ["client-hello"]));
    const hello = expectMessage(await this.#connection.receiveOne(), "client-hello");
    if (hello.magic !== CLIENT_MAGIC) {
      throw new PeerFault("wrong-magic", "Cannot greet client: it is not a pacsrv client");
    }
    this.#nonces = { client: hello.nonce, daemon: systemRandom.bytes(16) };
    this.#connection.send({
      kind: "client-welcome",
      magic: CLIENT_MAGIC,
      version: PROTOCOL_VERSION,
      nodeId: this.#host.node.nodeId,
      nonce: this.#nonces.daemon,
      tokenPath: this.#host.token.path,
    });
    if (hello.version !== PROTOCOL_VERSION) {
      await this.#connection.flushed();
      throw new PeerFault(
        "wrong-version",
        `Cannot serve client: protocol version ${hello.version} is not ${PROTOCOL_VERSION}`,
      );
    }
  }

  #authenticate(mac: Uint8Array): void {
    const { token } = this.#host.token;
    if (!macEquals(mac, clientMac("client", token, this.#nonces))) {
      throw new PeerFault("wrong-key", "Cannot trust client: its proof of the token is wrong");
    }
    this.#isTrusted = true;
    this.#connection.send({
      kind: "client-auth-ok",
      mac: clientMac("daemon", token, this.#nonces),
    });
  }

  #begin(work: () => Promise<void>): void {
    if (this.#isBusy) {
      throw new PeerFault("unexpected", "Cannot serve client: its last request is not answered");
    }
    this.#isBusy = true;
    work()
      .catch((error) => this.#connection.send(this.#failureOf(error)))
      .finally(() => this.#isBusy = false);
  }

  async #get(get: MessageOf<"get">): Promise<void> {
    const request: FetchRequest = get;
    checkRequest(request);
    this.#wanted = request.chunks;
    this.#delivers = request.deliver;
    this.#readError = undefined;
    this.#ready = [];
    this.#reader = null;
    this.#told = null;
    const done = await this.#host.node.fetch(request, {
      observer: this,
      signal: this.#ended.signal,
    });
    await this.#allDelivered();
    this.#connection.send(done satisfies Done);
  }

  /** Resolves when the last byte is on its way: DONE must not overtake it. */
  async #allDelivered(): Promise<void> {
    if (this.#ready.length > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      this.#ended.signal.addEventListener("abort", () => resolve(), { once: true });
      if (this.#ended.signal.aborted) return;
      this.#connection.wake();
      await promise;
      this.#drained = null;
    }
    this.#reader = null;
    this.#told = null;
    if (this.#readError !== undefined) throw this.#readError;
  }

  async #answer(ask: MessageOf<"ask">): Promise<void> {
    if (CHANGING_VERBS.has(ask.verb) && !this.#isTrusted) {
      throw new PeerFault("unexpected", `Cannot ${ask.verb}: the client has not proved the token`);
    }
    const { answerer } = this.#host;
    let batch: string[] = [];
    let bytes = 0;
    const signal = this.#ended.signal;
    const sendBatch = async () => {
      this.#connection.send({ kind: "answer", json: `[${batch.join(",")}]`, last: false });
      batch = [];
      bytes = 0;
      await this.#connection.flushed();
    };
    for await (const item of answerer.answer(ask.verb, ask.json, { signal })) {
      const json = JSON.stringify(item);
      // Three bytes at most for a UTF-16 unit, and the comma.
      const itemBytes = json.length * 3 + 1;
      const isFull = bytes + itemBytes > limits.answerBytesMax - 2;
      if (isFull && batch.length > 0) await sendBatch();
      batch.push(json);
      bytes += itemBytes;
      // Minutes may lie between what a peer answers and how it ends: each is told as it comes.
      if (ask.verb === "push") await sendBatch();
    }
    this.#connection.send({ kind: "answer", json: `[${batch.join(",")}]`, last: true });
  }

  #failureOf(error: unknown): Message {
    const failure = error instanceof FetchFailure
      ? error.exit
      : error instanceof UsageError
      ? "usage"
      : "failed";
    if (failure === "failed") {
      this.#host.log.warn("a client's request failed", { error: messageOf(error) });
    }
    const hint = (error as { hint?: string }).hint ?? "";
    return {
      kind: "failed",
      failure,
      message: clipped(messageOf(error)),
      hint: clipped(hint),
    };
  }

  #beat(): void {
    if (performance.now() - this.#heardMs > limits.clientSilentMs) {
      this.#connection.close(
        new PeerFault("silent", `The client was silent for ${limits.clientSilentMs / 1000} s`),
      );
      return;
    }
    this.#connection.send({ kind: "heartbeat" });
  }

  #releaseBuffer(): void {
    if (this.#buffer !== null) giveSendBuffer(this.#buffer);
    this.#buffer = null;
  }
}

function checkRequest(request: FetchRequest): void {
  for (const mirror of request.mirrors) {
    parseUrl(mirror, { what: "mirror", schemes: ["http", "https"] });
  }
  const problem = nameProblem(request.name);
  if (request.root === null && problem !== undefined) {
    throw new UsageError(`Cannot fetch ${JSON.stringify(request.name)}: ${problem}`);
  }
  if (request.root !== null && request.name !== "" && problem !== undefined) {
    throw new UsageError(`Cannot use name ${JSON.stringify(request.name)}: ${problem}`);
  }
}

/** A reason that fits its field: a character has at most three bytes for a UTF-16 unit. */
function clipped(text: string): string {
  const charactersMax = Math.floor(limits.reasonBytesMax / 3);
  return text.length <= charactersMax
    ? text
    : `${text.slice(0, charactersMax - 1)}…`.toWellFormed();
}
