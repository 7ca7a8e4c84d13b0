/**
 * How late the event loop comes to what is due: while a step takes long, nobody is served.
 *
 * `monitorEventLoopDelay` of `node:perf_hooks` cannot be used: in Deno it does not see a loop that is
 * held up.
 */

import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { limits } from "../base/limits.ts";

/** Looks at the event loop every `limits.eventLoopBeatMs`. Not with a clock that stands still. */
export class EventLoopWatch implements Disposable {
  readonly #clock: Clock;
  readonly #observe: (delaySeconds: number) => void;
  #timer: Timer;

  /** @param observe Is told at each look how late it came. */
  constructor(observe: (delaySeconds: number) => void, clock: Clock = systemClock) {
    this.#observe = observe;
    this.#clock = clock;
    this.#timer = this.#next();
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    const dueMs = this.#clock.nowMs() + limits.eventLoopBeatMs;
    return this.#clock.after(limits.eventLoopBeatMs, () => {
      this.#observe(Math.max(0, this.#clock.nowMs() - dueMs) / 1000);
      this.#timer = this.#next();
    });
  }
}
