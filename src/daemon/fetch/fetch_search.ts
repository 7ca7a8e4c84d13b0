/**
 * The searches of one fetch: floods its query and asks the directories, again and again while more
 * holders are wanted. What they answer goes to the searcher.
 */

import type { Sought } from "../../wire/structures.ts";
import type { Directories } from "../directories/directories.ts";
import type { Searcher } from "../discovery/searches.ts";

/** Pause before the query is flooded again while the file is not complete. */
const FLOOD_AGAIN_MS = 5_000;
/** The same when all sources are lost. */
const FLOOD_IN_NEED_MS = 1_000;
/** The same for directories: a question there costs next to nothing. */
const ASK_AGAIN_MS = 1_000;
/** Queries of one fetch that are answered at a time: the one before may still bring a late holder. */
const QUERIES_AT_ONCE = 2;

/** What searching needs of the node. */
export interface FetchSearchHost {
  readonly directories: Pick<Directories, "findHolders">;
  /** Floods a query and asks the directories; the returned function ends both. */
  search(sought: Sought, searcher: Searcher): () => void;
}

/** All searches of one fetch. */
export class FetchSearch {
  readonly #host: FetchSearchHost;
  readonly #sought: Sought;
  readonly #searcher: Searcher;
  #ends: (() => void)[] = [];
  #endAsking: () => void = () => {};
  #queries = 0;
  #floodedMs = -Infinity;
  #askedMs = -Infinity;

  constructor(host: FetchSearchHost, sought: Sought, searcher: Searcher) {
    this.#host = host;
    this.#sought = sought;
    this.#searcher = searcher;
  }

  /** Queries that were flooded. */
  get queries(): number {
    return this.#queries;
  }

  /** Floods anew, and asks the directories. */
  start(nowMs: number): void {
    this.#floodedMs = this.#askedMs = nowMs;
    this.#queries++;
    this.#ends.push(this.#host.search(this.#sought, this.#searcher));
    if (this.#ends.length > QUERIES_AT_ONCE) this.#ends.shift()?.();
  }

  /** Does so unless it was done just now: all sources are lost. */
  startInNeed(nowMs: number): void {
    if (nowMs - this.#floodedMs >= FLOOD_IN_NEED_MS) this.start(nowMs);
  }

  /** Lets time pass. */
  tick(
    nowMs: number,
    wants: {
      /** Whether another holder that the flood finds would be of use. */
      readonly fromFlood: boolean;
      /** The same for one that a directory names. */
      readonly fromDirectories: boolean;
    },
  ): void {
    if (wants.fromFlood && nowMs - this.#floodedMs > FLOOD_AGAIN_MS) this.start(nowMs);
    else if (wants.fromDirectories && nowMs - this.#askedMs > ASK_AGAIN_MS) this.#ask(nowMs);
  }

  /** Ends all of them. */
  end(): void {
    for (const end of this.#ends) end();
    this.#endAsking();
  }

  /** Asks the directories alone; an answer that is still to come would be older. */
  #ask(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#endAsking();
    this.#endAsking = this.#host.directories.findHolders(
      this.#sought,
      (answer) => this.#searcher.listed(answer),
    );
  }
}
