/** `pacsrv where NAME|ROOT`. */

import type { ExitName } from "../../base/errors.ts";
import type { HolderReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, nobodyHas, printItems } from "../ask.ts";
import { formatTable } from "../text_format.ts";

/** Prints the nodes that hold a file or a part of it, of each file the least loaded first. */
export async function runWhere(args: Arguments): Promise<ExitName> {
  const target = args.positionals[0]!;
  const holders = await askDaemon(args, "where", { target });
  if (holders.length === 0) throw nobodyHas(target);
  await printItems(args, holders, holderTable);
  return "done";
}

/** A line for each holder of each file. */
export function holderTable(holders: readonly HolderReport[]): string {
  return formatTable(
    [
      { title: "PEER" },
      { title: "LOAD", align: "right" },
      { title: "SHARE", align: "right" },
      { title: "CHUNKS" },
      { title: "FROM" },
      { title: "NODE" },
      { title: "ROOT" },
    ],
    holders.map((holder) => [
      peerOf(holder),
      holder.loadPermille === null ? "-" : `${Math.round(holder.loadPermille / 10)}%`,
      shareOf(holder),
      `${holder.chunksHave} of ${holder.chunks}`,
      holder.from.join(","),
      holder.nodeId,
      holder.root,
    ]),
  );
}

function peerOf({ peer, from }: HolderReport): string {
  if (from.includes("here")) return "this node";
  return peer === "" ? "not reachable" : peer;
}

/** Rounded down: 100% is the whole file. */
function shareOf({ chunks, chunksHave }: HolderReport): string {
  return `${chunks === 0 ? 100 : Math.floor(chunksHave / chunks * 100)}%`;
}
