/** Whether a fellow gives what it is asked for, or lets others wait for what only it has. */

import { limits } from "../../base/limits.ts";

/** What is known of what a fellow gives. */
interface Giving {
  /** Bytes that it was the first to give. */
  readonly bytesGood: number;
  /** Bytes that it was asked for, and has not given. */
  readonly inflight: number;
}

/** The patience with one fellow. */
export class Patience {
  /** Since when something is asked of it all the time, and what it had given by then. */
  #since = { ms: -Infinity, bytes: 0 };
  #lookedMs = -Infinity;
  #isWithholding = false;
  #times = 0;

  get isWithholding(): boolean {
    return this.#isWithholding;
  }

  /** Whether it has let others wait too often. */
  get isOver(): boolean {
    return this.#times >= limits.fellowWithholdsMax;
  }

  /** This node itself holds it back: what it does not give in that time says nothing. */
  excuse({ bytesGood }: Giving, nowMs: number): void {
    this.#lookedMs = nowMs;
    this.#since = { ms: nowMs, bytes: bytesGood };
  }

  /**
   * Takes note of what it gave by now. A look that comes late says that this node has too much to do: what
   * the fellow gave may lie here unread.
   *
   * @param leastPerSecond Bytes a second that it must give for others to wait for it.
   */
  look(
    { bytesGood, inflight }: Giving,
    { leastPerSecond, nowMs }: { readonly leastPerSecond: number; readonly nowMs: number },
  ): void {
    const isLate = nowMs - this.#lookedMs > limits.overlayTickMs + limits.fellowLookLateMs;
    this.#lookedMs = nowMs;
    const given = bytesGood - this.#since.bytes;
    if (this.#isWithholding) {
      const isBack = given > 0 && (inflight === 0 || given >= limits.fellowBackBytes);
      if (isBack) this.#isWithholding = false;
      else return;
    }
    if (isLate) return this.excuse({ bytesGood, inflight }, nowMs);
    const waitedMs = nowMs - this.#since.ms;
    if (inflight > 0 && waitedMs < limits.fellowGiveMs) return;
    const isSlow = inflight > 0 && this.#since.ms > -Infinity &&
      given < leastPerSecond * waitedMs / 1_000;
    this.#since = { ms: nowMs, bytes: bytesGood };
    if (!isSlow) return;
    this.#isWithholding = true;
    this.#times++;
  }
}
