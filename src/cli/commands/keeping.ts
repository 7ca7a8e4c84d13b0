/** `pacsrv pin`, `unpin` and `clean`: what of the downloads is kept, and what goes. */

import { EnvironmentError } from "../../base/errors.ts";
import type { DaemonClient } from "../../client/daemon_client.ts";
import type { CleanReport, KeepingReport, PinReport } from "../../client/types.ts";
import { escapeText } from "../terminal/terminal.ts";
import { formatItems, type TableView } from "../terminal/table.ts";
import { count, formatBytes } from "../terminal/text_format.ts";
import { asking } from "./ask.ts";

/** Has the daemon keep a download. */
export const runPin = asking({
  verb: "pin",
  ask: ([target = ""]) => ({ target }),
  text: pinLines,
});

/** Lets the daemon remove it again. */
export const runUnpin = asking({
  verb: "unpin",
  ask: ([target = ""]) => ({ target }),
  text: pinLines,
});

/** A line for each file: what holds now, its name and its root. */
function pinLines(reports: readonly PinReport[]): string {
  return reports.map(({ name, root, result }) => `${result}: ${escapeText(name)}, root ${root}\n`)
    .join("");
}

/** Has the daemon clean, and prints what went, or would go. */
export const runClean = asking({
  verb: "clean",
  ask: (_positionals, args) => args.has("dry-run") ? { dryRun: true } : {},
  text: cleanTable,
  none: async (_target, client) => {
    const keeping = await askKeeping(client);
    return stuckError(keeping) ?? "Nothing is to go: the downloads are within what is kept.";
  },
  after: async (reports, _target, args, client) => {
    const bytes = formatBytes(reports.reduce((sum, { bytes }) => sum + bytes, 0));
    const files = count(reports.length, "file");
    if (args.has("dry-run")) return `${files} would go, ${bytes}.`;
    return stuckError(await askKeeping(client)) ?? `Removed ${files}, ${bytes}.`;
  },
});

async function askKeeping(client: DaemonClient): Promise<KeepingReport | undefined> {
  const [status] = await Array.fromAsync(client.ask("status", {}));
  return status?.keeping;
}

/** That some were to go and are still there; undefined where there are none. */
function stuckError(keeping: KeepingReport | undefined): EnvironmentError | undefined {
  // A daemon of an older version does not tell.
  if (!keeping?.stuckFiles) return undefined;
  const { stuckFiles, stuckBytes, stuckWhy } = keeping;
  return new EnvironmentError(
    "other",
    `Cannot clean: the disk does not let ${count(stuckFiles, "file")} go, ` +
      `${formatBytes(stuckBytes)}: ${stuckWhy}`,
    { hint: "They stay, and are offered as before. Make the disk writable, and clean again." },
  );
}

const REASONS: Readonly<Record<CleanReport["why"], (report: CleanReport) => string>> = {
  "old-version": () => "newer versions are here",
  "old-part": () => "a part that nobody went on with",
  "held-by-others": ({ others, root }) =>
    root === null
      ? "a part, which its mirror has"
      : `used longest ago of what others have (${count(others, "node")})`,
  "least-used": () => "used longest ago of what nobody else is known to have",
};

/** A line for each file; nothing for none. */
function cleanTable(reports: readonly CleanReport[], view?: TableView): string {
  return formatItems(reports, [
    { title: "NAME", cell: "name", narrow: "cut" },
    { title: "SIZE", cell: ({ bytes }) => formatBytes(bytes), align: "right" },
    { title: "LAST USED", cell: ({ usedAt }) => usedAt.slice(0, 16).replace("T", " ") },
    { title: "WHY", cell: (report) => REASONS[report.why](report) },
    { title: "ROOT", cell: ({ root }) => root ?? "-", narrow: "short" },
  ], view);
}
