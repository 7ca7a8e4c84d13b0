/** A clock whose time passes only when a test says so. */

import { type Clock, type Timer, timer } from "../../src/base/clock.ts";
import { EventQueue } from "../sim/event_queue.ts";

/** Turns of the event loop in which what a timer set off gets to its next wait. */
const TURNS = 4;

/** Time for tests of timeouts: no test waits for real time. */
export class ManualClock implements Clock {
  readonly #queue = new EventQueue();
  readonly #startUnixMs: number;
  #nowMs = 0;

  constructor({ startUnixMs = 1_700_000_000_000 }: { readonly startUnixMs?: number } = {}) {
    this.#startUnixMs = startUnixMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return this.#startUnixMs + this.#nowMs;
  }

  after(waitMs: number, run: () => void): Timer {
    let isCancelled = false;
    this.#queue.push(this.#nowMs + Math.max(0, waitMs), () => {
      if (!isCancelled) run();
    });
    return timer(() => isCancelled = true);
  }

  every(periodMs: number, run: () => void): Timer {
    const again = () => {
      next = this.after(periodMs, again);
      run();
    };
    let next = this.after(periodMs, again);
    return timer(() => next.cancel());
  }

  /** Lets `forMs` pass: each timer goes off at its time, and what it sets off is awaited. */
  async advance(forMs: number): Promise<void> {
    const untilMs = this.#nowMs + forMs;
    await settle();
    while (this.#queue.nextMs <= untilMs) {
      const entry = this.#queue.pop()!;
      this.#nowMs = entry.atMs;
      entry.run();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((next) => setImmediate(next));
}
