/** Why a directory does not answer, in the words of a fetch that ended without it. It logs nothing. */

import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { RefusedError } from "../../net/handshake.ts";

/** A directory that has not answered the last question. */
export interface DirectoryError {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  readonly reason: string;
  /** Whether it failed; else it only has not answered yet, or refuses for now. */
  readonly isFailed: boolean;
}

/** The reason for `error`, which talking to a directory threw; without its address. */
export function directoryErrorText(error: unknown): string {
  if (error instanceof RefusedError) {
    const { refusal } = error;
    return refusal === "wrong-network" ? "it is of another network" : `it refuses: ${refusal}`;
  }
  const text = messageOf(error);
  if (error instanceof EnvironmentError && text === "The other side closed the connection") {
    return "it closed the connection: it may be no directory, have another network key, or have " +
      "all the connections that it takes";
  }
  return text
    .replace(/^Cannot connect to \S+: /, "")
    .replace(/^Cannot (?:shake hands|hear the directory): /, "")
    .replace(/ \(os error [0-9]+\)$/, "");
}

/** All of them in one line. */
export function directoryErrorsText(troubles: readonly DirectoryError[]): string {
  return troubles.map(({ directory, reason }) => `${directory} (${reason})`).join(", ");
}
