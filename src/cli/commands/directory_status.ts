/** `pacsrv status --directory`: the state of a directory, asked without a daemon. */

import { type ExitName, UsageError } from "../../base/errors.ts";
import { askDirectoryStatus, type DirectoryStatus } from "../../client/directory_status.ts";
import { parseAddress } from "../address.ts";
import type { Arguments } from "../arguments.ts";
import { printItems } from "../ask.ts";
import { DIRECTORY_PORT, readNetwork } from "../settings/network_settings.ts";
import { escapeText } from "../terminal.ts";
import { count, formatDuration } from "../text_format.ts";

/**
 * Prints the state of the directory at `text`.
 *
 * @throws {UsageError} when that cannot be read, or the daemon's port is given too.
 * @throws {FetchFailure} when the directory does not answer.
 */
export async function runDirectoryStatus(args: Arguments, text: string): Promise<ExitName> {
  if (args.isGiven("client")) {
    throw new UsageError("Cannot use --client with --directory: one of the two is asked", {
      hint: "Ask the daemon and the directory one after the other.",
    });
  }
  const address = parseAddress(text, {
    what: args.origin("directory"),
    defaults: { host: "127.0.0.1", port: DIRECTORY_PORT },
    isDialled: true,
  });
  const status = await askDirectoryStatus({ address, ...await readNetwork(args) });
  await printItems(args, [status], ([status]) => directoryStatusText(status!));
  return "done";
}

/** The state in lines. */
export function directoryStatusText(status: DirectoryStatus): string {
  const { clients, clientsReachable, replicas } = status;
  const facts: [string, string][] = [
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
  ];
  return facts.map(([name, text]) => `${escapeText(`${name.padEnd(9)} ${text}`)}\n`).join("");
}
