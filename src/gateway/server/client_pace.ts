/** How fast the client of a body takes it: what it takes earns it time in which it takes nothing. */

import { limits } from "../../base/limits.ts";

/** The pace of one client. */
export class ClientPace {
  /** Since when the client takes nothing; null while it waits for us. */
  #idleSinceMs: number | null;
  readonly #allowanceMsMax: number;
  /** How long it may take nothing. */
  #allowanceMs: number;

  /** @param allowanceMs How long a client may take nothing before it counts as slow, at most. */
  constructor(allowanceMs: number, { nowMs }: { readonly nowMs: number }) {
    this.#allowanceMs = this.#allowanceMsMax = allowanceMs;
    this.#idleSinceMs = nowMs;
  }

  /** The client wants more. */
  asked(nowMs: number): void {
    if (this.#idleSinceMs !== null) this.#allowanceMs -= nowMs - this.#idleSinceMs;
    this.#idleSinceMs = null;
  }

  /** It was given so many bytes: it is its turn to take them. */
  gave(bytes: number, nowMs: number): void {
    const earnedMs = bytes / limits.gatewaySlowBytesPerSecond * 1_000;
    this.#allowanceMs = Math.min(this.#allowanceMsMax, this.#allowanceMs + earnedMs);
    this.#idleSinceMs = nowMs;
  }

  /** For how long it has taken nothing. */
  idleMs(nowMs: number): number {
    return this.#idleSinceMs === null ? 0 : nowMs - this.#idleSinceMs;
  }

  /** Whether it takes too little, as who is short of slots or holds a connection sees it. */
  isSlow(nowMs: number): boolean {
    return this.#idleSinceMs !== null && this.idleMs(nowMs) > this.#allowanceMs;
  }
}

/** Why a client is sent away that takes too little. */
export function tooSlow(): Error {
  return new Error(`the client took less than ${limits.gatewaySlowBytesPerSecond} bytes a second`);
}
