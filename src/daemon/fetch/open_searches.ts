/**
 * The searches of one fetch that are under way, and its dials to holders that were found; `core/fetch`
 * decides when to begin another.
 */

import type { OfKind } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { FileOffer, Sought } from "../../wire/structures.ts";
import type { FetchEffect } from "../../core/fetch/fetch_events.ts";
import { HolderDials, type NotReached } from "../discovery/holder_dials.ts";
import type { QueryOutcome } from "../../wire/messages.ts";
import type { OpenSearch, Searcher } from "../discovery/searches.ts";
import type { RelayAsking } from "../push/relay_requests.ts";
import type { FetchHost } from "./fetch_host.ts";

/** What it searches through. */
interface SearchHost
  extends Pick<FetchHost, "search" | "clock" | "log" | "dialHolder" | "dialProblem" | "askRelays"> {
  readonly directories: Pick<FetchHost["directories"], "findHolders">;
}

/** Queries and questions whose answers are still taken. */
export class OpenSearches {
  readonly #host: SearchHost;
  readonly #sought: Sought;
  readonly #searcher: Searcher;
  readonly #searches: OpenSearch[] = [];
  readonly #dials: HolderDials;
  readonly #relayAnswered: RelayAsking["answered"];
  readonly #end = new AbortController();
  #asking: { end(): void } | null = null;

  constructor(
    host: SearchHost,
    sought: Sought,
    told: {
      readonly searcher: Searcher;
      readonly notReached: NotReached;
      readonly relayAnswered: RelayAsking["answered"];
    },
  ) {
    const { searcher, notReached } = told;
    this.#relayAnswered = told.relayAnswered;
    this.#host = host;
    this.#sought = sought;
    this.#searcher = searcher;
    this.#dials = new HolderDials({
      clock: host.clock,
      log: host.log,
      dialHolder: (address, root, heard) => host.dialHolder(address, root, heard),
      dialProblem: (error) => host.dialProblem(error),
      offered: (holder, offers) => searcher.offered(holder, offers),
      notReached,
    });
  }

  /** Dials under way to holders that a directory named. */
  get listedDials(): number {
    return this.#dials.listedCount;
  }

  /** What came of the last query; null while somebody may still answer it. */
  get outcome(): QueryOutcome | null {
    return this.#searches.at(-1)?.outcome ?? null;
  }

  /** Floods a query, and asks the directories. */
  flood(): void {
    this.#searches.push(this.#host.search(this.#sought, this.#searcher));
    this.#searches.at(-1 - limits.queriesAtOnce)?.retire();
    if (this.#searches.length > limits.queriesHeard) this.#searches.shift()?.end();
  }

  /** Asks the directories alone; an answer that is still to come would be older. */
  askDirectories(): void {
    this.#asking?.end();
    this.#asking = this.#host.directories.findHolders(
      this.#sought,
      (answer) => this.#searcher.listed(answer),
    );
  }

  /** Asks linked nodes to pass a file on. */
  askRelays(file: FileOffer): void {
    this.#host.askRelays(file, { signal: this.#end.signal, answered: this.#relayAnswered });
  }

  /** Dials a holder that answered, or that a directory named. */
  dial(
    { nodeId, address, root, isListed }: OfKind<FetchEffect, "dial">,
    options: { readonly sourceCount: number },
  ): void {
    const dial = { nodeId, address, root };
    if (isListed) this.#dials.listed(dial);
    else this.#dials.answered(dial, options);
  }

  /** Ends all searches. */
  end(): void {
    for (const search of this.#searches) search.end();
    this.#asking?.end();
    this.#end.abort();
  }
}
