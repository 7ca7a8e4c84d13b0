/** Time that passes only when something is due: what a simulation runs on. */

import { EventQueue } from "./event_queue.ts";

/** A clock and what is to happen at which time. */
export class VirtualTime {
  readonly #queue = new EventQueue();
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

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
}
