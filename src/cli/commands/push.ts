/** `pacsrv push NAME|ROOT [PEER]`. */

import { type ExitName, FetchFailure } from "../../base/errors.ts";
import type { PushReport } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { parsePeer } from "../settings/network_settings.ts";
import { escapeText, jsonLine, printLine } from "../terminal/terminal.ts";
import { formatBytes } from "../terminal/text_format.ts";
import { connectTo } from "./ask.ts";

/** Has the daemon give a file to a peer; prints what came of it as it comes. */
export async function runPush(args: Arguments): Promise<ExitName> {
  const [target = "", peer] = args.positionals;
  const to = peer === undefined ? {} : { peer: formatAddress(parsePeer(peer, "peer")) };
  await using client = await connectTo(args);
  const reports: PushReport[] = [];
  for await (const report of client.ask("push", { target, ...to })) {
    reports.push(report);
    await printLine(args.has("json") ? jsonLine(report) : pushLine(report));
  }
  if (!isPushed(reports)) throw notTaken(target, reports);
  return "done";
}

/** Whether each file, of several that go by one name, is whole at some peer now. */
export function isPushed(reports: readonly PushReport[]): boolean {
  const rootsOf = (some: readonly PushReport[]) => new Set(some.map(({ root }) => root));
  const there = rootsOf(reports.filter(({ result }) => result === "done" || result === "have"));
  return there.size > 0 && there.size === rootsOf(reports).size;
}

/** What a peer answered, or how it ended, in one line. */
export function pushLine({ peer, name, result, bytes }: PushReport): string {
  const text = TEXTS[result] ?? result;
  const given = bytes > 0 ? `, ${formatBytes(bytes)} given` : "";
  return escapeText(`${peer}: ${name} ${text}${given}`);
}

const TEXTS: Readonly<Record<string, string>> = {
  "accepted": "is accepted",
  "have": "is there already",
  "no-room": "is refused: it would take more room than the peer gives",
  "busy": "is refused: the peer is busy",
  "unwilling": "is refused: the peer takes no files",
  "self": "cannot be given: it is the daemon's own address",
  "refused": "cannot be given: no node of this network takes it there",
  "unreachable": "cannot be given: nobody answers there",
  "done": "is there now",
  "failed": "did not get there whole",
};

function notTaken(target: string, reports: readonly PushReport[]): FetchFailure {
  const isRefused = reports.some(({ result }) => result === "unwilling" || result === "no-room");
  return new FetchFailure(
    "failed",
    `Cannot push ${JSON.stringify(target)}: no peer has it whole now`,
    isRefused
      ? { hint: "A node takes files up to what its `pacsrv daemon --accept-uploads BYTES` says." }
      : {},
  );
}
