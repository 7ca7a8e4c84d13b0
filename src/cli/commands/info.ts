/** `pacsrv info NAME|ROOT`. */

import type { ExitName } from "../../base/errors.ts";
import type { InfoReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, nobodyHas, printItems } from "../ask.ts";
import { escapeText, note } from "../terminal.ts";
import { count, formatBytes } from "../text_format.ts";

/** Prints what is known of each file that goes by the name, or of the one that has the root. */
export async function runInfo(args: Arguments): Promise<ExitName> {
  const target = args.positionals[0]!;
  const reports = await askDaemon(args, "info", { target });
  if (reports.length === 0) throw nobodyHas(target);
  await printItems(args, reports, infoText);
  if (!args.has("json")) warnOfMany(reports);
  return "done";
}

/** Several files: the note that says so, since a name alone does not tell them apart. */
function warnOfMany(reports: readonly InfoReport[]): void {
  const roots = new Set(reports.map(({ root }) => root)).size;
  if (roots < 2) return;
  const name = JSON.stringify(reports[0]!.name);
  note(`${roots} different files go by the name ${name}: a root says which one is meant.`);
}

/** A block of lines for each file, most held first. */
export function infoText(reports: readonly InfoReport[]): string {
  return filesOf(reports).map((file) => blockOf(file).map((line) => `${line}\n`).join(""))
    .join("\n");
}

/** The reports of each root and size: one for each name that the file has. */
function filesOf(reports: readonly InfoReport[]): (readonly InfoReport[])[] {
  return [...Map.groupBy(reports, ({ root, sizeBytes }) => `${root}:${sizeBytes}`).values()];
}

function blockOf(names: readonly InfoReport[]): string[] {
  const [{ root, sizeBytes, type, sha256, peersWhole, peersPart }] = names as [InfoReport];
  const from = new Set(names.flatMap((report) => report.from));
  const facts: [string, string][] = [
    ...names.map(({ name }): [string, string] => ["name", name]),
    ["size", `${formatBytes(sizeBytes)} (${count(sizeBytes, "byte")})`],
    ["type", type === "" ? "-" : type],
    ["root", root],
    ["sha256", sha256 ?? "not known"],
    ["held by", `${count(peersWhole, "node")} whole, ${peersPart} in part`],
    ["from", [...from].join(", ")],
  ];
  return facts.map(([title, text]) => escapeText(`${title.padEnd(7)}  ${text}`));
}
