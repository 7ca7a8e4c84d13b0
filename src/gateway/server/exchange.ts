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
  /** Answers by the first digit of their status. */
  readonly answers = { "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 };

  /** An answer begins with this status. */
  answered(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`;
    if (kind in this.answers) this.answers[kind as keyof GatewayCounters["answers"]]++;
  }
}

/** The client closed its connection before it had all of the answer. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft";

  constructor() {
    super("the client left");
  }
}

/** A request, and how its answer gets out. */
export interface Exchange {
  readonly path: RequestPath;
  /** Of the request, or what is still to be met of them. */
  readonly headers: Headers;
  readonly isHead: boolean;
  /** The host of the client. */
  readonly client: string;
  /** Where mirrors have the file; none when there are no mirrors. */
  readonly mirrors: readonly string[];
  /** Through whom the request came, this gateway last: what mirrors are told. */
  readonly via: readonly string[];
  /** Aborted when the gateway stops. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly beganMs: number;
  readonly delivery: Delivery;
}

/** How an answer gets out: it is over with its head, or with the body that was begun for it. */
export class Delivery {
  bytesSent = 0;
  readonly #counters: GatewayCounters;
  readonly #whenEnded: (error: Error | undefined) => void;
  readonly #whenWhole: (() => void)[] = [];
  #state: "head" | "body" | "ended" = "head";

  /** `ended` is told once when it is over; `error` when the body was broken off. */
  constructor(counters: GatewayCounters, ended: (error: Error | undefined) => void) {
    this.#counters = counters;
    this.#whenEnded = ended;
  }

  /** The answer has a body that tells when it has ended. */
  beginBody(): void {
    if (this.#state === "head") this.#state = "body";
  }

  /** Whether a body was begun. */
  get hasBody(): boolean {
    return this.#state !== "head";
  }

  /** Calls back when all of the answer went out. */
  onWhole(listener: () => void): void {
    this.#whenWhole.push(listener);
  }

  /** Bytes of the body went out. */
  sent(bytes: number): void {
    this.bytesSent += bytes;
    this.#counters.bytesSent += bytes;
  }

  /** The answer is over. Only the first call counts. */
  ended(error?: Error): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#whenEnded(error);
    if (error !== undefined) return;
    for (const listener of this.#whenWhole) listener();
  }
}
