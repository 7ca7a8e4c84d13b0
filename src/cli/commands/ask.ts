/** What all commands that only ask the daemon something have in common. */

import type { ExitName } from "../../base/errors.ts";
import { DaemonClient } from "../../client/daemon_client.ts";
import type { AnswerItems, AskArguments, LeftOut } from "../../client/types.ts";
import type { Arguments, CommandRun } from "../arguments/arguments.ts";
import { parseDialledClient } from "../settings/network_settings.ts";
import { givenClient } from "../settings/same_daemon.ts";
import type { TableView } from "../terminal/table.ts";
import { withClient } from "../terminal/command_words.ts";
import { jsonLine, note, outputColumns, writeOut } from "../terminal/terminal.ts";
import { leftOutText } from "../terminal/text_format.ts";

/** A command that asks one question and prints the answer. */
interface AskCommand<V extends keyof AskArguments> {
  readonly verb: V;
  /** What is asked, by the arguments of the command line. */
  readonly ask: (positionals: readonly string[], args: Arguments) => AskArguments[V];
  /** The order in which the items are printed; without it, as they come. */
  readonly order?: (a: AnswerItems[V], b: AnswerItems[V]) => number;
  /** The items for people; with `--json` they are printed as they are. */
  readonly text: (items: readonly AnswerItems[V][], view: TableView) => string;
  /** What a person is told of no items: a note after a list, or the error that it is. */
  readonly none?: (
    target: string,
    client: DaemonClient,
  ) => string | Error | Promise<string | Error>;
  /** What remains once the items are printed: a note for people, or an error to throw. */
  readonly after?: (
    items: readonly AnswerItems[V][],
    target: string,
    args: Arguments,
    client: DaemonClient,
  ) => string | Error | undefined | Promise<string | Error | undefined>;
}

/**
 * The command that asks the daemon that `--client` names, waits for the whole answer, and prints
 * it.
 */
export function asking<V extends keyof AskArguments>(question: AskCommand<V>): CommandRun {
  const { verb, ask, order, text, none, after } = question;
  return async (args): Promise<ExitName> => {
    const [target = ""] = args.positionals;
    const asked = ask(args.positionals, args);
    await using client = await connectTo(args);
    const missing: LeftOut[] = [];
    const leftOut = ({ more, why, hint }: LeftOut) => void missing.push({ more, why, hint });
    const items = await Array.fromAsync(client.ask(verb, asked, { leftOut }));
    if (order !== undefined) items.sort(order);
    const empty = items.length === 0 ? await none?.(target, client) : undefined;
    if (empty instanceof Error) throw empty;
    await printItems(args, items, text);
    await printLeftOut(args, missing);
    const rest = empty ?? await after?.(items, target, args, client);
    if (rest instanceof Error) throw rest;
    if (rest !== undefined && !args.has("json")) note(withClient(rest, givenClient(args)));
    return "done";
  };
}

/**
 * A connection to the daemon that `--client` names.
 *
 * @throws {FetchFailure} when no daemon is there.
 */
export async function connectTo(args: Arguments): Promise<DaemonClient> {
  return await DaemonClient.connect(args.value("client", parseDialledClient));
}

/** Prints items: as they are with `--json`, else as `text` makes them. */
export async function printItems<T>(
  args: Arguments,
  items: readonly T[],
  text: (items: readonly T[], view: TableView) => string,
): Promise<void> {
  if (args.has("json")) {
    return await writeOut(items.map((item) => `${jsonLine(item)}\n`).join(""));
  }
  const columnsMax = hasFlag(args, "wide") && !args.has("wide") ? outputColumns() : null;
  const whole = text(items, { columnsMax: null });
  const shown = columnsMax === null ? whole : text(items, { columnsMax });
  await writeOut(shown);
  if (shown !== whole) note("Shortened to fit the terminal: --wide shows all of it.");
}

function hasFlag(args: Arguments, name: string): boolean {
  return args.command.flags.some((flag) => flag.name === name);
}

/** Says what an answer does not have: in lines of its own with `--json`, else on standard error. */
async function printLeftOut(args: Arguments, missing: readonly LeftOut[]): Promise<void> {
  for (const leftOut of missing) {
    if (args.has("json")) await writeOut(`${jsonLine({ leftOut })}\n`);
    else note(withClient(leftOutText(leftOut), givenClient(args)));
  }
}

/** By code point: the same order on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
