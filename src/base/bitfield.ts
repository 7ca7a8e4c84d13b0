/**
 * Which chunks are there: one bit a chunk, the first chunk in the highest bit of the first byte,
 * as BitTorrent lays it out. Spare bits of the last byte are zero.
 */

import { type ChunkRange, rangeBytes } from "./geometry.ts";
import { limits } from "./limits.ts";
import { PeerFault } from "./errors.ts";

/** A set of chunk indices below a fixed length, with its size kept. */
export class Bitfield {
  /** How many chunks the file has. */
  readonly length: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #count = 0;

  constructor(length: number) {
    this.length = length;
    this.#bytes = new Uint8Array(Math.ceil(length / 8));
  }

  /** A bitfield with every chunk in it. */
  static full(length: number): Bitfield {
    const field = new Bitfield(length);
    field.addRange({ first: 0, count: length });
    return field;
  }

  /**
   * A bitfield of bytes that came from a peer or a disk.
   *
   * @throws {PeerFault} when the byte count is wrong or a spare bit is set.
   */
  static fromBytes(length: number, bytes: Uint8Array): Bitfield {
    const field = new Bitfield(length);
    field.addBytes(0, bytes);
    if (bytes.length !== field.#bytes.length) {
      throw new PeerFault(
        "malformed",
        `Cannot read bitfield: ${bytes.length} bytes for ${length} chunks`,
      );
    }
    return field;
  }

  /** How many chunks are in it. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.length;
  }

  has(index: number): boolean {
    return (this.#bytes[index >>> 3]! & (0x80 >>> (index & 7))) !== 0;
  }

  /** Adds a chunk; false when it was there already. */
  add(index: number): boolean {
    if (index < 0 || index >= this.length) {
      throw new RangeError(`Cannot add chunk ${index}: the file has ${this.length}`);
    }
    if (this.has(index)) return false;
    this.#bytes[index >>> 3]! |= 0x80 >>> (index & 7);
    this.#count++;
    return true;
  }

  /** Removes a chunk; false when it was not there. */
  remove(index: number): boolean {
    if (index < 0 || index >= this.length || !this.has(index)) return false;
    this.#bytes[index >>> 3]! &= ~(0x80 >>> (index & 7));
    this.#count--;
    return true;
  }

  /** Adds a run of chunks; returns how many were new. */
  addRange(range: ChunkRange): number {
    const before = this.#count;
    const end = range.first + range.count;
    let index = range.first;
    while (index < end) {
      // Whole bytes at once: a full bitfield of a big file is made in one pass.
      if ((index & 7) === 0 && end - index >= 8 && end <= this.length) {
        const byte = this.#bytes[index >>> 3]!;
        this.#count += 8 - popcount(byte);
        this.#bytes[index >>> 3] = 0xff;
        index += 8;
      } else {
        this.add(index++);
      }
    }
    return this.#count - before;
  }

  /** Removes a run of chunks; returns how many were there. */
  removeRange(range: ChunkRange): number {
    const before = this.#count;
    const end = range.first + range.count;
    for (let index = range.first; index < end; index++) this.remove(index);
    return before - this.#count;
  }

  /** Whether every chunk of `range` is in it. */
  hasRange(range: ChunkRange): boolean {
    for (let index = range.first; index < range.first + range.count; index++) {
      if (!this.has(index)) return false;
    }
    return true;
  }

  /** Runs of the chunks of `range` that are not in it. */
  missingRuns(range: ChunkRange): ChunkRange[] {
    const runs: { first: number; count: number }[] = [];
    for (let index = range.first; index < range.first + range.count; index++) {
      if (this.has(index)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === index) last.count++;
      else runs.push({ first: index, count: 1 });
    }
    return runs;
  }

  /**
   * Adds the bits of a page that came from a peer, whose first byte stands at `firstByte`.
   *
   * @throws {PeerFault} when it reaches past the end or sets a spare bit.
   */
  addBytes(firstByte: number, bytes: Uint8Array): void {
    checkPage(this.length, firstByte, bytes);
    for (let i = 0; i < bytes.length; i++) {
      const merged = this.#bytes[firstByte + i]! | bytes[i]!;
      this.#count += popcount(merged) - popcount(this.#bytes[firstByte + i]!);
      this.#bytes[firstByte + i] = merged;
    }
  }

  /** A copy of the bytes. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }

  /** A view of `length` bytes from `firstByte`, for sending; not to be kept. */
  page(firstByte: number, length: number): Uint8Array {
    return this.#bytes.subarray(firstByte, firstByte + length);
  }

