/**
 * How a command of the command line is described: one object feeds the parser, the help texts and
 * all pages, the completions, the suggestions and the keys of the configuration file. It holds no
 * command itself.
 */

import type { ExitName } from "../base/errors.ts";
import type { Arguments } from "./arguments.ts";

/** One flag of a command. */
export interface FlagSpec {
  /** Long name without its dashes; also its key in the configuration file. */
  readonly name: string;
  /** One letter, without its dash. */
  readonly short?: string;
  /**
   * What the value is called in the help; without it the flag is a switch. FILE, DIR and PATH are
   * completed as paths, and lower-case words between bars are the values that there are.
   */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly repeatable?: boolean;
  /** One or two sentences for a first-time user. */
  readonly help: string;
  /** The value when it is not given, as a person would write it. */
  readonly default?: string;
  /** The same in words, where it cannot be written as a value. */
  readonly defaultText?: string;
  /** Whether the configuration file may set it. */
  readonly inConfig?: boolean;
  /** Whether the configuration file writes it as a number. */
  readonly isNumber?: boolean;
  /** Whether that number may have a fraction. */
  readonly isDecimal?: boolean;
  /** Whether it is a path, so that in a configuration file it is relative to that file. */
  readonly isPath?: boolean;
}

/** What a command line may hold besides flags. */
export interface PositionalSpec {
  /** As the help shows it: "NAME|ROOT". Completed as the value of a flag is. */
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** A line to try, and what it does. */
export interface Example {
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
  /** Loads the code of this command, and of no other. */
  readonly load: () => Promise<CommandRun>;
}

/** Runs a command; what goes wrong is thrown as one of the families of `base/errors.ts`. */
export type CommandRun = (args: Arguments) => Promise<ExitName>;

/** What `pacsrv help` explains besides the commands. */
export const HELP_TOPICS: readonly string[] = ["config", "exit-codes"];

/** The shells that `pacsrv completions` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The switch that every command has. */
export const HELP_FLAG: FlagSpec = {
  name: "help",
  short: "h",
  help: "Show this help.",
};
