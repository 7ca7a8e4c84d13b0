/** Answers to the questions of clients: one function for each verb, which gives its items. */

import { type HostPort, SRV_PEER } from "../../base/address.ts";
import { utf8 } from "../../base/bytes.ts";
import { formatRanges } from "../../base/bitfield.ts";
import { messageOf, onlyWithheld, unreachable, UsageError } from "../../base/errors.ts";
import { chunkCount } from "../../base/geometry.ts";
import { isRecordOf } from "../../base/fetch_record.ts";
import { isHash, type NodeId, type Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { changeLevel, LOG_LEVELS } from "../../base/log.ts";
import { checkName } from "../../base/names.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { Verb } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type {
  AnswerItems,
  ExplainReport,
  FileReport,
  LeftOut,
  LogReport,
  PeerReport,
  ShareReport,
  StatusReport,
  VerifyReport,
} from "../../wire/reports.ts";
import type { HolderQuery } from "../discovery/holder_query.ts";
import type { Node } from "../node/node.ts";
import { peerFiles } from "../push/peer_questions.ts";
import { filesOf, isNamedBy, noFile, withheldFile } from "./named_files.ts";
import { pin } from "./pin.ts";
import { type StatusOptions, StatusReader } from "./status.ts";
import { unshare } from "./unshare.ts";

/** Items of any verb. */
export type AnswerItem = AnswerItems[Verb];

