/** `pacsrv log [LEVEL]`: shows or changes what the daemon logs. */

import { EnvironmentError, type ExitName } from "../../base/errors.ts";
import { LOG_LEVELS } from "../../base/log.ts";
import type { LogReport } from "../../client/types.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { choiceOf } from "../arguments/values.ts";
import { escapeText } from "../terminal/terminal.ts";
import { connectTo, printItems } from "./ask.ts";

/** Prints the level that holds now, and the one before where it was changed. */
export async function runLog(args: Arguments): Promise<ExitName> {
  const [text] = args.positionals;
  const level = text === undefined ? undefined : choiceOf(LOG_LEVELS)(text, "level");
  await using client = await connectTo(args);
  const reports: LogReport[] = [];
  if (level !== undefined) {
    for await (const one of client.ask("log", { level })) {
      reports.push(one);
    }
  } // Whoever may not change it may see it.
  else {for await (const { logLevel } of client.ask("status", {})) {
      reports.push({ level: logLevel, before: null });
    }}
  if (reports.length === 0) throw new EnvironmentError("other", "Cannot read the log level");
  await printItems(args, reports, ([report]) => levelLine(report!));
  return "done";
}

function levelLine({ level, before }: LogReport): string {
  const was = before === null ? "" : `; it was ${before}`;
  return `log level ${escapeText(level + was)}\n`;
}
