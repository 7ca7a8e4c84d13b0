/** How a fetch ended: what is told of it, what is logged, what is remembered. */

import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRecord } from "../../base/fetch_record.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import { type FetchFigures, FetchRecorder, keepRecord } from "./fetch_recorder.ts";
import { wantedBytes, wantedChunks } from "../../core/fetch/wanted_range.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { FetchHost } from "./fetch_host.ts";

type FileIdentity = Pick<FileDefinition, "root" | "name" | "sizeBytes">;

/** How a fetch is known to those who ask about it, besides what it asks for. */
interface ReportOptions {
  readonly isOfDatabase: boolean;
  /** Whether a mirror would be asked otherwise, though the request names none. */
  readonly hasMirror: boolean;
  /** What it knows of itself just now. */
  readonly state: () => {
    readonly root: Root | null;
    readonly sizeBytes: number | null;
    readonly queries: number;
    readonly offers: number;
    /** Bytes by label of the mirror. */
    readonly mirrors: ReadonlyMap<string, number>;
  };
}

/** What is told of one fetch, and what is remembered. */
export class FetchReport {
  readonly recorder: FetchRecorder;
  readonly startMs: number;
  readonly #host: FetchHost;
  readonly #request: FetchRequest;
  readonly #options: ReportOptions;
  /** Nodes that gave chunks of a file whose root was known. */
  #swarmPeers: Done["sources"] = [];

  constructor(host: FetchHost, request: FetchRequest, options: ReportOptions) {
    this.#host = host;
    this.#request = request;
    this.#options = options;
    this.startMs = host.clock.nowMs();
    this.recorder = new FetchRecorder(this.startMs);
  }

