/** How long a fetch goes on when nobody gives what is missing. */

import { limits } from "../base/limits.ts";

/** How long a fetch whose sources lack the missing chunks, or all stall, waits for others. */
const STARVED_MS = limits.sourceSilentMs + limits.searchMs;

/** What it looks at. */
export interface Supply {
  readonly sourceCount: number;
  /** Whether anybody ever gave, or was to give, chunks. */
  readonly hadSources: boolean;
  /** Whether nobody who could give what is missing is giving it. */
  readonly needsSources: boolean;
}

/** The patience of one fetch. */
export class Patience {
  /** Since when there is nobody to ask. */
  #aloneSinceMs: number;
  #starvedSinceMs: number | null = null;
  /** When its sources last could not, or did not, give what is missing. */
  #starvedMs = 0;

  constructor(nowMs: number) {
    this.#aloneSinceMs = nowMs;
  }

  /** Begins anew: there is another hope now. */
  renew(nowMs: number): void {
    this.#aloneSinceMs = nowMs;
    this.#starvedSinceMs = null;
  }

  /** Chunks came. */
  fed(): void {
    this.#starvedSinceMs = null;
  }

  /** Lets time pass; true when it is at its end. Without `supply` no candidate is followed yet. */
  tick(supply: Supply | undefined, nowMs: number): boolean {
    if (supply !== undefined && supply.sourceCount > 0) this.#aloneSinceMs = nowMs;
    const aloneMs = supply?.hadSources ? limits.sourcesLostMs : limits.searchMs;
    if (nowMs - this.#aloneSinceMs > aloneMs) return true;
    if (supply?.needsSources) {
      this.#starvedMs = nowMs;
      this.#starvedSinceMs ??= nowMs;
      return nowMs - this.#starvedSinceMs > STARVED_MS;
    }
    // Not before: a source that joins and gives nothing looks useful until it is snubbed.
    if (nowMs - this.#starvedMs > 2 * limits.snubMs) this.#starvedSinceMs = null;
    return false;
  }
}
