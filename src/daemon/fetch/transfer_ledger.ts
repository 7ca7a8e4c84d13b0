/**
 * What one fetch writes down while it runs: who gave which chunks first, what was decided and why.
 * It decides nothing, and keeps a bounded amount whatever peers do.
 *
 * What comes to the peers' place and to the mirror's is noted apart, since one of them may turn out
 * not to be the file: then all of it counts as thrown away, and what the other brought stays.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRecord, ProviderRecord } from "../../base/fetch_record.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import { type Gift, Gifts, OTHERS, providerKey, PROVIDERS_MAX } from "./received.ts";
import type { Provider } from "../swarm/provider.ts";
import { mergedRanges, writeRanges } from "../../base/chunk_ranges.ts";

/** What only the fetch itself knows when it ends. */
export interface FetchFacts {
  readonly name: string;
  readonly root: Root | null;
  readonly sizeBytes: number | null;
  readonly trust: FileTrust;
  /** Whether a mirror would have had to give what others gave: named, or of a released package. */
  readonly hasMirror: boolean;
  readonly nowMs: number;
}

/** Where chunks come: to the download of what peers give, or to the mirror's unverified download. */
export type FetchTrack = "peers" | "mirror";

/** What one provider did in vain. */
interface Marks {
  readonly provider: Provider;
  strikes: number;
  bytesThrownAway: number;
}

interface Step {
  readonly atMs: number;
  readonly what: string;
}

/** Steps of the beginning that are kept; of the end as many, less the one that counts the rest. */
const FIRST_STEPS = limits.recordSteps / 2;
const LAST_STEPS = limits.recordSteps - FIRST_STEPS - 1;
const STEP_LENGTH_MAX = 300;
/** Providers that a fetch record names. */
const RECORD_PROVIDERS_MAX = 64;
/** Rejected roots that a fetch record names. */
const ROOTS_MAX = 16;

