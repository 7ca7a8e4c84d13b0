/**
 * Room in memory for what searches of persons collect: each has a bound in bytes, and all together.
 * Anybody in the network may answer, as much as it likes: what has no room is counted and left out.
 */

import { limits } from "../../base/limits.ts";

/** What all searches of a node hold. */
export class SearchesRoom {
  #bytes = 0;

  /** Bytes that all of them hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The room of a new search, to be disposed of when its results are told. */
  open(): SearchRoom {
    return new SearchRoom({
      take: (bytes) => {
        if (this.#bytes + bytes > limits.searchesBytesMax) return false;
        this.#bytes += bytes;
        return true;
      },
      give: (bytes) => this.#bytes -= bytes,
    });
  }
}

/** The room of one search. */
export class SearchRoom implements Disposable {
  readonly #shared: { take(bytes: number): boolean; give(bytes: number): void };
  #bytes = 0;
  #isFull = false;

  constructor(shared: { take(bytes: number): boolean; give(bytes: number): void }) {
    this.#shared = shared;
  }

  /** Whether something had no room: it takes nothing new from then on. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes room for something, about so many bytes; false: there is none. */
  take(bytes: number): boolean {
    const fits = !this.#isFull && this.#bytes + bytes <= limits.searchBytesMax &&
      this.#shared.take(bytes);
    if (fits) this.#bytes += bytes;
    else this.#isFull = true;
    return fits;
  }

  [Symbol.dispose](): void {
    this.#shared.give(this.#bytes);
    this.#bytes = 0;
    this.#isFull = true;
  }
}

/** What a text takes, at the most. */
export function textBytes(text: string): number {
  return 2 * text.length + TEXT_BYTES;
}

/** The head of a string, as V8 has it. */
const TEXT_BYTES = 16;
