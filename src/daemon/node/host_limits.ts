/** A bound on what each address may do in a time: one token bucket for each, at most so many. */

import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";

/** The buckets of all addresses that were heard lately. */
export class HostLimits {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #byHost = new Map<string, RateLimit>();

  /** `perSecond` on average for each address, with a `burst` on top. */
  constructor(options: { readonly perSecond: number; readonly burst: number }) {
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
  }

  /** Whether one more is within the bound of `host` now; if so it counts. */
  take(host: string, nowMs: number): boolean {
    const limit = this.#byHost.get(host) ?? new RateLimit(this.#perSecond, this.#burst);
    // The order of the map is the order in which hosts were last heard.
    this.#byHost.delete(host);
    this.#byHost.set(host, limit);
    if (this.#byHost.size > limits.questionHostsMax) {
      const [longestSilent] = this.#byHost.keys();
      this.#byHost.delete(longestSilent!);
    }
    return limit.take(nowMs);
  }
}
