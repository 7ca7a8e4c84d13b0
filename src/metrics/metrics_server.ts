/**
 * The HTTP server of the port for monitoring: `/metrics`, `/healthz`, `/readyz`, and the page of a
 * service that has one at `/`. It is for few clients that ask seldom, and stands beside what it tells
 * of, so it is kept small:
 *
 *  1. GET and HEAD of these paths; any other path is 404, any other method 405.
 *  2. `Host` is an address, `localhost`, the name of this machine or one that a person gave, or the
 *     request is refused: a page in a browser cannot read what this machine does. HTTP/1.0 may do
 *     without, as probes of load balancers do and no browser does.
 *  3. One request a connection, and `limits.metricsConnectionMs` for it, read or not; but for streams,
 *     which are counted and bounded by themselves (`page/state_streams.ts`).
 *  4. With `limits.metricsConnectionsMax` open, the oldest gives way to the next: who opens many and
 *     asks nothing keeps nobody out.
 *  5. After `limits.metricsQuietMs` without a connection the port is opened anew; streams stay.
 *  6. A browser runs and shows nothing beside what the page brings, and no other page gets any of it.
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
import { PAGE_FILES } from "./page/page_files.ts";
import type { StateStreams } from "./page/state_streams.ts";

interface MetricsServerOptions {
  readonly listen: HostPort;
  /** Names that it answers to beside addresses, `localhost` and the machine's own; in lower case. */
  readonly names: readonly string[];
  readonly log: Logger;
  readonly health: Health;
  /** The figures, as text, and what kind of text. */
  readonly metrics: () => Promise<{ readonly text: string; readonly type: string }>;
  /** What keeps the page up to date; without them there is none. */
  readonly streams?: StateStreams | undefined;
  readonly clock?: Clock;
}

/** What is answered. */
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a browser may do with an answer: nothing that the page does not need. */
const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** To who asks for a stream when there are enough. */
const NO_ROOM: Answer = {
  status: 503,
  text: `Cannot open one more stream: ${limits.pageStreamsMax} are open, the most at once\n`,
  headers: { "retry-after": String(limits.pageRetrySeconds) },
};

const METHODS: readonly string[] = ["GET", "HEAD"];
const PLAIN = "text/plain; charset=utf-8";

/** Listens on one port until it is disposed of. */
export class MetricsServer implements AsyncDisposable {
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  readonly #options: MetricsServerOptions;
  readonly #clock: Clock;
  readonly #throttle: LogThrottle;
  /** When each open connection is ended at the latest, the oldest first. */
  readonly #open = new Map<Socket, Timer>();
  /** Connections whose answer has no end. */
  readonly #streaming = new Set<Socket>();
  readonly #stopping = new AbortController();
  readonly #names: readonly string[];
  /** Ends of servers before this one, whose connections may outlive them. */
  readonly #closed = new Set<Promise<void>>();
  #server: Server;
  #quiet: Timer;

  private constructor(server: Server, options: MetricsServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#throttle = new LogThrottle(this.#clock);
    this.#names = [...options.names, ...machineNames()];
    this.#server = this.#served(server);
    const { address: host, port } = server.address() as AddressInfo;
    this.address = { host, port };
    this.#quiet = this.#reopenWhenQuiet();
  }

  /**
   * Listens; resolves when it answers.
   *
   * @throws {EnvironmentError} with a hint when the port cannot be had.
   */
  static async open(options: MetricsServerOptions): Promise<MetricsServer> {
    const server = newServer();
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
    this.#close();
    for (const socket of [...this.#open.keys(), ...this.#streaming]) this.#end(socket);
    await Promise.all(this.#closed);
  }

  /** Rule 5. */
  #reopenWhenQuiet(): Timer {
    return this.#clock.after(limits.metricsQuietMs, () => {
      this.#quiet = this.#reopenWhenQuiet();
      this.#close();
      this.#listenAgain();
    });
  }

