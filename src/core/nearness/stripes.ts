/**
 * The stripes of a file: runs of chunks, each of which falls to one of several nodes that get the file
 * at the same time. To which one says `rendezvous.ts`.
 */

import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
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
