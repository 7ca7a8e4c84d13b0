/** The daemon's log: LogTape filters by level and hands each record to stderr as one line. */

import { configure, getLogger, type LogLevel as TapeLevel, type LogRecord } from "@logtape/logtape";
import type { LogFields, Logger } from "../../base/log.ts";
import { formatJson, formatText, type LogFormat, type LogLevel } from "./log_format.ts";
import { writeNote } from "../terminal/terminal.ts";

const CATEGORY = "pacsrv";

const TO_TAPE: Readonly<Record<LogLevel, TapeLevel>> = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
};

const FROM_TAPE: Readonly<Record<TapeLevel, LogLevel>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "error",
};

/**
 * A logger whose lines go to stderr, or to `write`. There is one log in a process: a later call
 * replaces what an earlier one set up.
 */
export async function openLog(
  options: {
    readonly level: LogLevel;
    readonly format: LogFormat;
    readonly write?: (line: string) => void;
  },
): Promise<Logger> {
  const { level, format, write = (line) => writeNote(`${line}\n`) } = options;
  const formatLine = format === "json" ? formatJson : formatText;
  await configure({
    reset: true,
    sinks: { lines: (record) => write(formatLine(lineOf(record))) },
    loggers: [
      { category: CATEGORY, sinks: ["lines"], lowestLevel: TO_TAPE[level] },
      // LogTape's own troubles, such as a sink that throws.
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "warning" },
    ],
  });
  const tape = getLogger(CATEGORY);
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    const tapeLevel = TO_TAPE[level];
    if (!tape.isEnabledFor(tapeLevel)) return;
    // A record, not a template: braces in a message are only braces.
    tape.emit({
      level: tapeLevel,
      message: [message],
      rawMessage: message,
      timestamp: Date.now(),
      properties: { ...fields },
    });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function lineOf(record: LogRecord) {
  return {
    timeMs: record.timestamp,
    level: FROM_TAPE[record.level],
    message: record.message.map(String).join(""),
    fields: record.properties,
  };
}
