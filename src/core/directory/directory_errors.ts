/** The refusals of a directory, in words. */

import { limits } from "../../base/limits.ts";
import type { Denial, DenialLimit } from "./directory_events.ts";

/** A refusal; `what` ends the sentence for a person. */
export function denialOf(limit: DenialLimit, bound: number, what: string): Denial {
  return { kind: "denied", limit, bound, message: `Refused (${limit}, ${bound}): ${what}` };
}

/** A batch or a leave that is not newer than the last. */
export function oldSequence(sequence: number, last: number): Denial {
  return denialOf("sequence", last, `sequence ${sequence} is not greater than the last`);
}

/** Of a session at whose address somebody else answered. */
export function wrongAddress(): Denial {
  return denialOf(
    "wrong-address",
    limits.directoryWrongMs,
    "another node answered at the host and port of this one; give this node another port " +
      "(--node) that leads to it, or start it with --no-callback if none does",
  );
}
