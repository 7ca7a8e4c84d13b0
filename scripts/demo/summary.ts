// What the demo says at its end: which node gave how much, and what the search cost. It measures
// nothing itself: the numbers are the daemons' own.

import { formatTable } from "../../src/cli/terminal/table.ts";
import { count, formatBytes } from "../../src/cli/terminal/text_format.ts";
import type { StatusReport } from "../../src/client/types.ts";
import { hopsBetween, LINKS, type NodeName, NODES, REQUESTER } from "./topology.ts";

/** The counters of a daemon. */
export type Counters = StatusReport["counters"];
/** The counters of all daemons at one time. */
export type AllCounters = ReadonlyMap<NodeName, Counters>;

/** What one node gave. */
export interface Gift {
  readonly name: NodeName;
  readonly address: string;
  readonly bytes: number;
  /** What it has of the file, and what became of it. */
  readonly about: string;
}

/** Who gave how much, as a table. */
export function giftTable(gifts: readonly Gift[], sizeBytes: number): string {
  return indent(formatTable(
    [
      { title: "NODE" },
      { title: "ADDRESS" },
      { title: "LINKS AWAY", align: "right" },
      { title: "BYTES", align: "right" },
      { title: "SHARE", align: "right" },
      { title: "" },
    ],
    gifts.map(({ name, address, bytes, about }) => [
      name,
      address,
      String(hopsBetween(REQUESTER, name)),
      `${bytes}`,
      `${(bytes / sizeBytes * 100).toFixed(1)}%`,
      about,
    ]),
  ));
}

/** The counters that are one number each. */
type CountedOnce = Exclude<keyof Counters, "bytesInBy" | "bytesOutBy">;

/** What the daemons counted of the search between two times, as sentences and a table. */
export function searchReport(
  before: AllCounters,
  after: AllCounters,
  search: { readonly queries: number; readonly offers: number },
): string {
  const delta = (name: NodeName, key: CountedOnce) =>
    (after.get(name)?.[key] ?? 0) - (before.get(name)?.[key] ?? 0);
  const sum = (key: CountedOnce) => NODES.reduce((sum, name) => sum + delta(name, key), 0);
  const table = formatTable(
    [
      { title: "NODE" },
      { title: "SEEN", align: "right" },
      { title: "FORWARDED", align: "right" },
      { title: "DROPPED", align: "right" },
      { title: "ANSWERED", align: "right" },
      { title: "MESSAGES SENT", align: "right" },
    ],
    NODES.map((name) => [
      name,
      String(delta(name, "queriesSeen")),
      String(delta(name, "queriesForwarded")),
      String(delta(name, "queriesDropped")),
      String(delta(name, "queriesAnswered")),
      String(delta(name, "messagesSent")),
    ]),
  );
  return [
    `${count(search.queries, "query", "queries")} of ${REQUESTER}, ` +
    `${count(sum("messagesSent"), "message")} over ${LINKS.length} links (heartbeats apart), ` +
    `${count(sum("queriesDropped"), "copy", "copies")} dropped as duplicates;`,
    `${count(sum("queriesAnswered"), "node")} called back with ${count(search.offers, "offer")}.`,
    indent(table),
  ].join("\n");
}

/** `95.6 MB in 0.42 s`, and how fast that is. */
export function speedText(sizeBytes: number, elapsedMs: number): string {
  const rate = sizeBytes / Math.max(1, elapsedMs) * 1000;
  return `${formatBytes(sizeBytes)} in ${(elapsedMs / 1000).toFixed(2)} s, ` +
    `${formatBytes(Math.round(rate))}/s`;
}

function indent(text: string): string {
  return text.trimEnd().split("\n").map((line) => `  ${line}`).join("\n");
}
