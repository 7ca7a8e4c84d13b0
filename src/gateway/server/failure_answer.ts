/** How a fetch that failed is told to an HTTP client. */

import { FetchFailure, messageOf, unreachable } from "../../base/errors.ts";
import { notFoundAnswer, plainAnswer, refusalAnswer } from "./plain_answer.ts";

/** Statuses by which a mirror says that it does not have a file. */
const GONE: readonly number[] = [404, 410];
/** That of a range which begins at the end of the file or after it. */
const UNSATISFIABLE = 416;

/**
 * Whether a mirror may have what the node cannot get: the disk is full, there are too many fetches,
 * or only the mirror can say how long the file is that a client has whole already.
 */
export function isPassedOn(error: unknown): boolean {
  if (!(error instanceof FetchFailure)) return true;
  if (error.upstream !== undefined) return error.upstream.status === UNSATISFIABLE;
  return error.exit === "failed";
}

/** The answer to a request whose fetch failed. Without mirrors, what is wrong is as good as nothing. */
export function answerFailure(
  error: unknown,
  { hasMirrors }: { readonly hasMirrors: boolean },
): Response {
  const text = messageOf(error);
  if (!(error instanceof FetchFailure)) return plainAnswer(500, text);
  const { upstream } = error;
  if (upstream !== undefined) {
    return GONE.includes(upstream.status) ? notFoundAnswer() : refusalAnswer(upstream, text);
  }
  switch (error.exit) {
    case "notFound":
      return notFoundAnswer();
    case "checkFailed":
      return hasMirrors ? plainAnswer(502, text) : notFoundAnswer();
    case "timedOut":
      return plainAnswer(504, text);
    case "failed":
    case "usage":
    case "noDaemon":
      return plainAnswer(500, text);
    default:
      return unreachable(error.exit);
  }
}
