/** How long answers to a question that anybody may answer are waited for. It asks nothing itself. */

/** How often it is looked whether the answers have ended. */
const POLL_MS = 50;

/** Answers end when none has come for this long. */
export const IDLE_MS = 2_000;

/** What collects answers. */
export interface Collector {
  /** Whether no answer has come for a while. */
  isIdle(nowMs: number): boolean;
}

/** Resolves when `collector` is quiet, the time is out, or the signal says so. */
export async function waitForIdle(
  collector: Collector,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { timeoutMs, signal } = options;
  const endMs = performance.now() + timeoutMs;
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const nowMs = performance.now();
    if (nowMs > endMs || collector.isIdle(nowMs)) return;
  }
}
