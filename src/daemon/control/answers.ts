/** Answers to the questions of clients: one function for each verb, which gives its items. */

import { isAbsolute } from "@std/path";
import type { HostPort } from "../../base/address.ts";
import { utf8 } from "../../base/bytes.ts";
import { formatRanges } from "../../base/bitfield.ts";
import { messageOf, unreachable, UsageError } from "../../base/errors.ts";
import { isRecordOf } from "../../base/fetch_record.ts";
import { isHash, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import { FILE_TRUSTS } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Verb } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type {
  AnswerItems,
  ExplainReport,
  FileReport,
  PeerReport,
  ShareReport,
  StatusReport,
  SyncDatabaseReport,
  VerifyReport,
} from "../../wire/reports.ts";
import type { HolderQuery } from "../discovery/holder_query.ts";
import type { Node } from "../node/node.ts";
import { peerFiles } from "../push/peer_questions.ts";

interface AnswererOptions {
  readonly node: Node;
  readonly version: string;
  readonly clientAddress: () => string;
  /** Where the gateway listens, as HOST:PORT; null without one. */
  readonly gatewayAddress: () => string | null;
  readonly syncDatabases: () => readonly SyncDatabaseReport[];
}

/** Items of any verb. */
export type AnswerItem = AnswerItems[Verb];

/** Answers questions about one daemon. */
export class Answerer {
  readonly #options: AnswererOptions;
  readonly #startedMs: number;

  constructor(options: AnswererOptions) {
    this.#options = options;
    this.#startedMs = options.node.context.clock.nowMs();
  }

