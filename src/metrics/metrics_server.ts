/**
 * The HTTP server of the port for monitoring: `/metrics`, `/healthz`, `/readyz`. It is for few
 * clients that ask seldom, and stands beside what it tells of, so it is kept small:
 *
 *  1. GET and HEAD of these paths; any other path is 404, any other method 405.
 *  2. `Host` is an address, `localhost`, the name of this machine or one that a person gave, or the
 *     request is refused: a page in a browser cannot read what this machine does.
 *  3. One request a connection, and `limits.metricsConnectionMs` for it, read or not.
 *  4. With `limits.metricsConnectionsMax` open, the oldest gives way to the next: who opens many and
 *     asks nothing keeps nobody out.
 *  5. After `limits.metricsQuietMs` without a connection the port is opened anew.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HostPort } from "../base/address.ts";
import { type Clock, sleep, systemClock, type Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Logger, LogThrottle } from "../base/log.ts";
import { hostProblem, machineNames } from "../net/known_hosts.ts";
import { listenError } from "../net/listen_error.ts";
import type { Health } from "./health.ts";

interface MetricsServerOptions {
  readonly listen: HostPort;
  /** Names that it answers to beside addresses, `localhost` and the machine's own; in lower case. */
  readonly names: readonly string[];
  readonly log: Logger;
  readonly health: Health;
  /** The figures, as text, and what kind of text. */
  readonly metrics: () => Promise<{ readonly text: string; readonly type: string }>;
  readonly clock?: Clock;
}

/** What is answered. */
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
}

const METHODS: readonly string[] = ["GET", "HEAD"];
const PLAIN = "text/plain; charset=utf-8";

/** Listens on one port until it is disposed of. */
export class MetricsServer implements AsyncDisposable {
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  readonly #options: MetricsServerOptions;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #throttle: LogThrottle;
  /** When each open connection is ended at the latest, the oldest first. */
  readonly #open = new Map<Socket, Timer>();
  readonly #stopping = new AbortController();
  readonly #names: readonly string[];
  #quiet: Timer;

  private constructor(server: Server, options: MetricsServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#throttle = new LogThrottle(this.#clock);
    this.#names = [...options.names, ...machineNames()];
    this.#server = server;
    const { address: host, port } = server.address() as AddressInfo;
    this.address = { host, port };
    server.on("connection", (socket: Socket) => this.#opened(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#respond(request, response);
    });
    server.on("error", (error) => this.#warn("cannot take connections of monitors", error));
    server.on("close", () => this.#listenAgain());
    this.#quiet = this.#reopenWhenQuiet();
  }

  /**
   * Listens; resolves when it answers.
   *
   * @throws {EnvironmentError} with a hint when the port cannot be had.
   */
  static async open(options: MetricsServerOptions): Promise<MetricsServer> {
    const server = createServer({
      maxHeaderSize: limits.metricsHeadBytesMax,
      headersTimeout: limits.metricsConnectionMs,
      requestTimeout: limits.metricsConnectionMs,
      keepAlive: false,
    });
    try {
      await listening(server, options.listen);
    } catch (error) {
      throw listenError(error, options.listen, {
        inUseHint: "Choose another port with --metrics HOST:PORT.",
      });
    }
    return new MetricsServer(server, options);
  }

  /** Ends all connections; the port is free then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#quiet.cancel();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of [...this.#open.keys()]) this.#end(socket);
    await closed;
  }

  /** Rule 5. Its end has it listen again. */
  #reopenWhenQuiet(): Timer {
    return this.#clock.after(limits.metricsQuietMs, () => {
      this.#quiet = this.#reopenWhenQuiet();
      this.#server.close();
    });
  }

  #opened(socket: Socket): void {
    this.#quiet.cancel();
    this.#quiet = this.#reopenWhenQuiet();
    const timer = this.#clock.after(limits.metricsConnectionMs, () => this.#end(socket));
    this.#open.set(socket, timer);
    socket.on("close", () => this.#closed(socket));
    // Clients may leave at any time; that is an end as well.
    socket.on("error", () => this.#end(socket));
    const [oldest] = this.#open.keys();
    if (this.#open.size > limits.metricsConnectionsMax) this.#end(oldest!);
  }

  #end(socket: Socket): void {
    this.#closed(socket);
    socket.destroy();
  }

  #closed(socket: Socket): void {
    this.#open.get(socket)?.cancel();
    this.#open.delete(socket);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, text, type = PLAIN } = await this.#answerAnyway(request);
    const body = new TextEncoder().encode(text);
    response.writeHead(status, {
      "content-type": type,
      "content-length": body.length,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "connection": "close",
      ...(status === 405 ? { allow: METHODS.join(", ") } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #answerAnyway(request: IncomingMessage): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.#warn("cannot tell a monitor how it is", error);
      return { status: 500, text: "Cannot read the figures: see the log\n" };
    }
  }

  async #answer({ method = "", url = "", headers }: IncomingMessage): Promise<Answer> {
    const server = { what: "this machine", flag: "--metrics-name" };
    const wrongHost = hostProblem(headers.host ?? null, this.#names, server);
    if (wrongHost !== undefined) return { ...wrongHost, text: `${wrongHost.text}\n` };
    if (!METHODS.includes(method)) {
      return { status: 405, text: "Cannot serve it: only GET and HEAD are\n" };
    }
    switch (url.split("?", 1)[0]) {
      case "/metrics":
        return { status: 200, ...await this.#options.metrics() };
      case "/healthz":
        return { status: 200, text: "ok\n" };
      case "/readyz": {
        const { problem } = this.#options.health;
        if (problem === undefined) return { status: 200, text: "ready\n" };
        return { status: 503, text: `not ready: ${problem}\n` };
      }
      default:
        return { status: 404, text: "Cannot find it: here are /metrics, /healthz and /readyz\n" };
    }
  }

  async #listenAgain(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && !this.#server.listening) {
      try {
        return await listening(this.#server, this.address);
      } catch (error) {
        if (!signal.aborted) this.#warn("cannot listen for monitors for a moment", error);
        await sleep(this.#clock, limits.metricsPauseMs, { signal }).catch(() => {});
      }
    }
  }

  #warn(message: string, error: unknown): void {
    this.#throttle.tick(this.#clock.nowMs());
    if (this.#stopping.signal.aborted || !this.#throttle.isFirst(message)) return;
    this.#options.log.warn(message, { error: messageOf(error) });
  }
}

function listening(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
