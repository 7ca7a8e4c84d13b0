/** `pacsrv list`. */

import type { ExitName } from "../../base/errors.ts";
import type { FileReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { note } from "../terminal.ts";
import { formatBytes, formatTable, shortRanges } from "../text_format.ts";

/** Prints the daemon's files by name. */
export async function runList(args: Arguments): Promise<ExitName> {
  const files = await askDaemon(args, "list", {});
  files.sort((a, b) => compare(a.name, b.name) || compare(a.path, b.path));
  await printItems(args, files, fileTable);
  if (files.length === 0 && !args.has("json")) note("The daemon has no files.");
  return "done";
}

/** A line for each place of a file; nothing for none. */
export function fileTable(files: readonly FileReport[]): string {
  if (files.length === 0) return "";
  return formatTable(
    [
      { title: "NAME" },
      { title: "SIZE", align: "right" },
      { title: "CHUNKS HERE" },
      { title: "KIND" },
      { title: "TRUST" },
      { title: "ROOT" },
      { title: "PATH" },
    ],
    files.map((file) => [
      file.name,
      formatBytes(file.sizeBytes),
      chunksHere(file),
      file.origin,
      file.trust,
      file.root,
      file.path,
    ]),
  );
}

function chunksHere({ have, chunks, chunksHave }: FileReport): string {
  if (have === "all") return `all ${chunks}`;
  return `${chunksHave} of ${chunks}: ${shortRanges(have)}`;
}

/** By code point: the same order on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
