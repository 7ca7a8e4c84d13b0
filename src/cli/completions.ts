/** `pacsrv completions SHELL`. */

import type { ExitName } from "../base/errors.ts";
import type { Arguments } from "./arguments.ts";
import { completionScript } from "./completion_script.ts";
import { SHELLS } from "./flag_spec.ts";
import { writeOut } from "./terminal.ts";
import { parseChoice } from "./values.ts";

/** Prints the completion script of a shell. */
export async function runCompletions(args: Arguments): Promise<ExitName> {
  const shell = parseChoice(args.positionals[0]!, "shell", SHELLS);
  await writeOut(completionScript(shell));
  return "done";
}
