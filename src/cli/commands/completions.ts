/** `pacsrv completions SHELL`. */

import type { Arguments } from "../arguments.ts";
import { completionScript } from "../completion_script.ts";
import { type CommandRun, type CommandSpec, SHELLS } from "../flag_spec.ts";
import { writeOut } from "../terminal.ts";
import { parseChoice } from "../values.ts";

/** The command for these commands; the table that has it as well is handed in, not imported. */
export function completionsOf(commands: readonly CommandSpec[]): CommandRun {
  return async (args: Arguments) => {
    const shell = parseChoice(args.positionals[0]!, "shell", SHELLS);
    await writeOut(completionScript(shell, commands));
    return "done";
  };
}
