/** Tables for people: whole in a pipe, and as wide as a terminal is on one. Programs take `--json`. */

import { limits } from "../../base/limits.ts";
import { escapeText } from "./terminal.ts";
import { displayWidth, fitText, formatBytes, shortId, wrapWords } from "./text_format.ts";

/** A column of a table. */
interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /**
   * What becomes of it where the table is too wide: of a root or a node id the first characters are
   * left; its cells lose their middles; the last column is broken into lines. Without it, it stays as
   * it is.
   */
  readonly narrow?: "short" | "cut" | "wrap";
  /** It is left out where the table is too wide, the highest number first, before a cell is cut. */
  readonly drop?: number;
}

/** How a table is printed. */
export interface TableView {
  /** Columns that it may take; null: as many as it needs. */
  readonly columnsMax: number | null;
}

const WHOLE: TableView = { columnsMax: null };

/** A column of cells as they are printed. */
interface Cells extends Column {
  readonly cells: readonly string[];
  readonly width: number;
}

/**
 * A table with a line of titles, columns two spaces apart, newline at the end. Cells are escaped
 * here.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { columnsMax }: TableView = WHOLE,
): string {
  const whole = columns.map((column, i) =>
    withCells(column, rows.map((row) => escapeText(row[i] ?? "")))
  );
  return linesOf(columnsMax === null ? whole : fitted(whole, columnsMax));
}

/** A column of a table of items: of each a field as it is, or what `cell` makes of it. */
export interface ItemColumn<T> extends Column {
  readonly cell: (keyof T & string) | ((item: T) => string);
}

/** The sizes of files. */
export const SIZE_COLUMN: ItemColumn<{ readonly sizeBytes: number }> = {
  title: "SIZE",
  align: "right",
  cell: ({ sizeBytes }) => formatBytes(sizeBytes),
};

/** A table with a line for each item; nothing for none. */
export function formatItems<T>(
  items: readonly T[],
  columns: readonly ItemColumn<T>[],
  view: TableView = WHOLE,
): string {
  if (items.length === 0) return "";
  return formatTable(
    columns,
    items.map((item) =>
      columns.map(({ cell }) => typeof cell === "string" ? String(item[cell]) : cell(item))
    ),
    view,
  );
}

function withCells(column: Column, cells: readonly string[]): Cells {
  // Not Math.max(...): a list may have more rows than a call takes arguments.
  const width = cells.reduce(
    (width, cell) => Math.max(width, displayWidth(cell)),
    displayWidth(column.title),
  );
  return { ...column, cells, width };
}

function widthOf(table: readonly Cells[]): number {
  return table.reduce((sum, { width }) => sum + width + GAP, -GAP);
}

/** Spaces between two columns. */
const GAP = 2;

/**
 * The table in at most so many columns. What gives way, in this order: ids become short, columns that
 * may be dropped are, cells are cut, and then the last columns are left out, whatever they are.
 */
function fitted(whole: readonly Cells[], columnsMax: number): readonly Cells[] {
  if (widthOf(whole) <= columnsMax) return whole;
  let table = whole.map((column) =>
    column.narrow === "short" ? withCells(column, column.cells.map(shortId)) : column
  );
  const droppable = table.filter(({ drop }) => drop !== undefined)
    .sort((a, b) => b.drop! - a.drop!);
  for (const column of droppable) {
    if (widthOf(table) <= columnsMax) break;
    table = table.filter((one) => one !== column);
  }
  for (;;) {
    const narrowed = cut(table, columnsMax);
    // Of a table of one column, or of words that are broken into lines, nothing is left out.
    const last = table.findLastIndex(({ narrow }, i) => i > 0 && narrow !== "wrap");
    if (widthOf(narrowed) <= columnsMax || last < 0) return narrowed;
    table = table.toSpliced(last, 1);
  }
}

/** Takes room from the widest columns that can give some. */
function cut(table: readonly Cells[], columnsMax: number): readonly Cells[] {
  const widths = table.map(({ width }) => width);
  let excess = widthOf(table) - columnsMax;
  for (; excess > 0; excess--) {
    const widest = table.reduce((best, { narrow, title }, i) => {
      const isFlexible = narrow === "cut" || narrow === "wrap";
      const least = Math.max(limits.cutColumnsMin, displayWidth(title));
      if (!isFlexible || widths[i]! <= least) return best;
      return best < 0 || widths[i]! > widths[best]! ? i : best;
    }, -1);
    if (widest < 0) break;
    widths[widest]!--;
  }
  return table.map((column, i) => {
    const width = widths[i]!;
    if (width === column.width) return column;
    const cells = column.narrow === "wrap"
      ? column.cells
      : column.cells.map((cell) => fitText(cell, width));
    return { ...column, cells, width };
  });
}

function linesOf(table: readonly Cells[]): string {
  const rows = table[0]?.cells.length ?? 0;
  const indent = " ".repeat(widthOf(table.slice(0, -1)) + GAP);
  let text = lineOf(table, (column) => column.title);
  for (let row = 0; row < rows; row++) {
    const last = table.at(-1)!;
    const broken = last.narrow === "wrap" && displayWidth(last.cells[row]!) > last.width
      ? wrapWords(last.cells[row]!.split(" "), last.width)
      : [last.cells[row]!];
    text += lineOf(table, (column) => column === last ? broken[0]! : column.cells[row]!);
    for (const more of broken.slice(1)) text += `${indent}${more}\n`;
  }
  return text;
}

function lineOf(table: readonly Cells[], cellOf: (column: Cells) => string): string {
  return table.map((column) => {
    const cell = cellOf(column);
    const padding = " ".repeat(Math.max(0, column.width - displayWidth(cell)));
    return column.align === "right" ? padding + cell : cell + padding;
  }).join(" ".repeat(GAP)).trimEnd() + "\n";
}
