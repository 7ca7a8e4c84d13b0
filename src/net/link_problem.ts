/**
 * Why a node or directory cannot be had, in words that fit the cause: for the log, for `pacsrv peers`,
 * `status` and `doctor`, and for a fetch that ended because of it. What is known here is what the
 * dialling side sees; in a network with a key that is often only that the other hangs up.
 */

import { EnvironmentError, messageOf, PeerFault } from "../base/errors.ts";
import type { Refusal } from "../wire/messages.ts";
import { type LocalIdentity, RefusedError } from "./handshake.ts";

/** A problem; `code` stays the same while the words may change. */
export interface LinkProblem {
  readonly code: string;
  /** About the other side, as the rest of a sentence: "nothing listens there". */
  readonly text: string;
}

/** Who dials, and what it means to find. */
export interface Dialler extends Pick<LocalIdentity, "network" | "networkKey"> {
  readonly what: "node" | "directory";
}

/** The problem that an error of a dial, a handshake or a question means. */
export function linkProblemOf(error: unknown, dialler: Dialler): LinkProblem {
  if (error instanceof RefusedError) {
    const code = error.isClone ? "cloned-id" : error.refusal;
    return { code, text: refusalText(code, dialler) };
  }
  if (error instanceof PeerFault) return faultProblem(error, dialler);
  if (error instanceof EnvironmentError) return environmentProblem(error, dialler);
  return { code: "other", text: shortened(error) };
}

function refusalText(code: Refusal | "cloned-id", { what, network, networkKey }: Dialler): string {
  switch (code) {
    case "wrong-network":
      return `it is not of the network ${JSON.stringify(network)}` +
        (networkKey === undefined ? "" : ", or has no network key, while this node has one");
    case "wrong-version":
      return "it speaks another version of the protocol: the older of the two has to be updated";
    case "self":
      return "it is this node itself";
    case "cloned-id":
      return "it has the id of this node: one of the two data directories is a copy of the other; " +
        "stop one of the daemons, remove node.id from its data directory, and start it again";
    case "banned":
      return "it keeps this node out for up to an hour, because of wrong files or floods";
    case "busy":
      return "it has as many connections as it takes";
    case "duplicate":
      return "it has a link with this node already";
    case "not-supported":
      return what === "node"
        ? "it is a directory, and no node: name it with --directory"
        : "it is no directory";
  }
}

function faultProblem(fault: PeerFault, { what }: Dialler): LinkProblem {
  const { code } = fault;
  switch (code) {
    case "wrong-magic":
    case "malformed":
    case "oversized":
      return { code: "no-pacsrv", text: `what answers there is no pacsrv ${what}` };
    case "wrong-key":
      return { code, text: "it has another network key than this node, or none" };
    case "tampered":
      return {
        code: "no-pacsrv",
        text: "what it answers was not made with this node's network key",
      };
    case "silent":
      return { code, text: "it takes the connection, and then says nothing" };
    default:
      return { code, text: shortened(fault) };
  }
}

function environmentProblem(error: EnvironmentError, dialler: Dialler): LinkProblem {
  const message = messageOf(error);
  if (/closed the connection$|The connection (broke|was closed)/.test(message)) {
    return { code: "hung-up", text: hungUpText(dialler) };
  }
  for (const [code, pattern, text] of DIAL_ERRORS) {
    if (pattern.test(message)) return { code, text };
  }
  return { code: "other", text: shortened(error) };
}

/** What systems say when a connection cannot be opened, and what it means. */
const DIAL_ERRORS: readonly (readonly [code: string, pattern: RegExp, text: string])[] = [
  ["refused", /refused/i, "connection refused: nothing listens there"],
  [
    "no-answer",
    /no answer within|timed out/i,
    "it does not answer: the machine is off, or a firewall drops what comes",
  ],
  ["no-route", /no route|unreachable|network is down/i, "there is no way to it from here"],
  [
    "no-name-server",
    /temporary failure in name|try again/i,
    "no name server says where that name is",
  ],
  [
    "name-not-found",
    /look ?up address|name or service|nodename|no such host/i,
    "nobody knows that name",
  ],
];

/** A network with a key tells strangers nothing; what is missing here may be known here. */
function hungUpText({ what, networkKey }: Dialler): string {
  const other = what === "node" ? "it is no pacsrv node" : "it is no directory, or is full";
  return networkKey === undefined
    ? `it hangs up when greeted: it wants a network key, and this node has none; or ${other}`
    : "it hangs up when greeted: it has no network key, or another key or network than this node, or " +
      `it is too old to encrypt; or ${other}`;
}

/** What failed, without what every such line would say, and without the system's number for it. */
function shortened(error: unknown): string {
  return messageOf(error)
    .replace(/^Cannot (?:connect to \S+|shake hands|hear the directory): /, "")
    .replace(/ \(os error [0-9]+\)$/, "");
}
