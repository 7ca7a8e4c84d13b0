/** The daemon's log: LogTape filters by level and hands each record to stderr as one line. */

import {
  configureSync,
  getLogger,
  type LogLevel as TapeLevel,
  type LogRecord,
} from "@logtape/logtape";
import type { LeveledLogger, LogFields, LogLevel } from "../../base/log.ts";
import { writeNote } from "../terminal/terminal.ts";
import { formatJson, formatText, type LogFormat } from "./log_format.ts";

const CATEGORY = "pacsrv";

/**
 * A logger whose lines go to stderr, or to `write`. There is one log in a process: a later call
 * replaces what an earlier one set up.
 */
export function openLog(
  options: {
    readonly level: LogLevel;
    readonly format: LogFormat;
    readonly write?: (line: string) => void;
  },
): LeveledLogger {
  const { format, write = (line) => writeNote(`${line}\n`) } = options;
  const formatLine = format === "json" ? formatJson : formatText;
  let level = options.level;
  const setUp = () =>
    configureSync({
      reset: true,
      sinks: { lines: (record) => write(formatLine(lineOf(record))) },
      loggers: [
        { category: CATEGORY, sinks: ["lines"], lowestLevel: toTape(level) },
        // LogTape's own troubles, such as a sink that throws.
        { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "warning" },
      ],
    });
  setUp();
  const tape = getLogger(CATEGORY);
  const at = (level: LogLevel) => (message: string, fields: LogFields = {}) => {
    const tapeLevel = toTape(level);
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
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    get level() {
      return level;
    },
    set level(next) {
      level = next;
      setUp();
    },
  };
}

/** The name of a level there: they differ in one. */
function toTape(level: LogLevel): TapeLevel {
  return level === "warn" ? "warning" : level;
}

function lineOf({ timestamp, level, message, properties }: LogRecord) {
  return {
    timeMs: timestamp,
    level: level === "warning" ? "warn" : level,
    message: message.map(String).join(""),
    fields: properties,
  };
}
