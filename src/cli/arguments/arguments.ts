/**
 * How a command is described, and what it is given. One description feeds the parser, the help
 * texts and all pages, the completions, the suggestions and the keys of the configuration file. No
 * command is described here.
 */

import { type ExitName, UsageError } from "../../base/errors.ts";
import { blaming } from "./setting_faults.ts";

/** One flag of a command. */
export interface FlagSpec {
  /** Long name without its dashes; also its key in the configuration file. */
  readonly name: string;
  /** One letter, without its dash. */
  readonly short?: string;
  /**
   * What the value is called in the help; without it the flag is a switch. FILE, DIR and PATH are
   * paths: they are completed, and in a configuration file relative to it. N and SECONDS are
   * numbers there. Lower-case words between bars are the values that there are.
   */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly repeatable?: boolean;
  /**
   * How the configuration file has its values, where these are no texts: a table, `KEY=VALUE` each, or
   * a list of tables, `KEY=VALUE KEY=VALUE` each.
   */
  readonly inFile?: "table" | "tables";
  /** One or two sentences for a first-time user. */
  readonly help: string;
  /** The value when it is not given, as a person would write it. */
  readonly default?: string;
  /** The same in words, where it cannot be written as a value. */
  readonly defaultText?: string;
}

/** A flag by its name and value as the help shows them: `-o, --output FILE`. */
export function flag(
  usage: string,
  spec: Omit<FlagSpec, "name" | "short" | "value">,
): FlagSpec {
  const [, short, name = "", value] = /^(?:-(\w), )?--([\w-]+)(?: (.+))?$/.exec(usage) ?? [];
  return { name, ...(short && { short }), ...(value && { value }), ...spec };
}

/** What a command line may hold besides flags. */
interface PositionalSpec {
  /** As the help shows it: "NAME|ROOT". Completed as the value of a flag is. */
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** A line to try, and what it does. */
interface Example {
  readonly line: string;
  readonly note: string;
}

/** One subcommand. */
export interface CommandSpec {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name in the usage line, flags apart. */
  readonly positional?: PositionalSpec;
  /** Paragraphs of its help text. */
  readonly about: readonly string[];
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly Example[];
  /** Whether it answers signals by itself; of the others no more is heard. */
  readonly takesSignals?: true;
  /** What a person can do when a signal ended it. */
  readonly afterSignal?: string;
  /** Loads the code of this command, and of no other. */
  readonly load: () => Promise<CommandRun>;
}

/** Signals that came before a command was loaded, kept until it takes them over. */
export interface EarlySignals {
  /** Ends the keeping, and gives what came. To be called once others listen to these signals. */
  release(): readonly Deno.Signal[];
}

/** Runs a command; what goes wrong is thrown as one of the families of `base/errors.ts`. */
export type CommandRun = (args: Arguments, early?: EarlySignals) => Promise<ExitName>;

/** What `pacsrv help` explains besides the commands. */
export const HELP_TOPICS: readonly string[] = ["config", "exit-codes"];

/** The shells that `pacsrv completions` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The switch that every command has. */
export const HELP_FLAG = flag("-h, --help", { help: "Show this help." });

/** The switch that stands in the place of a command. */
export const VERSION_FLAG = flag("-V, --version", { help: "Show the version." });

/** All flags of a command, the common ones too. */
export function allFlags(command: CommandSpec): readonly FlagSpec[] {
  return [...command.flags, HELP_FLAG];
}

/** Whether the configuration file has the value as a number: whole, or with a fraction too. */
export function numberKind({ value }: FlagSpec): "whole" | "decimal" | undefined {
  return value === "N" ? "whole" : value === "SECONDS" ? "decimal" : undefined;
}

/** The flags of a command with `--config` that the configuration file may set: all but that one. */
export function configKeys(command: CommandSpec): readonly FlagSpec[] {
  return command.flags.filter((flag) => flag.name !== "config");
}

/**
 * Checks the text of a flag, of a key of the configuration file or of an argument; `what` is the
 * name under which a message speaks of it.
 *
 * @throws {UsageError} when the text cannot be used.
 */
export type Parser<T> = (text: string, what: string) => T;

/** What a command line must not say: whether it does, what of it cannot be used, what to do. */
type Misuse = readonly [isSo: boolean, what: string, hint?: string];

/**
 * Refuses flags that do not go together.
 *
 * @throws {UsageError} for the first misuse that is so.
 */
export function refuseMisuse(misuses: readonly Misuse[]): void {
  const [, what, hint] = misuses.find(([isSo]) => isSo) ?? [];
  if (what !== undefined) throw new UsageError(`Cannot use ${what}`, { hint });
}

/** Values below the flags: a configuration file's. */
export interface FileValues {
  /** The file, as messages name it. */
  readonly path: string;
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** The line of each, from 1, where it is known. */
  readonly lines: ReadonlyMap<string, number>;
  /** The same of single values of a key. */
  readonly valueLines?: ReadonlyMap<string, ReadonlyMap<string, number>>;
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

  /** The values of any flag, or its default; empty for none. */
  texts(name: string): readonly string[] {
    const given = this.list(name);
    const text = this.text(name);
    return given.length > 0 || text === undefined ? given : [text];
  }

  /** The checked value of a flag that has a default. */
  value<T>(name: string, parse: Parser<T>): T {
    const text = this.text(name) ?? "";
    return blaming({ key: name, text }, () => parse(text, this.origin(name)));
  }

  /** The checked value of a flag; undefined where it has none. */
  optional<T>(name: string, parse: Parser<T>): T | undefined {
    return this.text(name) === undefined ? undefined : this.value(name, parse);
  }

  /** The checked values of a repeatable flag. */
  values<T>(name: string, parse: Parser<T>): readonly T[] {
    return this.list(name).map((text) => {
      const fault = { key: name, text, line: this.lineOf(name, text) };
      return blaming(fault, () => parse(text, this.origin(name, text)));
    });
  }

  /** The line of the file that sets a flag, or one of its values, if it is known. */
  lineOf(name: string, text = ""): number | undefined {
    if (this.isGiven(name)) return undefined;
    return this.#file?.valueLines?.get(name)?.get(text) ?? this.#file?.lines.get(name);
  }

  /** How a message names where a value comes from: `--ttl`, or `ttl in FILE (line 3)`. */
  origin(name: string, text = ""): string {
    if (this.isGiven(name) || !this.#file?.values.has(name)) return `--${name}`;
    const line = this.lineOf(name, text);
    return `${name} in ${this.#file.path}${line === undefined ? "" : ` (line ${line})`}`;
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
