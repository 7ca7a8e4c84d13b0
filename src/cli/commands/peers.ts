/** `pacsrv peers`. */

import type { ExitName } from "../../base/errors.ts";
import type { PeerReport } from "../../client/types.ts";
import { formatAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { note } from "../terminal.ts";
import { formatDuration, formatTable } from "../text_format.ts";

/** Prints the daemon's links, oldest first, and whom it keeps out. */
export async function runPeers(args: Arguments): Promise<ExitName> {
  const peers = await askDaemon(args, "peers", {});
  peers.sort((a, b) => b.connectedMs - a.connectedMs);
  await printItems(args, peers, peerTable);
  if (peers.length === 0 && !args.has("json")) note("The daemon has no links.");
  return "done";
}

/** A line for each link and for each ban; nothing for none. */
export function peerTable(peers: readonly PeerReport[]): string {
  if (peers.length === 0) return "";
  return formatTable(
    [
      { title: "ADDRESS" },
      { title: "OPENED BY" },
      { title: "LISTENS ON" },
      { title: "ROUND TRIP", align: "right" },
      { title: "UP", align: "right" },
      { title: "NODE" },
    ],
    peers.map((peer) => peer.ban === null ? linkCells(peer) : banCells(peer, peer.ban)),
  );
}

function linkCells(peer: PeerReport): string[] {
  return [
    formatAddress(peer),
    peer.direction === "out" ? "this node" : "that node",
    peer.listenPort === 0
      ? "not reachable"
      : formatAddress({ host: peer.host, port: peer.listenPort }),
    peer.roundTripMs === null ? "-" : `${peer.roundTripMs.toFixed(1)} ms`,
    formatDuration(peer.connectedMs),
    peer.nodeId,
  ];
}

function banCells({ host, nodeId }: PeerReport, ban: NonNullable<PeerReport["ban"]>): string[] {
  const until = `for ${formatDuration(ban.endsInMs)}`;
  return [host, "banned", ban.reason, "-", until, nodeId === "" ? "every node" : nodeId];
}
