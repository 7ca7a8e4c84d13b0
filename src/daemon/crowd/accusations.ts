/**
 * Chunks of a file in flight that fellows say the mirror has otherwise than they are here. Nobody is
 * believed: each is compared with the own mirror before anything follows from it. Bounded, whatever
 * fellows say.
 */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** What fellows say of one file. */
export class Accusations {
  readonly #waiting: number[] = [];
  /** How many chunks each fellow named. */
  readonly #countOf = new Map<NodeId, number>();
  readonly #chunks = new Set<number>();
  #came = Promise.withResolvers<void>();

  /** Whether there is one that was not looked at. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Whether somebody said so of this chunk. */
  has(chunk: number): boolean {
    return this.#chunks.has(chunk);
  }

  /** A fellow says that chunks are wrong; what is too much is not kept. */
  add(from: NodeId, { first, count }: ChunkRange): void {
    for (let chunk = first; chunk < first + count; chunk++) {
      const counted = this.#countOf.get(from) ?? 0;
      if (counted >= limits.accusationsPerFellowMax || this.#chunks.has(chunk)) continue;
      if (this.#chunks.size >= limits.accusationsMax) return;
      this.#countOf.set(from, counted + 1);
      this.#chunks.add(chunk);
      this.#waiting.push(chunk);
      this.#came.resolve();
    }
  }

  /** The one that has waited longest. */
  get first(): number | undefined {
    return this.#waiting[0];
  }

  /** Takes that one out. */
  take(): number | undefined {
    const chunk = this.#waiting.shift();
    if (this.isEmpty) this.#came = Promise.withResolvers();
    return chunk;
  }

  /** Resolves when there is one. */
  get came(): Promise<void> {
    return this.#came.promise;
  }
}
