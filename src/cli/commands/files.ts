/**
 * `pacsrv list`, `status --files`, `files PEER`, `share`, `unshare` and `verify`: the files of this
 * daemon, and those that another node offers.
 */

import { resolve } from "node:path";
import { FetchFailure, notHere } from "../../base/errors.ts";
import type { FileReport, PeerFileReport, ShareReport, VerifyReport } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import { parsePeer } from "../settings/network_settings.ts";
import { escapeText } from "../terminal/terminal.ts";
import { formatItems, SIZE_COLUMN, type TableView } from "../terminal/table.ts";
import { count, shortRanges } from "../terminal/text_format.ts";
import { asking, compare } from "./ask.ts";

const byNameAndPath = (a: FileReport, b: FileReport) =>
  compare(a.name, b.name) || compare(a.path, b.path);

/** Prints the daemon's files by name. */
export const runList = asking({
  verb: "list",
  ask: () => ({}),
  order: byNameAndPath,
  text: fileTable,
  none: () => "The daemon has no files.",
});

/** A line for each place of a file; nothing for none. */
export function fileTable(files: readonly FileReport[], view?: TableView): string {
  return formatItems(files, [
    { title: "NAME", cell: "name", narrow: "cut" },
    SIZE_COLUMN,
    { title: "CHUNKS HERE", cell: chunksHere, narrow: "cut" },
    { title: "KIND", cell: ({ origin, pinned }) => pinned ? `${origin}, pinned` : origin },
    { title: "TRUST", cell: "trust" },
    { title: "ROOT", cell: "root", narrow: "short" },
    { title: "PATH", cell: "path", drop: 1 },
  ], view);
}

function chunksHere({ have, chunks, chunksHave }: FileReport): string {
  if (have === "all") return `all ${chunks}`;
  if (chunksHave === 0) return `none of ${chunks}`;
  return `${chunksHave} of ${chunks}: ${shortRanges(have)}`;
}

/** Prints what each of the daemon's files is trusted by. */
export const runStatusOfFiles = asking({
  verb: "list",
  ask: () => ({}),
  order: byNameAndPath,
  text: fileTrustTable,
  none: () => "The daemon has no files.",
});

/** A line for each place of a file, with what it is trusted by; nothing for none. */
export function fileTrustTable(files: readonly FileReport[], view?: TableView): string {
  return formatItems(files, [
    { title: "TRUST", cell: "trust" },
    SIZE_COLUMN,
    { title: "NAME", cell: "name", narrow: "cut" },
    { title: "PATH", cell: "path", narrow: "cut" },
  ], view);
}

const peerOf = (text: string) => formatAddress(parsePeer(text, "peer"));

/** Prints what another node offers, by name. */
export const runFiles = asking({
  verb: "files",
  ask: ([peer = ""]) => ({ peer: peerOf(peer) }),
  order: (a, b) => compare(a.name, b.name) || compare(a.root, b.root),
  text: peerFileTable,
  none: (peer) => `${peerOf(peer)} offers no files.`,
});

/** A line for each file; nothing for none. */
export function peerFileTable(files: readonly PeerFileReport[], view?: TableView): string {
  return formatItems(files, [
    { title: "NAME", cell: "name", narrow: "cut" },
    SIZE_COLUMN,
    {
      title: "CHUNKS THERE",
      cell: ({ chunks, chunksHave }) =>
        chunksHave === chunks ? `all ${chunks}` : `${chunksHave} of ${chunks}`,
    },
    { title: "ROOT", cell: "root", narrow: "short" },
  ], view);
}

/** Asks the daemon to share paths, made absolute here: the daemon runs in another directory. */
export const runShare = asking({
  verb: "share",
  ask: (paths, args) => ({
    paths: paths.map((path) => resolve(path)),
    ...(args.has("again") ? { again: true } : {}),
  }),
  text: shareLines,
});

/** Asks the daemon to offer something no more. */
export const runUnshare = asking({
  verb: "unshare",
  ask: ([target = ""], args) => ({
    target: unshareTarget(target),
    ...(args.has("all") ? { all: true } : {}),
  }),
  text: shareLines,
});

/** A line for each path: what was done, and the path. */
export function shareLines(reports: readonly ShareReport[]): string {
  return reports.map(({ path, result }) => `${escapeText(result)}: ${escapeText(path)}\n`).join("");
}

/** A name or root as it is; a path, which a slash or dots give away, made absolute. */
export function unshareTarget(text: string): string {
  const isPath = text === "." || text === ".." || text.includes("/") ||
    (Deno.build.os === "windows" && text.includes("\\"));
  return isPath ? resolve(text) : text;
}

/** Has the daemon check its files, and prints how each fared. */
export const runVerify = asking({
  verb: "verify",
  ask: ([target]) => target === undefined ? {} : { target },
  text: verifyTable,
  after: verifyOutcome,
});

/** A line for each file; nothing for none. */
export function verifyTable(reports: readonly VerifyReport[], view?: TableView): string {
  return formatItems(reports, [
    { title: "RESULT", cell: verdict },
    { title: "NAME", cell: "name", narrow: "cut" },
    { title: "ROOT", cell: "root", narrow: "short" },
    { title: "PATH", cell: "path", narrow: "cut" },
  ], view);
}

function verdict({ ok, badChunks }: VerifyReport): string {
  if (ok) return "good";
  // Not one chunk could be read: the file is gone, or shorter.
  return badChunks === 0 ? "unreadable" : count(badChunks, "bad chunk");
}

function verifyOutcome(reports: readonly VerifyReport[], target: string): string | Error {
  const bad = reports.filter((report) => !report.ok).length;
  if (bad > 0) {
    return new FetchFailure("checkFailed", `${bad} of ${count(reports.length, "file")} damaged`, {
      hint:
        "Damaged files are no longer offered. Fetch them again; a shared one that is right as " +
        "it is now: `pacsrv share --again PATH`.",
    });
  }
  if (reports.length === 0 && target !== "") {
    return notHere(target);
  }
  return `${count(reports.length, "file")} checked, all good.`;
}
