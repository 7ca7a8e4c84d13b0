/**
 * The HTTP gateway: lets pacman, and any other HTTP client, take packages from this node's network
 * as from a mirror. It takes requests in, bounds them, and hands each to the part that answers it.
 *
 * Without mirrors it is a `CacheServer`: what nobody has is a 404, soon and without a body. With
 * mirrors it is a `Server`: peers first, the mirrors behind them.
 */

import type { HostPort } from "../base/address.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { LogThrottle } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import { hostProblem } from "../net/known_hosts.ts";
import type { StaleDatabaseReport } from "../wire/reports.ts";
import { formatAddress } from "../wire/host.ts";
import { Answers, type GatewayHost } from "./answers.ts";
import { Garbage } from "./garbage.ts";
import { mirrorUrls } from "./mirrors/mirror_urls.ts";
import { ClientLeft, Delivery, type Exchange, GatewayCounters } from "./server/exchange.ts";
import { closeAfterResponse, hasBody, HttpServer } from "./server/http_server.ts";
import { plainAnswer } from "./server/plain_answer.ts";
import { readPath } from "./server/request_path.ts";
import { loopProblem, readVia, viaWith } from "./server/via.ts";

interface GatewayOptions {
  readonly host: GatewayHost;
  readonly listen: HostPort;
  /** As in a mirrorlist: http and https URLs, with `$repo` and `$arch` or without. */
  readonly mirrors: readonly string[];
  /** How long a file that nobody seems to have is looked for. */
  readonly waitMs: number;
  /** How long peers alone are asked before a mirror is; 0 by default. */
  readonly mirrorDelayMs?: number;
  /** How old a database may be that is given though no mirror vouches for it; 0, the default: none is. */
  readonly staleMs?: number;
  /** Names that it answers to beside addresses and `localhost`, in lower case. */
  readonly names?: readonly string[];
  readonly clock?: Clock;
}

const METHODS: readonly string[] = ["GET", "HEAD"];
const SERVER = { what: "this gateway", flag: "--gateway-name" };

/** One HTTP server and what answers its requests. */
export class Gateway {
  readonly counters = new GatewayCounters();
  readonly #options: GatewayOptions;
  /** As in the options; a request goes by what holds when it comes. */
  mirrors: readonly string[];
  names: readonly string[];
  readonly #clock: Clock;
  readonly #answers: Answers;
  readonly #server: HttpServer;
  readonly #stopping = new AbortController();
  readonly #throttle: LogThrottle;
  readonly #timer: Timer;
  readonly #garbage = new Garbage();
  /** Requests whose answers are not over. */
  #open = 0;

