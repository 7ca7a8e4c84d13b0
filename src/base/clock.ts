/**
 * Time as an argument: what is stamped or awaited goes through a clock that tests can drive. The
 * system's clock is the only place where the daemon, its gateway and a directory read the time.
 */

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
