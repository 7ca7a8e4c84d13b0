/**
 * Finds out what fellows gave wrong of a file that turned out not to be the one that is wanted, or of
 * which nothing but the mirror tells what it is. What differs from the mirror is somebody's, and that
 * one is no fellow any more; what follows from it for the fetch is decided in `core/fetch`.
 *
 * Rules
 *  1. Samples first: what fellows say is wrong, and chunks of those who gave something, so few that all
 *     fellows together compare no more than a part of the file. One is enough: nothing else that its
 *     giver gave is kept.
 *  2. When those are right, fellows read together what was given a second time (`core/crowd` says who
 *     reads what): each stripe once, never by who answers for it, and only until somebody finds which
 *     chunk is wrong and says so. Nobody is believed: who hears of a chunk compares that one. What is
 *     right is told of as read again, and is kept for the others. So that costs all of them no more than
 *     one copy, and what the liar gave is not read twice for it.
 *  3. When all of it was read again and nobody said that anything is wrong, others may have got something
 *     else from the same giver: what others proved is taken again from those, which the mirror gives
 *     nothing for. If that is right, who gave what differed from it lied; if it is not, and the mirror does
 *     not say of a chunk that differs who lied, it begins again with others. After `crowdRoundsMax` such
 *     rounds, or when it had to mend `crowdMendsMax` times, a node believes nobody, and reads all again.
 *     Where the mirror has another file than it had before, samples are all: it is likely that one
 *     which is wrong, and the next fetch finds who lied.
 *  4. What was compared with the mirror is the mirror's from then on. So no node asks its mirror for
 *     more than about one copy, however many lie.
 *  5. A node whose own mirror gives nothing believes what is said, since it can compare nothing: what the
 *     givers of such chunks gave is missing again, or all that others gave.
 *  6. Who said that it read a chunk answers for it: it is no fellow any more, and that is a misdeed.
 *     Who passed it on may have been deceived: only what it reads itself is asked of it then. Who is
 *     said to have read it is not blamed for what another says.
 */

import { Buffer } from "node:buffer";
import { mergedRanges, splitRanges } from "../../base/bitfield.ts";
import { type Clock, nextTurn, sleep } from "../../base/clock.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { type Random, randomBelow, shuffled } from "../../base/random.ts";
import { MirrorError } from "../../http/mirror_error.ts";
import type { MirrorFile } from "../../http/mirrors.ts";
import { mirrorProvider } from "../swarm/provider.ts";
import type { Flight } from "./flight.ts";
import { chunksOf, type Gift, type Giver } from "./flight_storage.ts";
import { MirrorReading } from "./mirror_reading.ts";

/** What a mending works with. */
interface MendingOptions {
  readonly flight: Flight;
  /** The file at the mirrors that it is compared with. */
  readonly mirror: MirrorFile;
  /** Chunks count as missing again where they lie. */
  readonly unfilled: (range: ChunkRange) => void;
  /** A node gave what is wrong, for who asks afterwards. */
  readonly struck: (nodeId: NodeId) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly noted: (what: string) => void;
  /** A node gave what is not the file, and said that it had read it. */
  readonly misbehaved: (node: { readonly nodeId: NodeId; readonly host: string }) => void;
  /** A node passed on what is not the file. */
  readonly passedWrong: (nodeId: NodeId) => void;
  readonly signal: AbortSignal;
}

/** Wrong chunks, by who gave them. */
type Wrong = Map<Giver, number[]>;

/** The mending of one file. */
export class CrowdMending {
  readonly #options: MendingOptions;
  /** How often something was found to be wrong, and how often all was proved that was not right. */
  #mends = 0;
  #rounds = 0;
  /** Whether what others proved was taken again, and nothing was found to be wrong since. */
  #isRetaken = false;

  constructor(options: MendingOptions) {
    this.#options = options;
  }

  /** Compares samples of each fellow; whether they are right. */
  async audit(): Promise<boolean> {
    const isEnough = this.#mends >= limits.crowdMendsMax;
    const wrong = isEnough ? await this.#readAll() : await this.#samples();
    this.#reject(wrong);
    return wrong.size === 0;
  }

