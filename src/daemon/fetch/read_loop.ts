/**
 * Reading that goes on while something is wanted of it: one run at a time, which can be stopped, and
 * begins again when it was wanted again meanwhile. What is read is not known here.
 */

import { FetchFailure } from "../../base/errors.ts";

/** What a loop runs. */
interface ReadLoopOptions {
  /** Works until nothing is wanted any more, or the signal says so. */
  run(signal: AbortSignal): Promise<void>;
  isWanted(): boolean;
  failed(error: Error): void;
}

/** The runs of one reader. */
export class ReadLoop {
  readonly #options: ReadLoopOptions;
  #running: Promise<void> | null = null;
  /** Whether it was to go on while a run was about to end. */
  #isAskedAgain = false;
  #stopping = new AbortController();
  /** Whether it must not begin: for now, or ever again. */
  #state: "ready" | "halted" | "ended" = "ready";

  constructor(options: ReadLoopOptions) {
    this.#options = options;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Begins if something is wanted, and nothing runs. */
  goOn(): void {
    if (this.#state !== "ready" || !this.#options.isWanted()) return;
    this.#isAskedAgain = this.#running !== null;
    if (this.#running !== null) return;
    // What a run left open that came to its end goes on in the next one.
    if (this.#stopping.signal.aborted) this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.#running = this.#options.run(signal)
      .catch((error) => this.#options.failed(error as Error))
      .finally(() => {
        this.#running = null;
        if (signal.aborted || this.#isAskedAgain) this.goOn();
      });
  }

  /** Stops what runs; resolves when that has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort(new FetchFailure("failed", "The mirror is not needed any more"));
    await this.#running;
  }

  /** The same, and nothing begins before that has ended. */
  async halt(): Promise<void> {
    if (this.#state === "ready") this.#state = "halted";
    await this.stop();
    if (this.#state === "halted") this.#state = "ready";
  }

  /** Stops for good. */
  async end(): Promise<void> {
    this.#state = "ended";
    await this.stop();
  }
}
