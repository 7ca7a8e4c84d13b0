/** How many questions each address asks: a bound for each, and on how many are remembered. */

import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";

/** A token bucket for each address. */
export class Askers {
  readonly #perSecond: number;
  /** The one that asked longest ago first. */
  readonly #byHost = new Map<string, RateLimit>();
  /** The one that asked last: most questions come in a row from one connection. */
  #last: { readonly host: string; readonly bucket: RateLimit } | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#byHost.size;
  }

  /** Whether `host` may ask something of this cost now; if so it counts. */
  take(host: string, cost: number, nowMs: number): boolean {
    return this.#bucketOf(host).take(nowMs, cost);
  }

  /** Counts more for what `host` has asked, but no more than it may ask in a second. */
  owe(host: string, cost: number): void {
    this.#bucketOf(host).owe(Math.min(cost, this.#perSecond));
  }

  #bucketOf(host: string): RateLimit {
    if (this.#last?.host !== host) this.#last = { host, bucket: this.#ensure(host) };
    return this.#last.bucket;
  }

  #ensure(host: string): RateLimit {
    const known = this.#byHost.get(host);
    // A bound below the cost of a search would rule searches out, so the burst holds one.
    const burst = Math.max(2 * this.#perSecond, limits.directorySearchCost);
    const bucket = known ?? new RateLimit(this.#perSecond, burst);
    this.#byHost.delete(host);
    this.#byHost.set(host, bucket);
    if (this.#byHost.size > limits.directoryAskersMax) {
      for (const oldest of this.#byHost.keys()) {
        this.#byHost.delete(oldest);
        break;
      }
    }
    return bucket;
  }
}
