/**
 * The HTTP client of a node: its connections to mirrors (origins: HTTP servers with the same files),
 * and what is known of each by its label, whatever the file: how fast it is, and whether it failed
 * lately.
 */

import { BoundedMap } from "../base/bounded_map.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { MirrorMeter, MirrorSpeeds } from "./mirror_speeds.ts";
import { Semaphore } from "./semaphore.ts";

/** How long mirrors are waited for; `limits.ts` says of each why. */
export interface MirrorTimeouts {
  readonly answerMs: number;
  readonly silentMs: number;
  readonly retryMs: number;
}

interface MirrorClientOptions {
  readonly log: Logger;
  readonly timeouts?: MirrorTimeouts;
  readonly clock?: Clock;
}

const TIMEOUTS: MirrorTimeouts = {
  answerMs: limits.mirrorAnswerMs,
  silentMs: limits.mirrorSilentMs,
  retryMs: limits.mirrorRetryMs,
};

/** Asks the mirrors of one node; closed with it. */
export class MirrorClient implements Disposable {
  readonly log: Logger;
  readonly clock: Clock;
  readonly timeouts: MirrorTimeouts;
  readonly speeds: MirrorSpeeds = new MirrorSpeeds();
  /** Connections to mirrors. */
  readonly slots: Semaphore = new Semaphore(limits.mirrorConnectionsMax);
  /** What the gateway of this node is called where requests say through whom they came. */
  readonly via: string = `pacsrv-${crypto.getRandomValues(new Uint8Array(8)).toHex()}`;
  readonly #meters = new BoundedMap<string, MirrorMeter>(limits.mirrorHostsMax);
  /** When mirrors, by label, failed last. */
  readonly #failedMs = new BoundedMap<string, number>(limits.mirrorHostsMax);
  readonly #closing = new AbortController();
  #client: Deno.HttpClient | null = null;

  constructor({ log, timeouts = TIMEOUTS, clock = systemClock }: MirrorClientOptions) {
    this.log = log;
    this.timeouts = timeouts;
    this.clock = clock;
  }

  /** Aborted when the node ends. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * The connections, kept open for the next request to the same mirror. HTTP/1.1 only: each of
   * several ranges then has a connection and a window of its own. Proxies come from the environment.
   */
  get client(): Deno.HttpClient {
    this.#closing.signal.throwIfAborted();
    return this.#client ??= Deno.createHttpClient({
      http2: false,
      poolMaxIdlePerHost: limits.mirrorRangesMax,
      poolIdleTimeout: limits.mirrorBadMs,
    });
  }

  /** Whether this mirror failed lately, for any file. */
  isBad(mirror: string, nowMs: number): boolean {
    const failedMs = this.#failedMs.get(mirror);
    return failedMs !== undefined && nowMs - failedMs < limits.mirrorBadMs;
  }

  /** Has it asked last for a while. */
  failed(mirror: string, nowMs: number): void {
    this.#failedMs.set(mirror, nowMs);
  }

  /** It answers again. */
  answered(mirror: string): void {
    this.#failedMs.delete(mirror);
  }

  meterOf(mirror: string): MirrorMeter {
    let meter = this.#meters.get(mirror);
    if (meter === undefined) {
      meter = new MirrorMeter(mirror, this.speeds);
      this.#meters.set(mirror, meter);
    }
    return meter;
  }

  /** Ends all that is under way. */
  close(): void {
    this.#closing.abort(new DOMException("The node ends", "AbortError"));
    this.#client?.close();
    this.#client = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
