/** How a fetch that ended without its file says so: the exit, the reason, what can be done. */

import type { HostPort } from "../../base/address.ts";
import {
  FetchFailure,
  type UpstreamRefusal,
  withheldHint,
  withheldText,
} from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { directoryReasons, noLinkWords, peerReasons } from "../../wire/no_link.ts";
import type { UploadAnswer } from "../../wire/directory_messages.ts";
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

/** The holders of a file to which no connection comes about. */
export interface UnreachedView {
  readonly count: number;
  /** Some of them, and why each one is not reached. */
  readonly holders: readonly { readonly holder: string; readonly reason: string }[];
  /** Whether some answered that they cannot connect to this node either. */
  readonly cannotCall: boolean;
  /** What linked nodes said that were asked to pass the file on. */
  readonly relays: readonly RelayView[];
}

/** A linked node, and what it said. */
export interface RelayView extends Pick<RelayAnswer, "answer" | "agoMs"> {
  readonly peer: string;
}

/** What a linked node said that was asked to pass a file on. */
export interface RelayAnswer {
  readonly nodeId: NodeId;
  readonly address: HostPort;
  /** "failed": it could not be asked. */
  readonly answer: UploadAnswer | "failed";
  /** How long ago it said so, to an earlier question; null: it was asked now. */
  readonly agoMs: number | null;
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
  /** Some nodes that it was told of and has no link with, and why. */
  readonly peerFaults: readonly { readonly peer: string; readonly reason: string }[];
  readonly directories: {
    readonly size: number;
    readonly faults: readonly DirectoryFault[];
  };
  /** The path of a copy that is here and is withheld, for it is damaged; null without one. */
  readonly withheldPath: string | null;
}

/** The time that was given is over. */
export function outOfTime(
  request: FetchRequest,
  here: BytesHere | undefined,
  { directories: { faults }, unreached }: Surroundings & { readonly unreached: UnreachedView },
): FetchFailure {
  return new FetchFailure(
    "timedOut",
    `Cannot fetch ${label(request)}: out of time after ${request.timeoutMs} ms; ` +
      (here === undefined ? `nobody had offered it yet${without(faults)}` : hereText(here)) +
      (unreached.count === 0 ? "" : `; ${unreachedText(unreached)}`),
    unreached.count === 0 ? {} : { hint: UNREACHED_HINT },
  );
}

/** There is nobody to ask: nobody has it, nobody has the rest of it, or all that came was wrong. */
export function nobodyLeft(
  request: FetchRequest,
  seen: Surroundings & {
    /** The holders to which no connection comes about. */
    readonly unreached: UnreachedView;
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
    /** Whether all who gave that candidate say that they offer it no more. */
    readonly isWithdrawn: boolean;
    /** Why no mirror gives it; null when none was asked. */
    readonly refusal: MirrorRefusal | null;
    /** Whether nodes were asked, too. */
    readonly asksNodes: boolean;
  },
): FetchFailure {
  const nobody = nobodyHas(request, seen);
  const failure = seen.refusal === null || nobody.exit !== "notFound"
    ? nobody
    : refused(request, seen.refusal, { nobody, ...seen });
  const { withheldPath } = seen;
  // What a mirror refused is told to clients of the gateway, which are not to know paths of this machine.
  const isForOthers = failure.upstream !== undefined && failure.exit !== "notFound";
  return withheldPath === null || isForOthers || failure.exit === "checkFailed"
    ? failure
    : besideWithheld(failure, withheldPath);
}

/** The same failure where a damaged copy is here, which a person can do something about. */
function besideWithheld(failure: FetchFailure, path: string): FetchFailure {
  const { exit, message, upstream, cause } = failure;
  return new FetchFailure(exit, `${message}; ${withheldText(path)}`, {
    hint: withheldHint(path),
    cause,
    ...(upstream === undefined ? {} : { upstream }),
  });
}

