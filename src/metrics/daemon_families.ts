/** The figures of a daemon, in the words of Prometheus. */

import { Histogram, type Registry } from "prom-client";
import type { DaemonFigures } from "../daemon/control/figures.ts";
import type { RunningDaemon } from "../daemon/daemon.ts";
import type { FetchEnd } from "../daemon/node/fetch_ends.ts";
import type { Family } from "./families.ts";
import type { MonitoredKind } from "./monitor.ts";

const FETCHES: readonly Family<DaemonFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_fetches_running",
    help: "Fetches in progress.",
    read: (daemon) => daemon.fetchesRunning,
  },
  {
    kind: "counter",
    name: "pacsrv_fetches_total",
    help: "Fetches that ended, by how.",
    label: "outcome",
    read: (daemon) => daemon.fetchesEnded,
  },
  {
    kind: "counter",
    name: "pacsrv_fetched_bytes_total",
    help:
      "Bytes of files that fetches got, each once, by who gave them first; here: was here before.",
    label: "source",
    read: ({ brought }) => ({
      peer: brought.bytesPeers,
      mirror: brought.bytesMirror,
      here: brought.bytesLocal,
    }),
  },
  {
    kind: "counter",
    name: "pacsrv_mirror_bytes_total",
    help: "All bytes that mirrors gave, also those that came twice or were of no use.",
    read: ({ brought }) => brought.bytesMirrors,
  },
  {
    kind: "counter",
    name: "pacsrv_unique_bytes_total",
    help: "Bytes of files that came, from whomever, each once. Mirror bytes over these are copies.",
    read: ({ brought }) => brought.bytesPeers + brought.bytesMirror,
  },
  {
    kind: "counter",
    name: "pacsrv_thrown_away_bytes_total",
    help: "Bytes that came and turned out not to be of the file.",
    read: ({ brought }) => brought.bytesThrownAway,
  },
  {
    kind: "counter",
    name: "pacsrv_saved_bytes_total",
    help: "Bytes that peers gave so that no mirror had to, over all runs with this data directory.",
    read: (daemon) => daemon.bytesSaved,
  },
  {
    kind: "gauge",
    name: "pacsrv_flights",
    help: "Files that it gets from mirrors together with other nodes, or still gives those.",
    read: (daemon) => daemon.flights,
  },
];

const NODES: readonly Family<DaemonFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_links",
    help: "Links with other nodes.",
    read: (daemon) => daemon.links,
  },
  {
    kind: "gauge",
    name: "pacsrv_connections",
    help: "Connections with nodes and directories: links, transfers, questions.",
    read: (daemon) => daemon.connections,
  },
  {
    kind: "gauge",
    name: "pacsrv_given_peers",
    help: "Nodes that it was told to keep a link with, by how that goes.",
    label: "state",
    read: (daemon) => daemon.peersGiven,
  },
  {
    kind: "gauge",
    name: "pacsrv_directories",
    help: "Directories that it was told of, by whether they answer.",
    label: "state",
    read: (daemon) => daemon.directories,
  },
  {
    kind: "counter",
    name: "pacsrv_node_received_bytes_total",
    help: "Bytes that came over connections with nodes and directories, messages included.",
    read: (daemon) => daemon.bytesIn,
  },
  {
    kind: "counter",
    name: "pacsrv_node_sent_bytes_total",
    help: "Bytes that went over connections with nodes and directories, messages included.",
    read: (daemon) => daemon.bytesOut,
  },
  {
    kind: "counter",
    name: "pacsrv_nearness_received_bytes_total",
    help:
      "Bytes that came over such connections, by how near the other side is: on this machine (host), " +
      "in its subnets (subnet), at its site (site), or elsewhere (far).",
    label: "nearness",
    read: ({ bytesInBy }) => ({ ...bytesInBy }),
  },
  {
    kind: "counter",
    name: "pacsrv_nearness_sent_bytes_total",
    help: "Bytes that went over such connections, by how near the other side is.",
    label: "nearness",
    read: ({ bytesOutBy }) => ({ ...bytesOutBy }),
  },
  {
    kind: "gauge",
    name: "pacsrv_rate_limit_bytes_per_second",
    help:
      "How fast files may go over the line now: to nodes, from nodes, from mirrors. 0: no limit.",
    label: "direction",
    read: (daemon) => daemon.rateLimits,
  },
  {
    kind: "gauge",
    name: "pacsrv_uploads",
    help: "Nodes that are being given a file.",
    read: (daemon) => daemon.uploads,
  },
  {
    kind: "counter",
    name: "pacsrv_uploaded_bytes_total",
    help: "Bytes of files that were given to nodes by their roots.",
    read: (daemon) => daemon.uploadedBytes,
  },
  {
    kind: "counter",
    name: "pacsrv_files_served_total",
    help: "Uploads in which one requester got at least as many bytes as the file has.",
    read: (daemon) => daemon.filesServed,
  },
  {
    kind: "counter",
    name: "pacsrv_strikes_total",
    help: "Wrong chunks that peers gave.",
    read: (daemon) => daemon.strikes,
  },
  {
    kind: "gauge",
    name: "pacsrv_bans",
    help: "Nodes and hosts that are kept out because they misbehaved.",
    read: (daemon) => daemon.bans,
  },
];

