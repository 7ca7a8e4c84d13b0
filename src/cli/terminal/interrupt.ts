/** What ends a command before its time: a signal, or the time that a person gave it. */

import { systemClock, type Timer } from "../../base/clock.ts";
import { FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { onSignals } from "./signals.ts";
import { clearStatus } from "./terminal.ts";
import { formatDuration } from "./text_format.ts";

/** How a command ends by each signal: with 128 and its number, as a shell tells it. */
export const SIGNAL_EXIT = {
  hungUp: 129,
  interrupted: 130,
  pipeClosed: 141,
  terminated: 143,
} as const;

const EXITS = { SIGHUP: "hungUp", SIGINT: "interrupted", SIGTERM: "terminated" } as const;

type EndingSignal = keyof typeof EXITS;

/** A signal ended the command. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: EndingSignal;
  readonly hint: string | undefined;

  /** @param about What is kept, as the message goes on after the signal. */
  constructor(
    signal: EndingSignal,
    about: { readonly kept?: string | undefined; readonly hint?: string | undefined } = {},
  ) {
    super(`Ended by ${signal}${about.kept === undefined ? "" : `: ${about.kept}`}`);
    this.signal = signal;
    this.hint = about.hint;
  }

  get exit(): keyof typeof SIGNAL_EXIT {
    return EXITS[this.signal];
  }
}

/** Listens for the end; disposed of, it listens no more. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listening: Disposable;
  readonly #timer: Timer | undefined;

  /**
   * @param options.timeoutMs Time that the command has; by default, and with 0, there is no bound.
   * @param options.atOnce Called in the moment of a signal, for what cannot wait.
   */
  constructor(options: { readonly timeoutMs?: number; readonly atOnce?: () => void } = {}) {
    const { timeoutMs = 0, atOnce } = options;
    const signals = Object.keys(EXITS) as EndingSignal[];
    this.#listening = onSignals(signals, (signal) => {
      // From now on the system's own way applies: a second signal ends the process at once.
      this[Symbol.dispose]();
      // Should that come, no half of a bar is left before the prompt.
      clearStatus();
      atOnce?.();
      this.#controller.abort(new Interrupted(signal));
    });
    // A timer holds 31 bits; what is longer than 24 days needs no help from here.
    if (timeoutMs === 0 || timeoutMs + limits.fetchGraceMs >= 2 ** 31) return;
    this.#timer = systemClock.after(timeoutMs + limits.fetchGraceMs, () => {
      this.#controller.abort(
        new FetchFailure("timedOut", `Not done within ${formatDuration(timeoutMs)}`),
      );
    });
  }

  /** Aborted with an {@linkcode Interrupted} or a {@linkcode FetchFailure} as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#listening[Symbol.dispose]();
  }
}

/**
 * The outcome of `work`, unless a signal comes first; then nobody waits for it any longer.
 *
 * @param hint What a person can do after a signal.
 * @throws {Interrupted} when a signal came.
 */
export async function unlessInterrupted<T>(
  work: () => Promise<T>,
  hint: string | undefined,
): Promise<T> {
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Interrupted((signal.reason as Interrupted).signal, { hint }));
  signal.addEventListener("abort", stop, { once: true });
  return await Promise.race([work(), interrupted]);
}