/** What no mirror gives, and nobody else. Where it is not just missing, that is no news of the file. */
function refused(
  request: FetchRequest,
  { status, retryAfter, message }: MirrorRefusal,
  { nobody, unreached, asksNodes }: {
    readonly nobody: FetchFailure;
    readonly unreached: UnreachedView;
    readonly asksNodes: boolean;
  },
): FetchFailure {
  const isMissing = status === 404 || status === 410;
  const others = unreached.count === 0 ? undefined : unreachedText(unreached);
  const file = label(request);
  const withNodes = isMissing
    ? `Cannot fetch ${file}: ${others ?? "nobody has it"}, and no mirror ` +
      (others === undefined ? "does" : "has it")
    : `${message}; and ${others ?? `nobody else has ${file}`}`;
  const withoutNodes = isMissing ? `Cannot fetch ${file}: no mirror has it` : message;
  return new FetchFailure(
    isMissing ? "notFound" : "failed",
    asksNodes ? withNodes : withoutNodes,
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
  if (seen.here !== undefined && seen.isWithdrawn) {
    return new FetchFailure(
      "notFound",
      `${cannot}: those who had it offer it no more, and nobody has the rest of it; ` +
        hereText(seen.here),
      {
        hint: request.root === null && request.sha256 === null
          ? "It may have changed there: fetch it again to get what they have now."
          : "It may have changed there: fetch it by its name alone to get what they have now.",
      },
    );
  }
  if (seen.here !== undefined) {
    return new FetchFailure(
      "notFound",
      `${cannot}: ${
        seen.unreached.count === 0 ? "nobody has the rest of it" : unreachedText(seen.unreached)
      }; ${hereText(seen.here)}`,
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
  if (seen.unreached.count > 0) {
    return new FetchFailure("notFound", `${cannot}: ${unreachedText(seen.unreached)}`, {
      hint: UNREACHED_HINT,
    });
  }
  if (seen.linkCount === 0 && seen.unfit === 0 && faults.length === directories.size) {
    const { text, hint } = noLinkWords({ peers: seen.peerFaults, directories: faults, isAlone });
    return new FetchFailure("notFound", `${cannot}: ${text}`, { hint });
  }
  return new FetchFailure(
    "notFound",
    `${cannot}: nobody has it` +
      (seen.unfit > 0 ? `; ${seen.unfit} offers had another name, root or size` : "") +
      (seen.peerFaults.length > 0 ? `; without a link to ${peerReasons(seen.peerFaults)}` : "") +
      without(faults),
  );
}

/** What can be done where holders are not reached. */
const UNREACHED_HINT =
  "A node that both sides can connect to, and have links with, passes it on if " +
  "it runs with --accept-uploads BYTES --relay-files. Or open the node port of one side.";

/** Who has the file, why no connection comes about, and what those said who could pass it on. */
function unreachedText({ count, holders, cannotCall, relays }: UnreachedView): string {
  const [have, to, they] = count === 1
    ? ["1 node has it", "it", "it"]
    : [`${count} nodes have it`, "any of them", "they"];
  const more = count > holders.length ? `; and ${count - holders.length} more` : "";
  const why = holders.map(({ holder, reason }) => `${holder}: ${reason}`).join("; ");
  const either = cannotCall ? `, and ${they} cannot connect to this node` : "";
  return `${have}, but no connection to ${to} comes about${either} (${why}${more})` +
    relays.slice(0, limits.relaysToldMax)
      .map((relay) => `; ${relayText(relay)}`).join("");
}

/** What a linked node said; where it was not asked again, when that was. */
function relayText({ peer, answer, agoMs }: RelayView): string {
  const text = `${peer} ${RELAY_WORDS[answer]}`;
  return agoMs === null ? text : `${text}, as it said ${Math.ceil(agoMs / 1000)} s ago`;
}

const RELAY_WORDS: Readonly<Record<RelayView["answer"], string>> = {
  "accepted": "was to pass it on, and did not get it",
  "have": "has it, and does not give it",
  "busy": "passes on as many files as it takes",
  "no-room": "has no room to pass it on",
  "unwilling": "passes no files on",
  "failed": "could not be asked to pass it on",
};

/** What was wrong. */
function falseText(
  { anyFalse, isMirrorFalse }: { readonly anyFalse: boolean; readonly isMirrorFalse: boolean },
): string {
  if (!isMirrorFalse) return "what peers offer";
  return anyFalse ? "what peers offer and what the mirror gives" : "what the mirror gives";
}

/** Whose answer is missing, as the end of a sentence. */
function without(faults: readonly DirectoryFault[]): string {
  return faults.length === 0 ? "" : `; without an answer of ${directoryReasons(faults)}`;
}

function label(request: FetchRequest): string {
  return request.name || request.root || "";
}

function hereText({ bytesDone, bytesTotal }: BytesHere): string {
  return `${bytesDone} of ${bytesTotal} bytes are here`;
}
