/** What all commands that only ask the daemon something have in common. */

import { FetchFailure } from "../base/errors.ts";
import { DaemonClient } from "../client/daemon_client.ts";
import type { AnswerItems, AskArguments } from "../client/types.ts";
import type { Arguments } from "./arguments.ts";
import { readClientAddress } from "./settings/network_settings.ts";
import { jsonLine, writeOut } from "./terminal.ts";

/**
 * Asks the daemon that `--client` names, and waits for the whole answer.
 *
 * @throws {FetchFailure} when no daemon is there, or it refuses.
 */
export async function askDaemon<V extends keyof AskArguments>(
  args: Arguments,
  verb: V,
  question: AskArguments[V],
): Promise<AnswerItems[V][]> {
  await using client = await DaemonClient.connect(readClientAddress(args, { isDialled: true }));
  return await Array.fromAsync(client.ask(verb, question));
}

/** Prints items: as they are with `--json`, else as `forPeople` makes them. */
export async function printItems<T>(
  args: Arguments,
  items: readonly T[],
  forPeople: (items: readonly T[]) => string,
): Promise<void> {
  const text = args.has("json")
    ? items.map((item) => `${jsonLine(item)}\n`).join("")
    : forPeople(items);
  await writeOut(text);
}

/** The error for a name or root that no node was found to have. */
export function nobodyHas(target: string): FetchFailure {
  return new FetchFailure("notFound", `Nobody has ${JSON.stringify(target)}`);
}