/** The journal of one fetch. Times are those of `performance.now()`. */
export class TransferLedger {
  readonly #startMs: number;
  readonly #first: Step[] = [];
  readonly #last: Step[] = [];
  #steps = 0;
  readonly #tracks: Readonly<Record<FetchTrack, Gifts>> = {
    peers: new Gifts(),
    mirror: new Gifts(),
  };
  /** Both together: who was the first to give a chunk, to whichever place. */
  #both = new Gifts();
  readonly #marks = new Map<string, Marks>();
  readonly #rootsRejected = new Set<Root>();
  #bytesThrownAway = 0;
  #firstByteMs: number | null = null;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** Writes down a decision, in one line for a person. */
  note(what: string, nowMs: number): void {
    const step = { atMs: this.#since(nowMs), what: what.slice(0, STEP_LENGTH_MAX) };
    this.#steps++;
    if (this.#first.length < FIRST_STEPS) this.#first.push(step);
    else {
      if (this.#last.length === LAST_STEPS) this.#last.shift();
      this.#last.push(step);
    }
  }

  /** `provider` gave chunks of a file of `sizeBytes`; those that somebody gave before do not count. */
  gave(
    provider: Provider,
    range: ChunkRange,
    { sizeBytes, track = "peers" }: {
      readonly sizeBytes: number;
      /** Where they came; what lay here whole counts as the peers'. */
      readonly track?: FetchTrack;
    },
  ): void {
    const gifts = this.#tracks[track];
    // Another file than before: what was given of that one is no part of this.
    if (gifts.sizeBytes !== null && gifts.sizeBytes !== sizeBytes) this.threwAway(track);
    gifts.gave(provider, range, sizeBytes);
    this.#both.gave(provider, range, sizeBytes);
  }

  /** What came to one place is not the file, or begins anew: it counts for nobody any more. */
  threwAway(track: FetchTrack): void {
    const gone = this.#tracks[track];
    const kept = this.#tracks[track === "peers" ? "mirror" : "peers"];
    // What a mirror gave may have been taken over from the other place, and is still there.
    let bytesKept = gone.mirrorBytesIn(kept);
    for (const { provider, bytes } of gone) {
      if (provider.kind === "here") continue;
      const still = provider.kind === "mirror" ? Math.min(bytesKept, bytes) : 0;
      bytesKept -= still;
      this.#markOf(provider).bytesThrownAway += bytes - still;
      this.#bytesThrownAway += bytes - still;
    }
    gone.clear();
    this.#both = kept.clone();
  }

  /** What was offered under this root is not the file. */
  rejected(root: Root): void {
    if (this.#rootsRejected.size < ROOTS_MAX) this.#rootsRejected.add(root);
  }

  /** The first bytes can be given away; only the first call counts. */
  releasedFirst(nowMs: number): void {
    this.#firstByteMs ??= this.#since(nowMs);
  }

  /** A peer gave `n` wrong chunks. */
  strikes(nodeId: NodeId, n: number): void {
    const known = [...this.#both, ...this.#tracks.peers, ...this.#marks.values()]
      .find(({ provider }) => provider.nodeId === nodeId)?.provider;
    this.#markOf(known ?? { kind: "peer", label: nodeId, nodeId }).strikes += n;
  }

  /** All of it, at the end or until now; `outcome` is "done", or why not. */
  record(outcome: string, facts: FetchFacts): FetchRecord {
    const { name, root, sizeBytes, trust, hasMirror, nowMs } = facts;
    const came = this.#came;
    const bytesPeers = came.sum("peer");
    const bytesMirror = came.sum("mirror");
    return {
      name,
      root,
      rootsRejected: [...this.#rootsRejected],
      sizeBytes,
      endedAt: new Date().toISOString(),
      outcome,
      trust,
      elapsedMs: this.#since(nowMs),
      firstByteMs: this.#firstByteMs,
      bytesLocal: came.sum("here"),
      bytesPeers,
      bytesMirror,
      bytesThrownAway: this.#bytesThrownAway,
      bytesSaved: hasMirror && outcome === "done"
        ? Math.max(0, bytesPeers - (this.#mirrorBytes - bytesMirror))
        : 0,
      givers: this.#providers(came),
      steps: this.#allSteps(),
    };
  }

  #since(nowMs: number): number {
    return Math.max(0, Math.round(nowMs - this.#startMs));
  }

  /** What counts; while mirror and peers have files of two sizes, that of which more is here. */
  get #came(): Gifts {
    const { peers, mirror } = this.#tracks;
    const isOne = peers.sizeBytes === null || mirror.sizeBytes === null ||
      peers.sizeBytes === mirror.sizeBytes;
    if (isOne) return this.#both;
    return peers.bytes > mirror.bytes ? peers : mirror;
  }

  /** Bytes that mirrors had to give, though peers may have been sooner with some of them. */
  get #mirrorBytes(): number {
    return this.#tracks.peers.mirrorBytesWith(this.#tracks.mirror);
  }

  #markOf(provider: Provider): Marks {
    const key = providerKey(provider);
    const found = this.#marks.get(key);
    if (found !== undefined) return found;
    if (this.#marks.size >= PROVIDERS_MAX && provider !== OTHERS) return this.#markOf(OTHERS);
    const marks = { provider, strikes: 0, bytesThrownAway: 0 };
    this.#marks.set(key, marks);
    return marks;
  }

  #providers(came: Gifts): ProviderRecord[] {
    const gifts = new Map<string, Gift>(
      Array.from(came, (gift) => [providerKey(gift.provider), gift]),
    );
    for (const [key, { provider }] of this.#marks) {
      if (!gifts.has(key)) gifts.set(key, { provider, bytes: 0, runs: [] });
    }
    const all = Array.from(gifts, ([key, gift]) => {
      const { strikes, bytesThrownAway } = this.#marks.get(key) ?? NO_MARKS;
      return { ...gift, strikes, bytesThrownAway };
    }).filter(({ bytes, strikes, bytesThrownAway }) => bytes + strikes + bytesThrownAway > 0)
      .sort((a, b) => b.bytes - a.bytes || b.bytesThrownAway - a.bytesThrownAway);
    const told = all.length <= RECORD_PROVIDERS_MAX ? all : all.slice(0, RECORD_PROVIDERS_MAX - 1);
    const rest = all.slice(told.length);
    const providers = told.map(({ provider, bytes, runs, bytesThrownAway, strikes }) => ({
      kind: provider.kind,
      giver: provider.kind === "here" ? "" : provider.label,
      nodeId: provider.nodeId,
      bytes,
      chunks: runs === null ? "..." : writeRanges(mergedRanges(runs)),
      bytesThrownAway,
      strikes,
    }));
    if (rest.length === 0) return providers;
    const sum = (of: (one: typeof rest[number]) => number) =>
      rest.reduce((total, one) => total + of(one), 0);
    return [...providers, {
      kind: "peer",
      giver: `${rest.length} others`,
      nodeId: null,
      bytes: sum(({ bytes }) => bytes),
      chunks: "...",
      bytesThrownAway: sum(({ bytesThrownAway }) => bytesThrownAway),
      strikes: sum(({ strikes }) => strikes),
    }];
  }

  #allSteps(): Step[] {
    const left = this.#steps - this.#first.length - this.#last.length;
    if (left === 0) return [...this.#first, ...this.#last];
    const gap = { atMs: this.#first.at(-1)!.atMs, what: `(${left} steps left out)` };
    return [...this.#first, gap, ...this.#last];
  }
}

const NO_MARKS = { strikes: 0, bytesThrownAway: 0 };

/**
 * Keeps the fetch record of a fetch that ended. One that got its file, and for which bytes had to come, is
 * added to the savings: reading a file that is here saves nothing anew.
 */
export function keepRecord(store: ChunkStore, record: FetchRecord): void {
  store.history.add(record);
  if (record.outcome !== "done" || record.bytesPeers + record.bytesMirror === 0) return;
  store.addStatistic("savedFiles", 1);
  store.addStatistic("bytesLocal", record.bytesLocal);
  store.addStatistic("bytesPeers", record.bytesPeers);
  store.addStatistic("bytesMirror", record.bytesMirror);
  store.addStatistic("bytesSaved", record.bytesSaved);
}
