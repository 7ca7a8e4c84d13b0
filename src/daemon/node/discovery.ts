/**
 * How a node finds files: floods queries over its links and asks the directories at the same time.
 * It fetches nothing.
 */

import type { HostPort } from "../../base/address.ts";
import { type Clock, nextTurn } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { newQueryId, type NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { matchesGlob } from "../../base/names.ts";
import type { Connection } from "../../net/connection.ts";
import { closeOnAbort } from "../../net/deadline.ts";
import { initiate } from "../../net/handshake.ts";
import { linkProblemOf } from "../../net/link_problem.ts";
import type { OldVersions } from "../../net/version_fallback.ts";
import { permilleOf } from "../../core/directory/balance.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { Load, NamedFellow, Sought } from "../../wire/structures.ts";
import type { Flights } from "../crowd/flights.ts";
import { Directories, type DirectoryAnswer } from "../directories/directories.ts";
import { HolderQuery } from "../discovery/holder_query.ts";
import { NameQuery } from "../discovery/name_query.ts";
import { FLOOD, HERE, type NetworkQuery, waitForIdle } from "../discovery/network_query.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { eachListed, fileOffer, filesSought } from "../discovery/offers.ts";
import { SearchesRoom } from "../discovery/search_room.ts";
import type { OfferingHolder, OpenSearch, Searcher } from "../discovery/searches.ts";
import { HolderLists } from "./holder_lists.ts";
import type { Links } from "./links.ts";

interface DiscoveryOptions {
  readonly links: Links;
  /** What this node is just getting. */
  readonly flights: Flights;
  /** Directories that are told what is here and asked what is sought. */
  readonly directories: readonly HostPort[];
  /** How many links away a query goes. */
  readonly ttl: number;
  /** Links below which directories are asked for nodes; 0: they never are. */
  readonly linksMin: number;
  /** Where this node listens. */
  readonly address: HostPort;
  readonly load: () => Load;
  readonly oldVersions: OldVersions;
  /** Goes on while this process sleeps, as the leases at the directories do. */
  readonly outerClock: Clock;
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
  /** What the searches of persons keep. */
  readonly #searchesRoom = new SearchesRoom();
  #askedNeighboursMs = -Infinity;

  constructor(context: NodeContext, options: DiscoveryOptions) {
    const { directories: addresses, links, load, oldVersions } = options;
    this.#context = context;
    this.#options = options;
    this.links = links;
    const outer = { ...context, clock: options.outerClock };
    this.directories = new Directories(outer, { addresses, load, oldVersions });
  }

  tick(nowMs: number): void {
    this.links.searches.tick(nowMs);
    this.directories.tick(this.#options.outerClock.nowMs());
    this.#findNeighbours(nowMs);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.directories.stop();
  }

  /**
   * Asks the network for the names that match `glob`; resolves when no more answers come. To be
   * disposed of once they are told: until then they take room.
   */
  async list(glob: string, options: QueryOptions): Promise<NameQuery> {
    const sought = { by: "glob", value: glob } as const;
    const lists = new HolderLists(this.#context, glob);
    const query = new NameQuery(glob, {
      clock: this.#context.clock,
      room: this.#searchesRoom.open(),
      askForAll: (holder) => lists.ask(holder, query),
    });
    using cleanup = new DisposableStack();
    cleanup.use(query);
    let count = 0;
    for (const file of eachListed(this.#context, glob)) {
      query.offer(fileOffer(file), this.#context.identity, { from: HERE });
      if (++count % limits.listedPerTurn === 0) await nextTurn();
    }
    this.#flyingHere(sought, query);
    const endFlights = this.#askOfFlights(sought, query);
    const search = this.search(sought, query);
    await this.#collect(query, search, options, () => {
      lists.end();
      endFlights();
    });
    cleanup.move();
    return query;
  }

  /** The same of who has what of a name or root. */
  async locate(sought: Sought, options: QueryOptions): Promise<HolderQuery> {
    const { clock, holders, store } = this.#context;
    const sinceMs = clock.nowMs();
    const query = new HolderQuery(sought, { clock, room: this.#searchesRoom.open() });
    using cleanup = new DisposableStack();
    cleanup.use(query);
    const loadPermille = permilleOf(this.#options.load());
    const here = filesSought(this.#context, sought);
    for (const file of here) {
      const sha256 = store.sha256(file.root);
      query.here(fileOffer(file), this.#self, { sha256, loadPermille });
    }
    this.#flyingHere(sought, query);
    const endFlights = this.#askOfFlights(sought, query);
    const search = this.search(sought, query, { holdersMax: limits.holdersMax });
    await this.#collect(query, search, options, endFlights);
    const nowMs = clock.nowMs();
    // The last search counts, whatever was known before.
    for (const { root } of here) holders.asked(root, { sinceMs });
    for (const { root, nodeId, chunks, chunksHave } of query.holderReports()) {
      if (root !== null) holders.heard(root, nodeId, { isWhole: chunks === chunksHave, nowMs });
    }
    cleanup.move();
    return query;
  }

  /** Floods a query and asks the directories at the same time. */
  search(
    sought: Sought,
    searcher: Searcher,
    options: { readonly holdersMax?: number } = {},
  ): OpenSearch {
    const { clock, identity } = this.#context;
    const { links: { searches }, ttl } = this.#options;
    const id = newQueryId(identity.random);
    const listed = (answer: DirectoryAnswer) => {
      if (answer.files.length + answer.holders.length > 0) searches.answered(id);
      searcher.listed(answer);
    };
    const isFull = () => searcher.isFull === true;
    const through = () => searcher.through?.();
    const questions = [this.directories.findFiles(sought, listed, { isFull, through })];
    if (sought.by !== "glob") {
      const { holdersMax: max = limits.directoryHoldersAsked } = options;
      questions.push(this.directories.findHolders(sought, listed, { max, through }));
    }
    // Whoever comes up hears the query that is under way.
    if (this.links.size === 0) this.links.step({ kind: "in-need" });
    searches.add(id, sought, searcher);
    this.links.step({ kind: "search", id, sought, ttl, callbackPort: identity.listenPort });
    const retire = () => {
      for (const question of questions) question.end();
      this.links.step({ kind: "search-ended", id });
    };
    const outcome = () => {
      const isAsking = questions.some(({ isThrough }) => !isThrough);
      return isAsking || this.#mayBeMore ? null : this.links.overlay.outcomeOf(id);
    };
    return {
      get outcome() {
        return outcome();
      },
      retire,
      end: () => {
        retire();
        searches.end(id, clock.nowMs());
      },
    };
  }

  /** Whether there is nobody to ask, or somebody is about to be there. */
  get #mayBeMore(): boolean {
    const { links, directories } = this;
    return links.isLinking || links.size === 0 && directories.errors.length === directories.size;
  }

  /** This node, as others would name it. */
  get #self(): OfferingHolder {
    const { nodeId, listenPort: port } = this.#context.identity;
    return { nodeId, address: { host: this.#options.address.host, port } };
  }

  /** What is in flight here of what is sought: with this node and its fellows, who do not answer it. */
  #flyingHere(sought: Sought, query: NetworkQuery): void {
    for (const flight of this.#options.flights.matching(sought)) {
      if (flight.isLanded) continue;
      const offer = flight.offer();
      query.flying(offer, this.#self, { from: HERE });
      for (const { nodeId, address, chunksHave } of flight.fellows()) {
        query.flying({ ...offer, chunksHave }, { nodeId, address }, { from: FLOOD });
      }
    }
  }

  /** Asks nodes that directories name what they have in flight: they may have no links. */
  #askOfFlights(sought: Sought, query: NetworkQuery): () => void {
    let isEnded = sought.by === "root" || this.directories.size === 0;
    if (isEnded) return () => {};
    const name = sought.by === "glob" ? "" : sought.value;
    const asked = new Set<NodeId>();
    const dials: Promise<void>[] = [];
    const answer = query.begun();
    this.directories.findFlights(name, ({ directory, fellows }) => {
      if (isEnded) return;
      if (fellows.length >= limits.flightNamedMax) {
        query.listed({ directory, files: [], holders: [], isCut: true });
      }
      for (const fellow of fellows) {
        if (asked.has(fellow.nodeId) || asked.size >= limits.flightsAskedMax) continue;
        asked.add(fellow.nodeId);
        dials.push(this.#askOne(fellow, name, (offer, holder) => {
          const isSought = sought.by !== "glob" || matchesGlob(sought.value, offer.name);
          if (isEnded || !isSought) return;
          query.reach.dialled(holder.nodeId, holder.address);
          query.flying(offer, holder, { from: directory });
        }));
      }
    }).then(() => Promise.all(dials)).finally(() => answer[Symbol.dispose]());
    return () => isEnded = true;
  }

  async #askOne(
    { nodeId: named, ...address }: NamedFellow,
    name: string,
    heard: (offer: MessageOf<"in-flight">, holder: OfferingHolder) => void,
  ): Promise<void> {
    try {
      const { nodeId, offers } = await this.#options.flights.ask(address, name);
      for (const offer of offers) heard(offer, { nodeId, address });
    } catch (error) {
      const fields = { nodeId: named, error: messageOf(error) };
      this.#context.log.debug("cannot ask what is in flight", fields);
    }
  }

  /** A node with too few links asks its directories for others, so that it can do without them. */
  #findNeighbours(nowMs: number): void {
    const { directories, links } = this;
    if (directories.size === 0 || links.size >= this.#options.linksMin) return;
    const waitMs = links.size === 0 ? limits.neighboursAskAloneMs : limits.neighboursAskMs;
    if (nowMs - this.#askedNeighboursMs < waitMs) return;
    this.#askedNeighboursMs = nowMs;
    directories.findNeighbours((addresses) => {
      for (const address of addresses) {
        links.step({ kind: "add-address", ...address, pinned: false });
      }
    });
  }

  /** Waits for the answers; `end` is called before those are dialled that gave them. */
  async #collect(
    answers: NetworkQuery,
    search: OpenSearch,
    options: QueryOptions,
    end: () => void,
  ): Promise<void> {
    const { clock } = this.#context;
    const signal = AbortSignal.any([options.signal, this.#stopping.signal]);
    try {
      await waitForIdle(answers, { ...options, clock, signal, search });
    } finally {
      end();
      search.end();
    }
    await answers.reach.probe((address, nodeId) => this.#dial(address, { nodeId, signal }));
  }

  /** Why no connection with a node comes about, as a fetch would open one; null when it does. */
  async #dial(
    address: HostPort,
    { nodeId, signal }: { readonly nodeId: NodeId; readonly signal: AbortSignal },
  ): Promise<string | null> {
    const { clock, connections, identity } = this.#context;
    const late = new AbortController();
    using _ = clock.after(limits.reachProbeMs, () => late.abort());
    const ended = AbortSignal.any([signal, late.signal]);
    let connection: Connection | undefined;
    try {
      connection = await connections.dial(address, { signal: ended });
      using _closing = closeOnAbort(connection, ended);
      const remote = await initiate(connection, { identity, purpose: "transfer" });
      return remote.nodeId === nodeId ? null : "another node answers there";
    } catch (error) {
      if (late.signal.aborted) return `it does not answer within ${limits.reachProbeMs / 1000} s`;
      return linkProblemOf(error, { ...identity, what: "node" }).text;
    } finally {
      connection?.close();
    }
  }
}
