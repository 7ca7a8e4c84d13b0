/** How a fetch that ended without its file says so: the exit, the reason, what can be done. */

import { FetchFailure, type UpstreamRefusal } from "../../base/errors.ts";
import type { FetchRequest } from "../../wire/fetching.ts";

/** A directory that has not answered the last question. */
interface DirectoryFault {
  /** HOST:PORT as it was given. */
  readonly directory: string;
  readonly reason: string;
  /** Whether it failed; else it only has not answered yet, or refuses for now. */
  readonly isFailed: boolean;
}

/** Bytes of a file that are here, and that it has. */
interface BytesHere {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** How the mirrors refused a file. */
export interface MirrorRefusal extends UpstreamRefusal {
  readonly message: string;
}

/** Whom a fetch could have asked. */
export interface Surroundings {
  /** Whether no daemon fetches, so that there is none, and no log, to look at. */
  readonly isAlone: boolean;
  /** How many nodes there are to ask directly, and how many are being dialled to become such. */
  readonly linkCount: number;
  readonly linksDialling: number;
  /** How many nodes it knows that may become links. */
  readonly addressCount: number;
  readonly directories: {
    readonly size: number;
    readonly faults: readonly DirectoryFault[];
  };
}

/** The time that was given is over. */
export function outOfTime(
  request: FetchRequest,
  here: BytesHere | undefined,
  { directories: { faults } }: Surroundings,
): FetchFailure {
  return new FetchFailure(
    "timedOut",
    `Cannot fetch ${label(request)}: out of time after ${request.timeoutMs} ms; ` +
      (here === undefined ? `nobody had offered it yet${without(faults)}` : hereText(here)),
  );
}

/** There is nobody to ask: nobody has it, nobody has the rest of it, or all that came was wrong. */
export function nobodyLeft(
  request: FetchRequest,
  seen: Surroundings & {
    /** Whether directories named holders, and none that can be dialled. */
    readonly isHidden: boolean;
    /** Whether anything that peers offered turned out to be false. */
    readonly anyFalse: boolean;
    /** Whether what a mirror gave did. */
    readonly isMirrorFalse: boolean;
    /** Whether a copy here failed the check. */
    readonly hasWrongCopy: boolean;
    /** Offers that contradicted the request. */
    readonly unfit: number;
    /** What is here of the candidate that was followed. */
    readonly here: BytesHere | undefined;
    /** Why no mirror gives it; null when none was asked. */
    readonly refusal: MirrorRefusal | null;
  },
): FetchFailure {
  const failure = nobodyHas(request, seen);
  return seen.refusal === null || failure.exit !== "notFound"
    ? failure
    : refused(request, seen.refusal, failure);
}

/** What no mirror gives, and nobody else. Where it is not just missing, that is no news of the file. */
function refused(
  request: FetchRequest,
  { status, retryAfter, message }: MirrorRefusal,
  nobody: FetchFailure,
): FetchFailure {
  const isMissing = status === 404 || status === 410;
  return new FetchFailure(
    isMissing ? "notFound" : "failed",
    isMissing
      ? `Cannot fetch ${label(request)}: nobody has it, and no mirror does`
      : `${message}; and nobody else has ${label(request)}`,
    {
      upstream: { status, retryAfter },
      cause: nobody,
      ...(isMissing ? {} : { hint: "Try again later, or name another mirror." }),
    },
  );
}

function nobodyHas(
  request: FetchRequest,
  seen: Parameters<typeof nobodyLeft>[1],
): FetchFailure {
  const cannot = `Cannot fetch ${label(request)}`;
  if (seen.hasWrongCopy && seen.here === undefined) {
    return new FetchFailure(
      "checkFailed",
      `${cannot}: the copy that is here failed its check, and nobody else has a right one`,
    );
  }
  if (seen.anyFalse || seen.isMirrorFalse) {
    return new FetchFailure(
      "checkFailed",
      `${cannot}: ${falseText(seen)} failed its check`,
      {
        hint: seen.anyFalse
          ? "The peers that gave it were banned for this fetch" +
            (seen.isAlone ? "." : "; the log names them.")
          : "The mirror may be older or newer than what says how the file must be; " +
            (seen.isAlone ? "name another one." : "the log names it."),
      },
    );
  }
  if (seen.here !== undefined) {
    return new FetchFailure(
      "notFound",
      `${cannot}: nobody has the rest of it; ${hereText(seen.here)}`,
      seen.isAlone
        ? {
          hint:
            "An output that ends in .part keeps what came, and a later fetch goes on from there.",
        }
        : {
          hint: "What came is kept where a daemon fetched it; a later fetch goes on from there.",
        },
    );
  }
  const { directories, isAlone } = seen;
  const { faults } = directories;
  if (seen.linkCount === 0 && seen.unfit === 0 && faults.length === directories.size) {
    if (directories.size > 0) {
      return new FetchFailure(
        "notFound",
        `${cannot}: there is no link to any other node, and no directory answers: ` +
          faultsText(faults),
        {
          hint: isAlone
            ? "Name another --directory, or a node that runs with --peer."
            : "See `pacsrv status` and the daemon's log, or name a node with --peer.",
        },
      );
    }
    return new FetchFailure("notFound", `${cannot}: there is no link to any other node`, {
      hint: isAlone
        ? "Name a node that runs with --peer."
        : "Name a node that runs with --peer, or see `pacsrv peers` and the daemon's log.",
    });
  }
  if (seen.isHidden) {
    return new FetchFailure(
      "notFound",
      `${cannot}: a directory knows a holder that nobody can connect to; it gives over links only`,
      { hint: "Name a node that has links with it: --peer HOST:PORT" },
    );
  }
  return new FetchFailure(
    "notFound",
    `${cannot}: nobody has it` +
      (seen.unfit > 0 ? `; ${seen.unfit} offers had another name, root or size` : "") +
      without(faults),
  );
}

/** What was wrong. */
function falseText(
  { anyFalse, isMirrorFalse }: { readonly anyFalse: boolean; readonly isMirrorFalse: boolean },
): string {
  if (!isMirrorFalse) return "what peers offer";
  return anyFalse ? "what peers offer and what the mirror gives" : "what the mirror gives";
}

/** Whose answer is missing, as the end of a sentence. */
function without(faults: readonly DirectoryFault[]): string {
  return faults.length === 0 ? "" : `; without an answer of ${faultsText(faults)}`;
}

function label(request: FetchRequest): string {
  return request.name || request.root || "";
}

function hereText({ bytesDone, bytesTotal }: BytesHere): string {
  return `${bytesDone} of ${bytesTotal} bytes are here`;
}

/** All of them in one line. */
function faultsText(faults: readonly DirectoryFault[]): string {
  return faults.map(({ directory, reason }) => `${directory} (${reason})`).join(", ");
}
