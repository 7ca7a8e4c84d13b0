/** `pacsrv files PEER`. */

import type { ExitName } from "../../base/errors.ts";
import type { PeerFileReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { compare } from "./list.ts";
import { readPeerArgument } from "../settings/network_settings.ts";
import { note } from "../terminal.ts";
import { formatBytes, formatTable } from "../text_format.ts";

/** Prints what another node offers, by name. */
export async function runFiles(args: Arguments): Promise<ExitName> {
  const peer = readPeerArgument(args.positionals[0]!);
  const files = await askDaemon(args, "files", { peer });
  files.sort((a, b) => compare(a.name, b.name) || compare(a.root, b.root));
  await printItems(args, files, peerFileTable);
  if (files.length === 0 && !args.has("json")) note(`${peer} offers no files.`);
  return "done";
}

/** A line for each file; nothing for none. */
export function peerFileTable(files: readonly PeerFileReport[]): string {
  if (files.length === 0) return "";
  return formatTable(
    [
      { title: "NAME" },
      { title: "SIZE", align: "right" },
      { title: "CHUNKS THERE" },
      { title: "ROOT" },
    ],
    files.map((file) => [
      file.name,
      formatBytes(file.sizeBytes),
      file.chunksHave === file.chunks
        ? `all ${file.chunks}`
        : `${file.chunksHave} of ${file.chunks}`,
      file.root,
    ]),
  );
}
