/** `pacsrv search GLOB`. */

import { type ExitName, FetchFailure } from "../../base/errors.ts";
import type { SearchReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { compare } from "./list.ts";
import { formatBytes, formatTable } from "../text_format.ts";

/** Prints each file that matches once, by name, and of one name the most widely had first. */
export async function runSearch(args: Arguments): Promise<ExitName> {
  const glob = args.positionals[0]!;
  const found = await askDaemon(args, "search", { glob });
  found.sort((a, b) =>
    compare(a.name, b.name) || b.peersWhole - a.peersWhole || compare(a.root, b.root)
  );
  if (found.length === 0) {
    throw new FetchFailure("notFound", `Nobody has a file that matches ${JSON.stringify(glob)}`);
  }
  await printItems(args, found, searchTable);
  return "done";
}

/** A line for each file. */
export function searchTable(found: readonly SearchReport[]): string {
  return formatTable(
    [
      { title: "NAME" },
      { title: "SIZE", align: "right" },
      { title: "WHOLE", align: "right" },
      { title: "PART", align: "right" },
      { title: "FROM" },
      { title: "ROOT" },
    ],
    found.map((file) => [
      file.name,
      formatBytes(file.sizeBytes),
      String(file.peersWhole),
      String(file.peersPart),
      file.from.join(","),
      file.root,
    ]),
  );
}
