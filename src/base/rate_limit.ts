/**
 * A token bucket: so many a second on average, with a burst on top. It only says yes or no; what
 * happens to the excess is its caller's business.
 */

import { BoundedMap } from "./bounded_map.ts";

/** The bound on one stream of events. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = -Infinity;

  /** Starts with the whole burst at hand. */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Whether one more event, or one that costs more, is within the bound now; if so it counts. */
  take(nowMs: number, cost = 1): boolean {
    const gained = (nowMs - this.#atMs) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#atMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** How long until an event is within the bound, if none comes before it; 0: it is now. */
  waitMs(nowMs: number): number {
    const tokens = this.#tokens + (nowMs - this.#atMs) * this.#perSecond / 1000;
    return Math.max(0, (1 - tokens) * 1000 / this.#perSecond);
  }

  /** Counts what turned out to cost more only when it was done: what comes next has to wait. */
  owe(cost: number): void {
    this.#tokens -= cost;
  }
}

/** The buckets of all hosts that were heard lately. */
export class HostRateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #groupOf: (host: string) => string;
  /** By network, the one longest silent first. */
  readonly #buckets: BoundedMap<string, RateLimit>;
  /** The host heard last: most of what comes in a row comes over one connection. */
  #last: { readonly host: string; readonly bucket: RateLimit } | undefined;

  /**
   * `perSecond` on average for each host, with a `burst` on top. `groupOf` says which addresses count as
   * one host, by default as {@linkcode networkOf} does.
   */
  constructor(
    options: {
      readonly perSecond: number;
      readonly burst: number;
      readonly hostsMax: number;
      readonly groupOf?: (host: string) => string;
    },
  ) {
    this.#groupOf = options.groupOf ?? networkOf;
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#buckets = new BoundedMap(options.hostsMax);
  }

  /** How many hosts are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Whether `host` may do one more thing, or one that costs more, now; if so it counts. */
  take(host: string, nowMs: number, cost = 1): boolean {
    return this.#bucketOf(host).take(nowMs, cost);
  }

  /** Counts more for what `host` has done, but no more than it may do in a second. */
  owe(host: string, cost: number): void {
    this.#bucketOf(host).owe(Math.min(cost, this.#perSecond));
  }

  #bucketOf(host: string): RateLimit {
    if (this.#last?.host === host) return this.#last.bucket;
    const network = this.#groupOf(host);
    const bucket = this.#buckets.get(network) ?? new RateLimit(this.#perSecond, this.#burst);
    this.#buckets.set(network, bucket);
    this.#last = { host, bucket };
    return bucket;
  }
}

/** How an address of an IPv6 link begins. */
const OF_LINK = /^fe[89ab][0-9a-f]:/;

/** The network that a host is in: an IPv4 /24, or an IPv6 /48, which is what one site is given. */
export function widerNetworkOf(host: string): string {
  if (!host.includes(":")) return `${host.slice(0, host.lastIndexOf("."))}.0/24`;
  if (OF_LINK.test(host)) return "fe80::/10";
  const network = networkOf(host);
  return network.endsWith("::/64") ? `${network.split(":", 3).join(":")}::/48` : network;
}

/**
 * Which addresses count as one host: an IPv4 address alone, and all of an IPv6 /64, for that is
 * what one machine is given and may choose from. Those of a link (fe80::/10) count alone, for all that
 * are on it share one /64. `host` is written as the system writes it.
 */
export function networkOf(host: string): string {
  if (!host.includes(":") || host.includes(".")) return host;
  if (OF_LINK.test(host)) return host.replace(/%.*$/, "");
  const [head = "", tail = ""] = host.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  return `${[...first, ...zeros, ...last].slice(0, 4).join(":")}::/64`;
}
