/**
 * What a daemon knows of itself at one moment, for monitors. All of it is kept where it happens; here
 * it is only read, at a cost that does not grow with the number of files.
 */

import type { RateKind } from "../../base/rates/rate_settings.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { CleanedCounts } from "../keeping/keeper.ts";
import type { ByNearness } from "../../wire/nearness.ts";
import type { BytesBrought, FetchOutcomes } from "../node/fetch_ends.ts";
import type { PrefetchReport } from "../../wire/reports.ts";
import type { Node } from "../node/node.ts";
import type { ClientServer } from "./client_server.ts";

/** Counts are of the time since the daemon was started, but for `bytesSaved`. */
export interface DaemonFigures {
  readonly links: number;
  /** Connections with nodes and directories: links, transfers, questions. */
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly bytesInBy: ByNearness;
  readonly bytesOutBy: ByNearness;
  /** Nodes that it was told to keep a link with, by how that goes. */
  readonly peersGiven: Readonly<Record<"linked" | "dialling" | "failed", number>>;
  readonly directories: Readonly<Record<"answering" | "failing", number>>;
  readonly fetchesRunning: number;
  readonly fetchesEnded: FetchOutcomes;
  readonly brought: BytesBrought;
  /** Over all runs with this data directory. */
  readonly bytesSaved: number;
  readonly flights: number;
  /** The rates of the line that hold now, in bytes a second; 0: none. */
  readonly rateLimits: Readonly<Record<RateKind, number>>;
  readonly uploads: number;
  readonly uploadedBytes: number;
  readonly filesServed: number;
  readonly searchesEnded: Readonly<Record<"answered" | "unanswered", number>>;
  readonly queriesSeen: number;
  readonly queriesForwarded: number;
  readonly queriesAnswered: number;
  readonly queriesDropped: Readonly<Record<"duplicate" | "rate", number>>;
  readonly messagesSent: Readonly<Record<"query_or_hit" | "done", number>>;
  readonly strikes: number;
  readonly bans: number;
  readonly storeBytes: Readonly<Record<"complete" | "partial", number>>;
  readonly storeFiles: Readonly<Record<"complete" | "partial", number>>;
  /** What all downloads may come to; undefined: as much as there is room for. */
  readonly quotaBytes: number | undefined;
  /** What shall stay free on the disk; undefined: nothing is said. */
  readonly minFreeBytes: number | undefined;
  /** What is free there; undefined where nobody knows. */
  readonly freeBytes: number | undefined;
  readonly filesPinned: number;
  /** Downloads that were removed to make room, or as out of date, by why; and their bytes. */
  readonly filesCleaned: CleanedCounts;
  readonly bytesCleaned: CleanedCounts;
  /** Downloads for which no room could be made. */
  readonly roomRefused: number;
  readonly filesShared: number;
  readonly filesHashing: number;
  readonly filesWithheld: number;
  readonly clients: number;
  /** Bytes that were fetched before anybody asked for them, over all runs. */
  readonly prefetched: Readonly<Record<"saved" | "wasted", number>>;
  /** Undefined without a gateway. */
  readonly gateway:
    | {
      /** By the first digit of the status. */
      readonly answers: Readonly<Record<string, number>>;
      readonly open: number;
      readonly bytesSent: number;
      readonly staleDatabases: number;
    }
    | undefined;
}

/** Reads the figures of a daemon. */
export function daemonFigures(
  { node, clients, gateway, prefetch }: {
    readonly node: Node;
    readonly clients: Pick<ClientServer, "clientCount">;
    readonly gateway: Gateway | undefined;
    readonly prefetch: PrefetchReport | undefined;
  },
): DaemonFigures {
  const { clock, connections } = node.context;
  const { fetches, uploads } = node.transfers;
  const { counters, neighbours } = node.links.overlay;
  const { directories } = node.discovery;
  const failing = directories.errors.length;
  return {
    links: node.links.size,
    connections: connections.size,
    bytesIn: connections.bytesIn,
    bytesOut: connections.bytesOut,
    bytesInBy: connections.bytesInBy,
    bytesOutBy: connections.bytesOutBy,
    peersGiven: peersGiven(node),
    directories: { answering: directories.size - failing, failing },
    fetchesRunning: node.fetches.length,
    fetchesEnded: fetches.ends.outcomes,
    brought: fetches.ends.brought(node.fetches.map((fetch) => fetch.figures())),
    bytesSaved: node.store.statistics().get("bytesSaved") ?? 0,
    flights: [...node.flights].filter(({ isOver }) => !isOver).length,
    rateLimits: rateLimits(node),
    uploads: uploads.size,
    uploadedBytes: uploads.bytesSent,
    filesServed: uploads.filesServed,
    searchesEnded: { ...node.links.searches.ended },
    queriesSeen: counters.queriesSeen,
    queriesForwarded: counters.forwarded,
    queriesAnswered: counters.answered,
    queriesDropped: { duplicate: counters.droppedDuplicate, rate: counters.droppedRate },
    messagesSent: { query_or_hit: counters.messagesSent, done: counters.doneSent },
    strikes: node.strikes,
    bans: neighbours.bans(clock.nowMs()).length,
    ...storeFigures(node),
    ...keepingFigures(node),
    clients: clients.clientCount,
    prefetched: { saved: prefetch?.bytesSaved ?? 0, wasted: prefetch?.bytesWasted ?? 0 },
    gateway: gateway === undefined ? undefined : {
      answers: { ...gateway.counters.answers },
      open: gateway.openRequests,
      bytesSent: gateway.counters.bytesSent,
      staleDatabases: gateway.staleDatabases().length,
    },
  };
}

function peersGiven({ links }: Node): DaemonFigures["peersGiven"] {
  const counts = { linked: 0, dialling: 0, failed: 0 };
  for (const { state } of links.givenPeers()) counts[state]++;
  return counts;
}

function keepingFigures({ keeper }: Node) {
  const { keepBytes, minFreeBytes, freeBytes, pinned, refused } = keeper.report();
  const { files, bytes } = keeper.cleaned;
  return {
    quotaBytes: keepBytes ?? undefined,
    minFreeBytes: minFreeBytes ?? undefined,
    freeBytes: freeBytes ?? undefined,
    filesPinned: pinned,
    filesCleaned: files,
    bytesCleaned: bytes,
    roomRefused: refused,
  };
}

function rateLimits({ rates }: Node): DaemonFigures["rateLimits"] {
  const { upload, download, mirror } = rates.report();
  return { upload: upload ?? 0, download: download ?? 0, mirror: mirror ?? 0 };
}

function storeFigures({ store }: Node) {
  const partial = store.partialFiles();
  return {
    storeBytes: { complete: store.downloadedBytes() - partial.bytes, partial: partial.bytes },
    storeFiles: { complete: store.completeDownloads, partial: partial.count },
    filesShared: store.shares.filesShared,
    filesHashing: store.shares.filesWaiting,
    filesWithheld: store.shares.damagedCount,
  };
}
