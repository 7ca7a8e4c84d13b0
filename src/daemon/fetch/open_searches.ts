/** The searches of one fetch that are under way; `core/fetch` decides when to begin another. */

import { limits } from "../../base/limits.ts";
import type { Sought } from "../../wire/structures.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { FetchHost } from "./fetch_host.ts";

/** What it searches through. */
interface SearchHost extends Pick<FetchHost, "search"> {
  readonly directories: Pick<FetchHost["directories"], "findHolders">;
}

/** Queries and questions whose answers are still taken. */
export class OpenSearches {
  readonly #host: SearchHost;
  readonly #sought: Sought;
  readonly #searcher: Searcher;
  readonly #ends: (() => void)[] = [];
  #endAsking: () => void = () => {};

  constructor(
    host: SearchHost,
    sought: Sought,
    searcher: Searcher,
  ) {
    this.#host = host;
    this.#sought = sought;
    this.#searcher = searcher;
  }

  /** Floods a query, and asks the directories. */
  flood(): void {
    this.#ends.push(this.#host.search(this.#sought, this.#searcher));
    if (this.#ends.length > limits.queriesAtOnce) this.#ends.shift()?.();
  }

  /** Asks the directories alone; an answer that is still to come would be older. */
  askDirectories(): void {
    this.#endAsking();
    this.#endAsking = this.#host.directories.findHolders(
      this.#sought,
      (answer) => this.#searcher.listed(answer),
    );
  }

  /** Ends all of them. */
  end(): void {
    for (const end of this.#ends) end();
    this.#endAsking();
  }
}
