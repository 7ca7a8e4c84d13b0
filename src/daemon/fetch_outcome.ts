/** How a fetch ended: what is told of it, what is logged, what is remembered. */

import { EnvironmentError, messageOf } from "../base/errors.ts";
import { type Root, UNKNOWN_ROOT } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { FileTrust } from "../base/trust.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { FileDefinition } from "../store/place.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import type { Done } from "../wire/messages.ts";
import { type FetchJournal, keepStory } from "./fetch_journal.ts";
import type { PeerTrack } from "./fetch_peers.ts";
import type { Swarm } from "./swarm.ts";

/** What is told of a fetch that got its file. */
export function doneOf(
  { root, name, sizeBytes }: Pick<FileDefinition, "root" | "name" | "sizeBytes">,
  how: {
    /** What brought in what peers gave of it. */
    readonly swarm: Swarm | undefined;
    /** Bytes by label of the mirror. */
    readonly mirrors: ReadonlyMap<string, number>;
    readonly peers: Pick<PeerTrack, "queries" | "offers">;
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
    sources: swarm?.contributions.list().slice(0, limits.doneSourcesMax) ?? [],
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
  const givers = [
    ...sources.map(({ peer, bytes }) => `${peer} ${bytes}`),
    ...done.mirrors.map(({ mirror, bytes }) => `mirror ${mirror} ${bytes}`),
  ];
  const from = givers.slice(0, 8).join(", ");
  log.info("fetched", { name, root, sizeBytes, elapsedMs, from, queriesSent, offersReceived });
}

/** Keeps the story of a fetch that ended; a disk that refuses it is only told of. */
export function rememberFetch(
  host: { readonly store: ChunkStore; readonly log: Logger },
  journal: FetchJournal,
  fetch: {
    /** "done", or why not. */
    readonly outcome: string;
    /** Null when it failed. */
    readonly done: Done | null;
    readonly request: FetchRequest;
    readonly isOfDatabase: boolean;
    /** What it followed when it failed. */
    readonly root: Root | null;
    readonly sizeBytes: number | null;
  },
): void {
  const { outcome, done, request, isOfDatabase } = fetch;
  for (const { nodeId, strikes } of done?.sources ?? []) {
    if (strikes > 0) journal.strikes(nodeId, strikes);
  }
  const root = done?.root ?? fetch.root;
  const story = journal.story(outcome, {
    name: request.name || done?.name || "",
    root: root === UNKNOWN_ROOT ? null : root,
    sizeBytes: done?.sizeBytes ?? fetch.sizeBytes,
    trust: trustOf(request, { done, isOfDatabase }),
    hasMirror: request.mirrors.length > 0 || isOfDatabase,
    nowMs: performance.now(),
  });
  try {
    keepStory(host.store, story);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    host.log.warn("cannot keep the story of a fetch", { error: messageOf(error) });
  }
}

/** What the file of a fetch is trusted by. */
function trustOf(
  { root, sha256 }: FetchRequest,
  { done, isOfDatabase }: { readonly done: Done | null; readonly isOfDatabase: boolean },
): FileTrust {
  if (isOfDatabase) return "sync-db";
  if (sha256 !== null) return "sha256";
  if (root !== null) return "root";
  if (done === null) return "peers";
  if (done.bytesLocal === done.sizeBytes && done.sources.length === 0) return "local";
  return done.sources.length === 0 && done.mirrors.length > 0 ? "mirror" : "peers";
}
