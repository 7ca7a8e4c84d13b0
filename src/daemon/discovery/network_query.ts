/**
 * What the queries of a person have in common, which anybody in the network may answer: who said
 * what, and how long answers are waited for. What is asked is in `name_query.ts` and
 * `holder_query.ts`.
 */

import { type Clock, sleep } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

/** Provenance of what this node itself has. */
export const HERE = "here";
/** Provenance of what a node said that answered the query, over the links. */
export const FLOOD = "flood";

/** Who said it, for reports: "here", "flood", then the directories in order. */
export function provenance(from: ReadonlySet<string>): string[] {
  const directories = [...from].filter((one) => one !== HERE && one !== FLOOD).sort();
  return [...[HERE, FLOOD].filter((one) => from.has(one)), ...directories];
}

/** What collects the answers. */
export interface Answers {
  /** When the query began, or the last answer came. */
  readonly answeredMs: number;
}

/**
 * Resolves when no answer has come for `limits.queryIdleMs`, the time is out, or the signal says
 * so.
 */
export async function waitForIdle(
  answers: Answers,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, timeoutMs, signal } = options;
  const endMs = clock.nowMs() + timeoutMs;
  while (!signal.aborted) {
    const leftMs = Math.min(endMs, answers.answeredMs + limits.queryIdleMs) - clock.nowMs();
    if (leftMs <= 0) return;
    await sleep(clock, leftMs, { signal }).catch(() => {});
  }
}
