/** A bounded number of places, and a queue for those who wait for one. Knows nothing of what for. */

/** Places that are taken and given back. */
export class Places {
  readonly #placesMax: number;
  #taken = 0;
  readonly #queue: (() => void)[] = [];

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /**
   * Waits for a place and takes it; what this returns gives it back, once, however often called.
   *
   * @throws the reason of `signal`, when that is aborted meanwhile.
   */
  async take({ signal }: { readonly signal: AbortSignal }): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.#placesMax) this.#taken++;
    else await this.#wait(signal);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#give();
    };
  }

  /** Resolves with a place that somebody else gave back. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const got = () => {
        signal.removeEventListener("abort", left);
        resolve();
      };
      const left = () => {
        this.#queue.splice(this.#queue.indexOf(got), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", left, { once: true });
      this.#queue.push(got);
    });
  }

  #give(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
