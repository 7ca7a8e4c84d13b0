/** Numbers, facts and ranges for people. Programs take `--json`. */

import prettyBytes from "pretty-bytes";
import type { LeftOut, RatesReport } from "../../client/types.ts";
import { limits } from "../../base/limits.ts";
import { escapeText } from "./terminal.ts";

/** `94.2 MB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes);
}

/** `94.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${prettyBytes(Math.round(bytesPerSecond))}/s`;
}

/** `upload 2 MB/s, mirror 1 MB/s until 13:30 (mon-fri 11:30-13:30)`; undefined where nothing is limited. */
export function ratesText(rates: RatesReport): string | undefined {
  const { upload, download, mirror, schedule, networks } = rates;
  const limited = Object.entries({ upload, download, mirror })
    .flatMap(([kind, rate]) => rate === null ? [] : [`${kind} ${formatRate(rate)}`]);
  if (limited.length === 0 && schedule === null && networks.length === 0) return undefined;
  const line = limited.length === 0 ? "unlimited" : limited.join(", ");
  const until = schedule === null ? "" : ` until ${schedule.until} (${schedule.part})`;
  const others = networks.map(({ network, rate }) => {
    const text = rate === null ? "unlimited" : rate === "line" ? rate : formatRate(rate);
    return `; ${network} ${text}`;
  });
  return line + until + others.join("");
}

const DURATION_UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]] as const;

/** `0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const at = DURATION_UNITS.findIndex(([size]) => whole >= size);
  const [size, name] = DURATION_UNITS[at]!;
  const [nextSize, nextName] = DURATION_UNITS[at + 1]!;
  const rest = Math.floor(whole % size / nextSize);
  return `${Math.floor(whole / size)} ${name}${rest === 0 ? "" : ` ${rest} ${nextName}`}`;
}

/** `45%`, rounded down: 100% is all of it, and nothing of nothing is. */
export function percentText(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.floor(part / whole * 100)}%`;
}

/** `1 file`, `3 files`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** What is missing, why, and what can be done about it. */
export function leftOutText({ more, why, hint }: LeftOut): string {
  const what = more === null
    ? "There may be more than is shown"
    : more === 1
    ? "1 more is not shown"
    : `${more.toLocaleString("en")} more are not shown`;
  return `${what}: ${why}.${hint === "" ? "" : ` ${hint}`}`;
}

/** The first ranges of "0-31,64,70-90", and how many more there are. */
export function shortRanges(have: string, rangesMax = 3): string {
  if (have === "") return "none";
  const ranges = have.split(",");
  const more = ranges.length - rangesMax;
  if (more <= 0) return have;
  return `${ranges.slice(0, rangesMax).join(",")} and ${count(more, "range")} more`;
}

/** A line for each fact: its name, and from `column` on what is known. Escaped here. */
export function formatFacts(
  facts: readonly (readonly [name: string, text: string])[],
  column: number,
): string {
  return facts.map(([name, text]) => `${escapeText(name.padEnd(column) + text)}\n`).join("");
}

// East Asian wide and fullwidth characters, and emoji.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;
// deno-lint-ignore no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

/** Columns that `text` takes on a terminal, near enough to align a table. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (!ZERO.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/**
 * Words in lines of at most `columns` columns, but for a word that is longer.
 *
 * @param mayBegin Whether a line may begin with a word.
 */
export function wrapWords(
  words: readonly string[],
  columns: number,
  mayBegin: (word: string) => boolean = () => true,
): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > columns && mayBegin(word)) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The first characters of a root or node id; what is none as it is. */
export function shortId(text: string): string {
  return /^[0-9a-f]{32,64}$/.test(text) ? text.slice(0, limits.shortIdChars) : text;
}

/**
 * A line in lines of at most `columns` columns, if it is too long: its first `head` characters stand
 * before the first one, and spaces before the others. Ids become short, and a word that is longer than
 * a line loses its middle.
 */
export function fitLine(
  line: string,
  { columns, head }: { readonly columns: number; readonly head: number },
): string[] {
  if (displayWidth(line) <= columns) return [line];
  const room = Math.max(limits.cutColumnsMin, columns - head);
  const words = line.slice(head).split(" ").map((word) => fitText(shortId(word), room));
  return wrapWords(words, room)
    .map((text, i) => (i === 0 ? line.slice(0, head) : " ".repeat(head)) + text);
}

/** `text` in at most `columns` columns, its middle left out where it is longer. */
export function fitText(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  const characters = [...text];
  const head: string[] = [], tail: string[] = [];
  let room = columns - 3;
  // From both ends in turn: the beginning of a name and its extension say most.
  while (characters.length > 0) {
    const fromHead = head.length <= tail.length;
    const next = (fromHead ? characters.shift() : characters.pop())!;
    room -= displayWidth(next);
    if (room < 0) break;
    if (fromHead) head.push(next);
    else tail.unshift(next);
  }
  return `${head.join("")}...${tail.join("")}`;
}
