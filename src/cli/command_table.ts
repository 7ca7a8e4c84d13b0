/**
 * Every command with its flags, in the order of the help. The parser, the help texts, COMMANDS.md,
 * the man pages, the shell completions, the suggestions and the keys of the configuration file all
 * come from here. The code of a command is loaded only when it runs.
 */

import { UsageError } from "../base/errors.ts";
import { type CommandSpec, SHELLS } from "./arguments/arguments.ts";
import { suggestion } from "./arguments/suggest.ts";
import { FETCH } from "./table/fetch_commands.ts";
import { CLEAN, LIST, PIN, PUSH, SHARE, UNPIN, UNSHARE, VERIFY } from "./table/file_commands.ts";
import { CONFIG_CHECK, DOCTOR, EXPLAIN, LOG_LEVEL, STATUS, TOP } from "./table/machine_commands.ts";
import { FILES, INFO, PEERS, SEARCH, WHERE } from "./table/network_commands.ts";
import { DAEMON, DIRECTORY } from "./table/service_commands.ts";

const COMPLETIONS: CommandSpec = {
  name: "completions",
  summary: "Print a script that completes pacsrv command lines in a shell",
  positional: { name: SHELLS.join("|"), min: 1, max: 1 },
  about: [
    "Prints the completion script of a shell on stdout. It completes commands, flags, their values " +
    "where these are a fixed list, and paths.",
    "bash: put it into ~/.local/share/bash-completion/completions/pacsrv, or source it from " +
    "~/.bashrc. zsh: put it as _pacsrv into a directory of $fpath. fish: put it into " +
    "~/.config/fish/completions/pacsrv.fish. The package for Arch Linux and the task install do so.",
  ],
  flags: [],
  examples: [
    {
      line: "pacsrv completions fish > ~/.config/fish/completions/pacsrv.fish",
      note: "for fish",
    },
    { line: "source <(pacsrv completions bash)", note: "for this bash" },
  ],
  load: async () => (await import("./completion_script.ts")).completionsOf(COMMANDS),
};

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  DAEMON,
  DIRECTORY,
  FETCH,
  SHARE,
  UNSHARE,
  PIN,
  UNPIN,
  CLEAN,
  LIST,
  SEARCH,
  INFO,
  WHERE,
  PUSH,
  FILES,
  PEERS,
  EXPLAIN,
  STATUS,
  TOP,
  VERIFY,
  DOCTOR,
  LOG_LEVEL,
  CONFIG_CHECK,
  COMPLETIONS,
];

/**
 * The command of a name.
 *
 * @throws {UsageError} when there is none, with the nearest one.
 */
export async function findCommand(name: string): Promise<CommandSpec> {
  const command = COMMANDS.find((command) => command.name === name);
  if (command !== undefined) return command;
  const names = [...COMMANDS.map((command) => command.name), "help"];
  const nearest = await suggestion(name, [...names, "--version", "--help"]);
  const list = `The commands are ${names.join(", ")}.`;
  throw new UsageError(`Cannot run pacsrv ${JSON.stringify(name)}: there is no such command`, {
    hint: nearest === undefined ? list : `Did you mean "pacsrv ${nearest}"? ${list}`,
  });
}
