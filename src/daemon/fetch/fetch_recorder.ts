/**
 * The record of one fetch while it runs: who gave which chunks first, what was decided and why. It
 * decides nothing, and keeps a bounded amount whatever peers do.
 *
 * What comes to the peers' place and to the mirror's is noted apart, since one of them may turn out
 * not to be the file: then all of it counts as thrown away, and what the other brought stays.
 */

import { mergedRanges, writeRanges } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRecord, ProviderRecord } from "../../base/fetch_record.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { Done } from "../../wire/messages.ts";
import type { FetchingReport } from "../../wire/reports.ts";
import type { Provider } from "../swarm/provider.ts";
import { RateMeter } from "../swarm/rate_meter.ts";
import { type LedgerEntry, providerKey, TransferLedger } from "../swarm/transfer_ledger.ts";

/** What only the fetch itself knows when it ends. */
export interface RecordFacts {
  readonly name: string;
  readonly root: Root | null;
  readonly sizeBytes: number | null;
  readonly trust: FileTrust;
  /** Whether a mirror would have had to give what others gave: named, or of a released package. */
  readonly hasMirror: boolean;
  /** All bytes that mirrors gave. */
  readonly bytesMirrors: number;
  readonly nowMs: number;
  readonly unixMs: number;
}

/** The figures of a fetch record. */
export type FetchFigures = Pick<
  FetchRecord,
  | "elapsedMs"
  | "firstByteMs"
  | "bytesLocal"
  | "bytesPeers"
  | "bytesMirror"
  | "bytesMirrors"
  | "bytesThrownAway"
>;

/** Where chunks come: to the download of what peers give, or to the mirror's unverified download. */
type FetchTrack = "peers" | "mirror";

interface Step {
  readonly atMs: number;
  readonly what: string;
}

/** Steps of the beginning that are kept; the rest is the last ones, and one that counts the others. */
const FIRST_STEPS = limits.recordSteps / 2;

