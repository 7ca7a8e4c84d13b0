/** Waiting for something that tells when it changes. */

/** Resolves at the next change of `source`, after `ms`, or when `signal` is aborted. */
export async function waitForChange(
  source: { listen(listener: () => void): () => void },
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  const endListening = source.listen(wake);
  const timer = setTimeout(wake, Math.max(0, Math.ceil(ms)));
  signal.addEventListener("abort", wake);
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", wake);
    clearTimeout(timer);
    endListening();
  }
}
