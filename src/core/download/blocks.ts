/**
 * The units of a download that are still open (needed and asked of nobody), how rare each one is,
 * and the choice of the next for a source. Knows nothing of requests, time or strikes.
 *
 * Rarest first, the lowest index among equals: from whole holders alone a file comes in order. A
 * choice looks at a bounded run of units, so that it costs the same in a file of 1 TiB; beyond that
 * run it samples one random place when some holders are partial. Five bytes are kept for a unit.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow } from "../../base/random.ts";
import { chunksIn, maskIn, maskOf, masksOf, UNIT_CHUNKS } from "./block_mask.ts";

/** Sources whose holdings can be counted: availability is a byte. */
export const HOLDINGS_MAX = 255;

/** What one source has, in the units of one download. Made by {@linkcode Units.hold}. */
export interface Holdings {
  /** Its chunks by unit; undefined when it has the whole file. */
  masks: Int32Array | undefined;
  /** It has no open chunk in a unit below this one. */
  cursor: number;
  /** Whether it counts for availability. */
  isCounted: boolean;
}

/** The open chunks of a download by unit; unit 0 is the first that holds a wanted chunk. */
export class Units {
  /** How many units the wanted range touches. */
  readonly count: number;
  readonly #wanted: ChunkRange;
  readonly #firstUnit: number;
  readonly #open: Int32Array;
  /** Counted partial holders that have an open chunk of the unit; stale where none is open. */
  readonly #availability: Uint8Array;
  /** How many units with open chunks have each availability. */
  readonly #atAvailability = new Uint32Array(HOLDINGS_MAX + 1);
  readonly #holdings = new Set<Holdings>();
  #wholeHolders = 0;
  #openChunks = 0;
  /** No unit below this one has an open chunk: the cursor that all whole holders share. */
  #lowest = 0;

  constructor(wanted: ChunkRange, have: Bitfield) {
    this.#wanted = wanted;
    this.#firstUnit = Math.floor(wanted.first / UNIT_CHUNKS);
    const endUnit = Math.ceil((wanted.first + wanted.count) / UNIT_CHUNKS);
    this.count = wanted.count === 0 ? 0 : endUnit - this.#firstUnit;
    this.#open = masksOf(have, this.#firstUnit, this.count);
    this.#availability = new Uint8Array(this.count);
    for (let unit = 0; unit < this.count; unit++) {
      const open = this.wanted(unit) & ~this.#open[unit]!;
      this.#open[unit] = open;
      if (open !== 0) this.#atAvailability[0]!++;
      this.#openChunks += chunksIn(open);
    }
  }

  /** How many chunks are open. */
  get openChunks(): number {
    return this.#openChunks;
  }

  /** How many units have open chunks and no counted holder of any of them. */
  get uncoveredUnits(): number {
    return this.#wholeHolders > 0 ? 0 : this.#atAvailability[0]!;
  }

  /** The open chunks of a unit. */
  open(unit: number): number {
    return this.#open[unit]!;
  }

