/**
 * What a client is given that cannot wait for the check of the whole, and asks elsewhere then: pacman
 * at a gateway. Pure: no I/O, no clock.
 *
 * Rules
 *  1. Where a SHA-256 will tell in the end, and `vouchersMin` nodes at as many hosts have the whole file
 *     of one root, and nobody offers another, what peers give of it is released as it comes. Only the last
 *     chunk waits for the check. A node that has a part of it only passes on what others say.
 *  2. Without a mirror, what is not released comes at once when all of it was checked, or is of no use
 *     to the client. So it is judged `holdJudgeMs` after it can come, by how fast it came until then, and
 *     from then on: where the whole will not be here in time, the fetch ends, before more is sent in vain.
 *     Until twice that time has passed, half as fast as it has to be is fast enough.
 *  3. When nobody gives what is missing any more, and nobody else is found within `holdGoneMs`, the
 *     fetch ends.
 */

import { limits } from "../../base/limits.ts";
import type { Candidate, Candidates } from "./candidates.ts";
import type { SwarmFacts } from "./fetch_events.ts";

/** A client that waits. */
export interface WaitingClient {
  /** How long it waits for the first byte; null: a mirror gives it something meanwhile. */
  readonly holdMs: number | null;
}

/** The wait of one client. */
export class ClientHold {
  readonly #untilMs: number;
  /** Since when chunks of what is followed can come, and since when nobody gives any. */
  #begun: { readonly key: string; readonly sinceMs: number } | null = null;
  #goneMs: number | null = null;

  constructor({ holdMs }: WaitingClient, { nowMs }: { readonly nowMs: number }) {
    this.#untilMs = holdMs === null ? Infinity : nowMs + holdMs;
  }

  /** Rule 1. */
  mayStream(followed: Candidate, candidates: Candidates): boolean {
    return candidates.isOnlyOne(followed) && followed.offerers.vouchers >= limits.vouchersMin;
  }

  /** Rules 2 and 3: why the client waits in vain for what is followed; undefined while it may not. */
  inVain(followed: Candidate, swarm: SwarmFacts, nowMs: number): string | undefined {
    if (this.#untilMs === Infinity || !swarm.hasBegun || swarm.isComplete) return undefined;
    if (this.#begun?.key !== followed.key) {
      this.#begun = { key: followed.key, sinceMs: nowMs };
      this.#goneMs = null;
    }
    return this.#isGone(swarm, nowMs)
      ? "nobody gives the rest any more"
      : this.#isTooSlow(swarm, nowMs)
      ? "it comes too slowly to be checked in time"
      : undefined;
  }

  #isGone({ hadSources, sourceCount }: SwarmFacts, nowMs: number): boolean {
    if (!hadSources || sourceCount > 0) {
      this.#goneMs = null;
      return false;
    }
    this.#goneMs ??= nowMs;
    return nowMs - this.#goneMs >= limits.holdGoneMs;
  }

  #isTooSlow(
    { peerBytes, peersBytesPerSecond, bytesDone, bytesTotal }: SwarmFacts,
    nowMs: number,
  ): boolean {
    const gaveMs = nowMs - this.#begun!.sinceMs;
    if (gaveMs < limits.holdJudgeMs) return false;
    // The meter is slow to rise: at first the mean says more.
    const rate = Math.max(peerBytes / gaveMs * 1_000, peersBytesPerSecond);
    const hope = gaveMs < 2 * limits.holdJudgeMs ? 2 : 1;
    const leftMs = Math.max(0, this.#untilMs - nowMs);
    return bytesTotal - bytesDone > rate * hope * leftMs / 1_000;
  }
}
