/**
 * The blocks of a download that are still open (needed and asked of nobody), how rare each one is,
 * and the choice of the next for a source. Knows nothing of requests, time or strikes.
 *
 * Rarest first, the lowest index among equals: from whole holders alone a file comes in order. A
 * choice looks at a bounded run of blocks, so that it costs the same in a file of 1 TiB; beyond that
 * run it samples one random run when some holders are partial. Five bytes are kept for a block, and
 * four more while near and far holders are told apart: then of far ones only that counts which no near
 * one has, and which the {@linkcode FarGate} lets through.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow } from "../../base/random.ts";
import { BLOCK_CHUNKS, chunksIn, maskIn, maskOf, masksOf } from "./block_mask.ts";

/** Where a holder is; `other`: it is neither, and nothing of it is held back. */
type HolderSide = "near" | "far" | "other";

/** Which blocks far holders may be asked for. */
export interface FarGate {
  allows(block: number): boolean;
}

/** What one source has, in the blocks of one download. Made by {@linkcode Blocks.hold}. */
export interface Holdings {
  readonly side: HolderSide;
  /** Its chunks by block; undefined when it has the whole file. */
  masks: Int32Array | undefined;
  /** It has no open chunk in a block below this one. */
  cursor: number;
  /** Whether it counts for availability. */
  isCounted: boolean;
  /** Where to go on looking for chunks that only this source has, while it is snubbed. */
  probeCursor: number;
}

/** The open chunks of a download by block; block 0 is the first that holds a wanted chunk. */
export class Blocks {
  /** How many blocks the wanted range touches. */
  readonly count: number;
  readonly #wanted: ChunkRange;
  readonly #firstBlock: number;
  readonly #open: Int32Array;
  /** Counted partial holders that have an open chunk of the block; stale where none is open. */
  readonly #availability: Uint8Array;
  /** How many blocks with open chunks have each availability. */
  readonly #atAvailability = new Uint32Array(limits.downloadSourcesMax + 1);
  readonly #holdings = new Set<Holdings>();
  #wholeHolders = 0;
  #openChunks = 0;
  /** No block below this one has an open chunk: the cursor that all whole holders share. */
  #lowest = 0;
  /** Null: nothing of far holders is held back. */
  #gate: FarGate | null = null;
  /** The chunks that counted near holders have, but for whole ones; null while nobody asks. */
  #near: Int32Array | null = null;
  #wholeNear = 0;

  constructor(wanted: ChunkRange, have: Bitfield) {
    this.#wanted = wanted;
    this.#firstBlock = Math.floor(wanted.first / BLOCK_CHUNKS);
    const endBlock = Math.ceil((wanted.first + wanted.count) / BLOCK_CHUNKS);
    this.count = wanted.count === 0 ? 0 : endBlock - this.#firstBlock;
    this.#open = masksOf(have, this.#firstBlock, this.count);
    this.#availability = new Uint8Array(this.count);
    for (let block = 0; block < this.count; block++) {
      const open = this.wanted(block) & ~this.#open[block]!;
      this.#open[block] = open;
      if (open !== 0) this.#atAvailability[0]!++;
      this.#openChunks += chunksIn(open);
    }
  }

  /** How many chunks are open. */
  get openChunks(): number {
    return this.#openChunks;
  }

  /** How many blocks have open chunks and no counted holder of any of them. */
  get uncoveredBlocks(): number {
    return this.#wholeHolders > 0 ? 0 : this.#atAvailability[0]!;
  }

