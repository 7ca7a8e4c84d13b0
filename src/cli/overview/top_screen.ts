/**
 * The first view of a node as lines of a terminal: what is wrong, what comes and goes, what was saved, and
 * the links, each part cut to the room that there is. Escaped here.
 */

import { limits } from "../../base/limits.ts";
import { escapeText } from "../terminal/terminal.ts";
import { displayWidth, fitText } from "../terminal/text_format.ts";
import type { Overview } from "./overview.ts";

/** How large the terminal is. */
interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** A title, and lines of which some can be left out. */
interface Part {
  readonly title: string;
  readonly lines: readonly string[];
}

const LEVELS = "▁▂▃▄▅▆▇█";
const FOOT = "q ends";
/** Before the lines of a part. */
const INDENT = "  ";

/** The lines; the last row and column of the terminal stay free. */
export function topScreen(view: Overview, { columns, rows }: ScreenSize): string {
  const room = Math.max(1, columns - 1);
  const { node, savings } = view;
  const head = [
    between(`pacsrv ${node.address}`, node.health, room),
    node.facts.map(({ name, text }) => `${name.toLowerCase()} ${text}`).join(", "),
    figuresLine(view),
    `${spark(savings.hours.spans)}  ${savings.hours.text}`,
  ];
  const parts: Part[] = [
    { title: "What to do", lines: findingLines(view) },
    { title: "On its way here", lines: comingLines(view, room - INDENT.length) },
    { title: "On its way to others", lines: goingLines(view) },
    { title: "Links", lines: linkLines(view) },
    { title: "Directories", lines: directoryLines(view) },
  ].filter(({ lines }) => lines.length > 0);
  const body = fitted(parts, Math.max(0, rows - 1 - head.length - 1));
  return [...head, ...body, FOOT].slice(0, Math.max(1, rows - 1))
    .map((line) => fitText(escapeText(line), room)).join("\n");
}

function figuresLine({ node }: Overview): string {
  return node.figures.map(({ name, text }) => `${name.toLowerCase()} ${text}`).join(", ");
}

/** What was saved in each hour, the highest of them a whole block. */
function spark(spans: Overview["savings"]["hours"]["spans"]): string {
  const highest = Math.max(1, ...spans.map(({ bytesSaved }) => bytesSaved));
  return spans.map(({ bytesSaved }) =>
    bytesSaved === 0 ? "." : LEVELS[Math.ceil(bytesSaved / highest * LEVELS.length) - 1]
  ).join("");
}

function findingLines({ findings }: Overview): string[] {
  return findings.flatMap(({ level, check, text, fix }) => [
    `${level}: ${check}: ${text}`,
    ...fix.map((line) => `  -> ${line}`),
  ]);
}

function comingLines({ coming }: Overview, room: number): string[] {
  const lines = coming.items.flatMap(({ name, text, part, rate, left, sources }) => [
    barLine(name, part, [text, rate, left === "" ? "" : `${left} left`], room),
    ...sources.map((source) =>
      barLine(
        `  ${source.kind === "mirror" ? "mirror " : ""}${source.label}`,
        source.part,
        [source.text, source.rate],
        room,
      )
    ),
  ]);
  return coming.more === 0 ? lines : [...lines, `and ${coming.more} more files`];
}

/** `name [====      ] words`: bars below each other begin at the same column. */
function barLine(
  name: string,
  part: number | null,
  words: readonly string[],
  room: number,
): string {
  const said = words.filter((word) => word !== "").join(", ");
  const nameColumns = Math.min(limits.barNameColumnsMax, Math.floor(room / 3));
  const shown = fitText(escapeText(name), nameColumns);
  const start = shown + " ".repeat(Math.max(0, nameColumns - displayWidth(shown)));
  const bar = Math.min(limits.barColumnsMax / 2, room - nameColumns - said.length - 4);
  if (bar < limits.barColumnsMin / 2) return `${start} ${said}`;
  const filled = part === null ? 0 : Math.floor(part * bar);
  return `${start} [${"=".repeat(filled)}${" ".repeat(bar - filled)}] ${said}`;
}

function goingLines({ going }: Overview): string[] {
  const lines = going.items.map(({ name, peer, text }) => `${name}  ${text} to ${peer}`);
  return going.more === 0 ? lines : [...lines, `and ${going.more} more`];
}

function linkLines({ links }: Overview): string[] {
  const width = Math.max(0, ...links.items.map(({ address }) => address.length));
  const lines = links.items.map(({ address, roundTrip, up, openedBy, node }) =>
    `${address.padEnd(width)}  ${roundTrip.padStart(9)}  up ${
      up.padEnd(9)
    }  by ${openedBy}  ${node}`
  );
  return links.more === 0 ? lines : [...lines, `and ${links.more} more`];
}

function directoryLines({ directories }: Overview): string[] {
  return directories.items.map(({ address, text }) => `${address}  ${text}`);
}

/**
 * The parts in so many rows: each gets a line of its own in turn, as long as there are rows; what does
 * not fit is counted in its last line. A part without room for a title and a line is left out.
 */
function fitted(parts: readonly Part[], rows: number): string[] {
  const given = parts.map(() => 0);
  // Above each stands an empty row, and its title.
  const shown = parts.slice(0, Math.floor(rows / 3));
  let left = rows - 2 * shown.length;
  for (let isGiven = true; isGiven && left > 0;) {
    isGiven = false;
    for (const [i, { lines }] of shown.entries()) {
      if (left === 0 || given[i]! >= lines.length) continue;
      given[i]!++;
      left--;
      isGiven = true;
    }
  }
  return shown.flatMap(({ title, lines }, i) => {
    const count = given[i]!;
    const told = count >= lines.length
      ? lines
      : [...lines.slice(0, count - 1), `and ${lines.length - count + 1} more lines`];
    return ["", title, ...told.map((line) => INDENT + line)];
  });
}

/** Two texts at both ends of a line. */
function between(left: string, right: string, columns: number): string {
  const gap = columns - displayWidth(left) - displayWidth(right);
  return gap < 2 ? `${left}  ${right}` : left + " ".repeat(gap) + right;
}