/** What one fetch writes down. Times are those of its clock. */
export class FetchRecorder {
  readonly #startMs: number;
  readonly #steps: Step[] = [];
  #stepsLeftOut = 0;
  readonly #tracks: Readonly<Record<FetchTrack, TransferLedger>> = {
    peers: new TransferLedger(),
    mirror: new TransferLedger(),
  };
  /** Both together: who gave a chunk first, in either place; and all that was thrown away. */
  readonly #both = new TransferLedger();
  readonly #rootsRejected = new Set<Root>();
  /** How fast each provider gives, by its key: no more than the ledgers have. */
  readonly #rates = new Map<string, RateMeter>();
  #firstByteMs: number | null = null;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** Writes down a decision, in one line for a person. */
  note(what: string, nowMs: number): void {
    const lengthMax = limits.recordStepLengthMax;
    // A mark where it is cut.
    const short = what.length <= lengthMax ? what : `${what.slice(0, lengthMax - 1)}…`;
    this.#steps.push({ atMs: this.#since(nowMs), what: short });
    if (this.#steps.length < limits.recordSteps) return;
    this.#steps.splice(FIRST_STEPS, 1);
    this.#stepsLeftOut++;
  }

  /** `provider` gave chunks of a file of `sizeBytes`; those that somebody gave before do not count. */
  received(
    provider: Provider,
    range: ChunkRange,
    { sizeBytes, track = "peers" }: {
      readonly sizeBytes: number;
      /** Where they came; what lay here whole counts as the peers'. */
      readonly track?: FetchTrack;
    },
  ): void {
    const ledger = this.#tracks[track];
    // Another file than before: what was given of that one is no part of this.
    if (ledger.sizeBytes !== null && ledger.sizeBytes !== sizeBytes) this.threwAway(track);
    ledger.received(provider, range, sizeBytes);
    this.#both.received(provider, range, sizeBytes);
  }

  /** What came to one place is not the file, or starts over: it counts for nobody any more. */
  threwAway(track: FetchTrack): void {
    const gone = this.#tracks[track];
    const kept = this.#tracks[track === "peers" ? "mirror" : "peers"];
    // What a mirror gave may have been taken over from the other place, and is still there.
    let bytesKept = gone.mirrorBytesIn(kept);
    for (const { provider, bytes } of gone) {
      if (provider.kind === "here") continue;
      const still = provider.kind === "mirror" ? Math.min(bytesKept, bytes) : 0;
      bytesKept -= still;
      this.#both.threwAway(provider, bytes - still);
    }
    gone.restart();
    this.#both.restart(kept);
  }

  /** What was offered under this root is not the file. */
  rejected(root: Root): void {
    if (this.#rootsRejected.size < limits.recordRootsMax) this.#rootsRejected.add(root);
  }

  /** The first bytes can be given away; only the first call counts. */
  releasedFirst(nowMs: number): void {
    this.#firstByteMs ??= this.#since(nowMs);
  }

  /** A peer gave `n` wrong chunks. */
  strikes(nodeId: NodeId, n: number): void {
    this.#both.struck({ kind: "peer", label: nodeId, nodeId }, n);
  }

  /**
   * What nodes gave, each chunk once, most bytes first; null when none gave anything while the file
   * was in flight.
   */
  fellows(): Done["sources"] | null {
    if (this.#tracks.mirror.sum("peer") === 0) return null;
    return this.#came.peers().filter(({ bytes, strikes }) => bytes + strikes > 0);
  }

  /** Lets time pass: how fast each gives. */
  tick(nowMs: number): void {
    for (const { provider, bytes } of this.#came) {
      const key = providerKey(provider);
      let rate = this.#rates.get(key);
      if (rate === undefined) this.#rates.set(key, rate = new RateMeter());
      rate.add(bytes, nowMs);
    }
  }

  /** Who gave what counts until now, most bytes first. */
  sources(): FetchingReport["sources"] {
    return [...this.#came].filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, limits.fetchingSourcesMax)
      .map(({ provider, bytes }) => ({
        kind: provider.kind,
        source: provider.kind === "here" ? "" : provider.label,
        nodeId: provider.nodeId,
        bytes,
        bytesPerSecond: Math.max(
          0,
          Math.round(this.#rates.get(providerKey(provider))?.bytesPerSecond ?? 0),
        ),
      }));
  }

  /** How much came from where, and when, until now; without who gave it. */
  figures({ bytesMirrors, nowMs }: Pick<RecordFacts, "bytesMirrors" | "nowMs">): FetchFigures {
    const came = this.#came;
    return {
      elapsedMs: this.#since(nowMs),
      firstByteMs: this.#firstByteMs,
      bytesLocal: came.sum("here"),
      bytesPeers: came.sum("peer"),
      bytesMirror: came.sum("mirror"),
      bytesMirrors,
      bytesThrownAway: sumOf(this.#both, ({ bytesThrownAway }) => bytesThrownAway),
    };
  }

  /** All of it, at the end or until now; `outcome` is "done", or why not. */
  record(outcome: string, facts: RecordFacts): FetchRecord {
    const { name, root, sizeBytes, trust, hasMirror, unixMs } = facts;
    const figures = this.figures(facts);
    const { bytesPeers, bytesMirror } = figures;
    return {
      name,
      root,
      rootsRejected: [...this.#rootsRejected],
      sizeBytes,
      endedAt: new Date(unixMs).toISOString(),
      outcome,
      trust,
      ...figures,
      bytesSaved: hasMirror && outcome === "done"
        ? Math.max(0, bytesPeers - (this.#bytesOfMirrors - bytesMirror))
        : 0,
      givers: this.#providers(this.#came),
      steps: this.#allSteps(),
    };
  }

  #since(nowMs: number): number {
    return Math.max(0, Math.round(nowMs - this.#startMs));
  }

  /** What counts; while mirror and peers have files of two sizes, that of which more is here. */
  get #came(): TransferLedger {
    const { peers, mirror } = this.#tracks;
    const isOne = peers.sizeBytes === null || mirror.sizeBytes === null ||
      peers.sizeBytes === mirror.sizeBytes;
    if (isOne) return this.#both;
    return peers.sum() > mirror.sum() ? peers : mirror;
  }

  /** Bytes that mirrors had to give, though peers may have been sooner with some of them. */
  get #bytesOfMirrors(): number {
    const { peers, mirror } = this.#tracks;
    return peers.sum("mirror") + mirror.sum("mirror") - peers.mirrorBytesIn(mirror);
  }

  #providers(came: TransferLedger): ProviderRecord[] {
    const all = this.#entries(came)
      .filter(({ bytes, strikes, bytesThrownAway }) => bytes + strikes + bytesThrownAway > 0)
      .sort((a, b) => b.bytes - a.bytes || b.bytesThrownAway - a.bytesThrownAway);
    const isAll = all.length <= limits.recordProvidersMax;
    const told = isAll ? all : all.slice(0, limits.recordProvidersMax - 1);
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
    return [...providers, {
      kind: "peer",
      giver: `${rest.length} others`,
      nodeId: null,
      bytes: sumOf(rest, ({ bytes }) => bytes),
      chunks: "...",
      bytesThrownAway: sumOf(rest, ({ bytesThrownAway }) => bytesThrownAway),
      strikes: sumOf(rest, ({ strikes }) => strikes),
    }];
  }

  /** What counts of all providers: chunks of `came`, strikes and what was thrown away of all. */
  #entries(came: TransferLedger): LedgerEntry[] {
    const entries = new Map<string, LedgerEntry>();
    for (const entry of came) {
      entries.set(providerKey(entry.provider), { ...entry, strikes: 0, bytesThrownAway: 0 });
    }
    for (const { provider, strikes, bytesThrownAway } of this.#both) {
      const key = providerKey(provider);
      const { bytes, runs } = entries.get(key) ?? { bytes: 0, runs: [] };
      entries.set(key, { provider, bytes, runs, strikes, bytesThrownAway });
    }
    return [...entries.values()];
  }

  #allSteps(): Step[] {
    if (this.#stepsLeftOut === 0) return [...this.#steps];
    const { atMs } = this.#steps[FIRST_STEPS - 1]!;
    const gap = { atMs, what: `(${this.#stepsLeftOut} steps left out)` };
    return this.#steps.toSpliced(FIRST_STEPS, 0, gap);
  }
}

function sumOf<T>(all: Iterable<T>, of: (one: T) => number): number {
  let sum = 0;
  for (const one of all) sum += of(one);
  return sum;
}

/**
 * Keeps the record of a fetch that ended. What came, and what mirrors gave for it, counts in any case.
 * One that got its file, and for which bytes had to come, is added to the savings: reading a file that
 * is here saves nothing again.
 */
export function keepRecord(store: ChunkStore, record: FetchRecord): void {
  store.history.add(record);
  for (const { nodeId, giver, bytes } of record.givers) {
    if (nodeId === null) continue;
    store.peerTotals.add({ nodeId, peer: giver, bytesHad: bytes }, Date.parse(record.endedAt));
  }
  store.addStatistic("bytesMirrors", record.bytesMirrors);
  store.addStatistic("bytesUnique", record.bytesPeers + record.bytesMirror);
  if (record.outcome !== "done" || record.bytesPeers + record.bytesMirror === 0) return;
  store.savings.add(Date.parse(record.endedAt), record);
  store.addStatistic("savedFiles", 1);
  store.addStatistic("bytesLocal", record.bytesLocal);
  store.addStatistic("bytesPeers", record.bytesPeers);
  store.addStatistic("bytesMirror", record.bytesMirror);
  store.addStatistic("bytesSaved", record.bytesSaved);
}
