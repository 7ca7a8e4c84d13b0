/** `pacsrv status`: the state of the daemon, or, with `--directory`, of a directory. */

import { EnvironmentError, type ExitName } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { noLinkText } from "./network.ts";
import type { DirectoryStatus } from "../../client/directory_status.ts";
import type {
  CopiesReport,
  DirectoryReport,
  FlightReport,
  GivenPeerReport,
  KeepingReport,
  PrefetchReport,
  StaleDatabaseReport,
  StatusReport,
  SyncDatabaseReport,
  TransferReport,
  UploadReport,
} from "../../client/types.ts";
import { type Arguments, refuseMisuse } from "../arguments/arguments.ts";
import { parseDirectory, readNetwork } from "../settings/network_settings.ts";
import { escapeText } from "../terminal/terminal.ts";
import {
  count,
  formatBytes,
  formatDuration,
  formatFacts,
  formatRate,
  percentText,
  ratesText,
  shortRanges,
} from "../terminal/text_format.ts";
import { asking, printItems } from "./ask.ts";

/**
 * Prints the state of the daemon, its files, or the state of the directory that is named.
 *
 * @throws {UsageError} when flags are given that do not go together.
 */
export async function runStatus(args: Arguments): Promise<ExitName> {
  const isDirectory = args.isGiven("directory");
  const isWatched = args.has("watch");
  refuseMisuse([
    [
      isWatched && (isDirectory || args.has("files")),
      "--watch with --directory or --files: it shows the daemon",
    ],
    [
      isDirectory && args.has("files"),
      "--files with --directory",
      "`pacsrv search '*'` asks directories for files.",
    ],
    [
      isDirectory && args.isGiven("client"),
      "--client with --directory: only one of the two is asked",
      "Ask the daemon and the directory one after the other.",
    ],
    [
      !isDirectory && (args.isGiven("network") || args.isGiven("network-key-file")),
      "--network or --network-key-file without --directory",
      "The daemon knows its own network.",
    ],
  ]);
  if (isWatched) {
    const { watch } = await import("./watch.ts");
    return await watch(args, { verb: "status", text: statusText });
  }
  if (isDirectory) return await runDirectoryStatus(args);
  if (!args.has("files")) return await runDaemonStatus(args);
  const { runStatusOfFiles } = await import("./files.ts");
  return await runStatusOfFiles(args);
}

const runDaemonStatus = asking({
  verb: "status",
  ask: () => ({}),
  text: ([status]) => statusText(status!),
  none: () => new EnvironmentError("other", "Cannot read status: the daemon sends none"),
});

/** Asks the directory itself, without a daemon. */
async function runDirectoryStatus(args: Arguments): Promise<ExitName> {
  const address = args.value("directory", parseDirectory);
  const { askDirectoryStatus } = await import("../../client/directory_status.ts");
  const status = await askDirectoryStatus({ address, ...await readNetwork(args) });
  await printItems(args, [status], ([status]) => directoryStatusText(status!));
  return "done";
}

/** Where the facts begin, behind their names. */
const FACT_COLUMN = 10;

/** What came from where, and went there. */
function nearnessText({ bytesInBy, bytesOutBy }: StatusReport["counters"]): string {
  const words = { host: "this machine", subnet: "its subnets", site: "its site", far: "elsewhere" };
  return Object.entries(words).map(([nearness, words]) => {
    const key = nearness as keyof typeof bytesInBy;
    return `${words} ${formatBytes(bytesInBy[key])} in, ${formatBytes(bytesOutBy[key])} out`;
  }).join("; ");
}

