/** How long a fetch goes on when nobody gives what is missing, and how long it leaves its mirrors. */

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

/**
 * How long peers alone are asked before a mirror is: what the request says, else what the node is
 * told, which for a fetch that nobody waits for is no less than `backgroundDelayMs`. Null: nobody says.
 */
export function mirrorDelayOf(
  { mirrorDelayMs, background }: FetchRequest,
  nodeDelayMs: number | null,
): number | null {
  if (mirrorDelayMs !== null || !background) return mirrorDelayMs ?? nodeDelayMs;
  return Math.max(nodeDelayMs ?? 0, limits.backgroundDelayMs);
}

/** What the timeouts depend on. */
export interface Supply {
  readonly sourceCount: number;
  /** Whether anybody ever gave, or was to give, chunks. */
  readonly hadSources: boolean;
  /** Whether nobody who could give what is missing is giving it. */
  readonly needsSources: boolean;
  /** How long those who withdrew it are waited for; null where not all of them did. */
  readonly comesBackMs: number | null;
}

/** How long a holder may need to find that a file which it withdrew is what it was. */
export function findUnchangedMs(sizeBytes: number): number {
  const hashMs = sizeBytes / limits.withdrawnBytesPerMs;
  return Math.min(limits.withdrawnMs + hashMs, limits.sourcesLostMs);
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
      ? supply.comesBackMs ?? limits.sourcesLostMs
      // A part of it is here: others are sought as long as for the whole, and for a while at least.
      : Math.max(limits.searchMs, this.#searchMs);
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
