/** Chunks that a node of a crowd has got and has not told its fellows of yet, and when it does. */

import { mergedRanges } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

interface Untold {
  readonly ranges: ChunkRange[];
  chunks: number;
  /** When it is told at the latest. */
  dueMs: number;
}

/** What is to be told, by who read it. */
export class UntoldGains {
  readonly #self: NodeId;
  readonly #byOrigin = new Map<NodeId | null, Untold>();
  #dueMs = Infinity;

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** When something is to be told; Infinity when nothing is. */
  get dueMs(): number {
    return this.#dueMs;
  }

  gained(range: ChunkRange, origin: NodeId | null, nowMs: number): void {
    let untold = this.#byOrigin.get(origin);
    if (untold === undefined) {
      const isOwn = origin === this.#self;
      const dueMs = nowMs + (isOwn ? limits.gainedMs : limits.passedOnMs);
      this.#byOrigin.set(origin, untold = { ranges: [], chunks: 0, dueMs });
    }
    untold.ranges.push(range);
    untold.chunks += range.count;
    if (origin === this.#self && untold.chunks >= limits.gainedChunks) untold.dueMs = nowMs;
    this.#dueMs = Math.min(this.#dueMs, untold.dueMs);
  }

  /** All of it is to be told now; or only what one node read. */
  hurry(nowMs: number, origin?: NodeId | null): void {
    for (const [reader, untold] of this.#byOrigin) {
      if (origin === undefined || origin === reader) this.#dueMs = untold.dueMs = nowMs;
    }
  }

  /** Takes out what is to be told now: ranges in order, each chunk once. */
  takeDue(nowMs: number): { readonly origin: NodeId | null; readonly ranges: ChunkRange[] }[] {
    const due: { origin: NodeId | null; ranges: ChunkRange[] }[] = [];
    if (nowMs < this.#dueMs) return due;
    this.#dueMs = Infinity;
    for (const [origin, { ranges, dueMs }] of this.#byOrigin) {
      if (nowMs < dueMs) {
        this.#dueMs = Math.min(this.#dueMs, dueMs);
        continue;
      }
      this.#byOrigin.delete(origin);
      due.push({ origin, ranges: mergedRanges(ranges) });
    }
    return due;
  }
}