/** The state of a daemon in lines. */
export function statusText(status: StatusReport): string {
  const { files, counters, savings, copies } = status;
  const keyed = status.keyed ? "with a key" : "open";
  const facts: (readonly [string, string])[] = [
    ["pacsrv", `${status.version}, up ${formatDuration(status.uptimeMs)}`],
    ["node", `${status.node}  id ${status.nodeId}`],
    ...reachFacts(status),
    ["client", status.client],
    ["data", status.dataDir],
    [
      "network",
      `${status.network} (${keyed}), ${count(status.links, "link")}` +
      (status.site === null ? "" : `, site ${status.site}`) +
      (status.banned > 0 ? `, ${status.banned} banned` : ""),
    ],
    [
      "files",
      `${files.shared} shared, ${files.downloaded} downloaded, ${files.partial} partial: ` +
      `${formatBytes(files.bytes)}${files.hashing > 0 ? `; ${files.hashing} to be hashed` : ""}`,
    ],
    ...keepingFacts(status.keeping),
    ["trust", trustText(status.trust)],
    [
      "queries",
      `${counters.queriesSeen} seen, ${counters.queriesForwarded} forwarded, ` +
      `${counters.queriesDropped} dropped as duplicates, ${counters.queriesAnswered} answered`,
    ],
    ["messages", `${counters.messagesSent} sent`],
    [
      "bytes",
      `${formatBytes(counters.bytesIn)} in, ${formatBytes(counters.bytesOut)} out; over all ` +
      `runs ${formatBytes(counters.totalBytesIn)} in, ${formatBytes(counters.totalBytesOut)} out`,
    ],
    ["nearness", nearnessText(counters)],
    [
      "served",
      `${count(counters.filesServed, "file")}; over all runs ` +
      count(counters.totalFilesServed, "file"),
    ],
    ...relayedFact(counters),
    ["strikes", `${counters.strikes}; over all runs ${counters.totalStrikes}`],
    [
      "fetched",
      `${count(savings.files, "file")} over all runs: ${formatBytes(savings.bytesPeers)} from ` +
      `nodes, ${formatBytes(savings.bytesMirror)} from mirrors, ` +
      `${formatBytes(savings.bytesLocal)} here before`,
    ],
    ["saved", `${formatBytes(savings.bytesSaved)} that no mirror had to send`],
    ["copies", `${copiesText(copies.sinceStart)}; over all runs ${copiesText(copies.allRuns)}`],
  ];
  // A daemon of an older version does not tell.
  if (status.rates !== undefined) facts.push(...ratesFact(status.rates));
  if (status.gateway !== null) facts.push(["gateway", status.gateway]);
  // A daemon of an older version does not tell.
  if (status.prefetch?.isOn) facts.push(["prefetch", prefetchText(status.prefetch)]);
  const lines = [
    ...section("withheld", withheldLines(status)),
    ...section("databases", status.syncDatabases.map(databaseLine)),
    // A daemon of an older version does not tell.
    ...section("stale databases", (status.staleDatabases ?? []).map(staleLine)),
    ...section("peers", status.peers.map(givenPeerLine)),
    ...section("lan", lanLines(status)),
    ...section("directories", status.directories.map(directoryLine)),
    ...section("fetches", status.transfers.flatMap(transferLines)),
    ...section("in flight", status.flights.flatMap(flightLines)),
    ...section("uploads", status.uploads.map(uploadLine)),
  ];
  return formatFacts(facts, FACT_COLUMN) + lines.map((line) => `${escapeText(line)}\n`).join("");
}

/** Whom it hears on the LAN, and where it cannot look. */
function lanLines({ lan }: StatusReport): string[] {
  // A daemon of an older version does not tell.
  if (!lan) return [];
  const others = lan.strangers === 0 ? "" : `, ${lan.strangers} of other networks`;
  return [
    `${count(lan.nodes, "node")} of this network${others}`,
    ...lan.segments.flatMap(({ segment, problem }) =>
      problem === null ? [] : [`not on ${segment}: ${problem}`]
    ),
  ];
}

/** What is kept of the downloads, where there is anything to say of it. */
function keepingFacts(keeping: KeepingReport | undefined): [string, string][] {
  // A daemon of an older version does not tell.
  if (keeping === undefined) return [];
  const { bytes, keepBytes, minFreeBytes, freeBytes, versions, pinned, refused, stuckFiles } =
    keeping;
  const { cleanedFiles, cleanedBytes, totalCleanedFiles, totalCleanedBytes } = keeping;
  const free = freeBytes === null ? "an unknown amount" : formatBytes(freeBytes);
  const facts = [
    ...(keepBytes === null ? [] : [`${formatBytes(bytes)} of ${formatBytes(keepBytes)}`]),
    ...(minFreeBytes === null
      ? []
      : [`${free} free on the disk, of which ${formatBytes(minFreeBytes)} shall stay so`]),
    ...(versions === null ? [] : [count(versions, "version") + " of a package"]),
    ...(pinned === 0 ? [] : [`${pinned} pinned`]),
    ...(stuckFiles ? [`${count(stuckFiles, "file")} cannot be removed`] : []),
    ...(refused === 0 ? [] : [`no room ${count(refused, "time")}`]),
  ];
  const cleaned = `${count(cleanedFiles, "file")}, ${formatBytes(cleanedBytes)}; over all runs ` +
    `${count(totalCleanedFiles, "file")}, ${formatBytes(totalCleanedBytes)}`;
  return [
    ...(facts.length === 0 ? [] : [["kept", facts.join("; ")] as [string, string]]),
    ...(totalCleanedFiles === 0 ? [] : [["cleaned", cleaned] as [string, string]]),
  ];
}

