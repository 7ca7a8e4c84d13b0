/**
 * Who fetches: the daemon of this machine, or a node in this process for the time of the fetch.
 * Either is loaded only when it is used.
 */

import { resolve } from "node:path";
import { FetchFailure } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { FetchEvent } from "../client/types.ts";
import { formatAddress } from "./address.ts";
import type { Arguments } from "./arguments.ts";
import type { FetchOutput } from "./fetch_output.ts";
import type { FetchPlan } from "./fetch_plan.ts";
import { readNetworkSettings } from "./network_settings.ts";
import { note } from "./terminal.ts";

/** A fetch that is ready to begin. */
export interface FetchSource extends AsyncDisposable {
  /** Whether bytes come as events; else the node writes the output's working file itself. */
  readonly givesData: boolean;
  events(output: FetchOutput | undefined, signal: AbortSignal): AsyncIterable<FetchEvent>;
}

/**
 * The daemon; or, where none answers and none was asked for by its address, a node of its own.
 *
 * @throws {FetchFailure} `noDaemon` when neither can be had.
 */
export async function openFetchSource(
  args: Arguments,
  plan: FetchPlan,
  options: { readonly signal: AbortSignal },
): Promise<FetchSource> {
  if (plan.isAlone) return await ownNode(args, plan);
  const { DaemonClient } = await import("../client/daemon_client.ts");
  try {
    const client = await DaemonClient.connect(plan.client, options);
    const flag = plan.peers.length > 0 ? "--peer" : "--directory";
    if (knowsSomebody(plan) && plan.style === "people") {
      note(
        `The daemon at ${formatAddress(plan.client)} fetches; ${flag} is for a node of its own.`,
      );
    }
    return {
      givesData: true,
      events: (_output, signal) => client.get(plan.request, { signal }),
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  } catch (error) {
    const isMissing = error instanceof FetchFailure && error.exit === "noDaemon";
    if (!isMissing || plan.isClientGiven) throw error;
    const where = formatAddress(plan.client);
    if (!knowsSomebody(plan)) {
      throw new FetchFailure(
        "noDaemon",
        `No daemon answers at ${where}, and no --peer or --directory is given`,
        {
          hint: "Start one with: pacsrv daemon. Or name a node to ask: --alone --peer HOST:PORT",
          cause: error,
        },
      );
    }
    if (!plan.request.deliver) {
      throw new FetchFailure("noDaemon", `No daemon answers at ${where} that could store chunks`, {
        hint: "Say with -o FILE where the range of bytes is to go.",
        cause: error,
      });
    }
    if (plan.style === "people") {
      note(`No daemon answers at ${where}: a node in this process fetches.`);
    }
    return await ownNode(args, plan);
  }
}

/** Whether a node of its own would have anybody to ask. */
function knowsSomebody({ peers, directories }: FetchPlan): boolean {
  return peers.length > 0 || directories.length > 0;
}

async function ownNode(args: Arguments, plan: FetchPlan): Promise<FetchSource> {
  const settings = await readNetworkSettings(args, { nodePort: 0 });
  const { fetchAlone } = await import("../daemon/alone.ts");
  const log = await ownLog();
  return {
    givesData: false,
    events(output, signal) {
      if (output === undefined) throw new TypeError("A node of its own needs an output");
      return fetchAlone(plan.request, {
        outputPath: resolve(output.path),
        ...settings,
        log,
        signal,
      });
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A fetch tells by its own means how it goes; its node's log is for whoever debugs. */
async function ownLog(): Promise<Logger> {
  if (Deno.env.get("PACSRV_DEBUG") === "1") {
    const { openLog } = await import("./log_sink.ts");
    return await openLog({ level: "debug", format: "text" });
  }
  return (await import("../base/log.ts")).silentLogger;
}
