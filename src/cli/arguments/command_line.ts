/**
 * The parser: from the words of a command line to checked flags and positional arguments, by the
 * description of the command. What a value means is left to the command: here it is text.
 */

import { parseArgs } from "node:util";
import { UsageError } from "../../base/errors.ts";
import {
  allFlags,
  Arguments,
  type CommandSpec,
  type FlagSpec,
  HELP_FLAG,
  VERSION_FLAG,
} from "./arguments.ts";
import { suggestion } from "./suggest.ts";

/** A flag among the words. */
interface OptionToken {
  /** As it is typed: `-o` or `--output`. */
  readonly rawName: string;
  readonly value?: string | undefined;
  /** Whether the value is in the same word. */
  readonly inlineValue?: boolean | undefined;
}

/** The command that a line names, and all its other words. */
interface NamedCommand {
  /** Undefined where the line has only flags. */
  readonly name: string | undefined;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * Finds the name of the command: the first word that is no flag and no flag's value. So any flag of
 * a command may stand before its name; whether the command has it is checked with the others.
 *
 * @throws {UsageError} for a flag before the name that no command has, with the nearest one.
 */
export async function findName(
  commands: readonly CommandSpec[],
  words: readonly string[],
): Promise<NamedCommand> {
  const flags = [...flagsOfAll(commands), VERSION_FLAG];
  for (const token of tokensOf(flags, words)) {
    if (token.kind === "positional") {
      const { index, value: name } = token;
      return { name, before: words.slice(0, index), after: words.slice(index + 1) };
    }
    if (token.kind === "option" && !flags.some(({ name }) => name === token.name)) {
      throw await unknownFlag("", flags, words[token.index]!);
    }
  }
  return { name: undefined, before: words, after: [] };
}

/** Each flag that any of these commands has, once: a name is written alike with all of them. */
export function flagsOfAll(commands: readonly CommandSpec[]): readonly FlagSpec[] {
  return [...new Map(commands.flatMap(allFlags).map((flag) => [flag.name, flag])).values()];
}

/**
 * Parses all words but the command's name.
 *
 * @throws {UsageError} for an unknown flag, with the nearest one; for a missing or unexpected
 * value, a flag given twice, and too few or too many arguments.
 */
export async function parseCommandLine(
  command: CommandSpec,
  words: readonly string[],
): Promise<Arguments> {
  const flags = allFlags(command);
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf(flags, words)) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.find(({ name }) => name === token.name);
    const word = words[token.index]!;
    // "-output" is a long name that lacks a dash, not "-o utput".
    if (flag === undefined || word === `-${flag.name}`) {
      throw await unknownFlag(command.name, flags, word);
    }
    given.set(flag.name, [...given.get(flag.name) ?? [], valueOf(command, flag, token)]);
  }
  for (const flag of flags) {
    const times = given.get(flag.name)?.length ?? 0;
    if (times > 1 && flag.value !== undefined && !flag.repeatable) {
      throw misuse(command.name, `--${flag.name} is given ${times} times, but only one counts`);
    }
  }
  if (!given.has(HELP_FLAG.name)) checkPositionals(command, positionals);
  return new Arguments(command, given, { positionals });
}

/** The words as flags and arguments; which flags there are, and how often, is not checked here. */
function tokensOf(flags: readonly FlagSpec[], words: readonly string[]) {
  const options = flags.map(({ name, short, value }) => {
    const type = value === undefined ? "boolean" as const : "string" as const;
    return [name, short === undefined ? { type } : { type, short }];
  });
  return parseArgs({
    args: [...words],
    options: Object.fromEntries(options),
    allowPositionals: true,
    strict: false,
    tokens: true,
  }).tokens;
}

/** The value of a flag in its token; "true" for a switch. */
function valueOf(command: CommandSpec, flag: FlagSpec, token: OptionToken): string {
  const { rawName, value, inlineValue } = token;
  if (flag.value === undefined) {
    if (value === undefined) return "true";
    throw misuse(command.name, `--${flag.name} takes no value, but has "${value}"`);
  }
  const isShort = !rawName.startsWith("--");
  const text = isShort && inlineValue ? value?.replace(/^=/, "") : value;
  const isFlag = !inlineValue && text !== "-" && text?.startsWith("-");
  if (!text || isFlag) throw missingValue(command, flag, text);
  return text;
}

function checkPositionals(command: CommandSpec, positionals: readonly string[]): void {
  const { name, min, max } = command.positional ?? { name: "", min: 0, max: 0 };
  const extra = positionals[max];
  if (extra !== undefined) {
    const bound = max === 0 ? "takes no argument" : `takes ${max === 1 ? "one " : ""}${name}`;
    throw misuse(command.name, `unexpected argument ${JSON.stringify(extra)}: it ${bound}`);
  }
  const missing = name.split(" ")[positionals.length];
  if (positionals.length < min) throw misuse(command.name, `${missing} is missing`);
  if (positionals.includes("")) throw misuse(command.name, "an argument is empty");
}

function missingValue(command: CommandSpec, flag: FlagSpec, next?: string): UsageError {
  const isFlagLike = next !== undefined && next.startsWith("-");
  const hint = isFlagLike
    ? `A value that begins with a dash is written --${flag.name}=${next}.`
    : undefined;
  return misuse(command.name, `--${flag.name} needs a value: --${flag.name} ${flag.value}`, hint);
}

async function unknownFlag(
  command: string,
  flags: readonly FlagSpec[],
  word: string,
): Promise<UsageError> {
  const typed = word.split("=")[0]!;
  const nearest = await suggestion(
    `--${typed.replace(/^-+/, "")}`,
    flags.map((flag) => `--${flag.name}`),
  );
  return misuse(
    command,
    `no flag ${JSON.stringify(typed)}`,
    nearest === undefined ? undefined : `Did you mean ${nearest}?`,
  );
}

/** @param command Empty where the line names none yet. */
function misuse(command: string, problem: string, hint?: string): UsageError {
  const program = command === "" ? "pacsrv" : `pacsrv ${command}`;
  const more = command === ""
    ? '"pacsrv help" lists the commands.'
    : `"pacsrv help ${command}" lists its flags.`;
  return new UsageError(`Cannot run ${program}: ${problem}`, {
    hint: hint === undefined ? more : `${hint} ${more}`,
  });
}