function prefetchText({ packages, fetching, bytesSaved, bytesWasted }: PrefetchReport): string {
  const now = fetching === null ? "" : `; fetching ${fetching}`;
  return `${count(packages, "package")} in use: ${
    formatBytes(bytesSaved)
  } were there when they were ` +
    `wanted, ${formatBytes(bytesWasted)} nobody wanted${now}`;
}

/** That nobody connects to it, and that another node has its id, where that is so. */
function reachFacts(
  { acceptsConnections, clone }: StatusReport,
): (readonly [string, string])[] {
  return [
    ...acceptsConnections === false
      ? [
        [
          "reach",
          "--no-callback: others are told that they cannot connect; a node with --relay-files helps",
        ] as const,
      ]
      : [],
    // A daemon of an older version does not tell.
    ...clone
      ? [
        [
          "clone",
          `another node, met at ${clone.host} ${
            formatDuration(clone.agoMs)
          } ago, has the id of this ` +
          "one: stop one of the two, remove node.id from its data directory, and start it again",
        ] as const,
      ]
      : [],
  ];
}

/** The limits that hold, if there are any. */
function ratesFact(rates: StatusReport["rates"]): (readonly [string, string])[] {
  const text = ratesText(rates);
  return text === undefined ? [] : [["rates", text]];
}

/** What it did for linked nodes that cannot connect to those that have a file; nothing for nothing. */
function relayedFact(
  { filesRelayed, relaysRefused }: StatusReport["counters"],
): (readonly [string, string])[] {
  if (filesRelayed + relaysRefused === 0) return [];
  const refused = relaysRefused === 0 ? "" : `; ${count(relaysRefused, "request")} refused`;
  return [["relayed", `${count(filesRelayed, "file")} for linked nodes${refused}`]];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
}

/** How many complete files are trusted by what, where there are any. */
function trustText(trust: StatusReport["trust"]): string {
  const counts = Object.entries(trust).filter(([, files]) => files > 0)
    .map(([by, files]) => `${files} ${by}`);
  return counts.length === 0 ? "no files" : counts.join(", ");
}

function withheldLines({ withheld, trust }: StatusReport): string[] {
  if (withheld.length === 0) return [];
  const more = trust.damaged - withheld.length;
  return [
    ...withheld.map(({ path }) => `${path}  changed though its time did not`),
    ...(more > 0 ? [`and ${more} more`] : []),
    "offer one as it is: pacsrv share --again PATH",
  ];
}

function databaseLine(one: SyncDatabaseReport): string {
  const { repository, path, packages, writtenAt, problem } = one;
  const written = writtenAt === null ? "" : `, written ${writtenAt}`;
  const trouble = problem === null ? "" : `; ${problem}`;
  return `${repository}  ${count(packages, "package")}${written}, ${path}${trouble}`;
}

function staleLine({ path, ageMs, sinceMs }: StaleDatabaseReport): string {
  return `${path}  no mirror has vouched for it for ${
    formatDuration(ageMs)
  }; given all the same for ` +
    formatDuration(sinceMs);
}

function directoryLine(one: DirectoryReport): string {
  return `${one.directory}  ${directoryState(one)}`;
}

