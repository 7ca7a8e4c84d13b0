/**
 * A log record as one line. Fields may hold what a peer sent, so nothing in them can end the line,
 * look like another field, or reach a terminal as a control sequence; and each is cut to a bound.
 */

import { toHex } from "../../base/bytes.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LogFields } from "../../base/log.ts";
import { escapeText, jsonLine } from "../terminal/terminal.ts";

export const LOG_FORMATS = ["text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What needs no quotes: addresses, ids, numbers, plain words, paths. */
const PLAIN = /^[\w./:@%+,[\]-]+$/;

/** What a line is made of. */
interface LogLine {
  readonly timeMs: number;
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** `2025-11-20T23:25:01.123Z INFO  message key=value other="two words"`. */
export function formatText(line: LogLine): string {
  const fields = Object.entries(line.fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${escapeText(name)}=${textValue(value)}`)
    .join("");
  const level = line.level.toUpperCase().padEnd(5);
  return `${timestamp(line.timeMs)} ${level} ${escapeText(cut(line.message))}${fields}`;
}

/** `{"time":...,"level":...,"message":...,` and the fields, those of the same names apart. */
export function formatJson(line: LogLine): string {
  const fields = Object.fromEntries(
    Object.entries(line.fields).map(([name, value]) => [name, jsonValue(value)]),
  );
  return jsonLine({
    ...fields,
    time: timestamp(line.timeMs),
    level: line.level,
    message: cut(line.message),
  });
}

function textValue(value: unknown): string {
  const plain = jsonValue(value);
  const text = typeof plain === "string" ? plain : JSON.stringify(plain);
  // The quotes of JSON, and its escape of a quote inside, keep one value one value.
  return PLAIN.test(text) ? text : escapeText(JSON.stringify(text));
}

/** A value as JSON has it, bounded. */
function jsonValue(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
    case "undefined":
      return value;
    case "string":
      return cut(value);
    case "object":
      if (value === null) return null;
      if (value instanceof Error) return cut(messageOf(value));
      if (value instanceof Uint8Array) return toHex(value.subarray(0, limits.logValueCharsMax / 2));
      return cut(structure(value));
    default:
      return cut(String(value));
  }
}

function structure(value: object): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value); // It holds itself, or a bigint.
  }
}

function cut(text: string): string {
  return text.length > limits.logValueCharsMax
    ? `${text.slice(0, limits.logValueCharsMax)}...`
    : text;
}

function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