  /** Writes down a decision, in one line for a person. */
  note(what: string): void {
    this.recorder.note(what, this.#host.clock.nowMs());
  }

  /** What is told of a fetch that got its file; `swarm` brought in what peers gave of it. */
  done({ root, name, sizeBytes }: FileIdentity, swarm: Swarm | null): Done {
    const { queries, offers, mirrors } = this.#options.state();
    this.#swarmPeers = swarm?.ledger.peers() ?? [];
    const sources = this.#sources();
    const bytesGiven = sumOf(sources.map(({ bytes }) => bytes)) + sumOf(mirrors.values());
    return {
      kind: "done",
      root,
      name,
      sizeBytes,
      bytesLocal: Math.max(swarm?.bytesHad ?? 0, this.#bytesWanted(root, sizeBytes) - bytesGiven),
      sources: sources.slice(0, limits.doneSourcesMax),
      mirrors: [...mirrors].map(([mirror, bytes]) => ({ mirror, bytes }))
        .filter(({ bytes }) => bytes > 0)
        .sort((a, b) => b.bytes - a.bytes),
      queriesSent: queries,
      offersReceived: offers,
      elapsedMs: Math.round(this.#host.clock.nowMs() - this.startMs),
    };
  }

  /** What was to be there in the end: what nobody gave of it was here, or another fetch's. */
  #bytesWanted(root: Root, sizeBytes: number): number {
    // A part of a file of which nobody knows the root: how much that is only its mirror tells.
    if (root === UNKNOWN_ROOT) return 0;
    return wantedBytes(sizeBytes, wantedChunks(this.#request, sizeBytes));
  }

  /** Says in the log what came and from whom; the few that gave most are enough there. */
  log(done: Done): void {
    const { name, root, sizeBytes, elapsedMs, sources, queriesSent, offersReceived } = done;
    const providers = [
      ...sources.map(({ peer, bytes }) => `${peer} ${bytes}`),
      ...done.mirrors.map(({ mirror, bytes }) => `mirror ${mirror} ${bytes}`),
    ];
    const from = providers.slice(0, 8).join(", ");
    const fields = { name, root, sizeBytes, elapsedMs, from, queriesSent, offersReceived };
    this.#host.log.info("fetched", fields);
  }

  /** Keeps the record of a fetch that ended; a disk that refuses it is only told of. */
  remember(outcome: string, done: Done | null): void {
    for (const { nodeId, strikes } of done === null ? [] : this.#swarmPeers) {
      if (strikes > 0) this.recorder.strikes(nodeId, strikes);
    }
    try {
      keepRecord(this.#host.store, this.record(outcome, done));
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      this.#host.log.warn("cannot keep the record of a fetch", { error: messageOf(error) });
    }
  }

  /** What nodes gave; of what came both in flight and by its root, each chunk counts once. */
  #sources(): Done["sources"] {
    const fellows = this.recorder.fellows();
    if (fellows === null) return this.#swarmPeers;
    const strikes = new Map(this.#swarmPeers.map((peer) => [peer.nodeId, peer.strikes]));
    return fellows.map((peer) => ({
      ...peer,
      strikes: peer.strikes + (strikes.get(peer.nodeId) ?? 0),
    }));
  }

  get #isOfSwarm(): boolean {
    return this.#swarmPeers.length > 0;
  }

  /** How much came from where until now. */
  figures(): FetchFigures {
    const bytesMirrors = sumOf(this.#options.state().mirrors.values());
    return this.recorder.figures({ bytesMirrors, nowMs: this.#host.clock.nowMs() });
  }

  /** The record of the fetch, at its end or until now; `outcome` is "done", or why not. */
  record(outcome: string, done: Done | null): FetchRecord {
    const { isOfDatabase, hasMirror, state } = this.#options;
    const { clock } = this.#host;
    const request = this.#request;
    const now = state();
    const root = done?.root ?? now.root;
    return this.recorder.record(outcome, {
      name: request.name || done?.name || "",
      root: root === UNKNOWN_ROOT ? null : root,
      sizeBytes: done?.sizeBytes ?? now.sizeBytes,
      trust: trustOf(this.#host, { request, done, isOfDatabase, isOfSwarm: this.#isOfSwarm }),
      hasMirror: hasMirror || request.mirrors.length > 0 || isOfDatabase,
      bytesMirrors: sumOf(now.mirrors.values()),
      nowMs: clock.nowMs(),
      unixMs: clock.unixMs(),
    });
  }
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const one of numbers) sum += one;
  return sum;
}

/** What the file of a fetch is trusted by. */
function trustOf(
  host: FetchHost,
  { request, done, isOfDatabase, isOfSwarm }: {
    readonly request: FetchRequest;
    readonly done: Done | null;
    readonly isOfDatabase: boolean;
    /** Whether nodes gave some of it of which only they say that it is the file. */
    readonly isOfSwarm: boolean;
  },
): FileTrust {
  // The end of a file, of which nobody knows the root: nothing could be checked.
  if (done?.root === UNKNOWN_ROOT) return "mirror";
  // Of some chunks of a file the SHA-256 of the whole says nothing, unless it was known before.
  const { chunks, sha256 } = request;
  if (chunks === null || done === null || host.store.sha256(done.root) === sha256) {
    if (isOfDatabase) return "sync-db";
    if (sha256 !== null) return "sha256";
  }
  if (request.root !== null) return "root";
  if (done === null) return "peers";
  // What fellows gave of it was compared with the mirror in part.
  if (!isOfSwarm && done.sources.length === 0 && done.mirrors.length > 0) return "mirror";
  // Nobody had to give anything: it is what it was when it came.
  const isHere = done.sources.length === 0 && host.store.isComplete(done.root);
  return isHere ? trustOfCopy(host, done.root) : "peers";
}

function trustOfCopy({ store, offerPolicy }: FetchHost, root: Root): FileTrust {
  const told = store.history.trustOf(root);
  // No database names it any more, or the fetch would have known.
  if (told !== undefined && told !== "sync-db") return told;
  const file = store.definition(root);
  return file === undefined ? "local" : offerPolicy.trustOf(file);
}