  get #store(): ChunkStore {
    return this.#options.node.store;
  }

  /**
   * The items that answer `verb`.
   *
   * @throws {UsageError} when the arguments are not what the verb takes.
   */
  async *answer(
    verb: Verb,
    json: string,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<AnswerItem> {
    const args = parseArguments(json);
    switch (verb) {
      case "status":
        yield this.#status();
        return;
      case "list":
        yield* this.#list();
        return;
      case "peers":
        yield* this.#peers();
        return;
      case "search":
        yield* await this.#options.node.discovery.list(globOf(args), {
          timeoutMs: boundedTimeout(args["timeoutMs"]),
          signal: options.signal,
        });
        return;
      case "share":
        for (const path of textsOf(args, "paths")) yield this.#share(path);
        return;
      case "unshare":
        yield this.#unshare(textOf(args, "target"));
        return;
      case "verify":
        yield* this.#verify(args["target"], options.signal);
        return;
      case "info":
        yield* (await this.#locate(args, options.signal)).infoReports();
        return;
      case "where":
        yield* (await this.#locate(args, options.signal)).holderReports();
        return;
      case "push":
        yield* this.#options.node.transfers.pushes.pushAll(
          this.#filesToPush(textOf(args, "target")),
          {
            peer: args["peer"] === undefined ? undefined : addressOf(args),
            signal: options.signal,
          },
        );
        return;
      case "files":
        yield* peerFiles(this.#options.node.context, {
          peer: addressOf(args),
          signal: options.signal,
        });
        return;
      case "explain":
        yield* explain(this.#options.node, textOf(args, "target"));
        return;
      default:
        return unreachable(verb);
    }
  }

  #status(): StatusReport {
    const { node, version } = this.#options;
    const { clock, connections, identity, offerPolicy, store } = node.context;
    const { fetches, uploads } = node.transfers;
    const files = { shared: 0, downloaded: 0, partial: 0, bytes: 0 };
    const trust = zeroOfEach(FILE_TRUSTS);
    for (const file of store.fileDefinitions()) {
      files[file.origin]++;
      if (file.origin === "partial") continue;
      files.bytes += file.sizeBytes;
      trust[offerPolicy.trustOf(file)]++;
    }
    const { counters } = node.links.overlay;
    const totals = store.statistics();
    const total = (name: string) => totals.get(name) ?? 0;
    return {
      version,
      nodeId: node.nodeId,
      node: formatAddress(node.address.host, node.address.port),
      client: this.#options.clientAddress(),
      dataDir: store.dataDir,
      network: identity.network,
      keyed: identity.networkKey !== undefined,
      uptimeMs: Math.round(clock.nowMs() - this.#startedMs),
      links: node.links.size,
      banned: node.links.overlay.neighbours.bans(clock.nowMs()).length,
      files: { ...files, hashing: store.shares.filesWaiting },
      counters: {
        queriesSeen: counters.queriesSeen,
        queriesForwarded: counters.forwarded,
        queriesDropped: counters.droppedDuplicate + counters.droppedRate,
        queriesAnswered: counters.answered,
        messagesSent: counters.messagesSent,
        bytesIn: connections.bytesIn,
        bytesOut: connections.bytesOut,
        strikes: fetches.strikes,
        filesServed: uploads.filesServed,
        totalBytesIn: total("bytesIn"),
        totalBytesOut: total("bytesOut"),
        totalStrikes: total("strikes"),
        totalFilesServed: total("filesServed"),
      },
      transfers: [...fetches.swarms].map((swarm) => swarm.report()),
      uploads: uploads.reports(),
      directories: node.discovery.directories.reports(),
      gateway: this.#options.gatewayAddress(),
      syncDatabases: this.#options.syncDatabases(),
      savings: {
        files: total("savedFiles"),
        bytesLocal: total("bytesLocal"),
        bytesPeers: total("bytesPeers"),
        bytesMirror: total("bytesMirror"),
        bytesSaved: total("bytesSaved"),
      },
      trust,
    };
  }

  *#list(): Generator<FileReport> {
    const { offerPolicy, store } = this.#options.node.context;
    for (const file of store.fileDefinitions()) {
      // A long list is sent step by step, and a download may have ended meanwhile.
      const download = store.download(file.root);
      const isWhole = file.origin !== "partial";
      if (!isWhole && download === undefined) continue;
      const have = isWhole ? "all" : formatRanges(download!.have);
      yield { ...file, have, trust: offerPolicy.trustOf(file) };
    }
  }

  *#peers(): Generator<PeerReport> {
    const { context: { clock }, links: { overlay } } = this.#options.node;
    const nowMs = clock.nowMs();
    for (const link of overlay.neighbours.links()) {
      const { nodeId, host, port, listenPort, inbound, roundTripMs, sinceMs } = link;
      yield {
        nodeId,
        host,
        port,
        listenPort,
        direction: inbound ? "in" : "out",
        roundTripMs,
        connectedMs: Math.round(nowMs - sinceMs),
        ban: null,
      };
    }
    for (const { nodeId, host, reason, endsAtMs } of overlay.neighbours.bans(nowMs)) {
      yield {
        nodeId: nodeId ?? "",
        host,
        port: 0,
        listenPort: 0,
        direction: "banned",
        roundTripMs: null,
        connectedMs: 0,
        ban: { reason, endsInMs: Math.round(endsAtMs - nowMs) },
      };
    }
  }

  async #locate(args: Record<string, unknown>, signal: AbortSignal): Promise<HolderQuery> {
    const timeoutMs = boundedTimeout(args["timeoutMs"]);
    return await this.#options.node.discovery.locate(soughtOf(args), { timeoutMs, signal });
  }

  #share(path: string): ShareReport {
    this.#store.shares.add(path);
    return { path, result: "shared" };
  }

  /** Ends the sharing of a path, or of all files of a name or root. */
  #unshare(target: string): ShareReport {
    const store = this.#store;
    if (isAbsolute(target) && store.shares.remove(target)) {
      return { path: target, result: "not shared any more" };
    }
    const files = filesOf(store, target);
    if (files.length === 0) {
      throw new UsageError(`Cannot unshare ${target}: nothing here has this path, name or root`, {
        hint: "`pacsrv list` shows what is here.",
      });
    }
    for (const { origin, path } of files) if (origin === "shared") store.shares.remove(path);
    let removed = 0;
    for (const { root } of files) if (store.remove(root)) removed++;
    return {
      path: target,
      result: removed > 0 ? "removed from the data directory" : "not shared any more",
    };
  }

  /** Each file of a name or root once, a whole one if there is one. */
  #filesToPush(target: string): FileDefinition[] {
    const store = this.#store;
    const roots = new Set(filesOf(store, target).map(({ root }) => root));
    if (roots.size === 0) {
      throw new UsageError(`Cannot push ${target}: nothing here has this name or root`, {
        hint: "`pacsrv list` shows what is here.",
      });
    }
    return [...roots].flatMap((root) => store.definition(root) ?? []);
  }

  async *#verify(target: unknown, signal: AbortSignal): AsyncGenerator<VerifyReport> {
    const store = this.#store;
    const roots: (Root | undefined)[] = target === undefined
      ? [undefined]
      : [...new Set(filesOf(store, textOf({ target }, "target")).map(({ root }) => root))];
    if (roots.length === 0) {
      throw new UsageError(`Cannot verify ${target}: nothing here has this name or root`);
    }
    for (const root of roots) {
      const options = root === undefined ? { signal } : { root, signal };
      for await (const result of store.verify(options)) {
        yield {
          name: result.name,
          root: result.root,
          path: result.path,
          ok: result.outcome === "good",
          badChunks: result.chunksBad,
        };
      }
    }
  }
}

