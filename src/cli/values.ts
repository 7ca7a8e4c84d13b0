/**
 * From the text of a flag or of a key of the configuration file to a checked value. Each parser
 * takes `what`, the name under which a message speaks of the value.
 */

import { UsageError } from "../base/errors.ts";
import type { ChunkRange } from "../base/geometry.ts";
import { FILE_BYTES_MAX, FILE_CHUNKS_MAX } from "../base/geometry.ts";
import { utf8 } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";

/** Milliseconds that a u32 holds: the longest timeout that travels. */
const TIMEOUT_MS_MAX = 2 ** 32 - 1;

/**
 * A whole number in a range, in decimal digits.
 *
 * @throws {UsageError} when it is not.
 */
export function parseWhole(
  text: string,
  what: string,
  range: { min: number; max: number },
): number {
  const { min, max } = range;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw invalid(what, text, `it is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A TTL. */
export function parseTtl(text: string, what: string): number {
  return parseWhole(text, what, { min: 0, max: limits.ttlMax });
}

/** A size in bytes. */
export function parseSize(text: string, what: string): number {
  return parseWhole(text, what, { min: 0, max: FILE_BYTES_MAX });
}

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

/** Seconds, also with a fraction, in milliseconds. */
export function parseSeconds(text: string, what: string): number {
  const timeoutMs = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Math.ceil(Number(text) * 1000) : NaN;
  if (!(timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX)) {
    const max = Math.floor(TIMEOUT_MS_MAX / 1000);
    throw invalid(what, text, `it is not a number of seconds above 0 and up to ${max}`);
  }
  return timeoutMs;
}

/** Seconds up to `maxMs`, also with a fraction, in milliseconds. */
export function parseSecondsUpTo(text: string, what: string, maxMs: number): number {
  const timeMs = /^[0-9]{1,6}(\.[0-9]{1,6})?$/.test(text) ? Math.ceil(Number(text) * 1000) : NaN;
  if (!(timeMs > 0 && timeMs <= maxMs)) {
    throw invalid(what, text, `it is not a number of seconds above 0 and up to ${maxMs / 1000}`);
  }
  return timeMs;
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

/** One of a few words. */
export function parseChoice<T extends string>(
  text: string,
  what: string,
  choices: readonly T[],
): T {
  const choice = choices.find((choice) => choice === text);
  if (choice === undefined) throw invalid(what, text, `it is not one of ${choices.join(", ")}`);
  return choice;
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

function invalid(what: string, text: string, reason: string): UsageError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new UsageError(`Cannot use ${what} ${JSON.stringify(shown)}: ${reason}`);
}
