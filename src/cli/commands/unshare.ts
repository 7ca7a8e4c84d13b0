/** `pacsrv unshare NAME|ROOT|PATH`. */

import { resolve } from "node:path";
import type { ExitName } from "../../base/errors.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { shareLines } from "./share.ts";

/** Asks the daemon to offer something no more. */
export async function runUnshare(args: Arguments): Promise<ExitName> {
  const target = unshareTarget(args.positionals[0]!);
  await printItems(args, await askDaemon(args, "unshare", { target }), shareLines);
  return "done";
}

/** A name or root as it is; a path, which a slash or dots give away, made absolute. */
export function unshareTarget(text: string): string {
  const isPath = text === "." || text === ".." || text.includes("/") ||
    (Deno.build.os === "windows" && text.includes("\\"));
  return isPath ? resolve(text) : text;
}
