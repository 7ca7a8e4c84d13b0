/**
 * A bound on what each host may do in a time: one token bucket for each. The number of hosts that
 * are remembered is bounded; the one longest silent goes.
 */

import { RateLimit } from "./rate_limit.ts";

/** The buckets of all hosts that were heard lately. */
export class HostRateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #hostsMax: number;
  /** By network, the one longest silent first. */
  readonly #buckets = new Map<string, RateLimit>();
  /** The host heard last: most of what comes in a row comes over one connection. */
  #last: { readonly host: string; readonly bucket: RateLimit } | undefined;

  /** `perSecond` on average for each host, with a `burst` on top. */
  constructor(
    options: { readonly perSecond: number; readonly burst: number; readonly hostsMax: number },
  ) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#hostsMax = options.hostsMax;
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
    const network = networkOf(host);
    const bucket = this.#buckets.get(network) ?? new RateLimit(this.#perSecond, this.#burst);
    this.#buckets.delete(network);
    this.#buckets.set(network, bucket);
    if (this.#buckets.size > this.#hostsMax) {
      const [longestSilent] = this.#buckets.keys();
      this.#buckets.delete(longestSilent!);
    }
    this.#last = { host, bucket };
    return bucket;
  }
}

/**
 * Which addresses count as one host: an IPv4 address alone, and all of an IPv6 /64, for that is
 * what one machine is given and may choose from. `host` is written as the system writes it.
 */
export function networkOf(host: string): string {
  if (!host.includes(":") || host.includes(".")) return host;
  const [head = "", tail = ""] = host.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  return `${[...first, ...zeros, ...last].slice(0, 4).join(":")}::/64`;
}
