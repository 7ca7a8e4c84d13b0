/** How a fetch that ended without its file says so: the exit, the reason, what can be done. */

import { FetchFailure } from "../base/errors.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";

/** Bytes of a file that are here, and that it has. */
export interface BytesHere {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** The time that was given is over. */
export function outOfTime(request: FetchRequest, here: BytesHere | undefined): FetchFailure {
  return new FetchFailure(
    "timedOut",
    `Cannot fetch ${label(request)}: out of time after ${request.timeoutMs} ms; ` +
      (here === undefined ? "nobody had offered it yet" : hereText(here)),
  );
}

/** There is nobody to ask: nobody has it, nobody has the rest of it, or all that came was wrong. */
export function nobodyLeft(
  request: FetchRequest,
  seen: {
    /** Whether anything that was offered turned out to be false. */
    readonly anyFalse: boolean;
    /** Whether a copy here failed the check. */
    readonly hasWrongCopy: boolean;
    /** Offers that contradicted the request. */
    readonly unfit: number;
    /** What is here of the candidate that was followed. */
    readonly here: BytesHere | undefined;
    /** How many nodes there are to ask directly. */
    readonly linkCount: number;
    readonly directories: { readonly size: number; readonly answering: number };
  },
): FetchFailure {
  const cannot = `Cannot fetch ${label(request)}`;
  if (seen.hasWrongCopy && seen.here === undefined) {
    return new FetchFailure(
      "checkFailed",
      `${cannot}: the copy that is here failed its check, and nobody else has a right one`,
    );
  }
  if (seen.anyFalse) {
    return new FetchFailure("checkFailed", `${cannot}: what peers offer failed its check`, {
      hint: "The peers that gave it were banned for this fetch; the log names them.",
    });
  }
  if (seen.here !== undefined) {
    return new FetchFailure(
      "notFound",
      `${cannot}: nobody has the rest of it; ${hereText(seen.here)}`,
      { hint: "What came is kept where a daemon fetched it; a later fetch goes on from there." },
    );
  }
  const { directories } = seen;
  if (seen.linkCount === 0 && seen.unfit === 0 && directories.answering === 0) {
    if (directories.size > 0) {
      return new FetchFailure(
        "notFound",
        `${cannot}: there is no link to any other node, and no directory answers`,
        { hint: "See `pacsrv status` and the daemon's log, or name a node with --peer." },
      );
    }
    return new FetchFailure("notFound", `${cannot}: there is no link to any other node`, {
      hint: "Name a node that runs with --peer, or see `pacsrv peers` and the daemon's log.",
    });
  }
  return new FetchFailure(
    "notFound",
    `${cannot}: nobody has it` +
      (seen.unfit > 0 ? `; ${seen.unfit} offers had another name, root or size` : ""),
  );
}

function label(request: FetchRequest): string {
  return request.name || request.root || "";
}

function hereText({ bytesDone, bytesTotal }: BytesHere): string {
  return `${bytesDone} of ${bytesTotal} bytes are here`;
}
