/**
 * How long one client waits for the head of its answer. A file that nobody seems to have is looked for
 * a short while only, so that the client can ask its next server. Time in which this process was busy
 * with others counts against nobody: what others answered lies unread then.
 */

import { limits } from "../../base/limits.ts";
import type { Exchange } from "../server/exchange.ts";
import type { SharedFetch } from "./shared_fetch.ts";

/** Bounds of such a wait, from when its shared fetch began or was joined. */
export interface HeadWaitBounds {
  /** How long a file is looked for that nobody seems to have. */
  readonly searchMs: number;
  /** The longest that a client waits. */
  readonly holdMs: number;
}

/** The wait of one client. */
export class HeadWait {
  readonly #exchange: Pick<Exchange, "clock" | "mirrors" | "signal" | "beganMs">;
  readonly #bounds: HeadWaitBounds;
  readonly #sinceMs: number;
  /** By how much its timers were late. */
  #lateMs = 0;

  constructor(
    exchange: Pick<Exchange, "clock" | "mirrors" | "signal" | "beganMs">,
    bounds: HeadWaitBounds,
  ) {
    this.#exchange = exchange;
    this.#bounds = bounds;
    this.#sinceMs = exchange.clock.nowMs();
  }

  /**
   * Waits for a change of the shared fetch; false, at once, when this client has waited long enough.
   *
   * @throws the signal's reason when the client went away.
   */
  async next(
    { changes, hasFound, mayBeHere }: Pick<SharedFetch, "changes" | "hasFound" | "mayBeHere">,
  ): Promise<boolean> {
    const { clock, mirrors, signal, beganMs } = this.#exchange;
    const { searchMs, holdMs } = this.#bounds;
    const isSought = mirrors.length === 0 && !hasFound && !mayBeHere;
    const searchedMs = this.#sinceMs + searchMs + this.#lateMs;
    const untilMs = Math.min(beganMs + holdMs, isSought ? searchedMs : Infinity);
    const nowMs = clock.nowMs();
    if (nowMs >= untilMs) return false;
    await changes.next(clock, { waitMs: untilMs - nowMs, signal });
    signal.throwIfAborted();
    const lateMs = clock.nowMs() - untilMs;
    // Late by so much at the end, it may have been so before: it is given as much again.
    if (lateMs > limits.gatewayLateMs) this.#lateMs += 2 * lateMs;
    return true;
  }
}
