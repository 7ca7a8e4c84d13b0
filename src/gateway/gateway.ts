/**
 * The HTTP gateway: lets pacman, and any other HTTP client, take packages from this node's network
 * as from a mirror. It takes requests in, bounds them, and hands each to the part that answers it.
 *
 * Without mirrors it is a `CacheServer`: what nobody has is a 404, soon and without a body. With
 * mirrors it is a `Server`: peers first, the mirrors behind them.
 */

import type { HostPort } from "../base/address.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { messageOf, unreachable } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Logger, LogThrottle } from "../base/log.ts";
import type { PackageIndex } from "../base/package_index.ts";
import { VERSION } from "../base/version.ts";
import type { Mirrors } from "../http/mirrors.ts";
import { formatAddress } from "../wire/host.ts";
import { Databases } from "./databases/databases.ts";
import { FileAnswers } from "./files/file_answers.ts";
import type { FetchingNode } from "./files/shared_fetch.ts";
import { SharedFetches } from "./files/shared_fetches.ts";
import { mirrorUrls } from "./mirrors/mirror_urls.ts";
import { PassThrough } from "./mirrors/pass_through.ts";
import { Bodies } from "./server/bodies.ts";
import { ClientLeft, Exchange, GatewayCounters } from "./server/exchange.ts";
import { closeAfterResponse, hasBody, HttpServer } from "./server/http_server.ts";
import { notFoundAnswer, plainAnswer } from "./server/plain_answer.ts";
import { readPath, type RequestPath } from "./server/request_path.ts";
import { loopProblem, readVia, viaWith } from "./server/via.ts";

/** What the gateway needs of the daemon that it belongs to. */
export interface GatewayHost extends FetchingNode {
  readonly trust: PackageIndex | undefined;
  /** The HTTP client that all of the node shares. */
  readonly mirrors: Mirrors;
  readonly log: Logger;
  /** The directory for databases of repositories; made by the gateway. */
  readonly databaseDir: string;
}

/** How a gateway is set up. */
interface GatewayOptions {
  readonly host: GatewayHost;
  readonly listen: HostPort;
  /** As in a mirrorlist: http and https URLs, with `$repo` and `$arch` or without. */
  readonly mirrors: readonly string[];
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
  readonly clock?: Clock;
}

const METHODS: readonly string[] = ["GET", "HEAD"];

/** One HTTP server and what answers its requests. */
export class Gateway {
  readonly counters = new GatewayCounters();
  readonly #options: GatewayOptions;
  readonly #clock: Clock;
  readonly #bodies = new Bodies();
  readonly #sharedFetches: SharedFetches;
  readonly #files: FileAnswers;
  readonly #databases: Databases;
  readonly #passThrough: PassThrough;
  readonly #server: HttpServer;
  readonly #stopping = new AbortController();
  readonly #throttle = new LogThrottle();
  readonly #timer: Timer;
  /** Requests whose answers are not over. */
  #open = 0;

