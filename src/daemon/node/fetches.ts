/** The fetches of a node, and what they share: their swarms, and the client of all mirrors. */

import type { HostPort } from "../../base/address.ts";
import { FetchFailure } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import { Mirrors } from "../../http/mirrors.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { Searcher } from "../discovery/searches.ts";
import { Fetch, type FetchOptions } from "../fetch/fetch.ts";
import { ChunkHasher } from "../swarm/chunk_hasher.ts";
import { Swarms } from "../swarm/swarms.ts";
import { applySyncDb } from "../trust/apply_sync_db.ts";
import { RejectedFiles } from "../trust/rejected_files.ts";
import type { Discovery } from "./discovery.ts";
import { takeFromHolder } from "./outbound_calls.ts";

interface FetchesOptions {
  readonly discovery: Discovery;
  /** Knows what files have to be by their names; nobody does by default. */
  readonly trust: PackageIndex | undefined;
  /** Whether the node lasts for one fetch only, and is no daemon's. */
  readonly isAlone: boolean;
}

/** How one fetch is done. */
export interface FetchingOptions extends Omit<FetchOptions, "isOfDatabase"> {
  readonly signal: AbortSignal;
  /** Is given the fetch, to which holders at hand may be offered. */
  readonly begun?: (searcher: Searcher) => void;
}

/** All fetches of one node. */
export class Fetches {
  readonly swarms: Swarms;
  /** The HTTP client of all fetches from mirrors (origins), and of the gateway. */
  readonly mirrors: Mirrors;
  /** Strikes that peers were given. */
  strikes = 0;
  readonly #context: NodeContext;
  readonly #options: FetchesOptions;
  readonly #hasher: ChunkHasher;
  readonly #rejectedFiles = new RejectedFiles();
  readonly #running = new Set<Fetch>();
  readonly #stopping = new AbortController();

  constructor(context: NodeContext, options: FetchesOptions) {
    this.#context = context;
    this.#options = options;
    const { clock, identity: { random }, log, store } = context;
    this.#hasher = new ChunkHasher(clock);
    this.mirrors = new Mirrors({ log, clock });
    const { links } = options.discovery;
    this.swarms = new Swarms({
      clock,
      log,
      random,
      hasher: this.#hasher,
      struck: () => this.#struck(),
      misbehaved: (node, root) =>
        links.step({ kind: "misbehaved", node, misdeed: { kind: "wrong-data", root } }),
    }, store);
    links.changes.listen(() => {
      for (const fetch of this.#running) fetch.surroundingsChanged();
    });
  }

  /** What is being fetched, the last begun first. */
  get running(): readonly Fetch[] {
    return [...this.#running].reverse();
  }

  /**
   * Gets one file.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async fetch(request: FetchRequest, options: FetchingOptions): Promise<Done> {
    const { trust } = this.#options;
    if (this.#mayBeNewer(request)) await trust?.settle?.();
    if (this.#running.size >= limits.fetchesMax) {
      throw new FetchFailure(
        "failed",
        `Cannot fetch: ${this.#running.size} fetches are running, at most ${limits.fetchesMax}`,
        { hint: "Try again when some have ended." },
      );
    }
    const { begun, signal, ...how } = options;
    const known = applySyncDb(request, trust);
    const { isOfDatabase } = known;
    const fetch = new Fetch(this.#fetchHost(), known.request, { ...how, isOfDatabase });
    this.#running.add(fetch);
    try {
      const running = fetch.run(AbortSignal.any([signal, this.#stopping.signal]));
      begun?.(fetch);
      return await running;
    } finally {
      this.#running.delete(fetch);
    }
  }

  tick(nowMs: number): void {
    for (const fetch of this.#running) fetch.tick(nowMs);
    this.swarms.tick(nowMs);
  }

  /** Ends all fetches, whose downloads are kept as of now; the rest goes with `close`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.swarms.suspendAll();
  }

  close(): void {
    this.mirrors.close();
    this.#hasher.close();
  }

  #fetchHost() {
    const { discovery, isAlone } = this.#options;
    const { directories, links } = discovery;
    return {
      ...this.#context,
      swarms: this.swarms,
      mirrors: this.mirrors,
      rejectedFiles: this.#rejectedFiles,
      isAlone,
      directories,
      links,
      overlay: links.overlay,
      search: discovery.search.bind(discovery),
      /** Dials a holder of `root` and has the searcher hear its offer, as if it had called back. */
      dialHolder: (address: HostPort, root: Root, searcher: Pick<Searcher, "offered">) =>
        takeFromHolder(this.#context, {
          address,
          root,
          searcher,
          isBanned: links.isBanned.bind(links),
        }),
    };
  }

  /** Right after `pacman -Sy` a name may stand in a database that is just being read. */
  #mayBeNewer({ name, root, sha256, sizeBytes }: FetchRequest): boolean {
    const { trust } = this.#options;
    if (trust === undefined || root !== null || sha256 !== null || sizeBytes !== null) return false;
    return trust.find(name) === undefined;
  }

  #struck(): void {
    this.strikes++;
    this.#context.store.addStatistic("strikes", 1);
  }
}
