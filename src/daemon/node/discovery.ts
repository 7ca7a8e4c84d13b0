/**
 * How a node finds files: floods queries over its links and asks the directories at the same time.
 * It fetches nothing.
 */

import type { HostPort } from "../../base/address.ts";
import { newQueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { permilleOf } from "../../core/directory/balance.ts";
import type { SearchReport } from "../../wire/reports.ts";
import type { Load, Sought } from "../../wire/structures.ts";
import { Directories, type DirectoryAnswer } from "../directories/directories.ts";
import { HolderQuery } from "../discovery/holder_query.ts";
import { NameQuery } from "../discovery/name_query.ts";
import { HERE, type NetworkQuery, waitForIdle } from "../discovery/network_query.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { fileOffer, filesSought } from "../discovery/offers.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { Links } from "./links.ts";

interface DiscoveryOptions {
  readonly links: Links;
  /** Directories that are told what is here and asked what is sought. */
  readonly directories: readonly HostPort[];
  /** How many links away a query goes. */
  readonly ttl: number;
  /** Where this node listens. */
  readonly address: HostPort;
  readonly load: (nowMs: number) => Load;
}

/** How long a question of a person takes at most. */
interface QueryOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The searches of one node. */
export class Discovery {
  readonly links: Links;
  readonly directories: Directories;
  readonly #context: NodeContext;
  readonly #options: DiscoveryOptions;
  readonly #stopping = new AbortController();

  constructor(context: NodeContext, options: DiscoveryOptions) {
    const { directories: addresses, links, load } = options;
    this.#context = context;
    this.#options = options;
    this.links = links;
    this.directories = new Directories(context, { addresses, load });
  }

  tick(nowMs: number): void {
    this.links.searches.tick(nowMs);
    this.directories.tick(nowMs);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.directories.stop();
  }

  /** Asks the network for the names that match `glob`; resolves when no more answers come. */
  async list(glob: string, options: QueryOptions): Promise<SearchReport[]> {
    const sought = { by: "glob", value: glob } as const;
    const query = new NameQuery(this.#context.clock);
    for (const file of filesSought(this.#context, sought)) {
      query.offer(fileOffer(file), this.#context.identity, { from: HERE });
    }
    await this.#collect(query, this.search(sought, query), options);
    return query.reports();
  }

  /** Asks the network who has what of a name or root; resolves when no more answers come. */
  async locate(sought: Sought, options: QueryOptions): Promise<HolderQuery> {
    const { clock, identity, store } = this.#context;
    const query = new HolderQuery(sought, clock);
    const address = { host: this.#options.address.host, port: identity.listenPort };
    const loadPermille = permilleOf(this.#options.load(clock.nowMs()));
    for (const file of filesSought(this.#context, sought)) {
      const sha256 = store.sha256(file.root);
      const self = { nodeId: identity.nodeId, address };
      query.here(fileOffer(file), self, { sha256, loadPermille });
    }
    const end = this.search(sought, query, { holdersMax: limits.holdersMax });
    await this.#collect(query, end, options);
    return query;
  }

  /** Floods a query and asks the directories at the same time; the returned function ends both. */
  search(
    sought: Sought,
    searcher: Searcher,
    options: { readonly holdersMax?: number } = {},
  ): () => void {
    const { clock, identity } = this.#context;
    const { links: { searches }, ttl } = this.#options;
    const listed = (answer: DirectoryAnswer) => searcher.listed(answer);
    const endFiles = this.directories.findFiles(sought, listed);
    const { holdersMax: max = limits.directoryHoldersAsked } = options;
    const endHolders = sought.by === "glob"
      ? () => {}
      : this.directories.findHolders(sought, listed, { max });
    const id = newQueryId(identity.random);
    searches.add(id, sought, searcher);
    this.links.step({ kind: "search", id, sought, ttl, callbackPort: identity.listenPort });
    return () => {
      endFiles();
      endHolders();
      searches.end(id, clock.nowMs());
      this.links.step({ kind: "search-ended", id });
    };
  }

  async #collect(answers: NetworkQuery, end: () => void, options: QueryOptions): Promise<void> {
    const { clock } = this.#context;
    const signal = AbortSignal.any([options.signal, this.#stopping.signal]);
    try {
      await waitForIdle(answers, { ...options, clock, signal });
    } finally {
      end();
    }
  }
}