/** Answers questions about one daemon. */
export class Answerer {
  readonly #options: StatusOptions;
  readonly #status: StatusReader;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#status = new StatusReader(options);
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
    options: {
      readonly signal: AbortSignal;
      /** Hears what the answer does not have. */
      readonly leftOut: (leftOut: LeftOut) => void;
    },
  ): AsyncGenerator<AnswerItem> {
    const args = parseArguments(json);
    switch (verb) {
      case "status":
        yield this.status();
        return;
      case "list":
        yield* this.#list();
        return;
      case "peers":
        yield* this.peers();
        yield* this.#past();
        return;
      case "search": {
        using found = await this.#options.node.discovery.list(globOf(args), {
          timeoutMs: boundedTimeout(args["timeoutMs"]),
          signal: options.signal,
        });
        yield* found.reports();
        return found.leftOut().forEach(options.leftOut);
      }
      case "share":
        for (const path of textsOf(args, "paths")) {
          yield args["again"] === true ? this.#shareAgain(path) : this.#share(path);
        }
        return;
      case "unshare":
        yield unshare(this.#store, textOf(args, "target"), { isAll: args["all"] === true });
        return;
      case "pin":
      case "unpin":
        yield* pin(this.#store, textOf(args, "target"), { isPinned: verb === "pin" });
        return;
      case "clean":
        yield* await this.#options.node.keeper.clean({ isDryRun: args["dryRun"] === true });
        return;
      case "verify":
        yield* this.#verify(args["target"], options.signal);
        return;
      case "info":
      case "where": {
        using found = await this.#locate(args, options.signal);
        const reports = verb === "info" ? found.infoReports() : found.holderReports();
        const target = textOf(args, "target");
        const withheld = reports.length > 0 ? undefined : withheldFile(this.#store, target);
        if (withheld !== undefined) throw onlyWithheld(target, withheld.path);
        yield* reports;
        return found.leftOut().forEach(options.leftOut);
      }
      case "push":
        yield* this.#options.node.transfers.pushes.pushAll(
          this.#filesToPush(textOf(args, "target")),
          {
            peer: args["peer"] === undefined ? undefined : addressOf(args),
            signal: options.signal,
          },
        );
        return;
      case "files": {
        const asked = { peer: addressOf(args), signal: options.signal };
        let count = 0;
        for await (const file of peerFiles(this.#options.node.context, asked)) {
          count++;
          yield file;
        }
        if (count >= limits.listingsPerClientMax) options.leftOut(LIST_IS_FULL);
        return;
      }
      case "explain":
        yield* explain(this.#options.node, textOf(args, "target"));
        return;
      case "log":
        yield this.#setLogLevel(textOf(args, "level"));
        return;
      case "reach":
        yield* await this.#options.node.askDialBacks();
        return;
      default:
        return unreachable(verb);
    }
  }

  /** The state of the daemon. */
  status(): StatusReport {
    return this.#status.read();
  }

  *#list(): Generator<FileReport> {
    const { offerPolicy, store } = this.#options.node.context;
    for (const file of store.fileDefinitions()) {
      // A long list is sent step by step, and a download may have ended meanwhile.
      const download = store.download(file.root);
      const isWhole = file.origin !== "partial";
      if (!isWhole && download === undefined) continue;
      const have = isWhole ? "all" : formatRanges(download!.have);
      const pinned = file.origin !== "shared" && store.keeping.isPinned(file.root);
      yield { ...file, have, trust: offerPolicy.trustOf(file), pinned };
    }
    for (const { root, path, bytes } of store.leftovers()) {
      const chunks = chunkCount(bytes),
        file = { name: root, root, sizeBytes: bytes, type: "", path };
      yield {
        ...file,
        origin: "partial",
        chunks,
        chunksHave: 0,
        have: "none",
        trust: "unchecked",
        pinned: false,
      };
    }
    for (const file of store.shares.damaged()) {
      yield { ...file, have: "none", trust: "damaged", pinned: false };
    }
  }

  /** Its links, whom it keeps out, and what it was told of in vain. */
  *peers(): Generator<PeerReport> {
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
        problem: null,
        ...this.#totalsOf(nodeId),
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
        problem: null,
        ...this.#totalsOf(nodeId),
      };
    }
    yield* this.#given();
  }

  /** What the daemon was told of and is not linked with: nodes, and all directories. */
  *#given(): Generator<PeerReport> {
    const { discovery, links } = this.#options.node;
    const none = { listenPort: 0, roundTripMs: null, connectedMs: 0, ban: null };
    for (const { peer, nodeId, state, problem } of links.givenPeers()) {
      if (state === "linked") continue;
      const at = {
        nodeId: nodeId ?? "",
        ...(SRV_PEER.test(peer) ? { host: peer, port: 0 } : splitAddress(peer)),
        ...this.#totalsOf(nodeId),
      } as const;
      yield { ...none, ...at, direction: "none", problem };
    }
    for (const { directory, problem } of discovery.directories.reports()) {
      const at = { nodeId: "", ...splitAddress(directory), ...this.#totalsOf(null) } as const;
      yield { ...none, ...at, direction: "directory", problem };
    }
  }

  /** Nodes without a link that gave or took bytes of files, the last one first. */
  *#past(): Generator<PeerReport> {
    const { links } = this.#options.node;
    const none = { listenPort: 0, roundTripMs: null, connectedMs: 0, ban: null, problem: null };
    const linked = new Set(links.overlay.neighbours.links().map(({ nodeId }) => nodeId));
    for (const { nodeId, peer } of this.#store.peerTotals.all()) {
      if (linked.has(nodeId)) continue;
      const at = { nodeId, ...splitAddress(peer), ...this.#totalsOf(nodeId) };
      yield { ...none, ...at, direction: "past" };
    }
  }

  #totalsOf(nodeId: NodeId | null) {
    const total = nodeId === null ? undefined : this.#store.peerTotals.of(nodeId);
    return {
      bytesHad: total?.bytesHad ?? 0,
      bytesGiven: total?.bytesGiven ?? 0,
      lastAt: total === undefined ? null : new Date(total.lastUnixMs).toISOString(),
    };
  }

  async #locate(args: Record<string, unknown>, signal: AbortSignal): Promise<HolderQuery> {
    const timeoutMs = boundedTimeout(args["timeoutMs"]);
    return await this.#options.node.discovery.locate(soughtOf(args), { timeoutMs, signal });
  }

  /** Until it is set again, by a reload as well. */
  #setLogLevel(text: string): LogReport {
    const level = LOG_LEVELS.find((one) => one === text);
    if (level === undefined) {
      throw new UsageError(`Cannot log at ${text}: it is not one of ${LOG_LEVELS.join(", ")}`);
    }
    const { log } = this.#options;
    const before = log.level;
    changeLevel(log, level, () => log.info("a client changed the log level", { before, level }));
    return { level, before };
  }

  #share(path: string): ShareReport {
    this.#store.shares.add(path);
    return { path, result: "shared" };
  }

  #shareAgain(path: string): ShareReport {
    const files = this.#store.shares.offerAgain(path);
    if (files > 0) return { path, result: "offered again as it is" };
    throw new UsageError(`Cannot share ${path} again: nothing there is withheld`, {
      hint: "`pacsrv status` names what is withheld.",
    });
  }

  /** Each file of a name or root once, a whole one if there is one. */
  #filesToPush(target: string): FileDefinition[] {
    const store = this.#store;
    const roots = new Set(filesOf(store, target).map(({ root }) => root));
    if (roots.size === 0) throw noFile(store, target);
    return [...roots].flatMap((root) => store.definition(root) ?? []);
  }

  /** The roots that a person means; what changed just now has one again once it is hashed. */
  async #rootsToVerify(target: string, signal: AbortSignal): Promise<Root[]> {
    const store = this.#store;
    const isMeant = (file: FileDefinition) => isNamedBy(file, target);
    const named = () => [...filesOf(store, target), ...store.shares.damaged().filter(isMeant)];
    if (named().length === 0) await store.shares.hashed(target);
    signal.throwIfAborted();
    const roots = new Set(named().map(({ root }) => root));
    if (roots.size === 0) throw noFile(store, target);
    return [...roots];
  }

  async *#verify(target: unknown, signal: AbortSignal): AsyncGenerator<VerifyReport> {
    const store = this.#store;
    const roots = target === undefined
      ? [undefined]
      : await this.#rootsToVerify(textOf({ target }, "target"), signal);
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

/** Said of a list that is as long as a list may be. */
const LIST_IS_FULL: LeftOut = {
  more: null,
  why: `a node lists ${limits.listingsPerClientMax.toLocaleString("en")} files at the most`,
  hint: "`pacsrv search PATTERN` finds the others by their names.",
};

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

/** The parts of an address that this program wrote. */
function splitAddress(address: string): HostPort {
  const at = address.lastIndexOf(":");
  return {
    host: address.slice(0, at).replace(/^\[|\]$/g, ""),
    port: Number(address.slice(at + 1)),
  };
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
