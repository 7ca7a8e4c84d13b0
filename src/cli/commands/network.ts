/** `pacsrv search`, `info`, `where` and `peers`: what the network has, and who is in it. */

import type {
  HolderReport,
  InFlightReport,
  InfoReport,
  PeerReport,
  ProblemReport,
  SearchReport,
} from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { givenClient } from "../settings/same_daemon.ts";
import { clientFlags, commandLine, fileWord } from "../terminal/command_words.ts";
import { formatItems, type ItemColumn, SIZE_COLUMN, type TableView } from "../terminal/table.ts";
import {
  count,
  formatBytes,
  formatDuration,
  formatFacts,
  percentText,
} from "../terminal/text_format.ts";
import { asking, compare } from "./ask.ts";
import { noMatch, noSuchFile } from "../../client/not_found.ts";

/** Prints each file that matches once, by name, and of one name the most widely had first. */
export const runSearch = asking({
  verb: "search",
  ask: ([glob = ""]) => ({ glob }),
  order: (a, b) =>
    compare(a.name, b.name) || b.peersWhole - a.peersWhole || compare(a.root ?? "", b.root ?? ""),
  text: searchTable,
  none: (glob, client) => noMatch(client, glob),
  after: noteOfUnreached,
});

/** Nodes with which no connection comes about; only shown where there are any. */
const UNREACHED_COLUMN = {
  title: "UNREACHED",
  align: "right",
  cell: ({ peersUnreached }: SearchReport) => String(peersUnreached),
} as const;

/** Whether some of what was found cannot be had from here: the note that says so. */
export function noteOfUnreached(
  found: readonly Pick<SearchReport, "name" | "root" | "peersUnreached">[],
  _target: string,
  args: Arguments,
): string | undefined {
  const one = found.find(({ peersUnreached }) => peersUnreached > 0);
  if (one === undefined) return undefined;
  const command = commandLine(
    "where",
    clientFlags(givenClient(args)),
    fileWord(one.name, one.root),
  );
  return `To some of the nodes no connection comes about from here: \`${command}\` says why.`;
}

/** A line for each file. */
export function searchTable(found: readonly SearchReport[], view?: TableView): string {
  return formatItems(found, [
    { title: "NAME", cell: "name", narrow: "cut" },
    SIZE_COLUMN,
    { title: "WHOLE", align: "right", cell: "peersWhole" },
    { title: "PART", align: "right", cell: "peersPart" },
    ...(found.some(({ peersUnreached }) => peersUnreached > 0) ? [UNREACHED_COLUMN] : []),
    { title: "FROM", narrow: "cut", cell: ({ from }) => from.join(",") },
    {
      title: "ROOT",
      narrow: "short",
      cell: ({ root, inFlight }) => root ?? inFlightText(inFlight!),
    },
  ], view);
}

/** What stands for the root of a file that has none yet: how much of it one node has. */
function inFlightText({ chunks, chunksHave }: InFlightReport): string {
  return `in flight, ${percentText(chunksHave, chunks)}`;
}

/** Prints what is known of each file that goes by the name, or of the one that has the root. */
export const runInfo = asking({
  verb: "info",
  ask: ([target = ""]) => ({ target }),
  text: infoText,
  none: (target, client) => noSuchFile(client, target),
  after: noteOfMany,
});

/** A block of lines for each file, most held first. */
export function infoText(reports: readonly InfoReport[]): string {
  // The reports of each root and size: one for each name that the file has.
  const files = Map.groupBy(
    reports,
    ({ root, inFlight, sizeBytes }) => `${root ?? inFlight!.flight}:${sizeBytes}`,
  );
  return [...files.values()].map(fileBlock).join("\n");
}

function fileBlock(names: readonly InfoReport[]): string {
  const [{ root, sizeBytes, type, sha256, peersWhole, peersPart, peersUnreached, inFlight }] =
    names as [
      InfoReport,
    ];
  const from = new Set(names.flatMap((report) => report.from));
  return formatFacts([
    ...names.map(({ name }) => ["name", name] as const),
    ["size", `${formatBytes(sizeBytes)} (${count(sizeBytes, "byte")})`],
    ["type", type === "" ? "-" : type],
    ["root", root ?? `not known yet: ${inFlightText(inFlight!)}`],
    ["sha256", sha256 ?? "not known"],
    [
      "held by",
      `${count(peersWhole, "node")} whole, ${peersPart} in part` +
      (peersUnreached === 0 ? "" : `; no connection to ${peersUnreached} of them`),
    ],
    ["from", [...from].join(", ")],
  ], 9);
}

/** Several files: the note that says so, since a name alone does not tell them apart. */
function noteOfMany(reports: readonly InfoReport[]): string | undefined {
  const roots = new Set(reports.flatMap(({ root }) => root ?? [])).size;
  if (roots < 2) return undefined;
  const name = JSON.stringify(reports[0]!.name);
  return `${roots} different files go by the name ${name}: a root says which one is meant.`;
}

/** Prints the nodes that hold a file or a part of it, of each file the least loaded first. */
export const runWhere = asking({
  verb: "where",
  ask: ([target = ""]) => ({ target }),
  text: holderTable,
  none: (target, client) => noSuchFile(client, target),
  after: notesOfHolders,
});

/** To whom no connection comes about, and why. */
function notesOfHolders(holders: readonly HolderReport[]): string | undefined {
  const lines = holders.flatMap((one) =>
    one.reach === "none"
      ? `No connection to ${one.peer || `node ${one.nodeId}`}: ${one.problem ?? "it failed"}.`
      : []
  );
  return lines.length === 0 ? undefined : [...new Set(lines)].join("\n");
}

