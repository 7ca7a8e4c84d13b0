/**
 * Typed calls on a daemon's client port: one request at a time on one connection.
 *
 * What changes the daemon's state is preceded by a proof that this client can read its token. Only
 * a file called `client.token` is read for that, whatever the daemon says, and never sent.
 */

import { basename, dirname, isAbsolute } from "node:path";
import type { HostPort } from "../base/address.ts";
import { fromHex } from "../base/bytes.ts";
import { AwakeClock, type Clock, type Timer } from "../base/clock.ts";
import { FetchFailure, messageOf, PeerFault } from "../base/errors.ts";
import type { NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import { Connection } from "../net/connection.ts";
import { closeOnAbort, withDeadline } from "../net/deadline.ts";
import { expectMessage } from "../net/handshake.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { decodePayload } from "../wire/codec.ts";
import type { DataEvent, FetchEvent, FetchRequest } from "../wire/fetching.ts";
import type { Frame } from "../wire/framer.ts";
import { formatAddress, isLoopback } from "../wire/host.ts";
import {
  CHANGING_VERBS,
  CLIENT_MAGIC,
  CLIENT_VERSION,
  DATA_CODE,
  type Message,
  type MessageOf,
  type Verb,
} from "../wire/messages.ts";
import { clientMac, macEquals, TOKEN_BYTES, TOKEN_FILE } from "../wire/proofs.ts";
import type { AnswerItems, AskArguments, LeftOut } from "../wire/reports.ts";

/** A connection to a daemon. */
export class DaemonClient implements AsyncDisposable {
  readonly nodeId: NodeId;
  readonly #connection: Connection;
  readonly #label: string;
  readonly #tokenPath: string;
  readonly #nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array };
  readonly #beat: Timer;
  readonly #cleanup: Disposable;
  #heardMs: number;
  /** Since when it waits for a word of the daemon; null while it does not. */
  #waitsSinceMs: number | null = null;
  #isTrusted = false;

  private constructor(
    connection: Connection,
    label: string,
    welcome: { readonly nodeId: NodeId; readonly tokenPath: string },
    nonces: { readonly client: Uint8Array; readonly daemon: Uint8Array },
    cleanup: Disposable,
  ) {
    this.#cleanup = cleanup;
    this.#connection = connection;
    this.#label = label;
    this.nodeId = welcome.nodeId;
    this.#tokenPath = welcome.tokenPath;
    this.#nonces = nonces;
    this.#heardMs = connection.clock.nowMs();
    this.#beat = connection.clock.every(limits.clientBeatMs, () => this.#keepAlive());
  }

  /**
   * Connects to the daemon at `address`, and proves the token to it where this user can read it: the
   * daemon keeps places for who does, and offers to others what he has it fetch.
   *
   * @throws {FetchFailure} "noDaemon" when nothing listens there or it is not a pacsrv daemon.
   * @throws the reason of `signal`, once it is aborted.
   */
  static async connect(
    address: HostPort,
    options: { readonly signal?: AbortSignal; readonly clock?: Clock } = {},
  ): Promise<DaemonClient> {
    const client = await DaemonClient.#open(address, options);
    const { signal } = options;
    try {
      if (isLoopback(client.#connection.remote.host)) await client.#proveToken(signal);
      return client;
    } catch (error) {
      client.close();
      if (!(error instanceof FetchFailure) || error.exit !== "noDaemon") throw error;
      // Another daemon's token lies where this one, in a container, says that its own is.
      signal?.throwIfAborted();
      return await DaemonClient.#open(address, options);
    }
  }

  static async #open(
    address: HostPort,
    options: { readonly signal?: AbortSignal; readonly clock?: Clock },
  ): Promise<DaemonClient> {
    const { clock: below, ...dialling } = options;
    using cleanup = new DisposableStack();
    // A client that slept hears what the daemon said meanwhile before it takes it for silent.
    const clock = cleanup.use(new AwakeClock(below));
    const label = formatAddress(address.host, address.port);
    let connection: Connection | undefined;
    try {
      const stream = await tcpTransport.dial(address, { timeoutMs: limits.dialMs, ...dialling });
      connection = new Connection(stream, { clock });
      const greeted = await greet(connection);
      return new DaemonClient(connection, label, ...greeted, cleanup.move());
    } catch (cause) {
      connection?.close();
      options.signal?.throwIfAborted();
      if (cause instanceof FetchFailure) throw cause;
      throw new FetchFailure("noDaemon", `Cannot reach a daemon at ${label}: ${messageOf(cause)}`, {
        hint: "Start one with `pacsrv daemon`, or name its client port with --client HOST:PORT.",
        cause,
      });
    }

    async function greet(connection: Connection) {
      using _ = options.signal === undefined ? null : closeOnAbort(connection, options.signal);
      return await withDeadline(connection, "Cannot talk to the daemon", async () => {
        const nonce = systemRandom.bytes(16);
        const version = CLIENT_VERSION;
        connection.send({ kind: "client-hello", magic: CLIENT_MAGIC, version, nonce });
        const answer = await connection.receiveOne();
        if (answer.kind === "failed") throw failureOf(answer);
        const welcome = expectMessage(answer, "client-welcome");
        if (welcome.magic !== CLIENT_MAGIC) {
          throw new PeerFault("wrong-magic", "what listens there is not a pacsrv daemon");
        }
        if (welcome.version !== version) {
          throw new FetchFailure(
            "noDaemon",
            `Cannot use the daemon at ${label}: it speaks protocol version ${welcome.version}, this ` +
              `program ${version}`,
            {
              hint:
                "Both have to be of one version of pacsrv: after an upgrade the daemon has to be " +
                "started again.",
            },
          );
        }
        const nonces = { client: nonce, daemon: welcome.nonce };
        return [welcome, nonces] as const;
      });
    }
  }

  /**
   * Asks one question; gives the items of the answer. `leftOut` hears what it does not have.
   *
   * @throws {FetchFailure} as the daemon words it, or "noDaemon" when it goes away.
   * @throws the reason of `options.signal`, once it is aborted.
   */
  async *ask<V extends Verb>(
    verb: V,
    args: AskArguments[V],
    options: {
      readonly signal?: AbortSignal;
      readonly leftOut?: (leftOut: LeftOut) => void;
    } = {},
  ): AsyncGenerator<AnswerItems[V]> {
    const { signal } = options;
    using _ = this.#closedBy(signal);
    if (CHANGING_VERBS.has(verb)) await this.#authenticate(signal);
    this.#connection.send({ kind: "ask", verb, json: JSON.stringify(args) });
    const hint = verb === "push"
      ? "If it is restarted, push again: what the peer already has is not sent again."
      : "Start it again with `pacsrv daemon`.";
    for await (const message of this.#messages({ hint, signal })) {
      if (message.kind === "incomplete") {
        options.leftOut?.(message);
        continue;
      }
      if (message.kind === "data" || message.kind !== "answer") throw unexpected(message);
      yield* JSON.parse(message.json) as AnswerItems[V][];
      if (message.last) return;
    }
  }

  /**
   * Has the daemon fetch a file; gives the events of the fetch, the last one "done".
   *
   * @throws {FetchFailure} as the daemon words it, or "noDaemon" when it goes away.
   * @throws the reason of `options.signal`, once it is aborted.
   */
  async *get(
    request: FetchRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<FetchEvent> {
    const { signal } = options;
    using _ = this.#closedBy(signal);
    this.#connection.send({ kind: "get", ...request });
    if (request.deliver) this.#connection.reserve(limits.transferReadBytes);
    const hint = "If it is restarted, the same fetch resumes.";
    for await (const message of this.#messages({ hint, signal })) {
      switch (message.kind) {
        case "data":
        case "searching":
        case "found":
        case "restarted":
        case "choice":
        case "progress":
        case "done":
          yield message;
          break;
        default:
          throw unexpected(message);
      }
      if (message.kind === "done") return;
    }
  }

  /** For how long nothing came, not even a beat; 0 while what came is not taken yet. */
  get silentMs(): number {
    return this.#waitsSinceMs === null ? 0 : this.#connection.clock.nowMs() - this.#waitsSinceMs;
  }

  /** Where the daemon keeps what it fetches, as it says; only a hint, if it runs elsewhere. */
  get dataDir(): string {
    return dirname(this.#tokenPath);
  }

  close(): void {
    this.#beat.cancel();
    this.#cleanup[Symbol.dispose]();
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** A request that is given up ends the connection: the daemon sees that nobody waits. */
  #closedBy(signal: AbortSignal | undefined): Disposable {
    const close = () => this.close();
    if (signal?.aborted) close();
    signal?.addEventListener("abort", close, { once: true });
    return { [Symbol.dispose]: () => signal?.removeEventListener("abort", close) };
  }

  /** Proves the token, if this user has it. */
  async #proveToken(signal: AbortSignal | undefined): Promise<void> {
    const token = await readToken(this.#tokenPath).catch(() => null);
    if (token === null) return;
    using _ = this.#closedBy(signal);
    await this.#prove(token, signal);
  }

  async #authenticate(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#isTrusted) await this.#prove(await readToken(this.#tokenPath), signal);
  }

  async #prove(token: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    this.#connection.send({ kind: "client-auth", mac: clientMac("client", token, this.#nonces) });
    for await (const message of this.#messages({ signal })) {
      if (message.kind !== "client-auth-ok") throw unexpected(message);
      if (!macEquals(message.mac, clientMac("daemon", token, this.#nonces))) {
        throw new PeerFault("wrong-key", `What listens at ${this.#label} is not that daemon`);
      }
      this.#isTrusted = true;
      return;
    }
  }

  /**
   * Messages as they come, heartbeats left out; FAILED becomes its error. `hint` is what a person
   * can do when the daemon goes away. A connection that `signal` closed is no daemon that went.
   */
  async *#messages({ hint, signal }: {
    readonly hint?: string;
    readonly signal: AbortSignal | undefined;
  }): AsyncGenerator<Message | DataEvent> {
    for (;;) {
      let frame: Frame;
      this.#waitsSinceMs = this.#connection.clock.nowMs();
      try {
        frame = await this.#connection.receiveFrame();
      } catch (cause) {
        signal?.throwIfAborted();
        const isSilent = cause instanceof PeerFault && cause.code === "silent";
        const message = `The daemon at ${this.#label} ` +
          (isSilent ? `was silent for ${limits.clientSilentMs / 1000} s` : "went away");
        throw new FetchFailure("noDaemon", message, { hint, cause });
      } finally {
        this.#waitsSinceMs = null;
      }
      this.#heardMs = this.#connection.clock.nowMs();
      if (frame.code === DATA_CODE) {
        yield dataOf(frame);
        continue;
      }
      const message = decodePayload(frame.code, frame.payload);
      if (message.kind === "heartbeat") continue;
      if (message.kind === "failed") throw failureOf(message);
      yield message;
    }
  }

  #keepAlive(): void {
    if (this.#connection.clock.nowMs() - this.#heardMs > limits.clientSilentMs) {
      this.#connection.close(
        new PeerFault("silent", `The daemon was silent for ${limits.clientSilentMs / 1000} s`),
      );
      return;
    }
    this.#connection.send({ kind: "heartbeat" });
  }
}