  /** Takes no more connections; those that there are go on. */
  #close(): void {
    const server = this.#server;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      .finally(() => this.#closed.delete(closed));
    this.#closed.add(closed);
  }

  #served(server: Server): Server {
    server.on("connection", (socket: Socket) => this.#opened(socket));
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#respond(request, response);
    });
    server.on("error", (error) => this.#warn("cannot take connections of monitors", error));
    return server;
  }

  #opened(socket: Socket): void {
    this.#quiet.cancel();
    this.#quiet = this.#reopenWhenQuiet();
    const timer = this.#clock.after(limits.metricsConnectionMs, () => this.#end(socket));
    this.#open.set(socket, timer);
    socket.on("close", () => this.#ended(socket));
    // Clients may leave at any time; that is an end as well.
    socket.on("error", () => this.#end(socket));
    const [oldest] = this.#open.keys();
    if (this.#open.size > limits.metricsConnectionsMax) this.#end(oldest!);
  }

  #end(socket: Socket): void {
    this.#ended(socket);
    socket.destroy();
  }

  #ended(socket: Socket): void {
    this.#open.get(socket)?.cancel();
    this.#open.delete(socket);
    this.#streaming.delete(socket);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isHead = request.method === "HEAD";
    const wanted = await this.#answerAnyway(request);
    // Looked at in the turn that takes the place: many may ask at once.
    const answer = wanted === "stream" && this.#options.streams!.isFull ? NO_ROOM : wanted;
    if (answer === "stream") return await this.#stream(response, { isHead });
    const { status, text, type = PLAIN, headers = {} } = answer;
    const body = new TextEncoder().encode(text);
    response.writeHead(status, {
      ...SECURITY_HEADERS,
      ...headers,
      "content-type": type,
      "content-length": body.length,
      "cache-control": "no-store",
      "connection": "close",
    });
    response.end(isHead ? undefined : body);
  }

  async #stream(response: ServerResponse, { isHead }: { isHead: boolean }): Promise<void> {
    response.writeHead(200, {
      ...SECURITY_HEADERS,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "connection": "close",
    });
    if (isHead) return void response.end();
    const { socket } = response;
    // Who left by now gets nothing.
    if (socket === null || socket.destroyed) return;
    this.#open.get(socket)?.cancel();
    this.#open.delete(socket);
    this.#streaming.add(socket);
    response.flushHeaders();
    await this.#options.streams!.add(response);
  }

  async #answerAnyway(request: IncomingMessage): Promise<Answer | "stream"> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.#warn("cannot tell a monitor how it is", error);
      return { status: 500, text: "Cannot read the figures: see the log\n" };
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer | "stream"> {
    const { method = "", url = "", headers } = request;
    const server = { what: "this machine", flag: "--metrics-name" };
    // `headers` has the first `Host` alone.
    const hosts = request.headersDistinct.host;
    const mayLackHost = hosts === undefined && request.httpVersion === "1.0";
    const wrongHost = mayLackHost
      ? undefined
      : hostProblem(hosts?.join(", ") ?? null, this.#names, server);
    if (wrongHost !== undefined) return { ...wrongHost, text: `${wrongHost.text}\n` };
    if (!METHODS.includes(method)) {
      const headers = { allow: METHODS.join(", ") };
      return { status: 405, text: "Cannot serve it: only GET and HEAD are\n", headers };
    }
    const [path = ""] = url.split("?", 1);
    switch (path) {
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
        return this.#answerOfPage(path, headers["sec-fetch-site"]);
    }
  }

  /** @param site Where the page of a browser comes from that asks for it. */
  #answerOfPage(path: string, site: unknown): Answer | "stream" {
    const { streams } = this.#options;
    const file = streams === undefined ? undefined : PAGE_FILES.get(path);
    if (file !== undefined) return { status: 200, ...file };
    if (streams === undefined || path !== "/events") {
      const page = streams === undefined ? "" : ", / (the page)";
      return {
        status: 404,
        text: `Cannot find it: here are /metrics, /healthz, /readyz${page}\n`,
      };
    }
    // It could not read them, but would take all places.
    if (site === "cross-site" || site === "same-site") {
      return { status: 403, text: "Cannot give events to the page of another server\n" };
    }
    return "stream";
  }

  async #listenAgain(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const server = this.#server = this.#served(newServer());
      try {
        return await listening(server, this.address);
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

function newServer(): Server {
  return createServer({
    maxHeaderSize: limits.metricsHeadBytesMax,
    headersTimeout: limits.metricsConnectionMs,
    requestTimeout: limits.metricsConnectionMs,
    keepAlive: false,
  });
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
