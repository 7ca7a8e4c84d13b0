/** The figures of a directory (tracker), in the words of Prometheus. */

import type { DirectoryFigures, RunningDirectory } from "../directory/server.ts";
import type { Family } from "./families.ts";
import type { MonitoredKind } from "./monitor.ts";

const FAMILIES: readonly Family<DirectoryFigures>[] = [
  {
    kind: "gauge",
    name: "pacsrv_directory_clients",
    help: "Nodes that it knows, by whether it could connect to them.",
    label: "state",
    read: ({ clients, clientsReachable }) => ({
      reachable: clientsReachable,
      unreachable: clients - clientsReachable,
    }),
  },
  {
    kind: "gauge",
    name: "pacsrv_directory_listed_files",
    help: "Files that nodes list, each once for each node.",
    read: ({ filesListed }) => filesListed,
  },
  {
    kind: "gauge",
    name: "pacsrv_directory_roots",
    help: "Different contents among the listed files.",
    read: ({ roots }) => roots,
  },
  {
    kind: "gauge",
    name: "pacsrv_directory_names",
    help: "Different names among the listed files.",
    read: ({ names }) => names,
  },
  {
    kind: "gauge",
    name: "pacsrv_directory_leases",
    help: "Nodes that said of a file that they are just getting it from a mirror.",
    read: ({ leases }) => leases,
  },
  {
    kind: "counter",
    name: "pacsrv_directory_queries_total",
    help: "Questions of nodes.",
    read: ({ queries }) => queries,
  },
  {
    kind: "counter",
    name: "pacsrv_directory_batches_total",
    help: "Lists and changes of lists that it took from nodes.",
    read: ({ batches }) => batches,
  },
  {
    kind: "counter",
    name: "pacsrv_directory_denials_total",
    help: "Questions and lists that were refused, for they were over a limit.",
    read: ({ denied }) => denied,
  },
  {
    kind: "counter",
    name: "pacsrv_directory_copies_total",
    help: "Copies of popular files that nodes took because it asked them to.",
    read: ({ uploadsAccepted }) => uploadsAccepted,
  },
  {
    kind: "gauge",
    name: "pacsrv_directory_copies_pending",
    help: "Nodes that are just being asked to take a copy.",
    read: ({ copiesPending }) => copiesPending,
  },
  {
    kind: "gauge",
    name: "pacsrv_connections",
    help: "Connections with nodes.",
    read: ({ connections }) => connections,
  },
  {
    kind: "counter",
    name: "pacsrv_node_received_bytes_total",
    help: "Bytes that came over connections with nodes.",
    read: ({ bytesIn }) => bytesIn,
  },
  {
    kind: "counter",
    name: "pacsrv_node_sent_bytes_total",
    help: "Bytes that went over connections with nodes.",
    read: ({ bytesOut }) => bytesOut,
  },
];

/** What monitors are told of a directory. */
export const DIRECTORY: MonitoredKind<RunningDirectory> = { families: FAMILIES };
