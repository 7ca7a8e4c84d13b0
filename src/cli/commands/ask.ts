/** What all commands that only ask the daemon something have in common. */

import { type ExitName, FetchFailure } from "../../base/errors.ts";
import { DaemonClient } from "../../client/daemon_client.ts";
import type { AnswerItems, AskArguments } from "../../client/types.ts";
import type { Arguments, CommandRun } from "../arguments/arguments.ts";
import { parseDialledClient } from "../settings/network_settings.ts";
import { jsonLine, note, writeOut } from "../terminal/terminal.ts";

/** A command that asks one question and prints the answer. */
interface Question<V extends keyof AskArguments> {
  readonly verb: V;
  /** What is asked, by the arguments of the command line. */
  readonly ask: (positionals: readonly string[]) => AskArguments[V];
  /** The order in which the items are printed; without it, as they come. */
  readonly order?: (a: AnswerItems[V], b: AnswerItems[V]) => number;
  /** The items for people; with `--json` they are printed as they are. */
  readonly text: (items: readonly AnswerItems[V][]) => string;
  /** What a person is told of no items: a note after a list, or the error that it is. */
  readonly none?: (target: string) => string | Error;
  /** What remains once the items are printed: a note for people, or an error to throw. */
  readonly after?: (items: readonly AnswerItems[V][], target: string) => string | Error | undefined;
}

/**
 * The command that asks the daemon that `--client` names, waits for the whole answer, and prints
 * it.
 */
export function asking<V extends keyof AskArguments>(question: Question<V>): CommandRun {
  const { verb, ask, order, text, none, after } = question;
  return async (args): Promise<ExitName> => {
    const [target = ""] = args.positionals;
    const asked = ask(args.positionals);
    await using client = await connectTo(args);
    const items = await Array.fromAsync(client.ask(verb, asked));
    if (order !== undefined) items.sort(order);
    const empty = items.length === 0 ? none?.(target) : undefined;
    if (empty instanceof Error) throw empty;
    await printItems(args, items, text);
    const rest = empty ?? after?.(items, target);
    if (rest instanceof Error) throw rest;
    if (rest !== undefined && !args.has("json")) note(rest);
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
  text: (items: readonly T[]) => string,
): Promise<void> {
  const isJson = args.has("json");
  await writeOut(isJson ? items.map((item) => `${jsonLine(item)}\n`).join("") : text(items));
}

/** The error for a name or root that no node was found to have. */
export function nobodyHas(target: string): FetchFailure {
  return new FetchFailure("notFound", `Nobody has ${JSON.stringify(target)}`);
}

/** By code point: the same order on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
