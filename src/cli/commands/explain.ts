/** `pacsrv explain NAME|ROOT`. */

import { FetchFailure } from "../../base/errors.ts";
import type { ExplainReport } from "../../client/types.ts";
import { escapeText } from "../terminal/terminal.ts";
import {
  formatBytes,
  formatDuration,
  formatItems,
  type ItemColumn,
  shortRanges,
} from "../terminal/text_format.ts";
import { asking } from "./ask.ts";

type Provider = ExplainReport["givers"][number];

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
export function explainText(reports: readonly ExplainReport[]): string {
  return reports.map(blockOf).join("\n");
}

function blockOf(report: ExplainReport): string {
  const { name, root, sizeBytes, outcome, trust } = report;
  const isDone = outcome === "done";
  const size = sizeBytes === null ? "" : `  ${formatBytes(sizeBytes)}`;
  const facts = [
    `${name}${size}`,
    `  root     ${root ?? "not known"}`,
    `  ${whenText(report)}`,
    `  outcome  ${outcome}`,
    ...(isDone ? [`  trust    ${TRUST_WORDS[trust]}`] : []),
    `  ${bytesText(report)}`,
    ...thrownAwayLine(report),
  ];
  return [
    ...facts.map((line) => `${escapeText(line)}\n`),
    ...indented(providerTable(report)),
    ...report.steps.map(({ atMs, what }) =>
      escapeText(`  ${`+${atMs} ms`.padStart(10)}  ${what}`) + "\n"
    ),
  ].join("");
}

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

function thrownAwayLine({ bytesThrownAway }: ExplainReport): string[] {
  if (bytesThrownAway === 0) return [];
  return [`  wasted   ${formatBytes(bytesThrownAway)} thrown away: it was not the file`];
}

/** A line for each provider; nothing for none. */
function providerTable({ givers: providers }: ExplainReport): string {
  const total = providers.reduce((sum, { bytes }) => sum + bytes, 0);
  const isWasted = providers.some(({ bytesThrownAway }) => bytesThrownAway > 0);
  const wasted: ItemColumn<Provider> = {
    title: "THROWN AWAY",
    align: "right",
    cell: ({ bytesThrownAway: bytes }) => bytes === 0 ? "-" : formatBytes(bytes),
  };
  return formatItems<Provider>(providers, [
    { title: "FROM", cell: providerName },
    { title: "BYTES", align: "right", cell: ({ bytes }) => formatBytes(bytes) },
    {
      title: "SHARE",
      align: "right",
      cell: ({ bytes }) => total === 0 ? "-" : `${(bytes / total * 100).toFixed(1)}%`,
    },
    { title: "CHUNKS", cell: ({ chunks }) => shortRanges(chunks) },
    ...(isWasted ? [wasted] : []),
    { title: "STRIKES", align: "right", cell: ({ strikes }) => strikes === 0 ? "-" : `${strikes}` },
  ]);
}

function providerName({ kind, giver: provider }: Provider): string {
  return kind === "here" ? "here before" : `${kind === "mirror" ? "mirror" : "node"} ${provider}`;
}

function indented(table: string): string[] {
  return table.split("\n").filter((line) => line !== "").map((line) => `  ${line}\n`);
}
