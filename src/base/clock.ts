/**
 * Time as an argument: what is stamped or awaited goes through a clock that tests can drive. The
 * system's clock is the only place where the daemon, its gateway and a directory read the time.
 */

import { limits } from "./limits.ts";

/** The longest time that a timer of the runtime can be set to; a longer one goes off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Something that is to happen, once or again and again, until it is cancelled. */
export interface Timer extends Disposable {
  cancel(): void;
}

/** What time it is, and what is to happen when. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  nowMs(): number;
  /** Milliseconds since 1970, for what people read; may jump. */
  unixMs(): number;
  /** Runs something once, `waitMs` from now. */
  after(waitMs: number, run: () => void): Timer;
  /** Runs something every `periodMs`, first one period from now. */
  every(periodMs: number, run: () => void): Timer;
}

/** The system's clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  unixMs: () => Date.now(),
  after(waitMs, run) {
    const id = setTimeout(run, Math.min(waitMs, TIMER_MS_MAX));
    return timer(() => clearTimeout(id));
  },
  every(periodMs, run) {
    const id = setInterval(run, Math.min(periodMs, TIMER_MS_MAX));
    return timer(() => clearInterval(id));
  },
};

/** A timer of these means. */
export function timer(cancel: () => void): Timer {
  return { cancel, [Symbol.dispose]: cancel };
}

/**
 * A clock that stands still while its process does: stopped, frozen with its machine, or kept from
 * running for long. Who slept has heard nobody, and that is nobody's fault: what came meanwhile is
 * read before a silence counts, and a time-out has all of its time left.
 *
 * What others measure (a lease at a directory) goes on while this process sleeps, and is not for
 * this clock. Dispose of it, or it keeps the process alive.
 */
export class AwakeClock implements Clock, Disposable {
  readonly #clock: Clock;
  readonly #beat: Timer;
  /** What the clock below said last. */
  #seenMs: number;
  #sleptMs = 0;

  /** @param clock The clock that goes on while the process sleeps. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#seenMs = clock.nowMs();
    // Looked at so often, it is only far behind when nothing ran.
    this.#beat = clock.every(limits.awakeBeatMs, () => this.nowMs());
  }

  nowMs(): number {
    const nowMs = this.#clock.nowMs();
    const unseenMs = nowMs - this.#seenMs;
    if (unseenMs >= limits.asleepMs) this.#sleptMs += unseenMs;
    this.#seenMs = nowMs;
    return nowMs - this.#sleptMs;
  }

  unixMs(): number {
    return this.#clock.unixMs();
  }

  after(waitMs: number, run: () => void): Timer {
    const dueMs = this.nowMs() + waitMs;
    let waiting: Timer;
    const goOff = () => {
      const leftMs = dueMs - this.nowMs();
      // It went off on time, by the clock below: some of that was slept.
      if (leftMs >= limits.awakeBeatMs) waiting = this.#clock.after(leftMs, goOff);
      else run();
    };
    waiting = this.#clock.after(waitMs, goOff);
    return timer(() => waiting.cancel());
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#clock.every(periodMs, run);
  }

  [Symbol.dispose](): void {
    this.#beat.cancel();
  }
}

/**
 * Resolves after `waitMs`.
 *
 * @throws the reason of `signal`, as soon as that is aborted.
 */
export function sleep(
  clock: Clock,
  waitMs: number,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      waiting.cancel();
      reject(signal?.reason);
    };
    const waiting = clock.after(waitMs, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Ends the current turn of the event loop, so that connections and timers are served in between. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
