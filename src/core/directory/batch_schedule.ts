/**
 * When the next batch of a client to a directory is due: the waits in rules 2 and 4 to 9 of
 * `advertiser.ts`, and nothing of what is in the batch.
 */

import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";

/** The clock of one client at one directory. */
export class BatchSchedule {
  readonly #random: Random;
  #refreshMs: number;
  /** When the whole list is to go; undefined before the first event. */
  #wholeAtMs: number | undefined;
  #wholeSentMs = -Infinity;
  #refreshAtMs = Infinity;
  /** Nothing is sent before this time. */
  #quietUntilMs = -Infinity;
  /** Batches in a row that failed or were denied. */
  #setbacks = 0;
  /** Answers in a row that came while the directory checked this client. */
  #checks = 0;

  constructor(options: { readonly random: Random; readonly refreshMs?: number }) {
    this.#random = options.random;
    this.#refreshMs = options.refreshMs ?? limits.directoryRefreshMs;
  }

  /** When to send next, if nothing else happens; `changesAtMs` null: only the whole list helps. */
  dueAtMs(changesAtMs: number | null): number {
    const wholeAtMs = this.#wholeAtMs ?? -Infinity;
    const dueAtMs = changesAtMs === null
      ? wholeAtMs
      : Math.min(wholeAtMs, this.#refreshAtMs, changesAtMs);
    return Math.max(dueAtMs, this.#quietUntilMs);
  }

  isWholeDue(nowMs: number): boolean {
    return nowMs >= (this.#wholeAtMs ?? -Infinity);
  }

  /** An event comes; with the first one the time to first contact begins. */
  begin(nowMs: number): void {
    this.#wholeAtMs ??= nowMs + this.#random.unit() * limits.directoryFirstMs;
  }

  /** The whole list is wanted, no oftener than every quarter of the refresh time. */
  wantWhole(atMs: number): void {
    this.#wholeAtMs = Math.max(atMs, this.#wholeSentMs + this.#refreshMs / 4);
  }

  wholeSent(nowMs: number): void {
    this.#wholeSentMs = nowMs;
  }

  /** The directory has the whole list. */
  wholeTaken(): void {
    this.#wholeAtMs = Infinity;
  }

  /** The directory answered a batch, and says how often it wants to hear of this client. */
  answered(
    answer: { readonly refreshMs: number; readonly isChecking: boolean },
    nowMs: number,
  ): void {
    this.#refreshMs = Math.min(
      limits.directoryRefreshMsMax,
      Math.max(limits.directoryRefreshMsMin, answer.refreshMs),
    );
    this.#checks = answer.isChecking ? this.#checks + 1 : 0;
    this.#refreshAtMs = nowMs + Math.min(this.#refreshWaitMs(), this.#checkWaitMs());
  }

  /** The directory refused a batch. `isWholeLater`: the whole list is not tried before long. */
  denied(nowMs: number, { isWholeLater }: { readonly isWholeLater: boolean }): void {
    this.#refreshAtMs = nowMs + this.#refreshWaitMs();
    if (!isWholeLater) return;
    this.#wholeAtMs = nowMs + limits.directoryDeniedRefreshes * this.#refreshWaitMs();
  }

  /** The directory has forgotten everything: all its clients send their whole lists. */
  restarted(nowMs: number): void {
    this.#setbacks = 0;
    this.#checks = 0;
    this.endQuiet();
    const spreadMs = Math.min(limits.directorySpreadMs, this.#refreshMs / 4);
    this.wantWhole(nowMs + this.#random.unit() * spreadMs);
  }

  /** Waits after one more batch that failed or was denied. */
  setBack(nowMs: number): void {
    this.#setbacks++;
    const waitMs = Math.min(
      0.5 * this.#refreshMs,
      limits.directoryRetryMsMin * 2 ** Math.min(this.#setbacks - 1, 16),
    );
    this.#quietUntilMs = nowMs + waitMs * (0.5 + 0.5 * this.#random.unit());
  }

  /** A batch was taken: the next setback is the first. */
  endSetbacks(): void {
    this.#setbacks = 0;
  }

  /** Waits as long as between two refreshes. */
  waitForRefresh(nowMs: number): void {
    this.#quietUntilMs = nowMs + this.#refreshWaitMs();
  }

  endQuiet(): void {
    this.#quietUntilMs = -Infinity;
  }

  /** How soon to hear what a check came to; Infinity when none is under way. */
  #checkWaitMs(): number {
    if (this.#checks === 0 || this.#checks > limits.directoryCheckingMax) return Infinity;
    return limits.directoryCheckingMs * (1 + this.#random.unit());
  }

  #refreshWaitMs(): number {
    return this.#refreshMs * (0.5 + 0.25 * this.#random.unit());
  }
}