  /**
   * Accepts connections at once.
   *
   * @throws {EnvironmentError} with a hint when the port or the directory for databases cannot be had.
   */
  constructor(options: GatewayOptions) {
    const { host, clock = systemClock } = options;
    const { mirrors, trust, log } = host;
    const [bodies, throttle] = [this.#bodies, this.#throttle];
    this.#options = options;
    this.#clock = clock;
    const sharedFetches = this.#sharedFetches = new SharedFetches(host, { clock });
    const passThrough = this.#passThrough = new PassThrough(mirrors, bodies);
    const parts = { bodies, passThrough, clock, log };
    this.#databases = new Databases(host.databaseDir, { ...parts, mirrors, throttle });
    this.#files = new FileAnswers({ ...parts, sharedFetches, trust, waitMs: options.waitMs });
    this.#server = new HttpServer({
      listen: options.listen,
      clock,
      log,
      throttle,
      answer: (request) => this.#answerAnyway(request),
      isBusy: () => this.#open > 0,
    });
    this.#timer = clock.every(limits.gatewayTickMs, () => this.#tick(clock.nowMs()));
  }

  /** Where it listens, the real port included. */
  get address(): HostPort {
    return this.#server.address;
  }

  /** Ends everything that is under way; the port is free then. */
  async stop(): Promise<void> {
    const error = new Error("the gateway was stopped");
    this.#stopping.abort(error);
    this.#timer.cancel();
    this.#bodies.stop(error);
    await Promise.all([this.#sharedFetches.stop(), this.#databases.stop()]);
    this.#bodies.stop(error);
    await this.#server.stop();
  }

  #tick(nowMs: number): void {
    this.#bodies.tick(nowMs);
    this.#sharedFetches.tick(nowMs);
    this.#throttle.tick(nowMs);
    this.#server.tick(nowMs);
  }

  async #answerAnyway(request: Request): Promise<Response> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.counters.failed++;
      this.#options.host.log.error("the gateway failed", { error: messageOf(error) });
      return plainAnswer(500, "The gateway failed: see the log of the daemon");
    }
  }

  async #answer(request: Request): Promise<Response> {
    this.counters.requests++;
    const isHead = request.method === "HEAD";
    if (!METHODS.includes(request.method)) {
      const answer = plainAnswer(405, `Cannot ${request.method}: only GET and HEAD are served`, {
        headers: { allow: METHODS.join(", ") },
      });
      return hasBody(request) ? closeAfterResponse(answer) : answer;
    }
    if (hasBody(request)) {
      return closeAfterResponse(
        plainAnswer(400, "Cannot serve it: the request has a body", { isHead }),
      );
    }
    const path = readPath(request.url);
    if (path === "root") return plainAnswer(200, this.#page(), { isHead });
    if ("problem" in path) return plainAnswer(400, `Cannot serve it: ${path.problem}`, { isHead });
    const own = this.#options.host.mirrors.via;
    const via = readVia(request.headers);
    const loop = loopProblem(via, own);
    if (loop !== undefined) return this.#answerLoop(loop, { isHead });
    if (this.#open >= limits.gatewayRequestsMax) {
      const text = `Cannot serve it now: ${this.#open} requests are being answered`;
      return plainAnswer(503, text, { isHead, headers: { "retry-after": "1" } });
    }
    return await this.#serve(request, path, viaWith(via, own));
  }

  async #serve(request: Request, path: RequestPath, via: readonly string[]): Promise<Response> {
    this.#open++;
    const mirrors = mirrorUrls(this.#options.mirrors, path).slice(0, limits.mirrorsMax);
    // Not the request's own signal, of which Deno writes a warning to stderr: a client that leaves
    // before the head of its answer is noticed then, which is soon enough.
    const { signal } = this.#stopping;
    const exchange = new Exchange(request, {
      path,
      mirrors,
      via,
      signal,
      clock: this.#clock,
      counters: this.counters,
      ended: (ended, error) => this.#ended(ended, error),
    });
    let response: Response;
    try {
      response = await this.#answerFile(exchange);
    } catch (error) {
      // A body that was begun tells by itself that it has ended.
      if (exchange.isShort) exchange.ended();
      if (!signal.aborted) throw error;
      response = plainAnswer(503, "The gateway is stopping", { isHead: exchange.isHead });
    }
    if (exchange.isShort) exchange.ended();
    if (response.status === 404) this.counters.notFound++;
    else if (response.status >= 500) this.counters.failed++;
    this.#options.host.log.debug("answered", {
      method: request.method,
      path: path.path,
      status: response.status,
      ms: Math.round(this.#clock.nowMs() - exchange.beganMs),
    });
    return response;
  }

  /** The answer to a request that goes round in a circle. */
  #answerLoop(problem: string, { isHead }: { readonly isHead: boolean }): Response {
    this.counters.failed++;
    if (this.#throttle.isFirst(problem)) {
      this.#options.host.log.warn("refused a request that goes in a circle", { problem });
    }
    return plainAnswer(508, `Cannot serve it: ${problem}`, { isHead });
  }

  #answerFile(exchange: Exchange): Promise<Response> | Response {
    const { kind } = exchange.path;
    switch (kind) {
      case "package":
      case "signature":
        return this.#files.answer(exchange);
      case "database":
        return exchange.mirrors.length > 0 ? this.#databases.answer(exchange) : notFoundAnswer();
      case "other":
        return exchange.mirrors.length > 0 ? this.#passThrough.answer(exchange) : notFoundAnswer();
      default:
        return unreachable(kind);
    }
  }

  #ended({ path, bytesSent }: Exchange, error: Error | undefined): void {
    this.#open--;
    const { log } = this.#options.host;
    if (error === undefined) {
      if (bytesSent > 0) this.counters.served++;
      return;
    }
    const fields = { name: path.name, bytesSent, error: error.message };
    if (error instanceof ClientLeft || this.#stopping.signal.aborted) {
      log.debug("an answer was left", fields);
      return;
    }
    this.counters.failed++;
    if (this.#throttle.isFirst(`${path.name} ${error.message}`)) {
      log.info("broke off an answer of the gateway", fields);
    }
  }

  /** What a person sees who looks at the gateway with a browser, on one line a fact. */
  #page(): string {
    const { requests, served, notFound, failed, bytesSent } = this.counters;
    const role = this.#options.mirrors.length > 0 ? "Server" : "CacheServer";
    const { host, port } = this.address;
    const url = `http://${formatAddress(host, port)}`;
    return `pacsrv ${VERSION}, a gateway for pacman: ${role} = ${url}/$repo/os/$arch; ` +
      `${requests} requests, ${served} files served, ${notFound} not found, ${failed} failed, ` +
      `${bytesSent} bytes sent, ${this.#sharedFetches.count} files on their way`;
  }
}
