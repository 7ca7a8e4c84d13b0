/** How a fetch ended: what is told of it, what is logged, what is remembered. */

import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import type { FetchRecord } from "../../base/fetch_record.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import { type FetchRecorder, keepRecord } from "./fetch_recorder.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { FetchHost } from "./fetch_host.ts";

/** What is told of a fetch that got its file. */
export function doneOf(
  { root, name, sizeBytes }: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
  how: {
    /** What brought in what peers gave of it. */
    readonly swarm: Swarm | null;
    /** Bytes by label of the mirror. */
    readonly mirrors: ReadonlyMap<string, number>;
    readonly peers: { readonly queries: number; readonly offers: number };
    readonly elapsedMs: number;
  },
): Done {
  const { swarm, peers } = how;
  return {
    kind: "done",
    root,
    name,
    sizeBytes,
    bytesLocal: swarm?.bytesHad ?? 0,
    sources: swarm?.ledger.peers().slice(0, limits.doneSourcesMax) ?? [],
    mirrors: [...how.mirrors].map(([mirror, bytes]) => ({ mirror, bytes }))
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes),
    queriesSent: peers.queries,
    offersReceived: peers.offers,
    elapsedMs: Math.round(how.elapsedMs),
  };
}

/** Says in the log what came and from whom; the few that gave most are enough there. */
export function logDone(log: Logger, done: Done): void {
  const { name, root, sizeBytes, elapsedMs, sources, queriesSent, offersReceived } = done;
  const providers = [
    ...sources.map(({ peer, bytes }) => `${peer} ${bytes}`),
    ...done.mirrors.map(({ mirror, bytes }) => `mirror ${mirror} ${bytes}`),
  ];
  const from = providers.slice(0, 8).join(", ");
  log.info("fetched", { name, root, sizeBytes, elapsedMs, from, queriesSent, offersReceived });
}

/** What a fetch record is made of, besides what the recorder noted. */
export interface FetchEnd {
  /** "done", or why not. */
  readonly outcome: string;
  /** Null when it failed, or still runs. */
  readonly done: Done | null;
  readonly request: FetchRequest;
  readonly isOfDatabase: boolean;
  /** Whether a mirror would be asked otherwise, though the request names none. */
  readonly hasMirror: boolean;
  /** What it followed when it failed. */
  readonly root: Root | null;
  readonly sizeBytes: number | null;
  readonly nowMs: number;
  readonly unixMs: number;
}

type OutcomeHost = Pick<FetchHost, "store" | "offerPolicy" | "log">;

/** Keeps the record of a fetch that ended; a disk that refuses it is only logged. */
export function rememberFetch(host: OutcomeHost, journal: FetchRecorder, end: FetchEnd): void {
  for (const { nodeId, strikes } of end.done?.sources ?? []) {
    if (strikes > 0) journal.strikes(nodeId, strikes);
  }
  try {
    keepRecord(host.store, recordOf(host, journal, end));
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    host.log.warn("cannot keep the story of a fetch", { error: messageOf(error) });
  }
}

/** The fetch record of a fetch, at its end or until now. */
export function recordOf(host: OutcomeHost, journal: FetchRecorder, end: FetchEnd): FetchRecord {
  const { outcome, done, request, isOfDatabase, hasMirror } = end;
  const root = done?.root ?? end.root;
  return journal.record(outcome, {
    name: request.name || done?.name || "",
    root: root === UNKNOWN_ROOT ? null : root,
    sizeBytes: done?.sizeBytes ?? end.sizeBytes,
    trust: trustOf(host, end),
    hasMirror: hasMirror || request.mirrors.length > 0 || isOfDatabase,
    nowMs: end.nowMs,
    unixMs: end.unixMs,
  });
}

/** What the file of a fetch is trusted by. */
function trustOf(host: OutcomeHost, { request, done, isOfDatabase }: FetchEnd): FileTrust {
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
  if (done.sources.length === 0 && done.mirrors.length > 0) return "mirror";
  // Nobody had to give anything: it is what it was when it came.
  const isHere = done.sources.length === 0 && host.store.isComplete(done.root);
  return isHere ? trustOfCopy(host, done.root) : "peers";
}

function trustOfCopy({ store, offerPolicy }: OutcomeHost, root: Root): FileTrust {
  const told = store.history.trustOf(root);
  // No database names it any more, or the fetch would have known.
  if (told !== undefined && told !== "sync-db") return told;
  const file = store.definition(root);
  return file === undefined ? "local" : offerPolicy.trustOf(file);
}