  /** Holds back what near holders have, and what `gate` does not let through; null: nothing. */
  setGate(gate: FarGate | null): void {
    if (gate === this.#gate) return;
    this.#gate = gate;
    if (gate !== null && this.#near === null) this.#lookAtNear();
    if (gate === null) this.#near = null;
    this.gateChanged();
  }

  /** Whether anything of far holders is held back. */
  get isGated(): boolean {
    return this.#gate !== null;
  }

  /** Other blocks may be let through than before. */
  gateChanged(): void {
    for (const holdings of this.#holdings) if (holdings.side === "far") holdings.cursor = 0;
  }

  /** Whether a block has open chunks that only far holders have, whether they are let through or not. */
  isOnlyFar(block: number): boolean {
    if (this.#open[block] === 0 || this.#wholeNear > 0) return false;
    return (this.#open[block]! & ~(this.#near?.[block] ?? 0)) !== 0;
  }

  /** The open chunks of a block. */
  open(block: number): number {
    return this.#open[block]!;
  }

  /** The wanted chunks of a block. */
  wanted(block: number): number {
    if (block > 0 && block < this.count - 1) return -1;
    const start = (this.#firstBlock + block) * BLOCK_CHUNKS;
    const first = Math.max(0, this.#wanted.first - start);
    const end = Math.min(BLOCK_CHUNKS, this.#wanted.first + this.#wanted.count - start);
    return maskOf(first, end - first);
  }

  /** The chunks of a block that a bitfield has. */
  inField(field: Bitfield, block: number): number {
    return maskIn(field, this.#firstBlock + block);
  }

  /** The chunks that a mask of one run names, as their range in the file. */
  rangeOf(block: number, run: number): ChunkRange {
    const first = (this.#firstBlock + block) * BLOCK_CHUNKS + Math.clz32(run);
    return { first, count: chunksIn(run) };
  }

  /** Visits each block that `range` touches, with the mask of the wanted chunks of it. */
  forEach(range: ChunkRange, visit: (block: number, mask: number) => void): void {
    const first = Math.max(range.first, this.#wanted.first);
    const end = Math.min(range.first + range.count, this.#wanted.first + this.#wanted.count);
    for (let index = first; index < end;) {
      const inBlock = index % BLOCK_CHUNKS;
      const count = Math.min(BLOCK_CHUNKS - inBlock, end - index);
      visit(Math.floor(index / BLOCK_CHUNKS) - this.#firstBlock, maskOf(inBlock, count));
      index += count;
    }
  }

  /** Takes chunks out of the open ones: they are asked for, or there. */
  close(block: number, mask: number): void {
    this.#setOpen(block, this.#open[block]! & ~mask);
  }

  /** Puts chunks back among the open ones. */
  reopen(block: number, mask: number): void {
    if (mask === 0) return;
    this.#setOpen(block, this.#open[block]! | mask);
    this.#lowest = Math.min(this.#lowest, block);
    for (const holdings of this.#holdings) holdings.cursor = Math.min(holdings.cursor, block);
  }

  /** Takes a source in, not yet counted; a partial bitfield is copied. */
  hold(have: Bitfield | "all", side: HolderSide = "other"): Holdings {
    const isWhole = have === "all" || have.isFull;
    const masks = isWhole ? undefined : masksOf(have, this.#firstBlock, this.count);
    const holdings = { side, masks, cursor: 0, isCounted: false, probeCursor: 0 };
    this.#holdings.add(holdings);
    return holdings;
  }

  /** Forgets a source. */
  release(holdings: Holdings): void {
    this.setCounted(holdings, false);
    this.#holdings.delete(holdings);
  }

  /** Counts a source for availability, or no longer does. Looks at every block of a partial one. */
  setCounted(holdings: Holdings, isCounted: boolean): void {
    if (holdings.isCounted === isCounted) return;
    holdings.isCounted = isCounted;
    const step = isCounted ? 1 : -1;
    const masks = holdings.masks;
    const isNear = holdings.side === "near";
    if (masks === undefined) {
      this.#wholeHolders += step;
      if (isNear) this.#wholeNear += step;
      if (isNear) this.gateChanged();
      return;
    }
    if (isNear) this.#lookAtNear();
    for (let block = 0; block < this.count; block++) {
      if ((masks[block]! & this.#open[block]!) === 0) continue;
      this.#atAvailability[this.#availability[block]!]!--;
      this.#availability[block]! += step;
      this.#atAvailability[this.#availability[block]!]!++;
    }
  }

  /** Adds chunks to what a source has. */
  gain(holdings: Holdings, block: number, mask: number): void {
    if (holdings.masks === undefined) return;
    holdings.masks[block]! |= mask;
    holdings.cursor = Math.min(holdings.cursor, block);
    if (holdings.side === "near" && holdings.isCounted && this.#near !== null) {
      this.#near[block]! |= mask;
    }
    this.#recount(block);
  }

  /** Takes chunks from what a source has; a whole holder becomes a partial one. */
  lose(holdings: Holdings, block: number, mask: number): void {
    if (holdings.masks === undefined) {
      const wasCounted = holdings.isCounted;
      this.setCounted(holdings, false);
      holdings.masks = new Int32Array(this.count).fill(-1);
      this.setCounted(holdings, wasCounted);
    }
    holdings.masks[block]! &= ~mask;
    if (holdings.side === "near") this.#lookAtNear(block);
    this.#recount(block);
  }

  /** The chunks of a block that a source has. */
  held(holdings: Holdings, block: number): number {
    return holdings.masks === undefined ? -1 : holdings.masks[block]!;
  }

  /** The open chunks of a block that a source has. */
  candidates(holdings: Holdings, block: number): number {
    const open = this.#open[block]! & this.held(holdings, block);
    return open === 0 || !this.#isGated(holdings) ? open : open & this.#letThrough(block);
  }

  /** The chunks of a block that counted sources have. */
  covered(block: number): number {
    if (this.#wholeHolders > 0) return -1;
    let mask = 0;
    for (const holdings of this.#holdings) {
      if (holdings.isCounted) mask |= this.held(holdings, block);
    }
    return mask;
  }

  /**
   * Moves a source's cursor on to the next block that it has an open chunk of; whether it stands on
   * one now. False before {@linkcode isExhausted} only in a gap that a later call goes on with.
   */
  seek(holdings: Holdings): boolean {
    const masks = holdings.masks;
    let block = masks === undefined ? this.#lowest : holdings.cursor;
    const end = Math.min(this.count, block + limits.skipBlocksMax);
    if (this.#openChunks === 0) block = this.count;
    else if (this.#isGated(holdings)) return this.#seekGated(holdings);
    else if (masks === undefined) { while (block < end && this.#open[block] === 0) block++; }
    else while (block < end && (this.#open[block]! & masks[block]!) === 0) block++;
    if (masks === undefined) this.#lowest = block;
    holdings.cursor = block;
    return block < end;
  }

  /** Whether a source, as its last {@linkcode seek} left it, has no open chunk at all. */
  isExhausted(holdings: Holdings): boolean {
    return holdings.cursor >= this.count;
  }

  /** The rarest block for a source whose cursor {@linkcode seek} has put on an open one. */
  pick(holdings: Holdings, random: Random): number {
    const start = holdings.cursor;
    const end = Math.min(this.count, start + limits.pickBlocksMax);
    const floor = this.#rarest(holdings);
    const near = this.#rarestIn(holdings, start, end, start, floor);
    if (this.#availability[near]! <= floor || end === this.count) return near;
    const from = end + randomBelow(random, this.count - end);
    const to = Math.min(this.count, from + limits.pickSampleBlocks);
    return this.#rarestIn(holdings, from, to, near, floor);
  }

  /**
   * A block in which a source has an open chunk that no counted source has, among a bounded number;
   * the next call goes on there.
   */
  pickUncovered(holdings: Holdings): number | undefined {
    if (this.#wholeHolders > 0) return undefined;
    const start = holdings.probeCursor;
    const end = Math.min(this.count, start + limits.pickBlocksMax);
    for (let block = start; block < end; block++) {
      const candidates = this.candidates(holdings, block);
      if (candidates === 0) continue;
      if (this.#availability[block] === 0 || (candidates & ~this.covered(block)) !== 0) {
        holdings.probeCursor = block;
        return block;
      }
    }
    holdings.probeCursor = end === this.count ? 0 : end;
    return undefined;
  }

  /** The lowest availability that a block of this source's can have: a search may stop there. */
  #rarest(holdings: Holdings): number {
    let level = holdings.masks !== undefined && holdings.isCounted ? 1 : 0;
    while (level < limits.downloadSourcesMax && this.#atAvailability[level] === 0) level++;
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
    const isGated = this.#isGated(holdings);
    let best = known;
    let bestAvailability = this.#availability[known]!;
    for (let block = start; block < end && bestAvailability > floor; block++) {
      if (this.#availability[block]! >= bestAvailability) continue;
      if (isGated && this.candidates(holdings, block) === 0) continue;
      const open = this.#open[block]!;
      if ((masks === undefined ? open : open & masks[block]!) === 0) continue;
      best = block;
      bestAvailability = this.#availability[block]!;
    }
    return best;
  }

  #isGated({ side }: Holdings): boolean {
    return side === "far" && this.#gate !== null;
  }

  /** As {@linkcode seek}, with a cursor of its own for whole holders too. */
  #seekGated(holdings: Holdings): boolean {
    let block = this.#wholeNear > 0 ? this.count : holdings.cursor;
    const end = Math.min(this.count, block + limits.skipBlocksMax);
    while (block < end && this.candidates(holdings, block) === 0) block++;
    holdings.cursor = block;
    return block < end;
  }

  /** The chunks of a block that far holders may be asked for. */
  #letThrough(block: number): number {
    if (this.#wholeNear > 0 || !this.#gate!.allows(block)) return 0;
    return ~this.#near![block]!;
  }

  /** Notes anew what near holders have, of one block or of all. */
  #lookAtNear(only?: number): void {
    if (this.#gate === null) return;
    const near = this.#near ??= new Int32Array(this.count);
    const [start, end] = only === undefined ? [0, this.count] : [only, only + 1];
    near.fill(0, start, end);
    for (const { side, masks, isCounted } of this.#holdings) {
      if (side !== "near" || !isCounted || masks === undefined) continue;
      for (let block = start; block < end; block++) near[block]! |= masks[block]!;
    }
    this.gateChanged();
  }

  #setOpen(block: number, open: number): void {
    const before = this.#open[block]!;
    if (before === open) return;
    if (before !== 0) this.#atAvailability[this.#availability[block]!]!--;
    this.#open[block] = open;
    this.#openChunks += chunksIn(open) - chunksIn(before);
    if (open === 0) return;
    this.#availability[block] = this.#holdersOf(block);
    this.#atAvailability[this.#availability[block]!]!++;
  }

  #recount(block: number): void {
    if (this.#open[block] === 0) return;
    this.#atAvailability[this.#availability[block]!]!--;
    this.#availability[block] = this.#holdersOf(block);
    this.#atAvailability[this.#availability[block]!]!++;
  }

  #holdersOf(block: number): number {
    let holders = 0;
    for (const { masks, isCounted } of this.#holdings) {
      if (isCounted && masks !== undefined && (masks[block]! & this.#open[block]!) !== 0) holders++;
    }
    return holders;
  }
}
