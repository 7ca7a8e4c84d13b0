/** `pacsrv share PATH...`. */

import { resolve } from "node:path";
import type { ExitName } from "../../base/errors.ts";
import type { ShareReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { escapeText } from "../terminal.ts";

/** Asks the daemon to share paths, made absolute here: the daemon runs in another directory. */
export async function runShare(args: Arguments): Promise<ExitName> {
  const paths = args.positionals.map((path) => resolve(path));
  await printItems(args, await askDaemon(args, "share", { paths }), shareLines);
  return "done";
}

/** A line for each path: what was done, and the path. */
export function shareLines(reports: readonly ShareReport[]): string {
  return reports.map(({ path, result }) => `${escapeText(result)}: ${escapeText(path)}\n`).join("");
}
