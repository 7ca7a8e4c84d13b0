// The daemon's client port, spoken to from the test itself: many questions cost one connection
// each and no process. What a person types is tested by running pacsrv.

import { DaemonClient } from "../../../src/client/daemon_client.ts";
import type { AnswerItems, AskArguments, FileReport } from "../../../src/client/types.ts";
import { parseAddress } from "../../../src/cli/arguments/address.ts";
import { WAIT_MS, waitUntil } from "./wait.ts";

/** Whatever has a client port. */
export interface Asked {
  /** HOST:PORT. */
  readonly client: string;
}

/** Opens a connection to the client port. */
export async function connectTo({ client }: Asked): Promise<DaemonClient> {
  return await DaemonClient.connect(
    parseAddress(client, { what: "client", defaults: { host: "127.0.0.1", port: 0 } }),
  );
}

/** Asks one question; gives all items of the answer. */
export async function ask<V extends keyof AskArguments>(
  daemon: Asked,
  verb: V,
  args: AskArguments[V],
): Promise<AnswerItems[V][]> {
  await using client = await connectTo(daemon);
  return await Array.fromAsync(client.ask(verb, args));
}

/** The places of all files of this name. */
export async function placesOf(daemon: Asked, name: string): Promise<FileReport[]> {
  return (await ask(daemon, "list", {})).filter((file) => file.name === name);
}

/** Waits until the daemon's list holds what is looked for in it. */
export async function untilListed<T>(
  daemon: Asked,
  options: {
    readonly what: string;
    readonly find: (files: readonly FileReport[]) => T | false | undefined;
    readonly timeoutMs?: number;
  },
): Promise<T> {
  const { what, find, timeoutMs = WAIT_MS } = options;
  return await waitUntil(async () => find(await ask(daemon, "list", {})), { what, timeoutMs });
}

/** Waits until the daemon offers each of these names, whole. */
export async function untilShared(daemon: Asked, ...names: readonly string[]): Promise<void> {
  await untilListed(daemon, {
    what: `${names.join(", ")} to be offered whole`,
    find: (files) =>
      names.every((name) => files.some((file) => file.name === name && file.have === "all")),
  });
}
