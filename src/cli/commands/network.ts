/** `pacsrv search`, `info`, `where` and `peers`: what the network has, and who is in it. */

import { FetchFailure } from "../../base/errors.ts";
import type { HolderReport, InfoReport, PeerReport, SearchReport } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import {
  count,
  formatBytes,
  formatDuration,
  formatFacts,
  formatItems,
  SIZE_COLUMN,
} from "../terminal/text_format.ts";
import { asking, compare, nobodyHas } from "./ask.ts";

/** Prints each file that matches once, by name, and of one name the most widely had first. */
export const runSearch = asking({
  verb: "search",
  ask: ([glob = ""]) => ({ glob }),
  order: (a, b) =>
    compare(a.name, b.name) || b.peersWhole - a.peersWhole || compare(a.root, b.root),
  text: searchTable,
  none: (glob) =>
    new FetchFailure("notFound", `Nobody has a file that matches ${JSON.stringify(glob)}`),
});

/** A line for each file. */
export function searchTable(found: readonly SearchReport[]): string {
  return formatItems(found, [
    { title: "NAME", cell: "name" },
    SIZE_COLUMN,
    { title: "WHOLE", align: "right", cell: "peersWhole" },
    { title: "PART", align: "right", cell: "peersPart" },
    { title: "FROM", cell: ({ from }) => from.join(",") },
    { title: "ROOT", cell: "root" },
  ]);
}

/** Prints what is known of each file that goes by the name, or of the one that has the root. */
export const runInfo = asking({
  verb: "info",
  ask: ([target = ""]) => ({ target }),
  text: infoText,
  none: nobodyHas,
  after: noteOfMany,
});

/** A block of lines for each file, most held first. */
export function infoText(reports: readonly InfoReport[]): string {
  // The reports of each root and size: one for each name that the file has.
  const files = Map.groupBy(reports, ({ root, sizeBytes }) => `${root}:${sizeBytes}`);
  return [...files.values()].map(fileBlock).join("\n");
}

function fileBlock(names: readonly InfoReport[]): string {
  const [{ root, sizeBytes, type, sha256, peersWhole, peersPart }] = names as [InfoReport];
  const from = new Set(names.flatMap((report) => report.from));
  return formatFacts([
    ...names.map(({ name }) => ["name", name] as const),
    ["size", `${formatBytes(sizeBytes)} (${count(sizeBytes, "byte")})`],
    ["type", type === "" ? "-" : type],
    ["root", root],
    ["sha256", sha256 ?? "not known"],
    ["held by", `${count(peersWhole, "node")} whole, ${peersPart} in part`],
    ["from", [...from].join(", ")],
  ], 9);
}

/** Several files: the note that says so, since a name alone does not tell them apart. */
function noteOfMany(reports: readonly InfoReport[]): string | undefined {
  const roots = new Set(reports.map(({ root }) => root)).size;
  if (roots < 2) return undefined;
  const name = JSON.stringify(reports[0]!.name);
  return `${roots} different files go by the name ${name}: a root says which one is meant.`;
}

/** Prints the nodes that hold a file or a part of it, of each file the least loaded first. */
export const runWhere = asking({
  verb: "where",
  ask: ([target = ""]) => ({ target }),
  text: holderTable,
  none: nobodyHas,
});

/** A line for each holder of each file. */
export function holderTable(holders: readonly HolderReport[]): string {
  return formatItems(holders, [
    { title: "PEER", cell: holderAddress },
    {
      title: "LOAD",
      align: "right",
      cell: ({ loadPermille: load }) => load === null ? "-" : `${Math.round(load / 10)}%`,
    },
    { title: "SHARE", align: "right", cell: shareOf },
    { title: "CHUNKS", cell: ({ chunksHave, chunks }) => `${chunksHave} of ${chunks}` },
    { title: "FROM", cell: ({ from }) => from.join(",") },
    { title: "NODE", cell: "nodeId" },
    { title: "ROOT", cell: "root" },
  ]);
}

function holderAddress({ peer, from }: HolderReport): string {
  if (from.includes("here")) return "this node";
  return peer === "" ? "not reachable" : peer;
}

/** Rounded down: 100% is the whole file. */
function shareOf({ chunks, chunksHave }: HolderReport): string {
  return `${chunks === 0 ? 100 : Math.floor(chunksHave / chunks * 100)}%`;
}

/** Prints the daemon's links, oldest first, and whom it keeps out. */
export const runPeers = asking({
  verb: "peers",
  ask: () => ({}),
  order: (a, b) => b.connectedMs - a.connectedMs,
  text: peerTable,
  none: () => "The daemon has no links.",
});

/** A line for each link and for each ban; nothing for none. */
export function peerTable(peers: readonly PeerReport[]): string {
  return formatItems(peers, [
    { title: "ADDRESS", cell: (peer) => peer.ban === null ? formatAddress(peer) : peer.host },
    { title: "OPENED BY", cell: openedBy },
    { title: "LISTENS ON", cell: listensOn },
    { title: "ROUND TRIP", align: "right", cell: roundTrip },
    {
      title: "UP",
      align: "right",
      cell: ({ ban, connectedMs }) =>
        ban === null ? formatDuration(connectedMs) : `for ${formatDuration(ban.endsInMs)}`,
    },
    { title: "NODE", cell: ({ nodeId }) => nodeId === "" ? "every node" : nodeId },
  ]);
}

function openedBy({ direction }: PeerReport): string {
  return { out: "this node", in: "that node", banned: "banned" }[direction];
}

function listensOn({ ban, host, listenPort: port }: PeerReport): string {
  return ban?.reason ?? (port === 0 ? "not reachable" : formatAddress({ host, port }));
}

function roundTrip({ ban, roundTripMs }: PeerReport): string {
  return ban !== null || roundTripMs === null ? "-" : `${roundTripMs.toFixed(1)} ms`;
}
