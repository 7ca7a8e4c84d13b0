/** What ends a command before its time: a signal, or the time that a person gave it. */

import { limits } from "../../base/limits.ts";
import { FetchFailure } from "../../base/errors.ts";
import { formatDuration } from "../terminal/text_format.ts";

/** Listens for the end; disposed of, it listens no more. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  readonly #listeners = new Map<Deno.Signal, () => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param options.timeoutMs Time that the command has; 0 for no bound.
   * @param options.atOnce Called in the moment of a signal, for what cannot wait.
   */
  constructor(options: { readonly timeoutMs: number; readonly atOnce: () => void }) {
    const { timeoutMs, atOnce } = options;
    for (const signal of this.#signals) {
      const listener = () => {
        // From now on the system's own way applies: a second signal ends the process at once.
        this[Symbol.dispose]();
        atOnce();
        this.#controller.abort(new FetchFailure("failed", `Ended by ${signal}`));
      };
      this.#listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
    // A timer holds 31 bits; what is longer than 24 days needs no help from here.
    if (timeoutMs > 0 && timeoutMs + limits.fetchGraceMs < 2 ** 31) {
      this.#timer = setTimeout(() => {
        this.#controller.abort(
          new FetchFailure("timedOut", `Not done within ${formatDuration(timeoutMs)}`),
        );
      }, timeoutMs + limits.fetchGraceMs);
    }
  }

  /** Aborted with a {@linkcode FetchFailure} as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    this.#listeners.clear();
  }
}
