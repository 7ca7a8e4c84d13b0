/** How the program ends by an error, and what a person can do about it. */

import { EXIT, type ExitName, FetchFailure, HintedError, UsageError } from "../../base/errors.ts";
import { Interrupted, SIGNAL_EXIT } from "./interrupt.ts";

/** How the program ends by an error. */
export function exitOf(
  error: unknown,
): Exclude<ExitName, "done"> | keyof typeof SIGNAL_EXIT {
  if (error instanceof Interrupted) return error.exit;
  if (error instanceof Deno.errors.BrokenPipe) return "pipeClosed";
  if (error instanceof UsageError) return "usage";
  return error instanceof FetchFailure ? error.exit : "failed";
}

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  return { ...EXIT, ...SIGNAL_EXIT }[exitOf(error)];
}

/** What a person can do about an error. */
export function hintOf(error: unknown): string | undefined {
  const hasHint = error instanceof HintedError || error instanceof Interrupted;
  return hasHint ? error.hint : undefined;
}
