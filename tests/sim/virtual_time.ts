/** Time that passes only when something is due: what a simulation runs on. */

import { type Clock, type Timer, timer } from "../../src/base/clock.ts";
import { EventQueue } from "./event_queue.ts";

/** A clock and what is to happen at which time. */
export class VirtualTime {
  readonly #queue = new EventQueue();
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** This time as the product's own parts ask for it. */
  readonly clock: Clock = {
    nowMs: () => this.#nowMs,
    unixMs: () => this.#nowMs,
    after: (waitMs, run) => this.#timer(waitMs, run),
    every: (periodMs, run) => {
      const again = () => {
        next = this.#timer(periodMs, again);
        run();
      };
      let next = this.#timer(periodMs, again);
      return timer(() => next.cancel());
    },
  };

  /** Runs something `waitMs` from now. */
  later(waitMs: number, run: () => void): void {
    this.#queue.push(this.#nowMs + waitMs, run);
  }

  /** Runs something at a time that is not over. */
  at(atMs: number, run: () => void): void {
    this.#queue.push(atMs, run);
  }

  /** Lets time pass. */
  run(forMs: number): void {
    const untilMs = this.#nowMs + forMs;
    this.runUntil(() => false, forMs);
    this.#nowMs = untilMs;
  }

  /**
   * Lets time pass until something holds; false when it does not within `withinMs`. It is looked
   * at after every event.
   */
  runUntil(holds: () => boolean, withinMs: number): boolean {
    const untilMs = this.#nowMs + withinMs;
    while (!holds()) {
      if (this.#queue.nextMs > untilMs) return false;
      const entry = this.#queue.pop()!;
      this.#nowMs = entry.atMs;
      entry.run();
    }
    return true;
  }

  #timer(waitMs: number, run: () => void): Timer {
    let isCancelled = false;
    this.later(waitMs, () => {
      if (!isCancelled) run();
    });
    return timer(() => isCancelled = true);
  }
}
