/**
 * The HTTP client of a node: its connections to mirrors (origins: HTTP servers with the same files),
 * and what is known of each by its label, whatever the file: how fast it is, and whether it failed
 * lately.
 */

import { BoundedMap } from "../base/bounded_map.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { NO_PACES, type Pace, type Paces, UNLIMITED } from "../base/rates/pace.ts";
import { MirrorMeter, MirrorSpeeds } from "./mirror_speeds.ts";
import { PublicProxy } from "./public_proxy.ts";
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
  /** How fast mirrors may give; by default as fast as they can. */
  readonly rates?: Paces;
}

const TIMEOUTS: MirrorTimeouts = {
  answerMs: limits.mirrorAnswerMs,
  silentMs: limits.mirrorSilentMs,
  retryMs: limits.mirrorRetryMs,
};

const CLIENT = {
  http2: false,
  poolMaxIdlePerHost: limits.mirrorRangesMax,
  poolIdleTimeout: limits.mirrorBadMs,
} as const;

/** Where the runtime looks for proxies. */
const PROXY_VARIABLES = ["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

/** Who is connected with for a URL. */
function hostOf(url: URL): string {
  return (proxyOf(url) ?? url).hostname;
}

/** The proxy that the runtime uses for a URL; undefined for none, or one that cannot be read. */
function proxyOf({ protocol }: URL): URL | undefined {
  const names = [`${protocol.slice(0, -1)}_proxy`, "all_proxy"];
  for (const name of names.flatMap((name) => [name, name.toUpperCase()])) {
    const text = Deno.env.get(name) ?? "";
    if (text !== "") return URL.parse(text) ?? undefined;
  }
  return undefined;
}

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
  readonly #rates: Paces;
  #files = 0;
  readonly #meters = new BoundedMap<string, MirrorMeter>(limits.mirrorHostsMax);
  /** When mirrors, by label, failed last. */
  readonly #failedMs = new BoundedMap<string, number>(limits.mirrorHostsMax);
  /** When they fell silent last in the middle of a file. */
  readonly #stalledMs = new BoundedMap<string, number>(limits.mirrorHostsMax);
  readonly #closing = new AbortController();
  #client: Deno.HttpClient | null = null;
  #public: { readonly client: Deno.HttpClient; readonly proxy: PublicProxy } | null = null;

  constructor(options: MirrorClientOptions) {
    const { log, timeouts = TIMEOUTS, clock = systemClock, rates = NO_PACES } = options;
    this.log = log;
    this.#rates = rates;
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
    return this.#client ??= Deno.createHttpClient(CLIENT);
  }

  /**
   * The same for where a mirror redirects to: only public addresses are reached. Where proxies are to be
   * used, theirs are the addresses that are reached, and it is the same client.
   */
  get publicClient(): Deno.HttpClient {
    if (PROXY_VARIABLES.some((name) => (Deno.env.get(name) ?? "") !== "")) return this.client;
    this.#closing.signal.throwIfAborted();
    if (this.#public === null) {
      const proxy = new PublicProxy();
      const client = Deno.createHttpClient({ ...CLIENT, proxy: { url: proxy.url } });
      this.#public = { client, proxy };
    }
    return this.#public.client;
  }

  /** What no other file has that is read at the same time. */
  newFileId(): string {
    return `file ${this.#files++}`;
  }

  /**
   * How fast an answer from `url` may come; answers for one file share what that gets. What counts is who is
   * connected with: the proxy, if any.
   */
  paceOf(url: URL, fileId: string): Pace {
    if (this.#rates === NO_PACES) return UNLIMITED;
    return this.#rates.flow("mirror", { host: hostOf(url), peer: fileId });
  }

  /** How much may be asked for at once at `url`; null: all of it. */
  bytesAhead(url: URL): number | null {
    return this.#rates === NO_PACES ? null : this.#rates.bytesAhead(hostOf(url));
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

  /**
   * When this mirror fell silent last in the middle of a file, any file; undefined when that is not
   * lately. Other than one that failed, it may answer: what it says counts, but others are asked first.
   */
  stalledMs(mirror: string, nowMs: number): number | undefined {
    const stalledMs = this.#stalledMs.get(mirror);
    const isLately = stalledMs !== undefined && nowMs - stalledMs < limits.mirrorStalledMs;
    return isLately ? stalledMs : undefined;
  }

  /** It fell silent: that it answers the next time does not make up for it. */
  stalled(mirror: string, nowMs: number): void {
    this.#stalledMs.set(mirror, nowMs);
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
    this.#public?.client.close();
    this.#public?.proxy[Symbol.dispose]();
    this.#public = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
