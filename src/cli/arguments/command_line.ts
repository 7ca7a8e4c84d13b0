/**
 * The parser: from the words of a command line to checked flags and positional arguments, by the
 * description of the command. What a value means is left to the command: here it is text.
 */

import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../../base/errors.ts";
import { allFlags, Arguments, type CommandSpec, type FlagSpec, HELP_FLAG } from "./arguments.ts";
import { suggestion } from "./suggest.ts";

/**
 * Parses what follows the command's name.
 *
 * @throws {UsageError} for an unknown flag, with the nearest one; for a missing or unexpected
 * value, a flag given twice, and too few or too many arguments.
 */
export async function parseCommandLine(
  command: CommandSpec,
  words: readonly string[],
): Promise<Arguments> {
  const flags = allFlags(command);
  const switches = flags.filter((flag) => flag.value === undefined).map(parserKey);
  const valued = flags.filter((flag) => flag.value !== undefined).map(parserKey);
  // The parser keeps its arguments under "_": a flag of that name would overwrite them.
  const unknown = words.slice(0, endOfFlags(words)).filter((word) => /^--?_/.test(word));
  if (unknown[0] !== undefined) throw await unknownFlag(command, unknown[0]);
  const parsed = parseArgs(attachValues(command, words), {
    boolean: switches,
    // "_": an argument that looks like a number stays the text that it is.
    string: [...valued, "_"],
    collect: [...switches, ...valued],
    unknown: (word, key) => {
      if (key !== undefined) unknown.push(word);
      return key === undefined;
    },
  });
  if (unknown[0] !== undefined) throw await unknownFlag(command, unknown[0]);
  const given = new Map<string, readonly string[]>();
  for (const flag of flags) {
    const values = (parsed[parserKey(flag)] as unknown[]).map(String);
    if (values.length === 0) continue;
    if (values.length > 1 && flag.value !== undefined && !flag.repeatable) {
      throw misuse(command, `--${flag.name} is given ${values.length} times, but only one counts`);
    }
    if (values.some((value) => value === "")) throw missingValue(command, flag);
    given.set(flag.name, values);
  }
  const positionals = parsed._.map(String);
  if (!given.has(HELP_FLAG.name)) checkPositionals(command, positionals);
  return new Arguments(command, given, { positionals });
}

/**
 * Writes each known flag as `--name=value`, so that the parser cannot take a switch's neighbour
 * for its value (`-q true`), a lone `-` for a flag, or `-oFILE` for a bundle of switches.
 */
function attachValues(command: CommandSpec, words: readonly string[]): string[] {
  const attached: string[] = [];
  const end = endOfFlags(words);
  for (let i = 0; i < end; i++) {
    const word = words[i]!;
    const match = matchFlag(command, word);
    if (match === undefined) attached.push(word);
    else if (match.flag.value === undefined) {
      if (match.value !== undefined) {
        throw misuse(command, `--${match.flag.name} takes no value, but has "${match.value}"`);
      }
      attached.push(`--${parserKey(match.flag)}=true`);
    } else if (match.value !== undefined) {
      attached.push(`--${parserKey(match.flag)}=${match.value}`);
    } else {
      const next = words[i + 1];
      const isValue = next !== undefined && i + 1 < end && (next === "-" || !next.startsWith("-"));
      if (!isValue) throw missingValue(command, match.flag, next);
      attached.push(`--${parserKey(match.flag)}=${next}`);
      i++;
    }
  }
  return [...attached, ...words.slice(end)];
}

/**
 * A flag's name for the parser, which takes what begins with `no-` for the opposite of another
 * flag. Nobody can type what begins with `_`.
 */
function parserKey(flag: FlagSpec): string {
  return flag.name.replace(/^no-/, "_no-");
}

/** Where `--` ends the flags; the length where nothing does. */
function endOfFlags(words: readonly string[]): number {
  const index = words.indexOf("--");
  return index < 0 ? words.length : index;
}

/** The known flag that a word is, with the value that is written into the same word. */
function matchFlag(
  command: CommandSpec,
  word: string,
): { flag: FlagSpec; value: string | undefined } | undefined {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  const flags = allFlags(command);
  // "-output" is a long name that lacks a dash, not "-o utput".
  if (flags.some((flag) => name === `-${flag.name}`)) return undefined;
  for (const flag of flags) {
    if (name === `--${flag.name}` || name === `-${flag.short}`) return { flag, value };
    const isGlued = flag.short !== undefined && flag.value !== undefined &&
      word.startsWith(`-${flag.short}`);
    if (isGlued) return { flag, value: word.slice(2) };
  }
  return undefined;
}

function checkPositionals(command: CommandSpec, positionals: readonly string[]): void {
  const { name, min, max } = command.positional ?? { name: "", min: 0, max: 0 };
  const extra = positionals[max];
  if (extra !== undefined) {
    const bound = max === 0 ? "takes no argument" : `takes ${max === 1 ? "one " : ""}${name}`;
    throw misuse(command, `unexpected argument ${JSON.stringify(extra)}: it ${bound}`);
  }
  const missing = name.split(" ")[positionals.length];
  if (positionals.length < min) throw misuse(command, `${missing} is missing`);
  if (positionals.includes("")) throw misuse(command, "an argument is empty");
}

function missingValue(command: CommandSpec, flag: FlagSpec, next?: string): UsageError {
  const isFlagLike = next !== undefined && next.startsWith("-");
  const hint = isFlagLike
    ? `A value that begins with a dash is written --${flag.name}=${next}.`
    : undefined;
  return misuse(command, `--${flag.name} needs a value: --${flag.name} ${flag.value}`, hint);
}

async function unknownFlag(command: CommandSpec, word: string): Promise<UsageError> {
  const typed = word.split("=")[0]!;
  const names = allFlags(command).map((flag) => `--${flag.name}`);
  const nearest = await suggestion(`--${typed.replace(/^-+/, "")}`, names);
  return misuse(
    command,
    `no flag ${JSON.stringify(typed)}`,
    nearest === undefined ? undefined : `Did you mean ${nearest}?`,
  );
}

function misuse(command: CommandSpec, problem: string, hint?: string): UsageError {
  const more = `"pacsrv help ${command.name}" lists its flags.`;
  return new UsageError(`Cannot run pacsrv ${command.name}: ${problem}`, {
    hint: hint === undefined ? more : `${hint} ${more}`,
  });
}
