/**
 * The command line as a whole: finds the subcommand, loads only that one, runs it, and turns what
 * it throws into a message and an exit code. It does not end the process.
 */

import { EXIT, type ExitName, messageOf } from "../base/errors.ts";
import { exitOf, hintOf } from "./terminal/system_error.ts";
import { note, printLine, writeNote } from "./terminal/terminal.ts";

/** Runs pacsrv with the words after its own name; gives the exit code. */
export async function runCli(words: readonly string[]): Promise<number> {
  try {
    return EXIT[await runWords(words)];
  } catch (error) {
    return EXIT[report(error)];
  }
}

async function runWords(words: readonly string[]): Promise<ExitName> {
  const [name, ...rest] = words;
  if (name === "--version" || name === "-V" || name === "version") {
    const { VERSION } = await import("../base/version.ts");
    await printLine(`pacsrv ${VERSION}`);
    return "done";
  }
  const help = () => import("./help.ts");
  if (name === undefined) {
    writeNote(`${(await help()).overview()}\n`);
    return "usage";
  }
  if (name === "help" || name === "--help" || name === "-h") {
    await printLine(await (await help()).helpFor(rest));
    return "done";
  }
  const { findCommand } = await import("./command_table.ts");
  const { parseCommandLine } = await import("./arguments/command_line.ts");
  const command = await findCommand(name);
  const args = await parseCommandLine(command, rest);
  if (args.has("help")) {
    await printLine((await help()).commandHelp(command));
    return "done";
  }
  const run = await command.load();
  return await run(args);
}

/** Says on stderr what went wrong, and how the program is to end. */
function report(error: unknown): ExitName {
  // The reader of stdout went away: it has what it wanted.
  if (error instanceof Deno.errors.BrokenPipe) return "failed";
  note(`pacsrv: ${messageOf(error)}`);
  const hint = hintOf(error);
  if (hint) note(`hint: ${hint}`);
  if (isDebugging()) noteStack(error);
  return exitOf(error);
}

function isDebugging(): boolean {
  try {
    return Deno.env.get("PACSRV_DEBUG") === "1";
  } catch {
    return false; // Not even that may be read: then nobody asked for it.
  }
}

function noteStack(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    for (const line of (cause.stack ?? String(cause)).split("\n")) note(`  ${line}`);
  }
}
