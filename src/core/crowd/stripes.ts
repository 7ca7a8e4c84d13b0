/**
 * The stripes of a file that a crowd brings in: runs of chunks, each of which one fellow reads from
 * its mirror. Who that should be follows from the file, the stripe and the ids of the fellows alone
 * (rendezvous hashing), so that all who know each other agree without a word.
 */

import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** How one file is cut. */
export class Stripes {
  readonly chunks: number;
  /** Chunks of every stripe but the last, which may be shorter. */
  readonly length: number;
  readonly count: number;

  constructor(sizeBytes: number) {
    this.chunks = chunkCount(sizeBytes);
    let length: number = limits.stripeChunks;
    while (Math.ceil(this.chunks / length) > limits.stripesMax) length *= 2;
    this.length = length;
    this.count = Math.ceil(this.chunks / length);
  }

  /** The stripe that a chunk is in. */
  of(chunk: number): number {
    return Math.floor(chunk / this.length);
  }

  /** The chunks of `count` stripes from `stripe` on. */
  range(stripe: number, count = 1): ChunkRange {
    const first = stripe * this.length;
    return { first, count: Math.min(count * this.length, this.chunks - first) };
  }

  /** Ranges of chunks, cut where a stripe ends: each part with its stripe. */
  *split(ranges: Iterable<ChunkRange>): Generator<[number, ChunkRange]> {
    for (const range of ranges) {
      const { from, to } = this.touched(range);
      for (let stripe = from; stripe < to; stripe++) {
        yield [stripe, within(range, this.range(stripe))];
      }
    }
  }

  /** The stripes that a range of chunks touches: the first, and the one behind the last. */
  touched({ first, count }: ChunkRange): { readonly from: number; readonly to: number } {
    return {
      from: this.of(first),
      to: count === 0 ? this.of(first) : this.of(first + count - 1) + 1,
    };
  }
}

/** The part of a range that lies in another, which it touches. */
function within(range: ChunkRange, other: ChunkRange): ChunkRange {
  const first = Math.max(range.first, other.first);
  const end = Math.min(range.first + range.count, other.first + other.count);
  return { first, count: end - first };
}

/** What of a node's id goes into its weights for the stripes of one file. */
export interface WeightSeed {
  readonly nodeId: NodeId;
  readonly a: number;
  readonly b: number;
}

/** The seed of a node: the first eight bytes of its id, each bit changed by those of the flight. */
export function weightSeed(flight: FlightId, nodeId: NodeId): WeightSeed {
  const word = (text: string, at: number) => Number.parseInt(text.slice(at, at + 8), 16);
  return {
    nodeId,
    a: (word(nodeId, 0) ^ word(flight, 0)) >>> 0,
    b: (word(nodeId, 8) ^ word(flight, 8)) >>> 0,
  };
}

/** The weight of a node for a stripe, a u32: the heaviest fellow reads it. */
export function weightOf({ a, b }: WeightSeed, stripe: number): number {
  return mixed(mixed((a ^ stripe) >>> 0) ^ b);
}

/** In place of a stripe: who comes first for the file as a whole. */
export const WHOLE_FILE = 0xffff_ffff;

/** Whether `one` comes before `other` for a stripe; of equal weights, the lower id. */
export function isBefore(one: WeightSeed, other: WeightSeed, stripe: number): boolean {
  const difference = weightOf(one, stripe) - weightOf(other, stripe);
  return difference > 0 || difference === 0 && one.nodeId < other.nodeId;
}

/** The finalizer of MurmurHash3 (32 bits): every bit of the input changes half of the output. */
function mixed(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}
