/** One request of an HTTP client, from its arrival until the last byte of the answer is out. */

import type { Clock } from "../../base/clock.ts";
import type { RequestPath } from "./request_path.ts";

/** What is counted over all requests. */
export class GatewayCounters {
  requests = 0;
  /** Answers with a file, or a part of it, that went out whole. */
  served = 0;
  notFound = 0;
  /** Answers that failed, with a status from 500 or in the middle. */
  failed = 0;
  bytesSent = 0;
}

/** The client closed its connection before it had all of the answer. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft";

  constructor() {
    super("the client left");
  }
}

/** What an exchange is begun with. */
interface ExchangeOptions {
  readonly path: RequestPath;
  /** Where mirrors have the file; none when there are no mirrors. */
  readonly mirrors: readonly string[];
  /** Through whom the request came, this gateway last: what mirrors are told. */
  readonly via: readonly string[];
  /** Aborted when the gateway stops. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly counters: GatewayCounters;
  /** Told when the answer is over; `error` when its body was broken off. */
  ended(exchange: Exchange, error: Error | undefined): void;
}

/** A request and what became of it. */
export class Exchange {
  readonly path: RequestPath;
  /** Of the request; who has judged its conditions may replace them by what is still to be met. */
  headers: Headers;
  readonly isHead: boolean;
  readonly mirrors: readonly string[];
  readonly via: readonly string[];
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly beganMs: number;
  bytesSent = 0;
  readonly #options: ExchangeOptions;
  #isHeld = false;
  #hasEnded = false;

  constructor(request: Request, options: ExchangeOptions) {
    this.#options = options;
    this.path = options.path;
    this.mirrors = options.mirrors;
    this.via = options.via;
    this.headers = request.headers;
    this.isHead = request.method === "HEAD";
    this.signal = options.signal;
    this.clock = options.clock;
    this.beganMs = options.clock.nowMs();
  }

  /** The answer has a body that tells when it has ended. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Whether the answer is over with its head. */
  get isShort(): boolean {
    return !this.#isHeld;
  }

  /** Bytes of the body went out. */
  sent(bytes: number): void {
    this.bytesSent += bytes;
    this.#options.counters.bytesSent += bytes;
  }

  /** The answer is over. Only the first call counts. */
  ended(error?: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.ended(this, error);
  }
}
