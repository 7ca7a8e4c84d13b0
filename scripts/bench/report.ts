// What a case found, and how it is shown: tables of medians with their spread and their bars, as
// plain text or as Markdown. It measures nothing and writes nothing.

import { median } from "./statistics.ts";

/** What a figure is in; `x` is a ratio. */
export type Unit = "x" | "s" | "ms" | "µs" | "MB" | "MB/s" | "s/GiB" | "count";

/** What the median is held to. */
export interface Bar {
  readonly kind: "at-least" | "at-most" | "below";
  readonly value: number;
}

/** One line of a table. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** One value a round. */
  readonly values: readonly number[];
  readonly bar?: Bar;
}

/** What a case gives: rows under a title, and remarks under the rows. */
export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly notes?: readonly string[];
}

const DIGITS: Readonly<Record<Unit, number>> = {
  "x": 2,
  "s": 2,
  "ms": 1,
  "µs": 0,
  "MB": 0,
  "MB/s": 0,
  "s/GiB": 2,
  "count": 0,
};

const SIGNS = { "at-least": "≥", "at-most": "≤", "below": "<" } as const;

const HEADINGS = ["", "median", "min .. max", "rounds", "bar", ""];

/** Whether the median of a row clears its bar; undefined when it has none. */
export function isMet({ bar, values }: Row): boolean | undefined {
  if (bar === undefined) return undefined;
  const value = median(values);
  switch (bar.kind) {
    case "at-least":
      return value >= bar.value;
    case "at-most":
      return value <= bar.value;
    case "below":
      return value < bar.value;
  }
}

/** A table for a terminal. */
export function plainTable(table: Table): string {
  const cells = [HEADINGS, ...table.rows.map(cellsOf)];
  const widths = HEADINGS.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const lines = cells.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))
      .join("  ").trimEnd()
  );
  const notes = (table.notes ?? []).map((note) => `  ${note}`);
  return [table.title, ...lines.map((line) => `  ${line}`), ...notes, ""].join("\n");
}

/** The same table as Markdown. */
export function markdownTable(table: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `### ${table.title}`,
    "",
    line(HEADINGS),
    line(HEADINGS.map((_, i) => i === 0 ? "---" : "--:")),
    ...table.rows.map((row) => line(cellsOf(row))),
    "",
    ...(table.notes ?? []).flatMap((note) => [`${note}`, ""]),
  ].join("\n");
}

/** How many bars were cleared, and a line for each that was not. */
export function verdict(tables: readonly Table[]): string[] {
  const barred = tables.flatMap(({ title, rows }) => rows.map((row) => ({ title, row })))
    .filter(({ row }) => row.bar !== undefined);
  const missed = barred.filter(({ row }) => isMet(row) === false);
  return [
    `Bars: ${barred.length - missed.length} met, ${missed.length} missed.`,
    ...missed.map(({ title, row }) =>
      `Missed: ${title}: ${row.what}: ${format(median(row.values), row.unit)}, bar ${barText(row)}`
    ),
  ];
}

function cellsOf(row: Row): string[] {
  const { what, unit, values } = row;
  const met = isMet(row);
  const spread = `${number(Math.min(...values), unit)} .. ${number(Math.max(...values), unit)}`;
  return [
    what,
    format(median(values), unit),
    values.length > 1 ? spread : "",
    `${values.length}`,
    barText(row),
    met === undefined ? "" : met ? "met" : "MISSED",
  ];
}

function barText({ bar, unit }: Row): string {
  return bar === undefined ? "" : `${SIGNS[bar.kind]} ${bar.value}${unitText(unit)}`;
}

function format(value: number, unit: Unit): string {
  return `${number(value, unit)}${unitText(unit)}`;
}

function number(value: number, unit: Unit): string {
  return value.toFixed(DIGITS[unit]);
}

function unitText(unit: Unit): string {
  return unit === "count" ? "" : unit === "x" ? "x" : ` ${unit}`;
}
