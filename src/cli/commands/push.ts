/** `pacsrv push NAME|ROOT [PEER]`. */

import { type ExitName, FetchFailure } from "../../base/errors.ts";
import type { PushReport } from "../../client/types.ts";
import { formatAddress } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { parsePeer } from "../settings/network_settings.ts";
import { escapeText, jsonLine, printLine } from "../terminal/terminal.ts";
import { formatBytes } from "../terminal/text_format.ts";
import { connectTo } from "./ask.ts";

/** Has the daemon send a file to a peer; prints each answer as it comes. */
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
  const sent = bytes > 0 ? `, ${formatBytes(bytes)} sent` : "";
  return escapeText(`${peer}: ${name} ${text}${sent}`);
}

const TEXTS: Readonly<Record<string, string>> = {
  "accepted": "is accepted",
  "have": "is there already",
  "no-room": "is refused: it needs more room than the peer has for it",
  "busy": "is refused: the peer is busy",
  "unwilling": "is refused: the peer takes no files",
  "self": "cannot be sent: that is the daemon's own address",
  "refused": "cannot be sent: no node of this network answers there",
  "unreachable": "cannot be sent: nobody answers there",
  "done": "is there now",
  "failed": "did not get there completely",
};

const HINT = "A node accepts files up to its `pacsrv daemon --accept-uploads BYTES`.";

function notTaken(target: string, reports: readonly PushReport[]): FetchFailure {
  const isRefused = reports.some(({ result }) => result === "unwilling" || result === "no-room");
  return new FetchFailure(
    "failed",
    `Cannot push ${JSON.stringify(target)}: no peer has it whole now`,
    { hint: isRefused ? HINT : undefined },
  );
}
