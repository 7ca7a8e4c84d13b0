/**
 * How much of the bytes in flight each source of a download gets. Chooses no chunks.
 *
 * Every source that can give something has a weight, its rate; one whose rate is not known yet
 * counts as the mean of the others. Free budget goes to the nearest sources; of those that are as near,
 * to the one that has least in flight for its weight, one with nothing in flight first, so that nobody
 * starves and nothing lies idle.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { RequestTable } from "./request_table.ts";
import type { Source } from "./source.ts";

/** The bytes that all sources of one download may have in flight together. */
export class Budget {
  readonly #table: RequestTable;
  inflightBytesMax: number;
  /** Kept free for a probe that found no room. */
  reservedBytes = 0;

  constructor(table: RequestTable, inflightBytesMax: number) {
    this.#table = table;
    this.inflightBytesMax = inflightBytesMax;
  }

  /** Bytes that may be shared out, those in flight included. */
  get sharedBytes(): number {
    return this.inflightBytesMax - this.reservedBytes;
  }

  /** Bytes that are in flight. */
  get inflightBytes(): number {
    return this.#table.inflightBytes;
  }
}

/** Sets the weights of the sources that share a budget, so that they sum to one. */
export function weigh(sources: readonly Source[]): void {
  let known = 0, sum = 0;
  for (const source of sources) {
    const rate = source.rate.bytesPerSecond ?? 0;
    if (rate > 0) known++;
    sum += rate;
  }
  const mean = known === 0 ? 1 : sum / known;
  const total = sum + mean * (sources.length - known);
  for (const source of sources) source.weight = (source.rate.bytesPerSecond || mean) / total;
}

/** How many chunks a source may be asked for now, in one request; 0 when none. */
export function roomOf(source: Source, budget: Budget): number {
  const { isFull, inflightBytes } = source.queue;
  if (isFull) return 0;
  const chunks = requestChunks(source, budget.sharedBytes);
  const isIdle = inflightBytes === 0;
  if (!isIdle && inflightBytes + chunks * CHUNK_BYTES > source.inflightBytesMax) return 0;
  const free = Math.floor((budget.sharedBytes - budget.inflightBytes) / CHUNK_BYTES);
  if (free >= chunks) return chunks;
  // A remainder is not worth a request, unless the source or everything would stand still.
  const isWorthIt = budget.inflightBytes === 0 || isIdle && free >= limits.requestChunksMin;
  return isWorthIt ? Math.max(0, free) : 0;
}

/** The one of two sources that is to be served first. */
export function hungrier(one: Source, other: Source): Source {
  if (one.rank !== other.rank) return one.rank < other.rank ? one : other;
  const difference = one.queue.inflightBytes / one.weight -
    other.queue.inflightBytes / other.weight;
  if (difference !== 0) return difference < 0 ? one : other;
  return other.weight > one.weight ? other : one;
}

/**
 * The size of a source's requests: its part of the budget, a whole block at most. A power of two,
 * so that the pieces of a block fit together.
 */
function requestChunks(source: Source, budgetBytes: number): number {
  const part = Math.min(budgetBytes * source.weight, source.inflightBytesMax / 2);
  const chunks = 2 ** Math.round(Math.log2(Math.max(1, part / CHUNK_BYTES)));
  const chunksMax = source.queue.isProved ? limits.requestChunksMax : limits.requestChunksAtFirst;
  return Math.min(chunksMax, Math.max(limits.requestChunksMin, chunks));
}
