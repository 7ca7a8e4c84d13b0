/** What is said where the network was asked, and nobody has it. */

import { FetchFailure } from "../base/errors.ts";
import { noLinkWords } from "../wire/no_link.ts";
import type { DaemonClient } from "./daemon_client.ts";

/** What was sought: the end of each sentence about it. */
interface SoughtWords {
  /** What cannot be done, as "Cannot" goes on: `find "x"`. */
  readonly action: string;
  /** That nobody has it, in a whole sentence. */
  readonly nobody: string;
}

/** The error for what no node has: another one where this daemon has no node to ask. */
async function notFound(
  client: DaemonClient,
  { action, nobody }: SoughtWords,
  options: { readonly signal?: AbortSignal } = {},
): Promise<FetchFailure> {
  const [status] = await Array.fromAsync(client.ask("status", {}, options));
  const directories = status!.directories.filter(({ sameAs }) => sameAs === null);
  if (status!.links > 0 || directories.some(({ answers }) => answers)) {
    return new FetchFailure("notFound", nobody);
  }
  const { text, hint } = noLinkWords({
    peers: status!.peers.flatMap(({ peer, problem }) =>
      problem === null ? [] : [{ peer, reason: problem.text }]
    ),
    directories: directories.map(({ directory, problem }) => ({
      directory,
      reason: problem?.text ?? "no answer yet",
    })),
    isAlone: false,
  });
  return new FetchFailure("notFound", `Cannot ${action}: ${text}`, { hint });
}

/** The error for a name or root that no node was found to have. */
export function noSuchFile(client: DaemonClient, target: string): Promise<FetchFailure> {
  const action = `find ${JSON.stringify(target)}`;
  const nobody = `Cannot ${action}: it is not here, nor at any other node`;
  return notFound(client, { action, nobody });
}

/** The error for a pattern that no file was found to match. */
export function noMatch(
  client: DaemonClient,
  glob: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<FetchFailure> {
  const what = `a file that matches ${JSON.stringify(glob)}`;
  return notFound(client, { action: `find ${what}`, nobody: `Nobody has ${what}` }, options);
}