  /** The wanted chunks of a unit. */
  wanted(unit: number): number {
    if (unit > 0 && unit < this.count - 1) return -1;
    const start = (this.#firstUnit + unit) * UNIT_CHUNKS;
    const first = Math.max(0, this.#wanted.first - start);
    const end = Math.min(UNIT_CHUNKS, this.#wanted.first + this.#wanted.count - start);
    return maskOf(first, end - first);
  }

  /** The chunks of a unit that a bitfield has. */
  inField(field: Bitfield, unit: number): number {
    return maskIn(field, this.#firstUnit + unit);
  }

  /** The chunks that a mask of one run names, as their range in the file. */
  rangeOf(unit: number, run: number): ChunkRange {
    const first = (this.#firstUnit + unit) * UNIT_CHUNKS + Math.clz32(run);
    return { first, count: chunksIn(run) };
  }

  /** Visits each unit that `range` touches, with the mask of the wanted chunks of it. */
  forEach(range: ChunkRange, visit: (unit: number, mask: number) => void): void {
    const first = Math.max(range.first, this.#wanted.first);
    const end = Math.min(range.first + range.count, this.#wanted.first + this.#wanted.count);
    for (let index = first; index < end;) {
      const inUnit = index % UNIT_CHUNKS;
      const count = Math.min(UNIT_CHUNKS - inUnit, end - index);
      visit(Math.floor(index / UNIT_CHUNKS) - this.#firstUnit, maskOf(inUnit, count));
      index += count;
    }
  }

  /** Takes chunks out of the open ones: they are asked for, or there. */
  close(unit: number, mask: number): void {
    this.#setOpen(unit, this.#open[unit]! & ~mask);
  }

  /** Puts chunks back among the open ones. */
  reopen(unit: number, mask: number): void {
    if (mask === 0) return;
    this.#setOpen(unit, this.#open[unit]! | mask);
    this.#lowest = Math.min(this.#lowest, unit);
    for (const holdings of this.#holdings) holdings.cursor = Math.min(holdings.cursor, unit);
  }

  /** Takes a source in, not yet counted; a partial bitfield is copied. */
  hold(have: Bitfield | "all"): Holdings {
    const isWhole = have === "all" || have.isFull;
    const masks = isWhole ? undefined : masksOf(have, this.#firstUnit, this.count);
    const holdings = { masks, cursor: 0, isCounted: false };
    this.#holdings.add(holdings);
    return holdings;
  }

  /** Forgets a source. */
  release(holdings: Holdings): void {
    this.setCounted(holdings, false);
    this.#holdings.delete(holdings);
  }

  /** Counts a source for availability, or no longer does. Looks at every unit of a partial one. */
  setCounted(holdings: Holdings, isCounted: boolean): void {
    if (holdings.isCounted === isCounted) return;
    holdings.isCounted = isCounted;
    const step = isCounted ? 1 : -1;
    const masks = holdings.masks;
    if (masks === undefined) {
      this.#wholeHolders += step;
      return;
    }
    for (let unit = 0; unit < this.count; unit++) {
      if ((masks[unit]! & this.#open[unit]!) === 0) continue;
      this.#atAvailability[this.#availability[unit]!]!--;
      this.#availability[unit]! += step;
      this.#atAvailability[this.#availability[unit]!]!++;
    }
  }

  /** Adds chunks to what a source has. */
  gain(holdings: Holdings, unit: number, mask: number): void {
    if (holdings.masks === undefined) return;
    holdings.masks[unit]! |= mask;
    holdings.cursor = Math.min(holdings.cursor, unit);
    this.#recount(unit);
  }

  /** Takes chunks from what a source has; a whole holder becomes a partial one. */
  lose(holdings: Holdings, unit: number, mask: number): void {
    if (holdings.masks === undefined) {
      const wasCounted = holdings.isCounted;
      this.setCounted(holdings, false);
      holdings.masks = new Int32Array(this.count).fill(-1);
      this.setCounted(holdings, wasCounted);
    }
    holdings.masks[unit]! &= ~mask;
    this.#recount(unit);
  }

  /** The chunks of a unit that a source has. */
  held(holdings: Holdings, unit: number): number {
    return holdings.masks === undefined ? -1 : holdings.masks[unit]!;
  }

  /** The open chunks of a unit that a source has. */
  candidates(holdings: Holdings, unit: number): number {
    return this.#open[unit]! & this.held(holdings, unit);
  }

  /** The chunks of a unit that counted sources have. */
  covered(unit: number): number {
    if (this.#wholeHolders > 0) return -1;
    let mask = 0;
    for (const holdings of this.#holdings) {
      if (holdings.isCounted) mask |= this.held(holdings, unit);
    }
    return mask;
  }

  /**
   * Moves a source's cursor on to the next unit that it has an open chunk of; whether it stands on
   * one now. False before {@linkcode isExhausted} only in a gap that a later call goes on with.
   */
  seek(holdings: Holdings): boolean {
    const masks = holdings.masks;
    let unit = masks === undefined ? this.#lowest : holdings.cursor;
    const end = Math.min(this.count, unit + limits.skipUnitsMax);
    if (this.#openChunks === 0) unit = this.count;
    else if (masks === undefined) { while (unit < end && this.#open[unit] === 0) unit++; }
    else while (unit < end && (this.#open[unit]! & masks[unit]!) === 0) unit++;
    if (masks === undefined) this.#lowest = unit;
    holdings.cursor = unit;
    return unit < end;
  }

  /** Whether a source, as its last {@linkcode seek} left it, has no open chunk at all. */
  isExhausted(holdings: Holdings): boolean {
    return holdings.cursor >= this.count;
  }

  /** The rarest unit for a source whose cursor {@linkcode seek} has put on an open one. */
  pick(holdings: Holdings, random: Random): number {
    const start = holdings.cursor;
    const end = Math.min(this.count, start + limits.pickUnitsMax);
    const floor = this.#rarest(holdings);
    const near = this.#rarestIn(holdings, start, end, start, floor);
    if (this.#availability[near]! <= floor || end === this.count) return near;
    const from = end + randomBelow(random, this.count - end);
    const to = Math.min(this.count, from + limits.pickSampleUnits);
    return this.#rarestIn(holdings, from, to, near, floor);
  }

  /**
   * A unit in which a source has an open chunk that no counted source has, among a bounded number
   * from `start` on; and where to go on next time.
   */
  pickUncovered(holdings: Holdings, start: number): { unit: number | undefined; next: number } {
    if (this.#wholeHolders > 0) return { unit: undefined, next: start };
    const end = Math.min(this.count, start + limits.pickUnitsMax);
    for (let unit = start; unit < end; unit++) {
      const candidates = this.candidates(holdings, unit);
      if (candidates === 0) continue;
      if (this.#availability[unit] === 0 || (candidates & ~this.covered(unit)) !== 0) {
        return { unit, next: unit };
      }
    }
    return { unit: undefined, next: end === this.count ? 0 : end };
  }

  /** The lowest availability that a unit of this source's can have: a search may stop there. */
  #rarest(holdings: Holdings): number {
    let level = holdings.masks !== undefined && holdings.isCounted ? 1 : 0;
    while (level < HOLDINGS_MAX && this.#atAvailability[level] === 0) level++;
    return level;
  }

  #rarestIn(
    holdings: Holdings,
    start: number,
    end: number,
    known: number,
    floor: number,
  ): number {
    const masks = holdings.masks;
    let best = known;
    let bestAvailability = this.#availability[known]!;
    for (let unit = start; unit < end && bestAvailability > floor; unit++) {
      if (this.#availability[unit]! >= bestAvailability) continue;
      const open = this.#open[unit]!;
      if ((masks === undefined ? open : open & masks[unit]!) === 0) continue;
      best = unit;
      bestAvailability = this.#availability[unit]!;
    }
    return best;
  }

  #setOpen(unit: number, open: number): void {
    const before = this.#open[unit]!;
    if (before === open) return;
    if (before !== 0) this.#atAvailability[this.#availability[unit]!]!--;
    this.#open[unit] = open;
    this.#openChunks += chunksIn(open) - chunksIn(before);
    if (open === 0) return;
    this.#availability[unit] = this.#holdersOf(unit);
    this.#atAvailability[this.#availability[unit]!]!++;
  }

  #recount(unit: number): void {
    if (this.#open[unit] === 0) return;
    this.#atAvailability[this.#availability[unit]!]!--;
    this.#availability[unit] = this.#holdersOf(unit);
    this.#atAvailability[this.#availability[unit]!]!++;
  }

  #holdersOf(unit: number): number {
    let holders = 0;
    for (const { masks, isCounted } of this.#holdings) {
      if (isCounted && masks !== undefined && (masks[unit]! & this.#open[unit]!) !== 0) holders++;
    }
    return holders;
  }
}
