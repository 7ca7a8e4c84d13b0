/**
 * One client on the client port: greets it, answers its questions and runs its fetches, whose bytes
 * `file_delivery.ts` sends. A connection does one thing at a time.
 */

import type { HostPort } from "../../base/address.ts";
import { clippedText } from "../../base/bytes.ts";
import { nextTurn } from "../../base/clock.ts";
import { FetchFailure, messageOf, PeerFault, UsageError } from "../../base/errors.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { parseUrl } from "../../base/mirror_url.ts";
import { nameProblem } from "../../base/names.ts";
import { systemRandom } from "../../base/random.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage } from "../../net/handshake.ts";
import { decodePayload } from "../../wire/codec.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import { type Frame, onlyKinds } from "../../wire/framer.ts";
import {
  CHANGING_VERBS,
  CLIENT_MAGIC,
  CLIENT_VERSION,
  type Done,
  type Message,
  type MessageOf,
} from "../../wire/messages.ts";
import { clientMac, macEquals } from "../../wire/proofs.ts";
import type { LeftOut } from "../../wire/reports.ts";
import type { Node } from "../node/node.ts";
import { LOCAL_CLIENT } from "../trust/unproven_files.ts";
import type { Answerer } from "./answers.ts";
import { FileDelivery } from "./file_delivery.ts";

const TOO_MANY: MessageOf<"failed"> = {
  kind: "failed",
  failure: "failed",
  message: `The daemon is busy: it has ${limits.clientsMax} clients, and serves no more at a time`,
  hint: "Try again when some have ended.",
};

/** What a client may send once it is greeted. */
const CLIENT_KINDS = ["heartbeat", "client-auth", "get", "ask"] as const;

/** What all sessions of a daemon work with. */
export interface ClientSessionOptions {
  readonly node: Node;
  readonly answerer: Answerer;
  readonly token: { readonly path: string; readonly token: Uint8Array };
}

