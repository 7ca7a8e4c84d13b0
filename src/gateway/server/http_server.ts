/**
 * The gateway's HTTP server, kept alive: listens, listens again when that fails, and lets go of
 * connections that nobody uses. It knows nothing of what is asked or answered.
 *
 * `Deno.serve` neither counts connections nor bounds how long one takes to send a head, nor does it
 * go on when the process may open no more files. So from time to time, while nothing is under way,
 * all connections are ended and the port is opened again; and the same is done when accepting fails.
 */

import type { HostPort } from "../../base/address.ts";
import { Changes } from "../../base/changes.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import { listenError } from "../../net/listen_error.ts";
import { plainAnswer } from "./plain_answer.ts";

interface HttpServerOptions {
  readonly listen: HostPort;
  readonly clock: Clock;
  readonly log: Logger;
  readonly throttle: LogThrottle;
  /** Answers a request of the client at this host; never rejects. */
  answer(request: Request, client: string): Promise<Response>;
  /** Whether an answer is under way that must not be broken off. */
  isBusy(): boolean;
}

/** One listening socket with all its connections. */
interface RequestTurn {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  /** Ends all its connections. Not `server.shutdown()`, which waits for clients that never read. */
  readonly abort: AbortController;
  readonly beganMs: number;
}

/** Listens on one port until it is stopped. */
export class HttpServer {
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  readonly #options: HttpServerOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  /** Requests whose answers are not out yet. */
  #unsent = 0;
  #usedMs: number;
  /** Told when an answer is out. */
  readonly #sent = new Changes();
  #turn: RequestTurn;
  /** Whether it takes connections; not for a moment when the system refuses. */
  isListening = true;

  /**
   * Listens at once.
   *
   * @throws {EnvironmentError} with a hint when the port cannot be had.
   */
  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#usedMs = options.clock.nowMs();
    this.#turn = this.#listen(options.listen);
    const { hostname, port } = this.#turn.server.addr;
    this.address = { host: hostname, port };
    this.#ended = this.#run();
  }

  /** Lets time pass: ends connections that nobody uses. */
  tick(nowMs: number): void {
    const { gatewayTurnMs, gatewayQuietMs, gatewayStalledMs } = limits;
    if (nowMs - this.#turn.beganMs < gatewayTurnMs || this.#options.isBusy()) return;
    // A client that has not taken the end of an answer for so long never will.
    const enoughMs = this.#unsent === 0 ? gatewayQuietMs : gatewayStalledMs;
    if (nowMs - this.#usedMs >= enoughMs) endConnections(this.#turn);
  }

  /** Ends it: what is being answered has a moment to get out, then all connections end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#settle();
    endConnections(this.#turn);
    await this.#ended;
  }

  /** Resolves when all answers are out, or it takes too long. */
  async #settle(): Promise<void> {
    const untilMs = this.#clock.nowMs() + limits.gatewayStopMs;
    while (this.#unsent > 0) {
      const waitMs = untilMs - this.#clock.nowMs();
      if (waitMs <= 0) return;
      await this.#sent.next(this.#clock, { waitMs });
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const turn = this.#turn;
      try {
        await turn.server.finished;
      } catch (error) {
        this.isListening = false;
        this.#warn("the gateway can take no more connections for a moment", error);
        // Those that it has are what used the files up.
        endConnections(turn);
        await this.#pause(limits.gatewayPauseMs);
      }
      await this.#listenAgain();
    }
  }

  async #listenAgain(): Promise<void> {
    for (let tries = 0; !this.#stopping.signal.aborted; tries++) {
      try {
        this.#turn = this.#listen(this.address);
        this.isListening = true;
        return;
      } catch (error) {
        this.isListening = false;
        if (tries > 0) this.#warn("the gateway cannot listen for a moment", error);
        // The system may need a moment to let go of the port.
        await this.#pause(tries === 0 ? limits.gatewayPortMs : limits.gatewayPauseMs);
      }
    }
  }

  #warn(message: string, error: unknown): void {
    const { throttle, log } = this.#options;
    if (this.#stopping.signal.aborted || !throttle.isFirst(message)) return;
    log.warn(message, { error: messageOf(error) });
  }

  /** Resolves after some time, at once when it is stopped. */
  async #pause(ms: number): Promise<void> {
    await sleep(this.#clock, ms, { signal: this.#stopping.signal }).catch(() => {});
  }

  #listen(address: HostPort): RequestTurn {
    const abort = new AbortController();
    const server = serve(address, {
      signal: abort.signal,
      answer: (request, info) => this.#answer(request, info),
    });
    return { server, abort, beganMs: this.#clock.nowMs() };
  }

  #answer(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    this.#unsent++;
    this.#usedMs = this.#clock.nowMs();
    // It rejects when the client has left: that is an end as well.
    const sent = () => {
      this.#unsent--;
      this.#usedMs = this.#clock.nowMs();
      this.#sent.tell();
    };
    info.completed.then(sent, sent);
    const { remoteAddr } = info;
    return this.#options.answer(request, "hostname" in remoteAddr ? remoteAddr.hostname : "");
  }
}

function endConnections({ abort }: RequestTurn): void {
  abort.abort(new DOMException("The connections are ended", "AbortError"));
}

function serve(
  address: HostPort,
  options: {
    readonly signal: AbortSignal;
    answer(request: Request, info: Deno.ServeHandlerInfo): Promise<Response>;
  },
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({
      hostname: address.host,
      port: address.port,
      signal: options.signal,
      onListen() {},
      // Bodies that are broken off on purpose come here; what is wrong was told before.
      onError: () => plainAnswer(500, "The gateway failed: see the log of the daemon"),
    }, (request, info) => options.answer(request, info));
  } catch (cause) {
    throw listenError(cause, address, {
      inUseHint: "Another gateway may be running. Choose another port with --gateway HOST:PORT.",
    });
  }
}

/** Whether a request says that a body follows, which nobody here reads. */
export function hasBody({ headers }: Request): boolean {
  const length = headers.get("content-length");
  return headers.has("transfer-encoding") || length !== null && !/^0*$/.test(length.trim());
}

/**
 * The same answer, and the end of its connection, which the server would keep for as long as the
 * body of the request does not come. That is the way to have one ended: the server breaks off when
 * a body fails, here after all of it was given. One to a HEAD has none that could fail: its
 * connection goes when the server next ends those that nobody uses.
 */
export function closeAfterResponse(answer: Response): Response {
  const { status, headers } = answer;
  headers.set("connection", "close");
  const reader = answer.body?.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const read = await reader?.read();
      if (read === undefined || read.done) controller.error(new Error("the connection ends here"));
      else controller.enqueue(read.value);
    },
  });
  return new Response(body, { status, headers });
}
