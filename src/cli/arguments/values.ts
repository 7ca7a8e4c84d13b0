/** The parsers of numbers, sizes, times, chunks, words and networks. */

import { utf8 } from "../../base/bytes.ts";
import { UsageError } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { FILE_BYTES_MAX, FILE_CHUNKS_MAX } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { siteProblem } from "../../base/names.ts";
import type { Parser } from "./arguments.ts";

/** A parser of whole numbers in a range, in decimal digits. */
export function wholeNumber(min: number, max: number): Parser<number> {
  return (text, what) => {
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw invalid(what, text, `it is not a whole number from ${min} to ${max}`);
  };
}

/** A TTL. */
export const parseTtl = wholeNumber(0, limits.ttlMax);

/** A size in bytes. */
export const parseSize = wholeNumber(0, FILE_BYTES_MAX);

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["K", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["T", 1e12],
  ["KI", 2 ** 10],
  ["MI", 2 ** 20],
  ["GI", 2 ** 30],
  ["TI", 2 ** 40],
]);

/**
 * An amount of bytes: digits, then K, M, G or T for powers of 1,000, or Ki, Mi, Gi or Ti for powers
 * of 1,024; a B may follow.
 */
export function parseBytes(text: string, what: string): number {
  const match = /^([0-9]{1,16})([KMGT]I?)?B?$/i.exec(text);
  const unit = UNITS.get((match?.[2] ?? "").toUpperCase());
  const bytes = match === null || unit === undefined ? NaN : Number(match[1]) * unit;
  if (!Number.isSafeInteger(bytes)) {
    throw invalid(what, text, "it is not an amount of bytes, as in 500M, 2G or 1500000");
  }
  return bytes;
}

/** A parser of an amount of bytes that is no less than `min`. */
export function bytesFrom(min: number): Parser<number> {
  return (text, what) => {
    const bytes = parseBytes(text, what);
    if (bytes >= min) return bytes;
    throw invalid(what, text, `it is less than ${min} bytes`);
  };
}

/** An amount of bytes, or a part of a disk: 1 to 99 and a `%`. */
export function bytesOrPercent(
  text: string,
  what: string,
): { kind: "bytes"; bytes: number } | { kind: "percent"; percent: number } {
  const percent = /^([0-9]{1,3})%$/.exec(text)?.[1];
  if (percent === undefined) {
    if (!text.includes("%")) return { kind: "bytes", bytes: parseBytes(text, what) };
    throw invalid(what, text, "it is not a whole number of percent, as in 10%");
  }
  if (Number(percent) >= 1 && Number(percent) <= 99) {
    return { kind: "percent", percent: Number(percent) };
  }
  throw invalid(what, text, "it is not 1% to 99% of the disk");
}

/** A parser of seconds up to `maxMs`, also with a fraction; gives milliseconds. */
export function secondsUpTo(maxMs: number): Parser<number> {
  return (text, what) => {
    const timeMs = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : NaN;
    if (timeMs > 0 && timeMs <= maxMs) return timeMs;
    const max = Math.floor(maxMs / 1000);
    throw invalid(what, text, `it is not a number of seconds above 0 and up to ${max}`);
  };
}

/** A parser of seconds from 0 to `maxMs`, also with a fraction; gives milliseconds. */
export function secondsFromZero(maxMs: number): Parser<number> {
  return (text, what) => {
    const timeMs = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : NaN;
    if (timeMs <= maxMs) return timeMs;
    throw invalid(
      what,
      text,
      `it is not a number of seconds from 0 to ${Math.floor(maxMs / 1000)}`,
    );
  };
}

const AGE_MS: ReadonlyMap<string, number> = new Map([
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** A parser of an age up to `maxMs`: digits, then s, m, h or d; 0 alone is none. Gives milliseconds. */
export function parseAge(maxMs: number): Parser<number> {
  return (text, what) => {
    const [, digits, unit = "s"] = /^([0-9]{1,9})([smhd])?$/.exec(text) ?? [];
    const hasUnit = text !== digits || Number(digits) === 0;
    const ageMs = digits !== undefined && hasUnit ? Number(digits) * AGE_MS.get(unit)! : NaN;
    if (ageMs <= maxMs) return ageMs;
    const max = Math.floor(maxMs / AGE_MS.get("d")!);
    throw invalid(what, text, `it is not an age of at most ${max}d, as in 90m, 12h or 7d, or 0`);
  };
}

/** FIRST-LAST, both included, or one index. */
export function parseChunks(text: string, what: string): ChunkRange {
  const match = /^([0-9]{1,10})(?:-([0-9]{1,10}))?$/.exec(text);
  if (match === null) {
    throw invalid(what, text, "it is not FIRST-LAST, two chunk numbers, as in 0-63");
  }
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (last < first) throw invalid(what, text, `the last chunk, ${last}, comes before the first`);
  if (last >= FILE_CHUNKS_MAX) {
    throw invalid(what, text, `chunk ${last} is above ${FILE_CHUNKS_MAX - 1}`);
  }
  return { first, count: last - first + 1 };
}

/** A parser of one of a few words. */
export function choiceOf<T extends string>(choices: readonly T[]): Parser<T> {
  return (text, what) => {
    const choice = choices.find((choice) => choice === text);
    if (choice !== undefined) return choice;
    throw invalid(what, text, `it is not one of ${choices.join(", ")}`);
  };
}

/** A network's name. */
export function parseNetwork(text: string, what: string): string {
  const bytes = utf8(text).length;
  if (bytes > limits.networkBytesMax) {
    throw invalid(what, text, `it has ${bytes} bytes, at most ${limits.networkBytesMax}`);
  }
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text) || !text.isWellFormed()) {
    throw invalid(what, text, "it contains a control character");
  }
  return text;
}

/** Interfaces on which nodes are looked for: "all", "none", or their names with commas between. */
export function parseDiscover(text: string, what: string): "all" | readonly string[] {
  const word = text.trim().toLowerCase();
  if (word === "all") return "all";
  if (word === "none") return [];
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.find((name) =>
    name === "" || /^(?:all|none)$/i.test(name) || /[\s/%]/.test(name) ||
    utf8(name).length > limits.lanInterfaceBytesMax
  );
  if (wrong === undefined) return [...new Set(names)];
  throw invalid(what, text, "it is not all, none, or names of interfaces as in eth0,wlan0");
}

/** The name of a site. */
export function parseSite(text: string, what: string): string {
  const problem = text.trim() === "" ? "it is empty" : siteProblem(text) ?? unseenIn(text);
  if (problem !== undefined) throw invalid(what, text, problem);
  return text;
}

/** What nobody sees of a name that another machine has to have too; undefined when there is none. */
function unseenIn(text: string): string | undefined {
  if (text !== text.trim()) return "it begins or ends with a blank";
  return /\p{Cf}/u.test(text) ? "it contains a character that is not seen" : undefined;
}

function invalid(what: string, text: string, reason: string): UsageError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new UsageError(`Cannot use ${what} ${JSON.stringify(shown)}: ${reason}`);
}