  /** The file is complete and right: those gave what is not whose chunks had to be taken again. */
  landed(): void {
    const { flight: { storage: { replaced } } } = this.#options;
    const wrong: Wrong = new Map();
    for (const [chunk, giver] of replaced.differing) takeAll(wrong, new Map([[giver, [chunk]]]));
    for (const [giver, chunks] of wrong) this.#blame(giver, chunks);
  }

  /**
   * Finds what is wrong, and has it missing again; false when it finds nothing.
   *
   * @param isMirrorDoubtful Whether the mirror is to blame rather than fellows: then only samples count.
   */
  async mend({ isMirrorDoubtful }: { readonly isMirrorDoubtful: boolean }): Promise<boolean> {
    try {
      if (isMirrorDoubtful) return this.#reject(await this.#samples());
      return await this.#findWrong();
    } catch (error) {
      if (!(error instanceof MirrorError) || error.code === "changed") throw error;
      return await this.#withoutMirror(error);
    }
  }

  async #findWrong(): Promise<boolean> {
    const { flight } = this.#options;
    const isEnough = this.#mends >= limits.crowdMendsMax || this.#rounds >= limits.crowdRoundsMax;
    if (isEnough || !flight.givesRanges) return this.#reject(await this.#readAll());
    let wrong = await this.#differing();
    if (wrong.size === 0) wrong = await this.#samples({ chunksMax: this.#ownSamples() });
    if (wrong.size > 0) return this.#reject(wrong);
    flight.doubt({ isNewRound: this.#isRetaken });
    try {
      wrong = await this.#look();
      return this.#reject(wrong) || await this.#retake();
    } finally {
      flight.tell({ kind: "doubt-ended" });
    }
  }

  /** This node's part of what all fellows together compare first. */
  #ownSamples(): number {
    const { flight, random } = this.#options;
    const parts = limits.crowdSampleParts * (flight.fellowCount + 1);
    const { length } = flight.storage.have;
    // The rest of a part comes out right on average.
    return Math.floor(length / parts) + (randomBelow(random, parts) < length % parts ? 1 : 0);
  }