/** How the fetches of a name or root went: those that run first, the last one of each kind first. */
export function* explain(
  node: Pick<Node, "fetches" | "store">,
  target: string,
): Generator<ExplainReport> {
  for (const fetch of node.fetches) {
    const record = fetch.soFar();
    if (isRecordOf(record, target)) yield { ...record, endedAt: null };
  }
  yield* node.store.history.of(target);
}

function zeroOfEach<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

function filesOf(store: ChunkStore, target: string): FileDefinition[] {
  return store.fileDefinitions().filter((file) =>
    isHash(target)
      ? file.root === target.toLowerCase()
      : file.name === target || file.path === target
  );
}

function parseArguments(json: string): Record<string, unknown> {
  let args: unknown;
  try {
    args = JSON.parse(json);
  } catch (cause) {
    throw new UsageError(`Cannot read arguments: ${messageOf(cause)}`, { cause });
  }
  if (typeof args !== "object" || args === null || Array.isArray(args)) {
    throw new UsageError("Cannot read arguments: not an object");
  }
  return args as Record<string, unknown>;
}

function textOf(args: Record<string, unknown>, key: string): string {
  const value = args[key];
  if (typeof value !== "string" || value === "") {
    throw new UsageError(`Cannot read arguments: ${key} is not a text`);
  }
  return value;
}

/** A node's HOST:PORT, as the command line writes it. */
function addressOf(args: Record<string, unknown>): HostPort {
  const text = textOf(args, "peer");
  const match = /^(?:\[([^\]]{1,255})\]|([^:[\]]{1,255})):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port === 0 || port > 0xffff) {
    throw new UsageError("Cannot read arguments: peer is not HOST:PORT");
  }
  return { host: match[1] ?? match[2]!, port };
}

function globOf(args: Record<string, unknown>): string {
  const glob = textOf(args, "glob");
  const { length } = utf8(glob);
  if (length > limits.soughtBytesMax) {
    throw new UsageError(
      `Cannot search: the glob has ${length} bytes, at most ${limits.soughtBytesMax}`,
    );
  }
  return glob;
}

/** What a person names: 64 hexadecimal digits are a root, all else is a name. */
function soughtOf(args: Record<string, unknown>): Sought {
  const target = textOf(args, "target");
  if (isHash(target)) return { by: "root", value: target.toLowerCase() };
  return { by: "name", value: checkName(target) };
}

function textsOf(args: Record<string, unknown>, key: string): string[] {
  const value = args[key];
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string" && one !== "")) {
    throw new UsageError(`Cannot read arguments: ${key} is not a list of texts`);
  }
  return value;
}

function boundedTimeout(value: unknown): number {
  if (value === undefined) return limits.searchMs;
  if (typeof value !== "number" || !(value > 0)) {
    throw new UsageError("Cannot read arguments: timeoutMs is not a positive number");
  }
  return Math.min(value, limits.listingTimeoutMsMax);
}