  /** Runs of consecutive chunks that are in it, lowest first. */
  ranges(): Generator<ChunkRange> {
    return runs(this.#bytes, 0);
  }

  clone(): Bitfield {
    const copy = new Bitfield(this.length);
    copy.#bytes.set(this.#bytes);
    copy.#count = this.#count;
    return copy;
  }
}

/**
 * Runs of consecutive chunks in one page of the bitfield of a file of `length` chunks, lowest
 * first; the page came from a peer, its first byte stands at `firstByte`. Costs what the page has,
 * however big the file is.
 *
 * @throws {PeerFault} when it reaches past the end or sets a spare bit.
 */
export function pageRanges(length: number, firstByte: number, bytes: Uint8Array): ChunkRange[] {
  checkPage(length, firstByte, bytes);
  return [...runs(bytes, firstByte * 8)];
}

function checkPage(length: number, firstByte: number, bytes: Uint8Array): void {
  const whole = Math.ceil(length / 8);
  const end = firstByte + bytes.length;
  if (end > whole) {
    throw new PeerFault(
      "malformed",
      `Cannot read bitfield: bytes ${firstByte} to ${end} of ${whole}`,
    );
  }
  const spare = whole * 8 - length;
  if (spare > 0 && bytes.length > 0 && end === whole && (bytes.at(-1)! & (1 << spare) - 1) !== 0) {
    throw new PeerFault("malformed", "Cannot read bitfield: a spare bit is set");
  }
}

/** Runs of set bits, the first of which stands for chunk `base`; spare bits are zero. */
function* runs(bytes: Uint8Array, base: number): Generator<ChunkRange> {
  let first = -1;
  for (const [at, byte] of bytes.entries()) {
    // Most bytes are all of a kind, and neither begin a run nor end one.
    if (first < 0 ? byte === 0 : byte === 0xff) continue;
    for (let bit = 0; bit < 8; bit++) {
      const index = base + at * 8 + bit;
      if ((byte & (0x80 >>> bit)) !== 0) {
        if (first < 0) first = index;
      } else if (first >= 0) {
        yield { first, count: index - first };
        first = -1;
      }
    }
  }
  if (first >= 0) yield { first, count: base + bytes.length * 8 - first };
}

function popcount(byte: number): number {
  let bits = byte - (byte >> 1 & 0x55);
  bits = (bits & 0x33) + (bits >> 2 & 0x33);
  return (bits + (bits >> 4)) & 0x0f;
}

/** The chunks of `have`: "all", "none", or their runs with both ends included. */
export function formatRanges(have: Bitfield): string {
  if (have.isFull) return "all";
  if (have.count === 0) return "none";
  return writeRanges(have.ranges());
}

/** Runs with both ends included, as far as a person reads them. */
export function writeRanges(ranges: Iterable<ChunkRange>): string {
  const runs: string[] = [];
  for (const { first, count } of ranges) {
    if (runs.length === limits.shownRunsMax) return `${runs.join(",")},...`;
    runs.push(count === 1 ? `${first}` : `${first}-${first + count - 1}`);
  }
  return runs.join(",");
}

/** The same chunks as runs in order that neither overlap nor touch. */
export function mergedRanges(ranges: readonly ChunkRange[]): ChunkRange[] {
  const merged: { first: number; count: number }[] = [];
  for (const { first, count } of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last !== undefined && first <= last.first + last.count) {
      last.count = Math.max(last.count, first + count - last.first);
    } else merged.push({ first, count });
  }
  return merged;
}

/** The same chunks as runs of `countMax` at most. */
export function* splitRanges(
  ranges: Iterable<ChunkRange>,
  countMax: number,
): Generator<ChunkRange> {
  for (const { first, count } of ranges) {
    for (let at = 0; at < count; at += countMax) {
      yield { first: first + at, count: Math.min(countMax, count - at) };
    }
  }
}

/** Bytes of the chunks of `wanted` that are in `have`, of a file of `sizeBytes`. */
export function bytesWithin(have: Bitfield, sizeBytes: number, wanted: ChunkRange): number {
  let bytes = 0;
  const end = wanted.first + wanted.count;
  for (const range of have.count === 0 ? [] : have.ranges()) {
    const first = Math.max(range.first, wanted.first);
    const count = Math.min(range.first + range.count, end) - first;
    if (count > 0) bytes += rangeBytes(sizeBytes, { first, count }).length;
  }
  return bytes;
}

/** What of `range` lies between the chunks `apart`, which are indices in order. */
export function runsBetween(range: ChunkRange, apart: readonly number[]): ChunkRange[] {
  const runs: ChunkRange[] = [];
  let first = range.first;
  for (const index of [...apart, range.first + range.count]) {
    if (index > first) runs.push({ first, count: index - first });
    first = index + 1;
  }
  return runs;
}