  /** Rule 1: one wrong chunk of each who gave one. */
  async #samples({ chunksMax = Infinity } = {}): Promise<Wrong> {
    const { flight: { storage }, random } = this.#options;
    const wrong = await this.#accused();
    let chunks = 0;
    for (const { giver, ranges } of shuffled(random, storage.ofPeers())) {
      if (wrong.has(giver)) continue;
      if (chunks++ >= chunksMax) break;
      const chunk = chunkAt(ranges, randomBelow(random, countOf(ranges)));
      await this.#compare({ first: chunk, count: 1 }, wrong);
    }
    return wrong;
  }

  /** Rule 3: of chunks that came twice, and not the same, who gave what is not the mirror's. */
  async #differing(): Promise<Wrong> {
    const { flight: { storage } } = this.#options;
    const wrong: Wrong = new Map();
    for (const [chunk, before] of [...storage.replaced.differing]) {
      const isKnown = wrong.has(before) ||
        storage.isForeign(chunk) && wrong.has(storage.giverOf(chunk));
      if (isKnown) continue;
      const found = wrong.size;
      await this.#compare({ first: chunk, count: 1 }, wrong);
      if (wrong.size === found) wrong.set(before, [chunk]);
      storage.replaced.settled(chunk);
    }
    return wrong;
  }

  /** What fellows say is wrong, and is. */
  async #accused(): Promise<Wrong> {
    const { flight: { storage, accusations } } = this.#options;
    const wrong: Wrong = new Map();
    for (let next = accusations.first; next !== undefined; next = accusations.first) {
      const isDoubtful = storage.isForeign(next) && !wrong.has(storage.giverOf(next));
      // One that is right here may have been given wrong to who says so.
      if (isDoubtful) await this.#compare({ first: next, count: 1 }, wrong);
      accusations.take();
    }
    return wrong;
  }

  /** Rule 2. */
  async #look(): Promise<Wrong> {
    const { flight: { accusations, secondLook }, flight, noted } = this.#options;
    noted("Fellows read what they gave each other again");
    const wrong: Wrong = new Map();
    while (wrong.size === 0) {
      await this.#soon([secondLook.came, accusations.came]);
      takeAll(wrong, await this.#accused());
      const stripe = secondLook.take();
      if (stripe === null) break;
      if (stripe === undefined || wrong.size > 0) continue;
      await this.#readAgain(flight.crowd.stripes.range(stripe), wrong);
      if (wrong.size === 0) flight.tell({ kind: "proved", stripe });
    }
    return wrong;
  }

  /** Compares what others gave of a stripe; in small steps: what another one found makes the rest unnecessary. */
  async #readAgain(stripe: ChunkRange, wrong: Wrong): Promise<void> {
    const { flight: { storage, accusations } } = this.#options;
    while (wrong.size === 0) {
      const [range] = storage.foreignIn(stripe);
      if (range === undefined) return;
      await this.#compare(range, wrong, () => wrong.size > 0 || !accusations.isEmpty);
      if (wrong.size === 0) takeAll(wrong, await this.#accused());
    }
  }

  /** Rule 3: what others proved is missing again; false when there is nothing of that. */
  async #retake(): Promise<boolean> {
    const { flight: { storage, secondLook }, flight, noted } = this.#options;
    flight.tell({ kind: "retake" });
    const ranges = secondLook.takeLost().flatMap((range) => storage.foreignIn(range));
    if (ranges.length === 0) return false;
    this.#rounds++;
    this.#isRetaken = true;
    noted(`Takes again what others read again: ${countOf(ranges)} chunks`);
    const bytes = new Uint8Array(CHUNK_BYTES);
    for (const { first, count } of ranges) {
      await nextTurn();
      for (let chunk = first; chunk < first + count; chunk++) {
        const length = storage.readRun({ first: chunk, count: 1 }, bytes, 0);
        storage.replaced.note(chunk, storage.giverOf(chunk), bytes.subarray(0, length));
      }
    }
    this.#lose(ranges);
    return true;
  }

  /** Waits until one of these comes. */
  async #soon(events: readonly Promise<void>[]): Promise<void> {
    const { signal } = this.#options;
    const stopped = Promise.withResolvers<void>();
    const stop = () => stopped.resolve();
    signal.addEventListener("abort", stop);
    try {
      await Promise.race([...events, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
    signal.throwIfAborted();
  }

  /** Waits until somebody says that a chunk is wrong, but no longer than this. */
  async #accusedWithin(ms: number): Promise<void> {
    const { flight: { accusations }, clock, signal } = this.#options;
    const enough = new AbortController();
    const late = sleep(clock, ms, { signal: AbortSignal.any([signal, enough.signal]) });
    try {
      await Promise.race([accusations.came, late]);
    } finally {
      enough.abort();
      await late.catch(() => {});
    }
    signal.throwIfAborted();
  }

  /** Rule 3: all that fellows gave; what differs is replaced. */
  async #readAll(): Promise<Wrong> {
    const { flight: { storage, givesRanges }, noted } = this.#options;
    const given = rangesOf(storage.ofPeers());
    noted(`Reads all again that fellows gave: ${countOf(given)} chunks`);
    const wrong: Wrong = new Map();
    // A mirror that has no ranges gives it once, from the beginning on.
    const runs = givesRanges
      ? splitRanges(given, limits.crowdCompareBytes / CHUNK_BYTES)
      : [{ first: 0, count: storage.have.length }];
    for (const range of runs) await this.#compare(range, wrong);
    return wrong;
  }

  /**
   * Compares what fellows gave of a run of chunks with the mirror, whose bytes take their place, and
   * adds what differs.
   */
  async #compare(
    range: ChunkRange,
    wrong: Wrong,
    isEnough: () => boolean = () => false,
  ): Promise<void> {
    const { flight: { storage, file: { sizeBytes } }, mirror: file, signal } = this.#options;
    const here = new Uint8Array(CHUNK_BYTES);
    const reading = new MirrorReading(file, {
      range,
      sizeBytes,
      takesWhole: true,
      signal,
      take: (firstChunk, data, label) => {
        for (const [chunk, bytes] of chunksOf(firstChunk, data)) {
          if (isEnough()) return reading.stop();
          if (!storage.isForeign(chunk)) continue;
          const length = storage.readRun({ first: chunk, count: 1 }, here, 0);
          const giver = storage.giverOf(chunk), mirror = mirrorProvider(label, file);
          // What is written over has to be hashed again.
          if (bytes.length === length && Buffer.compare(bytes, here.subarray(0, length)) === 0) {
            storage.confirm(chunk, mirror);
          } else {
            storage.replace(chunk, bytes, mirror);
            takeAll(wrong, new Map([[giver, [chunk]]]));
          }
        }
      },
    });
    await reading.run();
  }

  /** Rule 5. */
  async #withoutMirror({ message }: MirrorError): Promise<boolean> {
    if (this.#mends++ >= limits.crowdMendsMax) return false;
    const { flight, noted } = this.#options;
    const { storage, accusations } = flight;
    noted(`The mirror tells nothing of what is wrong: ${message}`);
    if (accusations.isEmpty) await this.#accusedWithin(limits.crowdLookMs);
    const givers = new Set<Giver>();
    for (let next = accusations.take(); next !== undefined; next = accusations.take()) {
      if (storage.isForeign(next)) givers.add(storage.giverOf(next));
    }
    const gifts = storage.ofPeers();
    const accused = gifts.filter(({ giver }) => givers.has(giver));
    this.#lose(rangesOf(accused.length > 0 ? accused : gifts));
    for (const { provider: { nodeId } } of givers) if (nodeId !== null) flight.distrust(nodeId);
    return gifts.length > 0;
  }

  /** Rule 6: those who gave what is wrong, if any; all that they gave is missing. */
  #reject(wrong: Wrong): boolean {
    if (wrong.size === 0) return false;
    this.#isRetaken = false;
    this.#mends++;
    const { flight: { storage }, flight } = this.#options;
    const gifts = storage.ofPeers();
    for (const [giver, chunks] of wrong) {
      const [chunk] = chunks as [number];
      // Also when another one said so: fellows may not know of each other.
      flight.accuse(chunk);
      this.#blame(giver, chunks);
    }
    this.#lose(rangesOf(gifts.filter(({ giver }) => isDoubtful(giver, wrong))));
    return true;
  }

  #blame({ provider: { label, nodeId, host }, isReader }: Giver, chunks: readonly number[]): void {
    const { flight, struck, log, noted, misbehaved, passedWrong } = this.#options;
    noted(`${label} gave what is not the file: what it gave is asked for again`);
    if (nodeId === null) return;
    const fields = { peer: label, nodeId, name: flight.file.name, chunk: chunks[0] };
    struck(nodeId);
    if (isReader) {
      log.warn("a fellow gave what is not the file", fields);
      flight.distrust(nodeId);
      if (host !== undefined) misbehaved({ nodeId, host });
    } else {
      log.info("a fellow passed on what is not the file", fields);
      passedWrong(nodeId);
    }
  }

  #lose(ranges: readonly ChunkRange[]): void {
    const { flight, unfilled } = this.#options;
    for (const range of ranges) unfilled(range);
    flight.lost(ranges);
    // What is left of a stripe may be what was read again, and others need it too.
    const { storage, crowd: { stripes } } = flight;
    for (const stripe of new Set([...stripes.split(ranges)].map(([stripe]) => stripe))) {
      const range = stripes.range(stripe);
      if (storage.foreignIn(range).length > 0) continue;
      for (const left of storage.hadIn(range)) flight.tell({ kind: "replaced", range: left });
    }
  }
}

/** Whether nothing is kept of a giver: it gave what is wrong, or read something that was. */
function isDoubtful(giver: Giver, wrong: Wrong): boolean {
  if (wrong.has(giver)) return true;
  const { nodeId } = giver.provider;
  // What it passed on is as doubtful as what it read.
  return nodeId !== null &&
    wrong.keys().some(({ provider, isReader }) => isReader && provider.nodeId === nodeId);
}

/** The chunks of several givers, in order. */
function rangesOf(gifts: readonly Gift[]): ChunkRange[] {
  return mergedRanges(gifts.flatMap(({ ranges }) => ranges));
}

function countOf(ranges: readonly ChunkRange[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}

/** The chunk before which `place` others stand in these ranges. */
function chunkAt(ranges: readonly ChunkRange[], place: number): number {
  let left = place;
  for (const { first, count } of ranges) {
    if (left < count) return first + left;
    left -= count;
  }
  throw new RangeError(`Cannot take chunk ${place} of ${countOf(ranges)}`);
}

function takeAll(wrong: Wrong, more: Wrong): void {
  for (const [giver, chunks] of more) wrong.set(giver, [...wrong.get(giver) ?? [], ...chunks]);
}
