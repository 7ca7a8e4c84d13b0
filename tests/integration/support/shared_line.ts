// A line of so many bytes a second that all connections of a mirror share: each takes turns of one
// piece, in the order in which they come, so that none gets more than another that is as quick.

/** What the line did not carry for so long is made up for: timers come late, and are rounded. */
const CREDIT_MS = 25;

/** While something is under way it is the mirror itself that is late, on a machine that it shares. */
const BUSY_CREDIT_MS = 250;

/** Who waits for a turn. */
interface Turn {
  readonly tookMs: number;
  readonly begin: () => void;
}

/** One line; a mirror without a rate has none. */
export class SharedLine {
  readonly #turns: Turn[] = [];
  /** When it has carried all that was let onto it. */
  #freeMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Bodies under way. */
  #bodies = 0;

  /** A body is sent from now on, until the value that this returns is disposed. */
  body(): Disposable {
    if (this.#bodies++ === 0) {
      this.#freeMs = Math.max(this.#freeMs, performance.now() - CREDIT_MS);
    }
    return { [Symbol.dispose]: () => void this.#bodies-- };
  }

  /** Waits until these bytes may be sent, at this rate. */
  async turn(bytes: number, bytesPerSecond: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turns.push({ tookMs: 1_000 * bytes / bytesPerSecond, begin: resolve });
    if (this.#timer === undefined) this.#go();
    await promise;
  }

  #go(): void {
    this.#timer = undefined;
    for (let turn = this.#turns[0]; turn !== undefined; turn = this.#turns[0]) {
      const nowMs = performance.now();
      const startMs = Math.max(this.#freeMs, nowMs - BUSY_CREDIT_MS);
      if (startMs > nowMs) {
        this.#timer = setTimeout(() => this.#go(), startMs - nowMs);
        return;
      }
      this.#freeMs = startMs + turn.tookMs;
      this.#turns.shift();
      turn.begin();
    }
  }
}
