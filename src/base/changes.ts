/** Tells those who wait that something changed; what it is now they read where it stands. */

import type { Clock } from "./clock.ts";

/** The changes of one thing. */
export class Changes {
  readonly #listeners = new Set<() => void>();

  /** Calls back at each change; returns the end of it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Something changed. */
  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Nobody is told any more. */
  clear(): void {
    this.#listeners.clear();
  }

  /** Resolves at the next change, after `waitMs`, or when `signal` is aborted. */
  async next(
    clock: Clock,
    { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<void> {
    if (signal?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const endListening = this.listen(wake);
    using _timer = clock.after(Math.max(0, Math.ceil(waitMs)), wake);
    signal?.addEventListener("abort", wake);
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", wake);
      endListening();
    }
  }
}
