/**
 * Who fetches: the daemon of this machine, a node in this process for the time of the fetch, or
 * nobody but this command, straight from a URL. Each is loaded only when it is used.
 */

import { resolve } from "node:path";
import { EnvironmentError, FetchFailure, messageOf, PeerFault } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { FetchEvent, FetchRequest } from "../../client/types.ts";
import type { Origin } from "../../http/origin.ts";
import { formatAddress, isLoopbackHost } from "../arguments/address.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { readNetworkSettings } from "../settings/network_settings.ts";
import { note } from "../terminal/terminal.ts";
import type { FetchOutput } from "./fetch_output.ts";
import type { FetchPlan } from "./fetch_plan.ts";

/** A fetch that is ready to begin. */
export interface FetchSource extends AsyncDisposable {
  /** "direct": without a daemon and without a node. */
  readonly kind: "daemon" | "node" | "direct";
  /**
   * What of the file comes as events: all of it; what is not in the output yet; nothing, because
   * the node writes the output's working file itself.
   */
  readonly gives: "all" | "rest" | "nothing";
  /** Whether the whole is held to a SHA-256 or a root before it counts as got. */
  readonly isChecked: boolean;
  /** Where on this machine what comes is stored before it comes; null: nowhere. */
  readonly storeDir: string | null;
  /** For how long the daemon has said nothing, not even that it is there; 0 without one. */
  readonly silentMs: () => number;
  events(output: FetchOutput | undefined, signal: AbortSignal): AsyncIterable<FetchEvent>;
}

/**
 * The daemon; or, where none answers and none was asked for by its address, a node of its own; or,
 * for a URL, neither. What changes under its name comes straight from its URL at once.
 *
 * @throws {FetchFailure} `noDaemon` when neither can be had.
 */
export async function openFetchSource(
  args: Arguments,
  plan: FetchPlan,
  options: { readonly signal: AbortSignal },
): Promise<FetchSource> {
  if (plan.url?.isDatabase) return await direct(plan);
  if (plan.isAlone) return await ownNodeOrNone(args, plan);
  const { DaemonClient } = await import("../../client/daemon_client.ts");
  try {
    const client = await DaemonClient.connect(plan.client, options);
    const flag = plan.peers.length > 0 ? "--peer" : "--directory";
    if (knowsSomebody(plan) && plan.style === "people") {
      note(
        `The daemon at ${formatAddress(plan.client)} fetches; ${flag} is for a fetch without it.`,
      );
    }
    return {
      kind: "daemon",
      gives: "all",
      isChecked: isChecked(plan.request),
      storeDir: isLoopbackHost(plan.client.host) ? client.dataDir : null,
      silentMs: () => client.silentMs,
      events: (_output, signal) => client.get(plan.request, { signal }),
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  } catch (error) {
    const isMissing = error instanceof FetchFailure && error.exit === "noDaemon";
    const isBound = plan.isClientGiven && (plan.url === null || !plan.request.deliver);
    if (!isMissing || isBound) throw error;
    if (plan.url !== null && plan.request.deliver) return await ownNodeOrNone(args, plan);
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
        hint: "Name a file for the bytes of these chunks with -o FILE.",
        cause: error,
      });
    }
    if (plan.style === "people") {
      note(`No daemon answers at ${where}: a node in this process fetches.`);
    }
    return await ownNode(args, plan);
  }
}

/**
 * Who goes on where `source` failed with `error`: for a URL, the URL alone. Undefined: nobody, it
 * is the end.
 */
export async function nextSource(
  plan: FetchPlan,
  source: FetchSource,
  error: unknown,
): Promise<FetchSource | undefined> {
  if (plan.url === null || source.kind === "direct" || !plan.request.deliver) return undefined;
  // A wrong call is wrong with everybody, and the time that a person gave is over for everybody.
  const isOver = error instanceof FetchFailure &&
    (error.exit === "usage" || error.exit === "timedOut" && plan.request.timeoutMs > 0);
  const isOthers = error instanceof PeerFault || error instanceof FetchFailure && !isOver ||
    source.kind === "node" && error instanceof EnvironmentError && error.code !== "no-space";
  if (!isOthers) return undefined;
  const isNews = !(error instanceof FetchFailure && error.exit === "notFound");
  const next = await direct(plan);
  // What a daemon refused, for its bytes or for its size, which is told as "nobody has it", must not
  // come by another way that does not look at it. A file of this machine it has not seen.
  const isRefused = source.kind === "daemon" && !plan.url.isFile &&
    error instanceof FetchFailure && (error.exit === "checkFailed" || error.exit === "notFound");
  if (isRefused && !next.isChecked) {
    await next[Symbol.asyncDispose]();
    return undefined;
  }
  if (plan.style === "people" && isNews) {
    note(`${messageOf(error)}; fetching directly from ${plan.url.host}`);
  }
  return next;
}