async function readToken(path: string): Promise<Uint8Array> {
  if (basename(path) !== TOKEN_FILE || !isAbsolute(path)) {
    throw new FetchFailure(
      "failed",
      `Cannot authenticate to the daemon: it names ${JSON.stringify(path)} as its token file`,
      { hint: `Only a file called ${TOKEN_FILE} is ever read for a daemon.` },
    );
  }
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new TypeError("it is not a regular file");
    if (size > 4 * TOKEN_BYTES) throw new RangeError(`it has ${size} bytes`);
    return fromHex((await Deno.readTextFile(path)).trim());
  } catch (cause) {
    throw new FetchFailure("failed", `Cannot read the daemon's token: ${messageOf(cause)}`, {
      hint: "Only the user that runs the daemon may change what it does.",
      cause,
    });
  }
}

function dataOf(frame: Frame): DataEvent {
  const { payload } = frame;
  if (payload.length < 8) throw new PeerFault("malformed", "Cannot read DATA: it has no offset");
  const offset = new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0);
  return { kind: "data", offset: Number(offset), bytes: payload.subarray(8) };
}

function failureOf({ failure, message, hint }: MessageOf<"failed">): FetchFailure {
  return new FetchFailure(failure, message, { hint: hint || undefined });
}

function unexpected(message: Message | DataEvent): PeerFault {
  return new PeerFault("unexpected", `The daemon answered with ${message.kind}`);
}
