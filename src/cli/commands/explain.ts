/** `pacsrv explain NAME|ROOT`. */

import { FetchFailure } from "../../base/errors.ts";
import type { ExplainReport } from "../../client/types.ts";
import { escapeText } from "../terminal/terminal.ts";
import { formatItems, type ItemColumn, type TableView } from "../terminal/table.ts";
import {
  fitLine,
  fitText,
  formatBytes,
  formatDuration,
  shortRanges,
} from "../terminal/text_format.ts";
import { asking } from "./ask.ts";

type ProviderRow = ExplainReport["givers"][number];

/** Prints how the fetches of a name or root went. */
export const runExplain = asking({
  verb: "explain",
  ask: ([target = ""]) => ({ target }),
  text: explainText,
  none: (target) =>
    new FetchFailure(
      "notFound",
      `Cannot explain ${JSON.stringify(target)}: no fetch of it is remembered`,
      { hint: "Only what the daemon fetched can be explained, by its exact name or its root." },
    ),
});

/** The fetch records of fetches, a block of lines for each. */
export function explainText(reports: readonly ExplainReport[], view?: TableView): string {
  return reports.map((report) => blockOf(report, view)).join("\n");
}

function blockOf(report: ExplainReport, view?: TableView): string {
  const { name, root, sizeBytes, outcome, trust } = report;
  const isDone = outcome === "done";
  const size = sizeBytes === null ? "" : `  ${formatBytes(sizeBytes)}`;
  const columns = view?.columnsMax ?? Infinity;
  const facts = [
    `  root     ${root ?? "not known"}`,
    `  ${whenText(report)}`,
    `  outcome  ${outcome}`,
    ...(isDone ? [`  trust    ${TRUST_WORDS[trust]}`] : []),
    `  ${bytesText(report)}`,
    ...copiesLine(report),
    ...thrownAwayLine(report),
  ];
  const steps = report.steps.map(({ atMs, what }) => `  ${`+${atMs} ms`.padStart(10)}  ${what}`);
  const fitted = (lines: readonly string[], head: number) =>
    lines.flatMap((line) => fitLine(escapeText(line), { columns, head })).map((line) =>
      `${line}\n`
    );
  return [
    `${fitText(escapeText(name), columns - size.length)}${size}\n`,
    ...fitted(facts, FACT_COLUMN),
    ...indented(providerTable(report, view)),
    ...fitted(steps, STEP_COLUMN),
  ].join("");
}

/** Where the words of facts begin, and those of steps. */
const FACT_COLUMN = 11, STEP_COLUMN = 14;

/** What a file is trusted by, in words. */
const TRUST_WORDS: Readonly<Record<ExplainReport["trust"], string>> = {
  "sync-db": "sync-db: a repository's database has its SHA-256",
  "sha256": "sha256: the fetch required its SHA-256",
  "root": "root: the fetch required its root",
  "mirror": "mirror: a mirror sent it, or agrees with the nodes",
  "peers": "peers: most of the nodes that were asked offered it",
  "local": "local: this machine shares it",
  "unchecked": "unchecked: it is not compared with the repository's database yet",
  "contradicted": "contradicted: it differs from the repository's database",
  "damaged": "damaged: it changed though its time did not",
};

function whenText({ endedAt, elapsedMs, firstByteMs }: ExplainReport): string {
  const first = firstByteMs === null ? "" : `, first byte after ${firstByteMs} ms`;
  const elapsed = formatDuration(elapsedMs);
  return endedAt === null
    ? `begun    ${elapsed} ago${first}`
    : `ended    ${endedAt}, after ${elapsed}${first}`;
}

function bytesText(report: ExplainReport): string {
  const { endedAt, bytesSaved, bytesPeers, bytesMirror, bytesLocal } = report;
  const from = `${formatBytes(bytesPeers)} from nodes, ${formatBytes(bytesMirror)} from mirrors, ` +
    `${formatBytes(bytesLocal)} here before`;
  return endedAt === null
    ? `so far   ${from}`
    : `saved    ${formatBytes(bytesSaved)} that no mirror had to send; ${from}`;
}

/** How often mirrors gave what came, where they gave anything. */
function copiesLine({ bytesMirrors, bytesPeers, bytesMirror }: ExplainReport): string[] {
  const bytesUnique = bytesPeers + bytesMirror;
  if (bytesUnique === 0 || bytesMirrors === 0) return [];
  const copies = (bytesMirrors / bytesUnique).toFixed(2);
  return [
    `  copies   ${copies} from mirrors: ${formatBytes(bytesMirrors)} for ${
      formatBytes(bytesUnique)
    }`,
  ];
}

function thrownAwayLine({ bytesThrownAway }: ExplainReport): string[] {
  if (bytesThrownAway === 0) return [];
  return [`  wasted   ${formatBytes(bytesThrownAway)} thrown away: it was not the file`];
}

const INDENT = "  ";

/** A line for each provider; nothing for none. */
function providerTable({ givers: providers }: ExplainReport, view?: TableView): string {
  const columnsMax = view?.columnsMax ?? null;
  const total = providers.reduce((sum, { bytes }) => sum + bytes, 0);
  const isWasted = providers.some(({ bytesThrownAway }) => bytesThrownAway > 0);
  const wasted: ItemColumn<ProviderRow> = {
    title: "THROWN AWAY",
    align: "right",
    cell: ({ bytesThrownAway: bytes }) => bytes === 0 ? "-" : formatBytes(bytes),
  };
  return formatItems<ProviderRow>(providers, [
    { title: "FROM", narrow: "cut", cell: providerName },
    { title: "BYTES", align: "right", cell: ({ bytes }) => formatBytes(bytes) },
    {
      title: "SHARE",
      align: "right",
      cell: ({ bytes }) => total === 0 ? "-" : `${(bytes / total * 100).toFixed(1)}%`,
    },
    { title: "CHUNKS", narrow: "cut", cell: ({ chunks }) => shortRanges(chunks) },
    ...(isWasted ? [wasted] : []),
    { title: "STRIKES", align: "right", cell: ({ strikes }) => strikes === 0 ? "-" : `${strikes}` },
  ], { columnsMax: columnsMax === null ? null : columnsMax - INDENT.length });
}

function providerName({ kind, giver: provider }: ProviderRow): string {
  return kind === "here" ? "here before" : `${kind === "mirror" ? "mirror" : "node"} ${provider}`;
}

function indented(table: string): string[] {
  return table.split("\n").filter((line) => line !== "").map((line) => `${INDENT}${line}\n`);
}