/** For a URL, a node of its own only if it would have anybody to ask. */
async function ownNodeOrNone(args: Arguments, plan: FetchPlan): Promise<FetchSource> {
  if (plan.url !== null && !knowsSomebody(plan)) return await direct(plan);
  return await ownNode(args, plan);
}

/** The URL itself, without a daemon and without a node. */
async function direct(plan: FetchPlan): Promise<FetchSource> {
  const { url } = plan;
  if (url === null) throw new TypeError("There is no URL to fetch from");
  const log = await ownLog();
  const request = await trustedRequest(plan, log);
  const { fetchDirect } = await import("../../http/direct_fetch.ts");
  const { fileOrigin, mirrorOrigin } = await import("../../http/origin.ts");
  const origin: Origin & Partial<Disposable> = url.isFile
    ? fileOrigin(url.url)
    : mirrorOrigin(url.url, { log });
  return {
    kind: "direct",
    gives: "rest",
    // Of a part alone neither can be said.
    isChecked: isChecked(request) && request.chunks === null,
    storeDir: null,
    silentMs: () => 0,
    events(output: FetchOutput | undefined, signal: AbortSignal) {
      const partPath = output?.isResumed ? output.path : null;
      return fetchDirect(request, { origin, partPath, signal });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(origin[Symbol.dispose]?.()),
  };
}

/** Whether a request says by what the whole is known. */
function isChecked({ sha256, root }: FetchRequest): boolean {
  return sha256 !== null || root !== null;
}

/** Whether a node of its own would have anybody to ask. */
function knowsSomebody({ peers, directories }: FetchPlan): boolean {
  return peers.length > 0 || directories.length > 0;
}

async function ownNode(args: Arguments, plan: FetchPlan): Promise<FetchSource> {
  const settings = await readNetworkSettings(args, { nodePort: 0 });
  const { fetchAlone } = await import("../../daemon/node/alone.ts");
  const log = await ownLog();
  const request = await trustedRequest(plan, log);
  const { url } = plan;
  const isProved = url === null || url.isFile || isChecked(request);
  const headCheck = isProved ? undefined : await import("../../http/head_check.ts");
  return {
    kind: "node",
    gives: "nothing",
    isChecked: isChecked(request),
    storeDir: null,
    silentMs: () => 0,
    events(output, signal) {
      if (output === undefined) throw new TypeError("A node of its own needs an output");
      const path = resolve(output.path);
      const events = fetchAlone(request, { outputPath: path, ...settings, log, signal });
      if (url === null || headCheck === undefined) return events;
      return headCheck.withHeadCheck(events, { request, url: url.url, path, log, signal });
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A fetch tells by its own means how it goes; its node's log is for whoever debugs. */
async function ownLog(): Promise<Logger> {
  if (Deno.env.get("PACSRV_DEBUG") === "1") {
    const { openLog } = await import("../log/log_sink.ts");
    return openLog({ level: "debug", format: "text" });
  }
  return (await import("../../base/log.ts")).silentLogger;
}

/**
 * The request with the size and SHA-256 that the databases of `--sync-db` name. What a person gives
 * wins: then they are not even read.
 */
async function trustedRequest(plan: FetchPlan, log: Logger): Promise<FetchRequest> {
  const { request, syncDbDir } = plan;
  const { name, root, sha256, sizeBytes, chunks } = request;
  const isGiven = root !== null || sha256 !== null || sizeBytes !== null;
  if (syncDbDir === undefined || isGiven || name === "" || plan.url?.isDatabase) return request;
  const { SyncDatabases } = await import("../../pacman/sync_databases.ts");
  await using databases = await SyncDatabases.open(syncDbDir, { log });
  const vouched = databases.find(name);
  if (vouched === undefined) return request;
  // A SHA-256 is of the whole file: it says nothing of a part.
  return {
    ...request,
    sizeBytes: vouched.sizeBytes,
    sha256: chunks === null ? vouched.sha256 : null,
  };
}