const SEARCHES: readonly Family<DaemonFigures>[] = [
  {
    kind: "counter",
    name: "pacsrv_searches_total",
    help: "Searches of this node that ended, by whether anybody had what was sought.",
    label: "outcome",
    read: (daemon) => daemon.searchesEnded,
  },
  {
    kind: "counter",
    name: "pacsrv_queries_seen_total",
    help: "Searches of others that came over links, each once.",
    read: (daemon) => daemon.queriesSeen,
  },
  {
    kind: "counter",
    name: "pacsrv_queries_forwarded_total",
    help: "Searches of others that were passed on.",
    read: (daemon) => daemon.queriesForwarded,
  },
  {
    kind: "counter",
    name: "pacsrv_queries_answered_total",
    help: "Searches of others that were answered with an offer.",
    read: (daemon) => daemon.queriesAnswered,
  },
  {
    kind: "counter",
    name: "pacsrv_queries_dropped_total",
    help: "Searches and answers of others that were dropped: seen before, or over a bound.",
    label: "reason",
    read: (daemon) => daemon.queriesDropped,
  },
  {
    kind: "counter",
    name: "pacsrv_search_messages_sent_total",
    help: "Messages of searches that were sent over links, each link counted.",
    label: "message",
    read: (daemon) => daemon.messagesSent,
  },
];

const STORE: readonly Family<DaemonFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_store_bytes",
    help: "Bytes of downloads in the data directory: of complete files, and of parts.",
    label: "state",
    read: (daemon) => daemon.storeBytes,
  },
  {
    kind: "gauge",
    name: "pacsrv_store_files",
    help: "Downloads in the data directory: complete files, and such of which a part is here.",
    label: "state",
    read: (daemon) => daemon.storeFiles,
  },
  {
    kind: "gauge",
    name: "pacsrv_store_quota_bytes",
    help: "Bytes that all downloads may come to (--keep); absent without a quota.",
    read: (daemon) => daemon.quotaBytes,
  },
  {
    kind: "gauge",
    name: "pacsrv_disk_free_bytes",
    help: "Bytes that are free on the disk of the data directory.",
    read: (daemon) => daemon.freeBytes,
  },
  {
    kind: "gauge",
    name: "pacsrv_disk_least_free_bytes",
    help: "Bytes that shall stay free on that disk (--min-free); absent where nothing is said.",
    read: (daemon) => daemon.minFreeBytes,
  },
  {
    kind: "gauge",
    name: "pacsrv_pinned_files",
    help: "Downloads that are pinned.",
    read: (daemon) => daemon.filesPinned,
  },
  {
    kind: "counter",
    name: "pacsrv_cleaned_files_total",
    help: "Downloads that were removed to make room, or as out of date, by why.",
    label: "reason",
    read: (daemon) => daemon.filesCleaned,
  },
  {
    kind: "counter",
    name: "pacsrv_cleaned_bytes_total",
    help: "Bytes of those.",
    label: "reason",
    read: (daemon) => daemon.bytesCleaned,
  },
  {
    kind: "counter",
    name: "pacsrv_room_refused_total",
    help: "Downloads that were refused, or broken off, for want of room that could be made.",
    read: (daemon) => daemon.roomRefused,
  },
  {
    kind: "gauge",
    name: "pacsrv_shared_files",
    help: "Files that are shared in place, those that wait to be hashed included.",
    read: (daemon) => daemon.filesShared,
  },
  {
    kind: "gauge",
    name: "pacsrv_hashing_files",
    help: "Files that wait to be hashed; nobody is offered them until then.",
    read: (daemon) => daemon.filesHashing,
  },
  {
    kind: "gauge",
    name: "pacsrv_withheld_files",
    help: "Shared files that changed though their time did not, and are offered to nobody.",
    read: (daemon) => daemon.filesWithheld,
  },
];

