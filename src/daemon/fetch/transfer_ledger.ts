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
import type { Story, StoryGiver } from "../../base/fetch_record.ts";
import type { FileTrust } from "../../base/package_index.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import { type Gift, Gifts, giverKey, GIVERS_MAX, OTHERS } from "./received.ts";
import type { Giver } from "../swarm/provider.ts";
import { mergedRanges, writeRanges } from "../../base/chunk_ranges.ts";

/** What only the fetch itself knows when it ends. */
export interface StoryFacts {
  readonly name: string;
  readonly root: Root | null;
  readonly sizeBytes: number | null;
  readonly trust: FileTrust;
  /** Whether a mirror would have had to give what others gave: named, or of a vouched package. */
  readonly hasMirror: boolean;
  readonly nowMs: number;
}

/** Where chunks come: to the download of what peers give, or to the mirror's intake. */
export type FetchTrack = "peers" | "mirror";

/** What one giver did in vain. */
interface Marks {
  readonly giver: Giver;
  strikes: number;
  bytesThrownAway: number;
}

interface Step {
  readonly atMs: number;
  readonly what: string;
}

/** Steps of the beginning that are kept; of the end as many, less the one that counts the rest. */
const FIRST_STEPS = limits.storySteps / 2;
const LAST_STEPS = limits.storySteps - FIRST_STEPS - 1;
const STEP_LENGTH_MAX = 300;
/** Givers that a story names. */
const STORY_GIVERS_MAX = 64;
/** Rejected roots that a story names. */
const ROOTS_MAX = 16;

/** The journal of one fetch. Times are those of `performance.now()`. */
export class FetchJournal {
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

  /** `giver` gave chunks of a file of `sizeBytes`; those that somebody gave before do not count. */
  gave(
    giver: Giver,
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
    gifts.gave(giver, range, sizeBytes);
    this.#both.gave(giver, range, sizeBytes);
  }

  /** What came to one place is not the file, or begins anew: it counts for nobody any more. */
  threwAway(track: FetchTrack): void {
    const gone = this.#tracks[track];
    const kept = this.#tracks[track === "peers" ? "mirror" : "peers"];
    // What a mirror gave may have been taken over from the other place, and is still there.
    let bytesKept = gone.mirrorBytesIn(kept);
    for (const { giver, bytes } of gone) {
      if (giver.kind === "here") continue;
      const still = giver.kind === "mirror" ? Math.min(bytesKept, bytes) : 0;
      bytesKept -= still;
      this.#markOf(giver).bytesThrownAway += bytes - still;
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
  vouchedFirst(nowMs: number): void {
    this.#firstByteMs ??= this.#since(nowMs);
  }

  /** A peer gave `n` wrong chunks. */
  strikes(nodeId: NodeId, n: number): void {
    const known = [...this.#both, ...this.#tracks.peers, ...this.#marks.values()]
      .find(({ giver }) => giver.nodeId === nodeId)?.giver;
    this.#markOf(known ?? { kind: "peer", label: nodeId, nodeId }).strikes += n;
  }

  /** All of it, at the end or until now; `outcome` is "done", or why not. */
  story(outcome: string, facts: StoryFacts): Story {
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
      givers: this.#givers(came),
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

  #markOf(giver: Giver): Marks {
    const key = giverKey(giver);
    const found = this.#marks.get(key);
    if (found !== undefined) return found;
    if (this.#marks.size >= GIVERS_MAX && giver !== OTHERS) return this.#markOf(OTHERS);
    const marks = { giver, strikes: 0, bytesThrownAway: 0 };
    this.#marks.set(key, marks);
    return marks;
  }

  #givers(came: Gifts): StoryGiver[] {
    const gifts = new Map<string, Gift>(Array.from(came, (gift) => [giverKey(gift.giver), gift]));
    for (const [key, { giver }] of this.#marks) {
      if (!gifts.has(key)) gifts.set(key, { giver, bytes: 0, runs: [] });
    }
    const all = Array.from(gifts, ([key, gift]) => {
      const { strikes, bytesThrownAway } = this.#marks.get(key) ?? NO_MARKS;
      return { ...gift, strikes, bytesThrownAway };
    }).filter(({ bytes, strikes, bytesThrownAway }) => bytes + strikes + bytesThrownAway > 0)
      .sort((a, b) => b.bytes - a.bytes || b.bytesThrownAway - a.bytesThrownAway);
    const told = all.length <= STORY_GIVERS_MAX ? all : all.slice(0, STORY_GIVERS_MAX - 1);
    const rest = all.slice(told.length);
    const givers = told.map(({ giver, bytes, runs, bytesThrownAway, strikes }) => ({
      kind: giver.kind,
      giver: giver.kind === "here" ? "" : giver.label,
      nodeId: giver.nodeId,
      bytes,
      chunks: runs === null ? "..." : writeRanges(mergedRanges(runs)),
      bytesThrownAway,
      strikes,
    }));
    if (rest.length === 0) return givers;
    const sum = (of: (one: typeof rest[number]) => number) =>
      rest.reduce((total, one) => total + of(one), 0);
    return [...givers, {
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
 * Keeps the story of a fetch that ended. One that got its file, and for which bytes had to come, is
 * added to the savings: reading a file that is here saves nothing anew.
 */
export function keepStory(store: ChunkStore, story: Story): void {
  store.stories.add(story);
  if (story.outcome !== "done" || story.bytesPeers + story.bytesMirror === 0) return;
  store.addStatistic("savedFiles", 1);
  store.addStatistic("bytesLocal", story.bytesLocal);
  store.addStatistic("bytesPeers", story.bytesPeers);
  store.addStatistic("bytesMirror", story.bytesMirror);
  store.addStatistic("bytesSaved", story.bytesSaved);
}