/** How a connection comes about, in a word. */
function reachText({ reach }: HolderReport): string {
  return reach ?? "-";
}

/** A line for each holder of each file. */
export function holderTable(holders: readonly HolderReport[], view?: TableView): string {
  return formatItems(holders, [
    { title: "PEER", narrow: "cut", cell: holderAddress },
    {
      title: "LOAD",
      align: "right",
      cell: ({ loadPermille: load }) => load === null ? "-" : `${Math.round(load / 10)}%`,
    },
    { title: "SHARE", align: "right", cell: shareOf },
    { title: "CHUNKS", drop: 2, cell: ({ chunksHave, chunks }) => `${chunksHave} of ${chunks}` },
    { title: "REACH", drop: 1, cell: reachText },
    { title: "FROM", drop: 3, cell: ({ from }) => from.join(",") },
    { title: "NODE", narrow: "short", drop: 5, cell: "nodeId" },
    { title: "ROOT", narrow: "short", drop: 4, cell: ({ root }) => root ?? "in flight" },
  ], view);
}

function holderAddress({ peer, from }: HolderReport): string {
  if (from.includes("here")) return "this node";
  return peer === "" ? "not reachable" : peer;
}

/** Rounded down: 100% is the whole file. */
function shareOf({ chunks, chunksHave }: HolderReport): string {
  return percentText(chunksHave, chunks);
}

/** Prints the daemon's links, oldest first, whom it keeps out, and what it was told of in vain. */
export const runPeers = asking({
  verb: "peers",
  ask: () => ({}),
  order: (a, b) => b.connectedMs - a.connectedMs,
  text: peerTable,
  after: (peers) => peers.some(isLink) ? undefined : "The daemon has no links.",
});

/** Whether it is a link that is up. */
export function isLink({ direction }: PeerReport): boolean {
  return direction === "in" || direction === "out";
}

/** A line for each link and for each ban; then one for each other address that was given. */
export function peerTable(peers: readonly PeerReport[], view?: TableView): string {
  const isGiven = ({ direction }: PeerReport) => direction === "none" || direction === "directory";
  const isPast = ({ direction }: PeerReport) => direction === "past";
  const links = linkTable(peers.filter((peer) => !isGiven(peer) && !isPast(peer)), view);
  const given = formatItems(peers.filter(isGiven), [
    // A name in DNS that stands for no node has no port.
    { title: "TOLD OF", cell: (peer) => peer.port === 0 ? peer.host : formatAddress(peer) },
    { title: "AS", cell: ({ direction }) => direction === "none" ? "node" : "directory" },
    { title: "STATE", narrow: "wrap", cell: givenState },
  ], view);
  const past = formatItems(peers.filter(isPast), [
    { title: "NO LINK NOW", narrow: "cut", cell: (peer) => formatAddress(peer) },
    ...TOTAL_COLUMNS,
    { title: "LAST", cell: ({ lastAt }) => (lastAt ?? "-").slice(0, 16).replace("T", " ") },
    { title: "NODE", narrow: "short", drop: 1, cell: "nodeId" },
  ], view);
  return [links, given, past].filter((table) => table !== "").join("\n");
}

/** What passed between this node and the other one, over all runs. */
const TOTAL_COLUMNS: readonly ItemColumn<PeerReport>[] = [
  // A daemon of an older version does not tell.
  { title: "HAD", align: "right", drop: 3, cell: ({ bytesHad = 0 }) => formatBytes(bytesHad) },
  {
    title: "GIVEN",
    align: "right",
    drop: 3,
    cell: ({ bytesGiven = 0 }) => formatBytes(bytesGiven),
  },
];

function givenState({ direction, problem }: PeerReport): string {
  if (problem !== null) return direction === "none" ? noLinkText(problem) : noAnswerText(problem);
  return direction === "none" ? "is being dialled" : "answers";
}

/** Why there is no link with a node, and since when. */
export function noLinkText({ text, sinceMs }: ProblemReport): string {
  return `no link for ${formatDuration(sinceMs)}: ${text}`;
}

function noAnswerText({ text, sinceMs }: ProblemReport): string {
  return `no answer for ${formatDuration(sinceMs)}: ${text}`;
}

function linkTable(peers: readonly PeerReport[], view?: TableView): string {
  return formatItems(peers, [
    {
      title: "ADDRESS",
      narrow: "cut",
      cell: (peer) => peer.ban === null ? formatAddress(peer) : peer.host,
    },
    { title: "OPENED BY", drop: 2, cell: openedBy },
    { title: "LISTENS ON", narrow: "cut", cell: listensOn },
    { title: "ROUND TRIP", align: "right", cell: roundTrip },
    {
      title: "UP",
      align: "right",
      cell: ({ ban, connectedMs }) =>
        ban === null ? formatDuration(connectedMs) : `for ${formatDuration(ban.endsInMs)}`,
    },
    ...TOTAL_COLUMNS,
    {
      title: "NODE",
      narrow: "short",
      drop: 1,
      cell: ({ nodeId }) => nodeId === "" ? "every node" : nodeId,
    },
  ], view);
}

function openedBy({ direction }: PeerReport): string {
  return {
    out: "this node",
    in: "that node",
    banned: "banned",
    none: "",
    directory: "",
    past: "",
  }[direction];
}

function listensOn({ ban, host, listenPort: port }: PeerReport): string {
  return ban?.reason ?? (port === 0 ? "not reachable" : formatAddress({ host, port }));
}

function roundTrip({ ban, roundTripMs }: PeerReport): string {
  return ban !== null || roundTripMs === null ? "-" : `${roundTripMs.toFixed(1)} ms`;
}