const CLIENTS: readonly Family<DaemonFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_clients",
    help: "Clients on the client port.",
    read: (daemon) => daemon.clients,
  },
  {
    kind: "counter",
    name: "pacsrv_gateway_requests_total",
    help: "Requests that the gateway answered, by the class of the status.",
    label: "status",
    read: ({ gateway }) => gateway?.answers,
  },
  {
    kind: "gauge",
    name: "pacsrv_gateway_open_requests",
    help: "Requests whose answers are not over.",
    read: ({ gateway }) => gateway?.open,
  },
  {
    kind: "counter",
    name: "pacsrv_gateway_sent_bytes_total",
    help: "Bytes of files that the gateway gave to its clients.",
    read: ({ gateway }) => gateway?.bytesSent,
  },
  {
    kind: "gauge",
    name: "pacsrv_gateway_stale_databases",
    help: "Databases that the gateway gives though no mirror vouches for them now.",
    read: ({ gateway }) => gateway?.staleDatabases,
  },
  {
    kind: "counter",
    name: "pacsrv_prefetch_bytes_total",
    help:
      "Bytes fetched before anybody asked, by what came of them, over all runs: a client took them, " +
      "or they were dropped.",
    label: "outcome",
    read: ({ prefetched }) => prefetched,
  },
];

/** Upper ends of the buckets: the least is what a node nearby takes, the most what pacman bears. */
const FIRST_BYTE_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a small package of a node nearby to a disk image over a thin line. */
const DURATION_BUCKETS_SECONDS = [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];

/** Has `registry` write how long fetches take. Those of what was here whole would hide the others. */
function observeFetches(
  registry: Registry,
  daemon: { readonly onFetchEnd: (listener: (end: FetchEnd) => void) => void },
): void {
  const firstByte = new Histogram({
    name: "pacsrv_fetch_first_byte_seconds",
    help: "From the request of a file to its first bytes, of fetches for which bytes had to come.",
    buckets: FIRST_BYTE_BUCKETS_SECONDS,
    registers: [registry],
  });
  const duration = new Histogram({
    name: "pacsrv_fetch_duration_seconds",
    help: "From the request of a file to its end, of fetches that got it and had to bring bytes.",
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [registry],
  });
  daemon.onFetchEnd(({ outcome, bytesPeers, bytesMirror, firstByteMs, elapsedMs }) => {
    if (bytesPeers + bytesMirror === 0) return;
    if (firstByteMs !== null) firstByte.observe(firstByteMs / 1000);
    if (outcome === "done") duration.observe(elapsedMs / 1000);
  });
}

/** What monitors are told of a daemon. */
export const DAEMON: MonitoredKind<RunningDaemon> = {
  families: [...FETCHES, ...NODES, ...SEARCHES, ...STORE, ...CLIENTS],
  observe: observeFetches,
};
