// Makes a process slow from outside: it is stopped, and goes on for a moment now and then, until it
// is let go. What the process does is not known here.

const EVERY_MS = 250;
const RUN_MS = 3;

/** A process that is slow while this lasts. */
export class SlowedProcess implements AsyncDisposable {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(pid: number) {
    this.#pid = pid;
    this.#send("SIGSTOP");
    this.#timer = setInterval(() => {
      this.#send("SIGCONT");
      this.#pause = setTimeout(() => this.#send("SIGSTOP"), RUN_MS);
    }, EVERY_MS);
  }

  #send(signal: Deno.Signal): void {
    try {
      Deno.kill(this.#pid, signal);
    } catch { /* It has ended; whoever waits for it will say so. */ }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#pause);
    this.#send("SIGCONT");
    await Promise.resolve();
  }
}
