/**
 * Which query ids were seen, and over which link each came first: what stops a flood from going
 * round, and the way back for a HIT. Bounded: the oldest id is forgotten for the newest.
 */

import type { QueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { LinkId } from "./neighbour_events.ts";

/** First in, first out, of a fixed length; a constant cost for each call. */
export class SeenCache {
  readonly #links = new Map<QueryId, LinkId>();
  /** Ids in the order in which they came, as a ring: a Map walks over its deleted entries. */
  readonly #ring: QueryId[] = [];
  readonly #sizeMax: number;
  #oldest = 0;

  constructor(sizeMax: number = limits.seenQueriesMax) {
    this.#sizeMax = sizeMax;
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.#links.size;
  }

  has(id: QueryId): boolean {
    return this.#links.has(id);
  }

  /** The link over which `id` came first; undefined when it is not remembered. */
  linkOf(id: QueryId): LinkId | undefined {
    return this.#links.get(id);
  }

  /** Remembers an id that is not in it. */
  add(id: QueryId, link: LinkId): void {
    if (this.#links.has(id)) return;
    if (this.#ring.length < this.#sizeMax) {
      this.#ring.push(id);
    } else {
      this.#links.delete(this.#ring[this.#oldest]!);
      this.#ring[this.#oldest] = id;
      this.#oldest = (this.#oldest + 1) % this.#sizeMax;
    }
    this.#links.set(id, link);
  }
}