  /**
   * Accepts connections at once.
   *
   * @throws {EnvironmentError} with a hint when the port or the directory for databases cannot be had.
   */
  constructor(options: GatewayOptions) {
    const { host, waitMs, mirrorDelayMs = 0, staleMs = 0, clock = systemClock } = options;
    const throttle = this.#throttle = new LogThrottle(clock);
    this.#options = options;
    this.mirrors = options.mirrors;
    this.names = options.names ?? [];
    this.#clock = clock;
    this.#answers = new Answers(host, { clock, throttle, waitMs, mirrorDelayMs, staleMs });
    this.#server = new HttpServer({
      listen: options.listen,
      clock,
      log: host.log,
      throttle,
      answer: (request, client) => this.#answerAnyway(request, client),
      isBusy: () => this.#open > 0,
    });
    this.#timer = clock.every(limits.gatewayTickMs, () => this.#tick(clock.nowMs()));
  }

  /** Where it listens, the real port included. */
  get address(): HostPort {
    return this.#server.address;
  }

  /** Requests whose answers are not over. */
  get openRequests(): number {
    return this.#open;
  }

  /** Whether it takes connections. */
  get isListening(): boolean {
    return this.#server.isListening;
  }

  /** Databases that it gives though no mirror vouches for them. */
  staleDatabases(): StaleDatabaseReport[] {
    return this.#answers.staleDatabases();
  }

  /** Ends everything that is under way; the port is free then. */
  async stop(): Promise<void> {
    const error = new Error("the gateway was stopped");
    this.#stopping.abort(error);
    this.#timer.cancel();
    await this.#answers.stop(error);
    await this.#server.stop();
  }

  #tick(nowMs: number): void {
    this.#answers.tick(nowMs);
    this.#throttle.tick(nowMs);
    this.#server.tick(nowMs);
    if (this.#open === 0) this.#garbage.quiet(nowMs);
  }

  async #answerAnyway(request: Request, client: string): Promise<Response> {
    const response = await this.#answerSafely(request, client);
    this.counters.answered(response.status);
    return response;
  }

  async #answerSafely(request: Request, client: string): Promise<Response> {
    try {
      return await this.#answer(request, client);
    } catch (error) {
      this.counters.failed++;
      this.#options.host.log.error("the gateway failed", { error: messageOf(error) });
      return plainAnswer(500, "The gateway failed: see the log of the daemon");
    }
  }

  async #answer(request: Request, client: string): Promise<Response> {
    this.counters.requests++;
    const isHead = request.method === "HEAD";
    const wrongHost = hostProblem(request.headers.get("host"), this.names, SERVER);
    if (wrongHost !== undefined) {
      const answer = plainAnswer(wrongHost.status, wrongHost.text, { isHead });
      return hasBody(request) ? closeAfterResponse(answer) : answer;
    }
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
    return await this.#serve(request, { path, client, via: viaWith(via, own) });
  }

  async #serve(
    request: Request,
    { path, client, via }: Pick<Exchange, "path" | "client" | "via">,
  ): Promise<Response> {
    this.#open++;
    this.#garbage.asked(this.#clock.nowMs());
    const mirrors = mirrorUrls(this.mirrors, path).slice(0, limits.mirrorsMax);
    // Not the request's own signal, of which Deno writes a warning to stderr: a client that leaves
    // before the head of its answer is noticed then, which is soon enough.
    const { signal } = this.#stopping;
    const clock = this.#clock;
    const isHead = request.method === "HEAD";
    const delivery: Delivery = new Delivery(
      this.counters,
      (error) => this.#ended(path.name, { bytesSent: delivery.bytesSent, error }),
    );
    const exchange: Exchange = {
      path,
      headers: request.headers,
      isHead,
      client,
      mirrors,
      via,
      signal,
      clock,
      beganMs: clock.nowMs(),
      delivery,
    };
    let response: Response;
    try {
      response = await this.#answers.answer(exchange);
    } catch (error) {
      if (!signal.aborted) throw error;
      response = plainAnswer(503, "The gateway is stopping", { isHead });
    } finally {
      // A body that was begun tells by itself that it has ended.
      if (!delivery.hasBody) delivery.ended();
    }
    if (response.status === 404) this.counters.notFound++;
    else if (response.status >= 500) this.counters.failed++;
    this.#options.host.log.debug("answered", {
      method: request.method,
      path: path.path,
      status: response.status,
      ms: Math.round(clock.nowMs() - exchange.beganMs),
    });
    return response;
  }

  #answerLoop(problem: string, { isHead }: { readonly isHead: boolean }): Response {
    this.counters.failed++;
    if (this.#throttle.isFirst(problem)) {
      this.#options.host.log.warn("refused a request that goes in a circle", { problem });
    }
    return plainAnswer(508, `Cannot serve it: ${problem}`, { isHead });
  }

  #ended(
    name: string,
    { bytesSent, error }: { readonly bytesSent: number; readonly error: Error | undefined },
  ): void {
    this.#open--;
    const { log } = this.#options.host;
    if (error === undefined) {
      if (bytesSent > 0) this.counters.served++;
      return;
    }
    const fields = { name, bytesSent, error: error.message };
    if (error instanceof ClientLeft || this.#stopping.signal.aborted) {
      log.debug("an answer was left", fields);
      return;
    }
    this.counters.failed++;
    if (this.#throttle.isFirst(`${name} ${error.message}`)) {
      log.info("broke off an answer of the gateway", fields);
    }
  }

  /** What a person sees who looks at the gateway with a browser, on one line a fact. */
  #page(): string {
    const { requests, served, notFound, failed, bytesSent } = this.counters;
    const role = this.mirrors.length > 0 ? "Server" : "CacheServer";
    const { host, port } = this.address;
    const url = `http://${formatAddress(host, port)}`;
    return `pacsrv ${VERSION}, a gateway for pacman: ${role} = ${url}/$repo/os/$arch; ` +
      `${requests} requests, ${served} files served, ${notFound} not found, ${failed} failed, ` +
      `${bytesSent} bytes sent, ${this.#answers.fetchCount} files on their way`;
  }
}
