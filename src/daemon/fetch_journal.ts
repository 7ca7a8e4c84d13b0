/**
 * What one fetch writes down while it runs: who gave which chunks first, what was decided and why.
 * It decides nothing, and keeps a bounded amount whatever peers do.
 */

import { Bitfield } from "../base/bitfield.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../base/geometry.ts";
import type { NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Story, StoryGiver } from "../base/story.ts";
import type { FileTrust } from "../base/trust.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { Giver } from "./giver.ts";
import { mergedRanges, writeRanges } from "./ranges.ts";

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

interface Gifts {
  readonly giver: Giver;
  bytes: number;
  strikes: number;
  /** Runs in the order in which they came; null when there were too many to keep. */
  runs: { first: number; count: number }[] | null;
}

interface Step {
  readonly atMs: number;
  readonly what: string;
}

/** Steps of the beginning that are kept; of the end as many, less the one that counts the rest. */
const FIRST_STEPS = limits.storySteps / 2;
const LAST_STEPS = limits.storySteps - FIRST_STEPS - 1;
const STEP_LENGTH_MAX = 300;
/** Givers that are kept apart while the fetch runs, and those that its story names. */
const GIVERS_MAX = limits.doneSourcesMax;
const STORY_GIVERS_MAX = 64;
/** Runs of one giver before they are put in order and joined. */
const RUNS_MAX = 4_096;
/** All that is said of those that are too many to be named. */
const OTHERS: Giver = { kind: "peer", label: "others", nodeId: null };

/** The journal of one fetch. Times are those of `performance.now()`. */
export class FetchJournal {
  readonly #startMs: number;
  readonly #first: Step[] = [];
  readonly #last: Step[] = [];
  #steps = 0;
  readonly #gifts = new Map<string, Gifts>();
  /** Chunks that somebody gave; made when the size is known. */
  #given: Bitfield | null = null;
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
  gave(giver: Giver, range: ChunkRange, sizeBytes: number): void {
    const chunks = chunkCount(sizeBytes);
    if (this.#given?.length !== chunks) {
      // Another file than before: what was given of that one is no part of this.
      if (this.#given !== null) this.startOver();
      this.#given = new Bitfield(chunks);
    }
    const given = this.#given;
    const gifts = this.#of(giver);
    const end = Math.min(chunks, range.first + range.count);
    let first = range.first;
    while (first < end) {
      while (first < end && given.has(first)) first++;
      const start = first;
      while (first < end && given.add(first)) first++;
      if (first > start) addRun(gifts, { first: start, count: first - start }, sizeBytes);
    }
  }

  /** What was given until now is thrown away: another file is followed. */
  startOver(): void {
    this.#given = null;
    for (const gifts of this.#gifts.values()) {
      gifts.bytes = 0;
      gifts.runs = [];
    }
  }

  /** The first bytes can be given away; only the first call counts. */
  vouchedFirst(nowMs: number): void {
    this.#firstByteMs ??= this.#since(nowMs);
  }

  /** A peer gave `n` wrong chunks. */
  strikes(nodeId: NodeId, n: number): void {
    for (const gifts of this.#gifts.values()) {
      if (gifts.giver.nodeId === nodeId) {
        gifts.strikes += n;
        return;
      }
    }
    this.#of({ kind: "peer", label: nodeId, nodeId }).strikes += n;
  }

  /** All of it, at the end; `outcome` is "done", or why not. */
  story(outcome: string, facts: StoryFacts): Story {
    const { name, root, sizeBytes, trust, hasMirror, nowMs } = facts;
    const bytesLocal = this.#sum("here");
    const bytesPeers = this.#sum("peer");
    return {
      name,
      root,
      sizeBytes,
      endedAt: new Date().toISOString(),
      outcome,
      trust,
      elapsedMs: this.#since(nowMs),
      firstByteMs: this.#firstByteMs,
      bytesLocal,
      bytesPeers,
      bytesMirror: this.#sum("mirror"),
      bytesSaved: hasMirror && outcome === "done" ? bytesLocal + bytesPeers : 0,
      givers: this.#givers(),
      steps: this.#allSteps(),
    };
  }

  #since(nowMs: number): number {
    return Math.max(0, Math.round(nowMs - this.#startMs));
  }

  #of(giver: Giver): Gifts {
    const key = `${giver.kind} ${giver.nodeId ?? giver.label}`;
    const found = this.#gifts.get(key);
    if (found !== undefined) return found;
    if (this.#gifts.size >= GIVERS_MAX && giver !== OTHERS) return this.#of(OTHERS);
    const gifts: Gifts = { giver, bytes: 0, strikes: 0, runs: [] };
    this.#gifts.set(key, gifts);
    return gifts;
  }

  #sum(kind: Giver["kind"]): number {
    let bytes = 0;
    for (const gifts of this.#gifts.values()) if (gifts.giver.kind === kind) bytes += gifts.bytes;
    return bytes;
  }

  #givers(): StoryGiver[] {
    const all = [...this.#gifts.values()].filter(({ bytes, strikes }) => bytes + strikes > 0)
      .sort((a, b) => b.bytes - a.bytes);
    const told = all.length <= STORY_GIVERS_MAX ? all : all.slice(0, STORY_GIVERS_MAX - 1);
    const rest = all.slice(told.length);
    const givers = told.map(({ giver, bytes, strikes, runs }) => ({
      kind: giver.kind,
      giver: giver.kind === "here" ? "" : giver.label,
      nodeId: giver.nodeId,
      bytes,
      chunks: runs === null ? "..." : writeRanges(mergedRanges(runs)),
      strikes,
    }));
    if (rest.length === 0) return givers;
    const bytes = rest.reduce((sum, gifts) => sum + gifts.bytes, 0);
    const strikes = rest.reduce((sum, gifts) => sum + gifts.strikes, 0);
    const giver = `${rest.length} others`;
    return [...givers, { kind: "peer", giver, nodeId: null, bytes, chunks: "...", strikes }];
  }

  #allSteps(): Step[] {
    const left = this.#steps - this.#first.length - this.#last.length;
    if (left === 0) return [...this.#first, ...this.#last];
    const gap = { atMs: this.#first.at(-1)!.atMs, what: `(${left} steps left out)` };
    return [...this.#first, gap, ...this.#last];
  }
}

/** Keeps the story of a fetch that ended, and adds it to the savings. */
export function keepStory(store: ChunkStore, story: Story): void {
  store.stories.add(story);
  if (story.outcome !== "done") return;
  store.addStatistic("savedFiles", 1);
  store.addStatistic("bytesLocal", story.bytesLocal);
  store.addStatistic("bytesPeers", story.bytesPeers);
  store.addStatistic("bytesMirror", story.bytesMirror);
  store.addStatistic("bytesSaved", story.bytesSaved);
}

function addRun(gifts: Gifts, run: ChunkRange, sizeBytes: number): void {
  gifts.bytes += rangeBytes(sizeBytes, run).length;
  const { runs } = gifts;
  if (runs === null) return;
  const last = runs.at(-1);
  if (last !== undefined && last.first + last.count === run.first) last.count += run.count;
  else if (runs.push({ ...run }) >= RUNS_MAX) {
    const merged = mergedRanges(runs);
    gifts.runs = merged.length > RUNS_MAX / 2 ? null : merged.map((one) => ({ ...one }));
  }
}
