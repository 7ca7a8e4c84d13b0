/** The settings that the commands share that run until a signal: configuration file and log. */

import type { Arguments } from "../arguments.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../log/log_levels.ts";
import { parseChoice } from "../values.ts";

/** How the log looks. */
export interface LogSettings {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/**
 * The command line over the file that `--config` names, if it names one.
 *
 * @throws {UsageError} for what is wrong in the file.
 * @throws {EnvironmentError} when it cannot be read.
 */
export async function withConfig(args: Arguments): Promise<Arguments> {
  const path = args.text("config");
  if (path === undefined) return args;
  const { readConfig } = await import("./config.ts");
  return args.over(await readConfig(path, args.command));
}

/**
 * Reads `--log-level` and `--log-format`.
 *
 * @throws {UsageError} when one is none of the words.
 */
export function readLogSettings(args: Arguments): LogSettings {
  return {
    logLevel: parseChoice(args.text("log-level") ?? "", args.origin("log-level"), LOG_LEVELS),
    logFormat: parseChoice(args.text("log-format") ?? "", args.origin("log-format"), LOG_FORMATS),
  };
}
