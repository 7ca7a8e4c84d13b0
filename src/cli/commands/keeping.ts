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
    return stuckError(keeping) ?? nothingText(keeping);
  },
  after: async (reports, _target, args, client) => {
    const goingBytes = reports.reduce((sum, { bytes }) => sum + bytes, 0);
    const bytes = formatBytes(goingBytes);
    const files = count(reports.length, "file");
    const keeping = await askKeeping(client);
    const isDryRun = args.has("dry-run");
    const over = overText(keeping, { goingBytes: isDryRun ? goingBytes : 0 });
    const still = over === undefined ? "" : ` Nothing more may go, though ${over}.`;
    if (isDryRun) return `${files} would go, ${bytes}.${still}`;
    return stuckError(keeping) ?? `Removed ${files}, ${bytes}.${still}`;
  },
});

async function askKeeping(client: DaemonClient): Promise<KeepingReport | undefined> {
  const [status] = await Array.fromAsync(client.ask("status", {}));
  return status?.keeping;
}

/** Why nothing is to go. */
function nothingText(keeping: KeepingReport | undefined): string {
  const over = overText(keeping);
  if (over !== undefined) return `Nothing may go, though ${over}.`;
  if (keeping?.keepBytes === null && keeping.minFreeBytes === null) {
    return keeping.versions === null
      ? "Nothing is to go: the daemon has no bounds for its downloads (--keep, --min-free)."
      : "Nothing is to go: no package has more versions here than are kept.";
  }
  return "Nothing is to go: the downloads are within what is kept.";
}

/**
 * By how much the downloads are over what may be kept, and why no more of them may go; undefined while they
 * are not.
 *
 * @param options.goingBytes Bytes that are about to go.
 */
export function overText(
  keeping: KeepingReport | undefined,
  { goingBytes = 0 } = {},
): string | undefined {
  // A daemon of an older version does not tell.
  const { over = null } = keeping ?? {};
  if (over === null || over.bytes <= goingBytes) return undefined;
  const { bytes, keepBytes, minFreeBytes, stuckBytes } = keeping!;
  const left = formatBytes(over.bytes - goingBytes);
  const isQuota = keepBytes !== null && bytes - keepBytes >= over.bytes;
  const what = isQuota
    ? `the downloads are ${left} over the ${formatBytes(keepBytes)} that they may come to`
    : `${left} are missing of the ${
      formatBytes(minFreeBytes ?? 0)
    } that shall stay free on the disk`;
  const parts = [
    [over.pinnedBytes, "pinned"],
    [over.inUseBytes, "in use"],
    [over.fetchingBytes, "on their way"],
    [stuckBytes, "not to be removed"],
  ] as const;
  const why = parts.flatMap(([partBytes, state]) =>
    partBytes > 0 ? [`${formatBytes(partBytes)} are ${state}`] : []
  );
  return why.length === 0 ? what : `${what}: ${why.join(", ")}`;
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
