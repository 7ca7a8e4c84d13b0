/** What is left of a fetch that a signal ended, and whether the same command goes on from there. */

import { formatBytes } from "../terminal/text_format.ts";
import type { FetchOutput } from "./fetch_output.ts";
import type { FetchPlan } from "./fetch_plan.ts";
import type { FetchSource } from "./fetch_source.ts";

/** How far a fetch was when it was told last. */
export interface Seen {
  /** Who fetches; null before it is known. */
  source: FetchSource["kind"] | null;
  isFound: boolean;
  bytesDone: number;
  /** Null while it is not known. */
  bytesTotal: number | null;
}

/** What is left. */
export interface Kept {
  /** At least so many: what came since the last that was told may be here as well. */
  readonly bytesKept: number;
  readonly bytesTotal: number | null;
  /** The same in words; undefined where there was nothing to keep. */
  readonly kept?: string;
  readonly hint?: string;
}

const GOES_ON = "the same command goes on from there";

/** The daemon keeps what came to it; without one, only a `.part` is kept. */
export function keptOf(
  plan: Pick<FetchPlan, "url">,
  { output, seen }: {
    readonly output: Pick<FetchOutput, "keptBytes"> | undefined;
    readonly seen: Readonly<Seen>;
  },
): Kept {
  const { source, isFound, bytesDone, bytesTotal } = seen;
  // What changes under its name is never gone on with.
  const inOutput = plan.url?.isDatabase ? null : output?.keptBytes(bytesDone) ?? null;
  const bytesKept = source === "daemon" ? bytesDone : inOutput;
  const facts = { bytesKept: bytesKept ?? 0, bytesTotal };
  if (!isFound) return facts;
  if (bytesKept === null) {
    const hint = "A daemon keeps what came. Without one, -o FILE.part does.";
    return { ...facts, kept: "nothing is kept", hint };
  }
  if (bytesKept === 0) return { ...facts, kept: `what came is kept; ${GOES_ON}` };
  const of = bytesTotal === null ? "" : ` of ${formatBytes(bytesTotal)}`;
  return { ...facts, kept: `${formatBytes(bytesKept)}${of} are kept; ${GOES_ON}` };
}
