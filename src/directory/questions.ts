/**
 * From a client's question to the frames of its answer. What is known is in `core/directory/directory.ts`;
 * the session says who may ask, and in what order answers go out.
 */

import { PeerFault, unreachable } from "../base/errors.ts";
import { isHash, type NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Directory } from "../core/directory/directory.ts";
import type { SearchPage } from "../core/directory/look_up.ts";
import type { Denial } from "../core/directory/directory_events.ts";
import type { Message, MessageKind, MessageOf } from "../wire/messages.ts";
import type { Holder, KnownFile, Sought } from "../wire/structures.ts";

/** The kinds of questions. */
export const QUESTION_KINDS = [
  "metadata-query",
  "holders-query",
  "search-query",
  "takers-query",
  "directory-query",
] as const;
/** Those of version 2 of the protocol. */
export const FLIGHT_QUESTION_KINDS = [
  ...QUESTION_KINDS,
  "flight-lease",
  "neighbours-query",
] as const;
/** Those of version 3. */
export const PAGE_QUESTION_KINDS = [...FLIGHT_QUESTION_KINDS, "search-page-query"] as const;
type DirectoryQuestion = MessageOf<(typeof PAGE_QUESTION_KINDS)[number]>;

/** Who asks, and whom. */
interface Asking {
  readonly run: {
    readonly index: Directory;
    readonly instance: NodeId;
    /** Since when this instance runs, on the clock of `nowMs`. */
    readonly startedMs: number;
  };
  /** The host that the asker is seen at, its node id, and the port that it listens on; 0: none. */
  readonly asker: string;
  readonly askerNode: NodeId;
  readonly askerPort: number;
}

/** Whether a message is a question. */
export function isQuestion(message: Message): message is DirectoryQuestion {
  return (PAGE_QUESTION_KINDS as readonly MessageKind[]).includes(message.kind);
}

/**
 * The answer, frame by frame; what is known is looked up before the first.
 *
 * @throws {PeerFault} when the question makes no sense.
 */
export function answerTo(
  question: DirectoryQuestion,
  { run, asker, askerNode, askerPort }: Asking,
  nowMs: number,
): Iterable<Message> {
  const { index, instance } = run;
  switch (question.kind) {
    case "metadata-query": {
      const sought = checkSought(question.sought);
      return metadata(instance, index.metadata({ sought, asker }, nowMs));
    }
    case "holders-query": {
      const sought = checkSought(question.sought);
      const max = Math.min(question.max, limits.holdersMax);
      return holders(instance, index.holders({ sought, max, asker, askerNode }, nowMs));
    }
    case "search-query": {
      const max = Math.min(question.max, limits.directorySearchMax);
      return metadata(instance, index.search({ glob: question.glob, max, asker }, nowMs));
    }
    case "search-page-query": {
      const { glob, from } = question;
      const max = Math.min(question.max, limits.directorySearchMax);
      return searchPage(instance, index.searchPage({ glob, max, from, asker }, nowMs));
    }
    case "takers-query": {
      const { root, sizeBytes } = question;
      const max = Math.min(question.max, limits.holdersMax);
      return holders(instance, index.takers({ root, sizeBytes, max, asker, askerNode }, nowMs));
    }
    case "directory-query":
      return [{
        kind: "directory-status",
        instance,
        uptimeMs: Math.max(0, Math.round(nowMs - run.startedMs)),
        ...index.status(),
      }];
    case "flight-lease": {
      const { flight, sizeBytes, leaseMs } = question;
      checkSize(sizeBytes);
      const asked = { flight, sizeBytes, leaseMs, asker, askerNode, askerPort };
      const answer = index.fellows(asked, nowMs);
      if ("kind" in answer) return [{ ...answer, instance }];
      return [{ kind: "flight-fellows", instance, ...answer }];
    }
    case "neighbours-query": {
      const answer = index.neighbours({ max: question.max, asker, askerNode }, nowMs);
      if ("kind" in answer) return [{ ...answer, instance }];
      return [{ kind: "neighbours", instance, addresses: answer }];
    }
    default:
      return unreachable(question);
  }
}

function metadata(instance: NodeId, found: readonly KnownFile[] | Denial): Iterable<Message> {
  if (isDenial(found)) return [{ ...found, instance }];
  return inFrames(found, (files, last) => ({ kind: "metadata", instance, files, last }));
}

function* searchPage(instance: NodeId, page: SearchPage | Denial): Generator<Message> {
  if ("kind" in page) return yield { ...page, instance };
  const { files, next, isCut } = page;
  yield* metadata(instance, files);
  yield { kind: "search-page", instance, next, isCut };
}

function holders(instance: NodeId, found: readonly Holder[] | Denial): Iterable<Message> {
  if (isDenial(found)) return [{ ...found, instance }];
  return inFrames(found, (holders, last) => ({ kind: "holders", instance, holders, last }));
}

function isDenial<T>(found: readonly T[] | Denial): found is Denial {
  return !Array.isArray(found);
}

/** `items` in frames, at least one; most answers need no more, and pay for no generator. */
function inFrames<T>(
  items: readonly T[],
  frame: (items: readonly T[], last: boolean) => Message,
): Iterable<Message> {
  if (items.length <= limits.knownPerMessageMax) return [frame(items, true)];
  return (function* () {
    for (let at = 0; at < items.length; at += limits.knownPerMessageMax) {
      const end = at + limits.knownPerMessageMax;
      yield frame(items.slice(at, end), end >= items.length);
    }
  })();
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes <= limits.fetchBytesMax) return;
  throw new PeerFault(
    "malformed",
    `Cannot answer: a file in flight has ${sizeBytes} bytes, at most ${limits.fetchBytesMax}`,
  );
}

/** A root in lower case, or a name; a glob is no question about one file. */
function checkSought(sought: Sought): Sought {
  switch (sought.by) {
    case "name":
      return sought;
    case "root":
      if (!isHash(sought.value)) {
        throw new PeerFault("malformed", "Cannot answer: the root is not 64 hexadecimal digits");
      }
      return { by: "root", value: sought.value.toLowerCase() };
    case "glob":
      throw new PeerFault("unexpected", "Cannot answer: a glob is asked for by SEARCH_QUERY");
    default:
      return unreachable(sought.by);
  }
}
