/**
 * What a node knows of all mirrors together: how fast they are, which of them failed lately, how
 * many connections there are. A single file at its mirrors is `mirror_file.ts`.
 */

import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { MirrorFile, type MirrorFileOptions } from "./mirror_file.ts";
import { MirrorMeter, MirrorSpeeds } from "./mirror_speeds.ts";
import { Semaphore } from "./semaphore.ts";

export type { MirrorBody, MirrorValidators } from "./mirror_body.ts";
export { MirrorError } from "./mirror_error.ts";
export type { MirrorFacts, MirrorFile, MirrorFileOptions } from "./mirror_file.ts";
export type { MirrorRange } from "./mirror_request.ts";
export { MirrorSpeeds } from "./mirror_speeds.ts";

/** How long mirrors are waited for; `limits.ts` says of each why. */
export interface MirrorTimeouts {
  readonly answerMs: number;
  readonly silentMs: number;
  readonly retryMs: number;
}

const TIMEOUTS: MirrorTimeouts = {
  answerMs: limits.mirrorAnswerMs,
  silentMs: limits.mirrorSilentMs,
  retryMs: limits.mirrorRetryMs,
};

/** The mirrors of one node; closed with it. */
export class Mirrors implements Disposable {
  readonly log: Logger;
  readonly speeds: MirrorSpeeds = new MirrorSpeeds();
  /** Connections to mirrors. */
  readonly slots: Semaphore = new Semaphore(limits.mirrorConnectionsMax);
  readonly #meters = new Map<string, MirrorMeter>();
  /** When mirrors, by label, failed last. */
  readonly #failedMs = new Map<string, number>();
  readonly #closing = new AbortController();
  #client: Deno.HttpClient | null = null;

  /** What the gateway of this node is called where requests say through whom they came. */
  readonly via: string = `pacsrv-${crypto.getRandomValues(new Uint8Array(8)).toHex()}`;
  readonly timeouts: MirrorTimeouts;

  constructor({ log, timeouts }: { readonly log: Logger; readonly timeouts?: MirrorTimeouts }) {
    this.log = log;
    this.timeouts = timeouts ?? TIMEOUTS;
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

  /**
   * One file at these URLs, the first is asked first.
   *
   * @throws {UsageError} when one is no http or https URL.
   */
  file(urls: readonly string[], options: MirrorFileOptions = {}): MirrorFile {
    return new MirrorFile(this, urls, options);
  }

  /** Whether this mirror failed lately, for any file. */
  isBad(mirror: string, nowMs: number): boolean {
    const failedMs = this.#failedMs.get(mirror);
    return failedMs !== undefined && nowMs - failedMs < limits.mirrorBadMs;
  }

  /** Has it asked last for a while. */
  failed(mirror: string, nowMs: number): void {
    this.#failedMs.delete(mirror);
    this.#failedMs.set(mirror, nowMs);
    dropOldest(this.#failedMs);
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
      dropOldest(this.#meters);
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

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= limits.mirrorHostsMax) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
