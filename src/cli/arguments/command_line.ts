/**
 * The parser: from the words of a command line to checked flags and positional arguments, by the
 * description of the command. What a value means is left to the command: here it is text.
 */

import { parseArgs } from "node:util";
import { UsageError } from "../../base/errors.ts";
import { allFlags, Arguments, type CommandSpec, type FlagSpec, HELP_FLAG } from "./arguments.ts";
import { suggestion } from "./suggest.ts";

/** A flag among the words. */
interface OptionToken {
  /** As it is typed: `-o` or `--output`. */
  readonly rawName: string;
  readonly value?: string | undefined;
  /** Whether the value is in the same word. */
  readonly inlineValue?: boolean | undefined;
}

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
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf(flags, words)) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags.find(({ name }) => name === token.name);
    const word = words[token.index]!;
    // "-output" is a long name that lacks a dash, not "-o utput".
    if (flag === undefined || word === `-${flag.name}`) throw await unknownFlag(command, word);
    given.set(flag.name, [...given.get(flag.name) ?? [], valueOf(command, flag, token)]);
  }
  for (const flag of flags) {
    const times = given.get(flag.name)?.length ?? 0;
    if (times > 1 && flag.value !== undefined && !flag.repeatable) {
      throw misuse(command, `--${flag.name} is given ${times} times, but only one counts`);
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
    throw misuse(command, `--${flag.name} takes no value, but has "${value}"`);
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
