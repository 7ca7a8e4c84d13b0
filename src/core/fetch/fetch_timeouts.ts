/** How long a fetch goes on when nobody gives what is missing. */

import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";

/** How long a fetch goes on while nobody offers anything. */
export function searchTimeMs(
  { searchMs, mirrors }: FetchRequest,
  { isAlone }: { readonly isAlone: boolean },
): number {
  if (searchMs > 0) return searchMs;
  return mirrors.length > 0 && !isAlone ? limits.searchBesideMs : limits.searchMs;
}

/** What the timeouts depend on. */
interface Supply {
  readonly sourceCount: number;
  /** Whether anybody ever gave, or was to give, chunks. */
  readonly hadSources: boolean;
  /** Whether nobody who could give what is missing is giving it. */
  readonly needsSources: boolean;
}

/** The timeouts of one fetch. */
export class FetchTimeouts {
  readonly #searchMs: number;
  /** Since when there is nobody to ask. */
  #aloneSinceMs: number;
  #starvedSinceMs: number | null = null;
  /** When its sources last could not give what is missing, or did not. */
  #starvedMs = 0;

  /** @param options.searchMs How long it waits for the first who offers anything. */
  constructor(nowMs: number, options: { readonly searchMs: number } = limits) {
    this.#aloneSinceMs = nowMs;
    this.#searchMs = options.searchMs;
  }

  /** Starts over: somebody else may give it now. */
  renew(nowMs: number): void {
    this.#aloneSinceMs = nowMs;
    this.#starvedSinceMs = null;
  }

  /** Chunks came. */
  fed(): void {
    this.#starvedSinceMs = null;
  }

  /** For how long its sources could not, or did not, give what is missing. */
  starvedForMs(nowMs: number): number {
    return this.#starvedSinceMs === null ? 0 : nowMs - this.#starvedSinceMs;
  }

  /** Lets time pass; true when it is at its end. Without `supply` no candidate is followed yet. */
  tick(supply: Supply | undefined, nowMs: number): boolean {
    if (supply !== undefined && supply.sourceCount > 0) this.#aloneSinceMs = nowMs;
    const aloneMs = supply === undefined
      ? this.#searchMs
      : supply.hadSources
      ? limits.sourcesLostMs
      : limits.searchMs;
    if (nowMs - this.#aloneSinceMs > aloneMs) return true;
    if (supply?.needsSources) {
      this.#starvedMs = nowMs;
      this.#starvedSinceMs ??= nowMs;
      return nowMs - this.#starvedSinceMs > limits.starvedMs;
    }
    // Not before: a source that joins and gives nothing looks useful until it is snubbed.
    if (nowMs - this.#starvedMs > 2 * limits.snubMs) this.#starvedSinceMs = null;
    return false;
  }
}
