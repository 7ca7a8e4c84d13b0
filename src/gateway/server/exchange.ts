/** One request of an HTTP client, from its arrival until the last byte of the answer is out. */

import type { RequestPath } from "./request_path.ts";

/** What is counted over all requests. */
export interface GatewayCounters {
  requests: number;
  /** Answers with a file, or a part of it, that went out whole. */
  served: number;
  notFound: number;
  /** Answers that failed, with a status from 500 or in the middle. */
  failed: number;
  bytesSent: number;
}

/** The client closed its connection before it had all of the answer. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft";

  constructor() {
    super("the client left");
  }
}

/** What an exchange needs of the gateway. */
export interface ExchangeHost {
  readonly counters: GatewayCounters;
  /** The answer is over; `error` when its body was broken off. */
  ended(exchange: Exchange, error: Error | undefined): void;
}

/** A request and what became of it. */
export class Exchange {
  readonly path: RequestPath;
  /** Of the request; whoever has judged its conditions may replace them by what is still to be met. */
  headers: Headers;
  readonly isHead: boolean;
  /** Where mirrors have the file; none when there are no mirrors. */
  readonly mirrors: readonly string[];
  /** Through whom the request came, this gateway last: what mirrors are told. */
  readonly via: readonly string[];
  /** Aborted when the gateway stops. */
  readonly signal: AbortSignal;
  readonly beganMs = performance.now();
  bytesSent = 0;
  readonly #host: ExchangeHost;
  #isHeld = false;
  #hasEnded = false;

  constructor(
    host: ExchangeHost,
    request: Request,
    asked: {
      readonly path: RequestPath;
      readonly mirrors: readonly string[];
      readonly via: readonly string[];
      readonly signal: AbortSignal;
    },
  ) {
    this.#host = host;
    this.path = asked.path;
    this.mirrors = asked.mirrors;
    this.via = asked.via;
    this.headers = request.headers;
    this.isHead = request.method === "HEAD";
    this.signal = asked.signal;
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
    this.#host.counters.bytesSent += bytes;
  }

  /** The answer is over. Only the first call counts. */
  ended(error?: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#host.ended(this, error);
  }
}
