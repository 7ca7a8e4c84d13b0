/** `pacsrv status`. */

import { EnvironmentError, type ExitName, UsageError } from "../../base/errors.ts";
import type {
  DirectoryReport,
  FileReport,
  StatusReport,
  SyncDatabaseReport,
  TransferReport,
  UploadReport,
} from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { compare } from "./list.ts";
import { escapeText, note } from "../terminal.ts";
import {
  count,
  formatBytes,
  formatDuration,
  formatRate,
  formatTable,
  shortRanges,
} from "../text_format.ts";

/** Prints the state of the daemon, or of the directory that is named. */
export async function runStatus(args: Arguments): Promise<ExitName> {
  const directory = args.text("directory");
  if (directory !== undefined) {
    if (args.has("files")) {
      throw new UsageError("Cannot use --files with --directory", {
        hint: "`pacsrv search '*'` asks directories for files.",
      });
    }
    return await (await import("./directory_status.ts")).runDirectoryStatus(args, directory);
  }
  if (args.isGiven("network") || args.isGiven("network-key-file")) {
    throw new UsageError("Cannot use --network or --network-key-file without --directory", {
      hint: "The daemon knows its network by itself.",
    });
  }
  if (args.has("files")) return await runStatusOfFiles(args);
  const reports = await askDaemon(args, "status", {});
  if (reports.length !== 1) {
    throw new EnvironmentError("other", `Cannot read status: ${reports.length} reports came`);
  }
  await printItems(args, reports, ([report]) => statusText(report!));
  return "done";
}

async function runStatusOfFiles(args: Arguments): Promise<ExitName> {
  const files = await askDaemon(args, "list", {});
  files.sort((a, b) => compare(a.name, b.name) || compare(a.path, b.path));
  await printItems(args, files, fileTrustTable);
  if (files.length === 0 && !args.has("json")) note("The daemon has no files.");
  return "done";
}

/** A line for each place of a file, with what it is trusted by; nothing for none. */
export function fileTrustTable(files: readonly FileReport[]): string {
  if (files.length === 0) return "";
  return formatTable(
    [{ title: "TRUST" }, { title: "SIZE", align: "right" }, { title: "NAME" }, { title: "PATH" }],
    files.map(({ trust, sizeBytes, name, path }) => [trust, formatBytes(sizeBytes), name, path]),
  );
}

/** The state in lines. */
export function statusText(status: StatusReport): string {
  const { files, counters, savings } = status;
  const keyed = status.keyed ? "with a key" : "open";
  const facts: [string, string][] = [
    ["pacsrv", `${status.version}, up ${formatDuration(status.uptimeMs)}`],
    ["node", `${status.node}  id ${status.nodeId}`],
    ["client", status.client],
    ["data", status.dataDir],
    [
      "network",
      `${status.network} (${keyed}), ${count(status.links, "link")}` +
      (status.banned > 0 ? `, ${status.banned} banned` : ""),
    ],
    [
      "files",
      `${files.shared} shared, ${files.downloaded} downloaded, ${files.partial} partial: ` +
      `${formatBytes(files.bytes)}${files.hashing > 0 ? `; ${files.hashing} to be hashed` : ""}`,
    ],
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
    [
      "served",
      `${count(counters.filesServed, "file")}; over all runs ` +
      count(counters.totalFilesServed, "file"),
    ],
    ["strikes", `${counters.strikes}; over all runs ${counters.totalStrikes}`],
    [
      "fetched",
      `${count(savings.files, "file")} over all runs: ${formatBytes(savings.bytesPeers)} from ` +
      `nodes, ${formatBytes(savings.bytesMirror)} from mirrors, ` +
      `${formatBytes(savings.bytesLocal)} here before`,
    ],
    ["saved", `${formatBytes(savings.bytesSaved)} that no mirror had to give`],
    ...(status.gateway === null ? [] : [["gateway", status.gateway] as [string, string]]),
  ];
  const lines = [
    ...facts.map(([name, text]) => `${name.padEnd(9)} ${text}`),
    ...section("databases", status.syncDatabases.map(databaseLine)),
    ...section("directories", status.directories.map(directoryLine)),
    ...section("fetches", status.transfers.flatMap(transferLines)),
    ...section("uploads", status.uploads.map(uploadLine)),
  ];
  return lines.map((line) => `${escapeText(line)}\n`).join("");
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

function databaseLine(one: SyncDatabaseReport): string {
  const { repository, path, packages, writtenAt, problem } = one;
  const written = writtenAt === null ? "" : `, written ${writtenAt}`;
  const trouble = problem === null ? "" : `; ${problem}`;
  return `${repository}  ${count(packages, "package")}${written}, ${path}${trouble}`;
}

function directoryLine(one: DirectoryReport): string {
  const { directory, sameAs, answers, reach, denied, filesListed, answeredMs } = one;
  if (sameAs !== null) return `${directory}  is the directory at ${sameAs}, which is used`;
  if (answeredMs === null) return `${directory}  does not answer, and never did`;
  const age = `last answer ${formatDuration(answeredMs)} ago`;
  if (!answers) return `${directory}  does not answer, ${age}`;
  const reached = reach === null ? "" : `${REACHES[reach] ?? reach}, `;
  const refused = denied === null ? "" : `refused: ${denied}, `;
  return `${directory}  answers, ${refused}${reached}${count(filesListed, "file")} listed, ${age}`;
}

/** How a directory reaches this node, in words. */
const REACHES: Readonly<Record<string, string>> = {
  reachable: "reaches this node",
  checking: "checks whether it reaches this node",
  unreachable: "cannot reach this node",
};

function transferLines(transfer: TransferReport): string[] {
  const { sizeBytes, bytesDone, sources } = transfer;
  const percent = sizeBytes === 0 ? 100 : Math.floor(bytesDone / sizeBytes * 100);
  return [
    `${transfer.name}  ${percent}%, ${formatBytes(bytesDone)} of ${formatBytes(sizeBytes)} at ` +
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
