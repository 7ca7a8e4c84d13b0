/**
 * The searches of one fetch that are under way, and its dials to holders that were found; `core/fetch`
 * decides when to begin another.
 */

import { limits } from "../../base/limits.ts";
import type { Sought } from "../../wire/structures.ts";
import type { FetchEffect } from "../../core/fetch/fetch_events.ts";
import { HolderDials } from "../discovery/holder_dials.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { FetchHost } from "./fetch_host.ts";

/** What it searches through. */
interface SearchHost extends Pick<FetchHost, "search" | "clock" | "log" | "dialHolder"> {
  readonly directories: Pick<FetchHost["directories"], "findHolders">;
}

/** Queries and questions whose answers are still taken. */
export class OpenSearches {
  readonly #host: SearchHost;
  readonly #sought: Sought;
  readonly #searcher: Searcher;
  readonly #ends: (() => void)[] = [];
  readonly #dials: HolderDials;
  #endAsking: () => void = () => {};

  constructor(
    host: SearchHost,
    sought: Sought,
    searcher: Searcher,
  ) {
    this.#host = host;
    this.#sought = sought;
    this.#searcher = searcher;
    this.#dials = new HolderDials({
      clock: host.clock,
      log: host.log,
      dialHolder: (address, root, heard) => host.dialHolder(address, root, heard),
      offered: (holder, offers) => searcher.offered(holder, offers),
    });
  }

  /** Dials under way to holders that a directory named. */
  get listedDials(): number {
    return this.#dials.listedCount;
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

  /** Dials a holder that answered, or that a directory named. */
  dial(
    { address, root, isListed }: Extract<FetchEffect, { readonly kind: "dial" }>,
    options: { readonly sourceCount: number },
  ): void {
    if (isListed) this.#dials.listed({ address, root });
    else this.#dials.answered({ address, root }, options);
  }

  /** Ends all searches. */
  end(): void {
    for (const end of this.#ends) end();
    this.#endAsking();
  }
}