/** How the daemon gets on with a directory, in words. */
export function directoryState(one: DirectoryReport): string {
  const { sameAs, answers, reach, denied, filesListed, answeredMs } = one;
  if (sameAs !== null) return `is the directory at ${sameAs}, which is used`;
  const trouble = one.problem === null ? "" : `: ${one.problem.text}`;
  if (answeredMs === null) return `does not answer, and never did${trouble}`;
  const age = `last answer ${formatDuration(answeredMs)} ago`;
  if (!answers) return `does not answer, ${age}${trouble}`;
  const reached = reach === null ? "" : `${REACHES[reach] ?? reach}, `;
  const refused = denied === null ? "" : `refused: ${denied}, `;
  const isFull = filesListed >= limits.listingsPerClientMax;
  const listed = `${count(filesListed, "file")} listed${isFull ? ", the most that may be" : ""}`;
  return `answers, ${refused}${reached}${listed}, ${age}`;
}

function givenPeerLine({ peer, state, problem, nodeId }: GivenPeerReport): string {
  if (state === "linked") return `${peer}  linked with ${nodeId}`;
  return `${peer}  ${problem === null ? "is being dialled" : noLinkText(problem)}`;
}

/** How a directory reaches this node, in words. */
const REACHES: Readonly<Record<string, string>> = {
  reachable: "reaches this node",
  checking: "checks whether it reaches this node",
  unreachable: "cannot reach this node",
};

/** `0.25 from mirrors, 1 MB of 4 MB`: mirrors gave so many copies of what came. */
function copiesText({ bytesMirrors, bytesUnique, copies }: CopiesReport): string {
  if (copies === null) return "none";
  const bytes = `${formatBytes(bytesMirrors)} for ${formatBytes(bytesUnique)}`;
  return `${copies.toFixed(2)} from mirrors, ${bytes}`;
}

function flightLines(flight: FlightReport): string[] {
  const { name, sizeBytes, chunks, chunksHave, have, reads, chunksMirror, fellows } = flight;
  return [
    `${name}  ${percentText(chunksHave, chunks)} of ${formatBytes(sizeBytes)}, with ` +
    count(fellows.length, "other node"),
    `  chunks here: ${shortRanges(have)}; ${chunksMirror} of them from the mirror`,
    ...(reads === null ? [] : [`  reads from the mirror for all: chunks ${reads}`]),
    ...fellows.map(({ peer, chunksHave, chunksGiven }) =>
      `  with ${peer}: it has ${percentText(chunksHave, chunks)}, gave ${
        count(chunksGiven, "chunk")
      }`
    ),
  ];
}

function transferLines(transfer: TransferReport): string[] {
  const { sizeBytes, bytesDone, sources } = transfer;
  return [
    `${transfer.name}  ${percentText(bytesDone, sizeBytes)}, ${formatBytes(bytesDone)} of ${
      formatBytes(sizeBytes)
    } at ` +
    `${formatRate(transfer.bytesPerSecond)} from ${count(sources.length, "source")}`,
    `  root ${transfer.root}`,
    `  chunks here: ${shortRanges(transfer.have)}`,
    ...sources.map((source) => {
      const marks = [
        ...(source.snubbed ? ["stalls"] : []),
        ...(source.strikes > 0 ? [count(source.strikes, "strike")] : []),
      ];
      return `  from ${source.peer}: ${formatBytes(source.bytes)} at ` +
        `${formatRate(source.bytesPerSecond)}${marks.length > 0 ? `, ${marks.join(", ")}` : ""}`;
    }),
  ];
}

function uploadLine(upload: UploadReport): string {
  return `${upload.name}  ${formatBytes(upload.bytes)} to ${upload.peer}`;
}

/** The state of a directory in lines. */
export function directoryStatusText(status: DirectoryStatus): string {
  const { clients, clientsReachable, replicas } = status;
  return formatFacts([
    ["directory", `${status.directory}, up ${formatDuration(status.uptimeMs)}`],
    ["instance", status.instance],
    ["clients", `${clients}, ${clientsReachable} of them reachable`],
    [
      "files",
      `${status.filesListed} listed: ${count(status.roots, "root")} under ` +
      count(status.names, "name"),
    ],
    ["asked", `${count(status.queries, "question")}, ${count(status.batches, "batch", "batches")}`],
    ["denied", String(status.denied)],
    [
      "replicas",
      replicas === 0
        ? "no balancing"
        : `up to ${replicas}; ${count(status.uploadsAccepted, "copy", "copies")} begun`,
    ],
    ["refresh", `every ${formatDuration(status.refreshMs)}`],
  ], FACT_COLUMN);
}
