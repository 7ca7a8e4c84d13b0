/**
 * The command line as a whole: finds the subcommand, loads only that one, runs it, and turns what
 * it throws into a message and an exit code. It does not end the process.
 */

import { EXIT, type ExitName, messageOf, UsageError } from "../base/errors.ts";
import type { EarlySignals } from "./arguments/arguments.ts";
import { isService } from "./terminal/early_signals.ts";
import { unlessInterrupted } from "./terminal/interrupt.ts";
import { exitCodeOf, hintOf } from "./terminal/exits.ts";
import { note, printLine, writeNote } from "./terminal/terminal.ts";

/**
 * Runs pacsrv with the words after its own name; gives the exit code. `early` are signals that may
 * have come by then.
 */
export async function runCli(words: readonly string[], early?: EarlySignals): Promise<number> {
  try {
    return EXIT[await runWords(words, early)];
  } catch (error) {
    return report(error);
  }
}

async function runWords(words: readonly string[], early?: EarlySignals): Promise<ExitName> {
  const [first, ...others] = words;
  if (first === "--version" || first === "-V" || first === "version") {
    const { VERSION } = await import("../base/version.ts");
    await printLine(`pacsrv ${VERSION}`);
    return "done";
  }
  const help = () => import("./help.ts");
  if (first === undefined) {
    writeNote(`${(await help()).overview()}\n`);
    return "usage";
  }
  if (first === "help" || first === "--help" || first === "-h") {
    await printLine(await (await help()).helpFor(others));
    return "done";
  }
  const { COMMANDS, findCommand } = await import("./command_table.ts");
  const { findName, parseCommandLine } = await import("./arguments/command_line.ts");
  const { name, before, after } = await findName(COMMANDS, words);
  // What only tells something takes no flag, whichever stands before it.
  if (name === "help" || name === "version") return await runWords([name, ...after]);
  if (name === undefined) return await runWords([aloneFlag(before)]);
  const command = await findCommand(name);
  if (!isService(command.name)) {
    // A value was taken for such a command: the system's own way applies, late as it is.
    for (const signal of early?.release() ?? []) Deno.kill(Deno.pid, signal);
  }
  const args = await parseCommandLine(command, [...before, ...after]);
  if (args.has("help")) {
    await printLine((await help()).commandHelp(command));
    return "done";
  }
  const run = await command.load();
  try {
    if (command.takesSignals) return await run(args, early);
    return await unlessInterrupted(() => run(args), command.afterSignal);
  } catch (error) {
    const { hintingAtSame } = await import("./settings/same_daemon.ts");
    throw hintingAtSame(error, args);
  }
}

/**
 * The flag among these that does without a command.
 *
 * @throws {UsageError} when there is none.
 */
function aloneFlag(flags: readonly string[]): string {
  const found = flags.find((flag) => ["--version", "-V", "--help", "-h"].includes(flag));
  if (found !== undefined) return found;
  throw new UsageError("Cannot run pacsrv: the command is missing", {
    hint: '"pacsrv help" lists the commands.',
  });
}

/** Says on stderr what went wrong, and gives the exit code. */
function report(error: unknown): number {
  // The reader of stdout went away: it has what it wanted, and there is nothing to say.
  if (error instanceof Deno.errors.BrokenPipe) return exitCodeOf(error);
  note(`pacsrv: ${messageOf(error)}`);
  const hint = hintOf(error);
  // What follows its first line is a list, which cannot be taken for a line of another kind.
  for (const [i, line] of (hint ?? "").split("\n").entries()) {
    if (line !== "") note(`${i === 0 ? "hint: " : "      "}${line}`);
  }
  if (isDebugging()) noteStack(error);
  return exitCodeOf(error);
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
