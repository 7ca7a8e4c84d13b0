/** What ends a command before its time: a signal, or the time that a person gave it. */

import { systemClock, type Timer } from "../../base/clock.ts";
import { FetchFailure } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { onSignals } from "../terminal/signals.ts";
import { formatDuration } from "../terminal/text_format.ts";

/** Listens for the end; disposed of, it listens no more. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listening: Disposable;
  readonly #timer: Timer | undefined;

  /**
   * @param options.timeoutMs Time that the command has; 0 for no bound.
   * @param options.atOnce Called in the moment of a signal, for what cannot wait.
   */
  constructor(options: { readonly timeoutMs: number; readonly atOnce: () => void }) {
    const { timeoutMs, atOnce } = options;
    this.#listening = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], (signal) => {
      // From now on the system's own way applies: a second signal ends the process at once.
      this[Symbol.dispose]();
      atOnce();
      this.#controller.abort(new FetchFailure("failed", `Ended by ${signal}`));
    });
    // A timer holds 31 bits; what is longer than 24 days needs no help from here.
    if (timeoutMs === 0 || timeoutMs + limits.fetchGraceMs >= 2 ** 31) return;
    this.#timer = systemClock.after(timeoutMs + limits.fetchGraceMs, () => {
      this.#controller.abort(
        new FetchFailure("timedOut", `Not done within ${formatDuration(timeoutMs)}`),
      );
    });
  }

  /** Aborted with a {@linkcode FetchFailure} as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#listening[Symbol.dispose]();
  }
}
