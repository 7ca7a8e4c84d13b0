/**
 * All that is wrong with a configuration file. It is read by the very code that reads it for a
 * service: what that finds wrong is noted and taken away, and the rest is read again.
 */

import { EnvironmentError, UsageError } from "../../base/errors.ts";
import { Arguments, type CommandSpec } from "../arguments/arguments.ts";
import { faultOf } from "../arguments/setting_faults.ts";
import { readConfigText, readKeys } from "./config.ts";
import { lookAtPaths } from "./named_paths.ts";

/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  /** The file, as it was named. */
  readonly file: string;
  /** Its line, from 1; null where that is not known. */
  readonly line: number | null;
  /** The key; null where the file as a whole is meant. */
  readonly key: string | null;
  /** What is wrong, and what is allowed. */
  readonly message: string;
  /** What can be done about it; null if nothing is known. */
  readonly hint: string | null;
}

/** What a check found. */
interface ConfigCheck {
  /** In the order of the lines. */
  readonly problems: readonly ConfigProblem[];
  /** How many keys are right. */
  readonly settings: number;
  /** What the service starts with, and may not be meant. */
  readonly warnings: readonly string[];
}

/**
 * Checks the file of a service.
 *
 * @param options.read Reads all settings, and throws at the first that is wrong.
 * @throws {EnvironmentError} when the file cannot be read.
 */
export async function checkConfig(
  path: string,
  options: {
    readonly command: CommandSpec;
    readonly read: (args: Arguments) => Promise<unknown>;
  },
): Promise<ConfigCheck> {
  const { command, read } = options;
  let reading: Awaited<ReturnType<typeof readKeys>>;
  try {
    reading = await readKeys(await readConfigText(path), { path, command });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { problems: [problemOf(error, path, new Map())], settings: 0, warnings: [] };
  }
  const { lines, valueLines = new Map() } = reading.file;
  const left = new Map(reading.file.values);
  const wrong = new Set(reading.problems.map((problem) => faultOf(problem)?.key));
  const found = reading.problems.map((problem) => problemOf(problem, path, lines));
  // What is taken out of `left` below, these do not have any more.
  const args = new Arguments(command, new Map()).over({ path, values: left, lines, valueLines });
  for (;;) {
    const error = await failureOf(read, args);
    if (error === undefined) break;
    const { key, text, beside } = faultOf(error) ?? {};
    // Without the other setting, which is wrong itself, nothing can be said about the two.
    if (beside === undefined || !wrong.has(beside)) found.push(problemOf(error, path, lines));
    if (key === undefined || !left.has(key)) break;
    wrong.add(key);
    const others = left.get(key)!.filter((one) => text !== undefined && one !== text);
    if (others.length > 0) left.set(key, others);
    else left.delete(key);
  }
  const paths = lookAtPaths(args);
  found.push(...paths.problems.map((problem) => problemOf(problem, path, lines)));
  const problems = found.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
  return { problems, settings: left.size, warnings: paths.warnings };
}

async function failureOf(
  read: (args: Arguments) => Promise<unknown>,
  args: Arguments,
): Promise<UsageError | EnvironmentError | undefined> {
  try {
    await read(args);
    return undefined;
  } catch (error) {
    if (error instanceof UsageError || error instanceof EnvironmentError) return error;
    throw error;
  }
}

function problemOf(
  error: UsageError | EnvironmentError,
  file: string,
  lines: ReadonlyMap<string, number>,
): ConfigProblem {
  const { key = null, line = lines.get(key ?? "") ?? null } = faultOf(error) ?? {};
  return { file, line, key, message: error.message, hint: error.hint ?? null };
}
