/** A bounded number of slots, and a queue for those who wait for one. Knows nothing of what for. */

interface AcquireOptions {
  readonly signal: AbortSignal;
  /** Slots that must stay free for others beside it; by default 0. */
  readonly keptFree?: number;
}

interface Waiter {
  readonly keptFree: number;
  readonly got: () => void;
}

/** Slots that are taken and given back. */
export class Semaphore {
  readonly #slotsMax: number;
  #taken = 0;
  readonly #queue: Waiter[] = [];

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  /**
   * Waits for a slot and takes it; what this returns gives it back, once, however often called.
   *
   * @throws the reason of `signal`, when that is aborted meanwhile.
   */
  async take({ signal, keptFree = 0 }: AcquireOptions): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#hasRoom(keptFree)) this.#taken++;
    else await this.#wait(signal, keptFree);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#give();
    };
  }

  #hasRoom(keptFree: number): boolean {
    return this.#taken + keptFree < this.#slotsMax;
  }

  /** Resolves with a slot that somebody else gave back. */
  #wait(signal: AbortSignal, keptFree: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const got = () => {
        signal.removeEventListener("abort", left);
        resolve();
      };
      const waiter = { keptFree, got };
      const left = () => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", left, { once: true });
      this.#queue.push(waiter);
    });
  }

  /** The first who may have it gets it. */
  #give(): void {
    this.#taken--;
    const index = this.#queue.findIndex(({ keptFree }) => this.#hasRoom(keptFree));
    if (index < 0) return;
    this.#taken++;
    this.#queue.splice(index, 1)[0]!.got();
  }
}
