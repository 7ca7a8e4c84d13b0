/**
 * From the words of a command line to checked flags and positional arguments, by the description
 * of the command. What a value means is left to the command: here it is text.
 */

import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../base/errors.ts";
import { type CommandSpec, type FlagSpec, HELP_FLAG } from "./flag_spec.ts";
import { suggestion } from "./suggest.ts";

/** Values below the flags: a configuration file's. */
export interface FileValues {
  /** The file, as messages name it. */
  readonly path: string;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** What was given on the command line, over what a file sets, over the defaults. */
export class Arguments {
  readonly command: CommandSpec;
  readonly positionals: readonly string[];
  readonly #given: ReadonlyMap<string, readonly string[]>;
  readonly #file: FileValues | undefined;

  constructor(
    command: CommandSpec,
    given: ReadonlyMap<string, readonly string[]>,
    options: { readonly positionals?: readonly string[]; readonly file?: FileValues } = {},
  ) {
    this.command = command;
    this.positionals = options.positionals ?? [];
    this.#given = given;
    this.#file = options.file;
  }

  /** Whether a switch is on. */
  has(name: string): boolean {
    return this.list(name).length > 0;
  }

  /** Whether the command line itself has the flag. */
  isGiven(name: string): boolean {
    return this.#given.has(this.#spec(name).name);
  }

  /** Whether the command line or the file has the flag, rather than its default. */
  isSet(name: string): boolean {
    return this.isGiven(name) || this.#file?.values.has(name) === true;
  }

  /** A value, or its default; undefined without either. */
  text(name: string): string | undefined {
    return this.list(name)[0] ?? this.#spec(name).default;
  }

  /** All values of a repeatable flag; those of the command line replace those of the file. */
  list(name: string): readonly string[] {
    const { name: key } = this.#spec(name);
    return this.#given.get(key) ?? this.#file?.values.get(key) ?? [];
  }

  /** How a message names where the value comes from: `--ttl`, or `ttl in FILE`. */
  origin(name: string): string {
    if (this.isGiven(name) || !this.#file?.values.has(name)) return `--${name}`;
    return `${name} in ${this.#file.path}`;
  }

  /** The same command line over the values of a file. */
  over(file: FileValues): Arguments {
    return new Arguments(this.command, this.#given, { positionals: this.positionals, file });
  }

  #spec(name: string): FlagSpec {
    const spec = allFlags(this.command).find((flag) => flag.name === name);
    // A command asked for a flag that its own table lacks: a bug, not a person's mistake.
    if (spec === undefined) throw new TypeError(`pacsrv ${this.command.name} has no --${name}`);
    return spec;
  }
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

/** All flags of a command, the common ones too. */
export function allFlags(command: CommandSpec): readonly FlagSpec[] {
  return [...command.flags, HELP_FLAG];
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
