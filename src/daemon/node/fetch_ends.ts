/** How the fetches of a node ended, and what all of them brought: for monitors. It decides nothing. */

import { FetchFailure } from "../../base/errors.ts";
import type { FetchFigures } from "../fetch/fetch_recorder.ts";

/**
 * How a fetch can end; "stopped": nobody wanted it any more. The last two were not begun: "refused",
 * for too many run, "not_allowed", for who asks may not have it that way, which is no fault.
 */
const FETCH_OUTCOMES = [
  "done",
  "not_found",
  "check_failed",
  "timed_out",
  "stopped",
  "failed",
  "refused",
  "not_allowed",
] as const;
type FetchOutcome = (typeof FETCH_OUTCOMES)[number];

/** How many ended how. */
export type FetchOutcomes = Readonly<Record<FetchOutcome, number>>;

/** A fetch that ended. */
export interface FetchEnd extends FetchFigures {
  readonly outcome: FetchOutcome;
}

/** Bytes by where they came from. */
export type BytesBrought = Pick<
  FetchFigures,
  "bytesLocal" | "bytesPeers" | "bytesMirror" | "bytesMirrors" | "bytesThrownAway"
>;

/** All fetches that ended since the start. */
export class FetchEnds {
  readonly #outcomes = Object.fromEntries(FETCH_OUTCOMES.map((one) => [one, 0])) as Record<
    FetchOutcome,
    number
  >;
  readonly #listeners: ((end: FetchEnd) => void)[] = [];
  #brought = noBytes();

  /** How many ended how. */
  get outcomes(): FetchOutcomes {
    return { ...this.#outcomes };
  }

  /** What they brought, with what those bring that run. */
  brought(running: Iterable<BytesBrought>): BytesBrought {
    let all = this.#brought;
    for (const one of running) all = sumOf(all, one);
    return all;
  }

  /** A fetch is over, and what it brought is known; it may be done again under the same request. */
  brings(bytes: BytesBrought): void {
    this.#brought = sumOf(this.#brought, bytes);
  }

  /** A request is not taken. */
  refused(as: "refused" | "not_allowed"): void {
    this.#outcomes[as]++;
  }

  /** A request is over. */
  ended(end: FetchEnd): void {
    this.#outcomes[end.outcome]++;
    for (const listener of this.#listeners) listener(end);
  }

  /** Calls back at the end of each, for as long as the node lives. */
  listen(listener: (end: FetchEnd) => void): void {
    this.#listeners.push(listener);
  }
}

/** How a fetch ended that threw this. */
export function outcomeOf(
  error: unknown,
  { isStopped }: { readonly isStopped: boolean },
): FetchOutcome {
  const exit = error instanceof FetchFailure ? error.exit : undefined;
  // Some are stopped because nobody has the file.
  if (exit === "notFound") return "not_found";
  if (isStopped) return "stopped";
  if (exit === "checkFailed") return "check_failed";
  return exit === "timedOut" ? "timed_out" : "failed";
}

function noBytes(): BytesBrought {
  return { bytesLocal: 0, bytesPeers: 0, bytesMirror: 0, bytesMirrors: 0, bytesThrownAway: 0 };
}

function sumOf(a: BytesBrought, b: BytesBrought): BytesBrought {
  return {
    bytesLocal: a.bytesLocal + b.bytesLocal,
    bytesPeers: a.bytesPeers + b.bytesPeers,
    bytesMirror: a.bytesMirror + b.bytesMirror,
    bytesMirrors: a.bytesMirrors + b.bytesMirrors,
    bytesThrownAway: a.bytesThrownAway + b.bytesThrownAway,
  };
}