/** A client's connection. */
export class ClientSession implements FrameHandler {
  readonly #options: ClientSessionOptions;
  readonly #connection: Connection;
  readonly #ended = new AbortController();
  #nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array } = {
    client: new Uint8Array(),
    daemon: new Uint8Array(),
  };
  /** Whether it has a place only if it proves the token. */
  readonly #needsToken: boolean;
  #isTrusted = false;
  #isBusy = false;
  /** When it began, or its last request ended. */
  #usedMs: number;
  #heardMs: number;
  /** The file that was fetched last. */
  #delivery: FileDelivery | null = null;

  constructor(
    options: ClientSessionOptions,
    connection: Connection,
    { needsToken = false }: { readonly needsToken?: boolean } = {},
  ) {
    this.#options = options;
    this.#connection = connection;
    this.#needsToken = needsToken;
    this.#heardMs = this.#usedMs = connection.clock.nowMs();
  }

  /** Whether it has proved that it knows the daemon's token. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** For how long it has asked for nothing. */
  idleMs(nowMs: number): number {
    return this.#isBusy ? 0 : nowMs - this.#usedMs;
  }

  /** Ends it for want of places, and says so: a client that hears nothing takes it for no daemon. */
  turnAway(): void {
    this.#connection.send(TOO_MANY);
    this.#connection.closeAfterWriting();
  }

  /** The client's address, for the log. */
  get remote(): HostPort {
    return this.#connection.remote;
  }

  /** Serves the client until the connection ends. */
  async run(): Promise<void> {
    using beats = new DisposableStack();
    try {
      await withDeadline(this.#connection, "Cannot greet client", () => this.#greet());
      // Not before: a client takes nothing but a welcome for the answer to its greeting.
      beats.use(this.#connection.clock.every(limits.clientBeatMs, () => this.#beat()));
      this.#connection.setGate(onlyKinds("Cannot serve client", CLIENT_KINDS));
      await this.#connection.receive(this);
      const { reason } = this.#connection;
      if (reason instanceof PeerFault) throw reason;
    } finally {
      this.#ended.abort();
      this.#connection.setBulk(null);
      this.#delivery?.release();
    }
  }

  close(): void {
    this.#connection.close();
  }

  frame(frame: Frame): void {
    this.#heardMs = this.#connection.clock.nowMs();
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
      version: CLIENT_VERSION,
      nodeId: this.#options.node.nodeId,
      nonce: this.#nonces.daemon,
      tokenPath: this.#options.token.path,
    });
    if (hello.version !== CLIENT_VERSION) {
      await this.#connection.flushed();
      throw new PeerFault(
        "wrong-version",
        `Cannot serve client: protocol version ${hello.version} is not ${CLIENT_VERSION}`,
      );
    }
  }

  #authenticate(mac: Uint8Array): void {
    const { token } = this.#options.token;
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
    if (this.#needsToken && !this.#isTrusted) return this.turnAway();
    this.#isBusy = true;
    work()
      .catch((error) => this.#connection.send(this.#failureOf(error)))
      .finally(() => {
        this.#isBusy = false;
        this.#usedMs = this.#connection.clock.nowMs();
      });
  }

  async #get(request: MessageOf<"get">): Promise<void> {
    checkRequest(request);
    const { chunks, deliver } = request;
    const delivery = new FileDelivery(this.#connection, { chunks, isDelivered: deliver });
    this.#delivery = delivery;
    this.#connection.setBulk(delivery);
    this.#connection.send(await this.#deliver(request, delivery));
  }

  /** Bytes that turn out not to be here any more are fetched again, and the rest goes on from there. */
  async #deliver(request: FetchRequest, delivery: FileDelivery): Promise<Done> {
    const { signal } = this.#ended;
    const isForStranger = !this.#isTrusted;
    // What is read for the client stays until the client has it.
    using use = this.#options.node.store.keeping.use();
    const how = { observer: delivery, signal, isForStranger, provesCopies: true, use };
    let done = await this.#options.node.fetch(request, how);
    for (let left: number = limits.fetchesAgainMax;; left--) {
      const lost = await delivery.finished(signal);
      if (signal.aborted) return done;
      const { root } = done;
      if (lost === null) {
        this.#noteGiven(request, root);
        return done;
      }
      if (left === 0 || root === UNKNOWN_ROOT) throw lost;
      done = await this.#options.node.fetch(request, {
        ...how,
        again: { root, why: lost.message },
      });
    }
  }

  /** Of what is at a URL somebody of this machine has all bytes now: they may not be proved. */
  #noteGiven({ name, chunks, deliver, mirrors }: FetchRequest, root: Root): void {
    if (mirrors.length === 0 || chunks !== null || !deliver || root === UNKNOWN_ROOT) return;
    this.#options.node.transfers.fetches.unproven.given({ client: LOCAL_CLIENT, name, root });
  }

  async #answer(ask: MessageOf<"ask">): Promise<void> {
    if (CHANGING_VERBS.has(ask.verb) && !this.#isTrusted) {
      throw new PeerFault("unexpected", `Cannot ${ask.verb}: the client has not proved the token`);
    }
    const { answerer } = this.#options;
    let batch: string[] = [];
    let bytes = 0;
    const leftOut: LeftOut[] = [];
    const options = {
      signal: this.#ended.signal,
      leftOut: (one: LeftOut) => void leftOut.push(one),
    };
    const sendBatch = async () => {
      this.#connection.send({ kind: "answer", json: `[${batch.join(",")}]`, last: false });
      batch = [];
      bytes = 0;
      await this.#connection.flushed();
      // A client on this machine reads at once, and nothing else would get its turn meanwhile.
      await nextTurn();
    };
    for await (const item of answerer.answer(ask.verb, ask.json, options)) {
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
    for (const { more, why, hint } of leftOut) {
      const [whyText, hintText] = [why, hint].map((text) =>
        clippedText(text, limits.reasonBytesMax)
      );
      this.#connection.send({ kind: "incomplete", more, why: whyText!, hint: hintText! });
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
      // It names its host, so that what any user may ask for does not fill the log.
      const { host } = this.remote;
      const fields = { host, error: messageOf(error) };
      this.#options.node.context.log.warn("a client's request failed", fields);
    }
    const hint = (error as { hint?: string }).hint ?? "";
    return {
      kind: "failed",
      failure,
      message: clippedText(messageOf(error), limits.reasonBytesMax),
      hint: clippedText(hint, limits.reasonBytesMax),
    };
  }

  #beat(): void {
    if (this.#connection.clock.nowMs() - this.#heardMs > limits.clientSilentMs) {
      this.#connection.close(
        new PeerFault("silent", `The client was silent for ${limits.clientSilentMs / 1000} s`),
      );
      return;
    }
    this.#connection.send({ kind: "heartbeat" });
  }
}

function checkRequest(request: FetchRequest): void {
  for (const mirror of request.mirrors) {
    parseUrl(mirror, { what: "mirror", schemes: ["http", "https"] });
  }
  const { mirrorDelayMs } = request;
  if (mirrorDelayMs !== null && mirrorDelayMs > limits.mirrorDelayMsMax) {
    const most = `${limits.mirrorDelayMsMax} ms`;
    throw new UsageError(`Cannot wait ${mirrorDelayMs} ms for peers: at most ${most}`);
  }
  const problem = nameProblem(request.name);
  if (request.root === null && problem !== undefined) {
    throw new UsageError(`Cannot fetch ${JSON.stringify(request.name)}: ${problem}`);
  }
  if (request.root !== null && request.name !== "" && problem !== undefined) {
    throw new UsageError(`Cannot use name ${JSON.stringify(request.name)}: ${problem}`);
  }
}
