/** `pacsrv verify [NAME|ROOT]`. */

import { type ExitName, FetchFailure } from "../../base/errors.ts";
import type { VerifyReport } from "../../client/types.ts";
import type { Arguments } from "../arguments.ts";
import { askDaemon, printItems } from "../ask.ts";
import { note } from "../terminal.ts";
import { count, formatTable } from "../text_format.ts";

/** Has the daemon check its files, and prints how each fared. */
export async function runVerify(args: Arguments): Promise<ExitName> {
  const target = args.positionals[0];
  const reports = await askDaemon(args, "verify", target === undefined ? {} : { target });
  await printItems(args, reports, verifyTable);
  const bad = reports.filter((report) => !report.ok).length;
  if (bad > 0) {
    throw new FetchFailure("checkFailed", `${bad} of ${count(reports.length, "file")} damaged`, {
      hint: "What is damaged is offered no more; fetch it again.",
    });
  }
  if (reports.length === 0 && target !== undefined) {
    throw new FetchFailure("notFound", `The daemon has no file ${JSON.stringify(target)}`);
  }
  if (!args.has("json")) note(`${count(reports.length, "file")} checked, all good.`);
  return "done";
}

/** A line for each file; nothing for none. */
export function verifyTable(reports: readonly VerifyReport[]): string {
  if (reports.length === 0) return "";
  return formatTable(
    [{ title: "RESULT" }, { title: "NAME" }, { title: "ROOT" }, { title: "PATH" }],
    reports.map((report) => [
      verdict(report),
      report.name,
      report.root,
      report.path,
    ]),
  );
}

function verdict({ ok, badChunks }: VerifyReport): string {
  if (ok) return "good";
  // Not one chunk could be read: the file is gone, or shorter.
  return badChunks === 0 ? "unreadable" : count(badChunks, "bad chunk");
}
