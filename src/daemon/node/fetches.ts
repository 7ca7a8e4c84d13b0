/** The fetches of a node, and what they share: their swarms, and the client of all mirrors. */

import type { HostPort } from "../../base/address.ts";
import { type EnvironmentError, FetchFailure, isNoLongerHere } from "../../base/errors.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import { mirrorDelayOf } from "../../core/fetch/fetch_timeouts.ts";
import { NamedMirrors } from "../../http/named_mirrors.ts";
import { Mirrors } from "../../http/mirrors.ts";
import { linkProblemOf } from "../../net/link_problem.ts";
import type { OldVersions } from "../../net/version_fallback.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { comingFiles } from "../discovery/coming_files.ts";
import type { OfferingHolder, Searcher } from "../discovery/searches.ts";
import type { Flights } from "../crowd/flights.ts";
import { CoalescedReads } from "../../http/coalesced_reads.ts";
import { Fetch, type FetchOptions } from "../fetch/fetch.ts";
import { RelayRequests } from "../push/relay_requests.ts";
import type { SwarmContext } from "../swarm/swarm_events.ts";
import { Swarms } from "../swarm/swarms.ts";
import { applySyncDb } from "../trust/apply_sync_db.ts";
import type { ConfiguredMirrors } from "../trust/configured_mirrors.ts";
import { RejectedFiles } from "../trust/rejected_files.ts";
import type { UnprovenFiles } from "../trust/unproven_files.ts";
import type { Discovery } from "./discovery.ts";
import { FetchEnds, outcomeOf } from "./fetch_ends.ts";
import { takeFromHolder } from "./outbound_calls.ts";
import { ProvedFetches, type ProvingOptions } from "./proved_fetches.ts";

interface FetchesOptions {
  readonly discovery: Discovery;
  readonly swarmContext: SwarmContext;
  /** What is in flight here. */
  readonly flights: Flights;
  /** Knows what files have to be by their names; nobody does by default. */
  readonly trust: PackageIndex | undefined;
  /** Whether the node lasts for one fetch only, and is no daemon's. */
  readonly isAlone: boolean;
  /** How long peers alone are asked before a mirror is, unless a request says; null: the default. */
  readonly mirrorDelayMs: number | null;
  /** The mirrors that its configuration names; none by default. */
  readonly configuredMirrors?: ConfiguredMirrors | undefined;
  readonly oldVersions: OldVersions;
}

/** Whether a fetch came upon bytes of its own that are not what they were, or are missing since. */
function isRotten(
  error: unknown,
  options: { readonly isPartHere: boolean },
): error is EnvironmentError {
  // What somebody removed is gone altogether.
  return isNoLongerHere(error) && (error.code !== "not-found" || options.isPartHere);
}

/** How one fetch is done. */
export interface FetchingOptions extends Omit<FetchOptions, "isOfDatabase">, ProvingOptions {
  /**
   * Whether it is for a user of this machine who has not proved the daemon's token: he has it ask no
   * mirror for what nothing proves, none inside the network but those of the configuration, name nothing
   * for others, nor take all places. By default it is not.
   */
  readonly isForStranger?: boolean;
  /** Is given the fetch, to which holders at hand may be offered. */
  readonly begun?: (searcher: Searcher) => void;
}

/** The same once it is known what a database says. */
type FetchOnOptions = FetchingOptions & Pick<FetchOptions, "isOfDatabase"> & {
  /** The mirrors inside this network that are asked; undefined: all. */
  readonly insideMirrors: NamedMirrors | undefined;
};

/** All fetches of one node. */
export class Fetches {
  readonly swarms: Swarms;
  /** The HTTP client of all fetches from mirrors (origins), and of the gateway. */
  readonly mirrors: Mirrors;
  /** How they ended. */
  readonly ends = new FetchEnds();
  readonly #context: NodeContext;
  readonly #options: FetchesOptions;
  readonly #rejectedFiles = new RejectedFiles();
  readonly #mirrorReads = new CoalescedReads();
  /** What nodes had no part in. */
  readonly #readsOfMirrorsAlone = new CoalescedReads();
  readonly #readsOfStrangers = new CoalescedReads();
  readonly #relayRequests: RelayRequests;
  readonly #proved: ProvedFetches<FetchOnOptions>;
  readonly #running = new Set<Fetch>();
  readonly #stopping = new AbortController();
  readonly #endOfChanges: () => void;

  constructor(context: NodeContext, options: FetchesOptions) {
    this.#context = context;
    this.#options = options;
    const { clock, log, rates, store } = context;
    this.mirrors = new Mirrors({ log, clock, rates });
    this.#proved = new ProvedFetches(context, (asked, how) => this.#fetchOn(asked, how));
    this.swarms = new Swarms(options.swarmContext, store);
    const { links } = options.discovery;
    this.#relayRequests = new RelayRequests(context, () => links.overlay.neighbours.links());
    this.#endOfChanges = store.onChange((change) => {
      const { kind, root } = change;
      if (kind === "withdrawn" || kind === "lost") this.#rejectedFiles.forget(root);
      if (kind === "discarded") this.swarms.withdrawn(root);
      if (kind === "added") {
        for (const fetch of this.#running) fetch.appeared(root, change.name);
      }
    });
    options.discovery.links.changes.listen(() => {
      for (const fetch of this.#running) fetch.surroundingsChanged();
    });
  }

  /** Who was given what nothing proves. */
  get unproven(): UnprovenFiles {
    return this.#proved.unproven;
  }

  /** What is being fetched, the last begun first. */
  get running(): readonly Fetch[] {
    return [...this.#running].reverse();
  }

  /** Whether any of them seeks this. */
  seeks({ by, value }: Sought): boolean {
    for (const { request } of this.#running) {
      if (by === "name" ? request.name === value : by === "root" && request.root === value) {
        return true;
      }
    }
    return false;
  }

  /** A near node takes what is coming here, and so gets it too: it is taken from as well. */
  nearBegan(root: Root, holder: OfferingHolder): void {
    for (const fetch of this.#running) if (fetch.root === root) fetch.nearBegan(holder);
  }

  /**
   * Gets one file.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async fetch(request: FetchRequest, options: FetchingOptions): Promise<Done> {
    const { trust, mirrorDelayMs } = this.#options;
    if (this.#mayBeNewer(request)) await trust?.settle?.();
    const { isForStranger = false } = options;
    const insideMirrors = isForStranger ? await this.#configuredMirrors() : undefined;
    const kept = isForStranger ? limits.fetchesTrustedMin : 0;
    if (this.#running.size >= limits.fetchesMax - kept) {
      this.ends.refused("refused");
      throw new FetchFailure(
        "failed",
        `Cannot fetch: ${this.#running.size} fetches are running, at most ${limits.fetchesMax}`,
        { hint: "Try again when some have ended." },
      );
    }
    const known = applySyncDb(isForStranger ? unnamedRoot(request) : request, trust);
    if (isForStranger && request.mirrors.length > 0 && !known.isOfDatabase) {
      this.ends.refused("not_allowed");
      throw new FetchFailure(
        "failed",
        "The daemon asks mirrors only for files that a package database names, except for its owner",
        { hint: "Fetch it with --alone, or as a user who can read the daemon's token." },
      );
    }
    const asked = { ...known.request, mirrorDelayMs: mirrorDelayOf(request, mirrorDelayMs) };
    const how = { ...options, insideMirrors, isOfDatabase: known.isOfDatabase };
    return await this.#proved.fetch(asked, how);
  }

  /** Gets a file, again where its bytes turn out not to be what they were. */
  async #fetchOn(
    asked: FetchRequest,
    how: FetchOnOptions,
  ): Promise<Done> {
    let { again } = how;
    for (let left: number = limits.fetchesAgainMax;; left--) {
      const fetch = new Fetch(
        this.#fetchHost(how),
        asked,
        again === undefined ? how : { ...how, again },
      );
      try {
        const done = await this.#run(fetch, how);
        this.ends.ended({ ...fetch.figures(), outcome: "done" });
        return done;
      } catch (error) {
        const isStopped = how.signal.aborted || this.#stopping.signal.aborted;
        const { root } = fetch;
        if (isStopped || left === 0 || root === null || !this.#isRottenHere(error, root)) {
          this.ends.ended({ ...fetch.figures(), outcome: outcomeOf(error, { isStopped }) });
          throw error;
        }
        again = { root, why: error.message };
        // What mirrors gave may have been shown beside it, and was not compared.
        if (asked.mirrors.length > 0) {
          how.observer.event({ kind: "restarted", reason: error.message });
        }
      }
    }
  }

  #isRottenHere(error: unknown, root: Root): error is EnvironmentError {
    return isRotten(error, { isPartHere: this.#context.store.download(root) !== undefined });
  }

  /** The mirrors that users without the token may have asked inside the network. */
  async #configuredMirrors(): Promise<NamedMirrors> {
    return await this.#options.configuredMirrors?.current() ?? new NamedMirrors([]);
  }

  async #run(fetch: Fetch, { begun, signal }: FetchingOptions): Promise<Done> {
    this.#running.add(fetch);
    try {
      const running = fetch.run(AbortSignal.any([signal, this.#stopping.signal]));
      begun?.(fetch);
      return await running;
    } finally {
      this.#running.delete(fetch);
      this.ends.brings(fetch.figures());
    }
  }

  tick(nowMs: number): void {
    for (const fetch of this.#running) fetch.tick(nowMs);
    this.swarms.tick(nowMs);
    this.#options.flights.tick(nowMs);
  }

  /** Ends all fetches, whose downloads are kept as of now; the rest goes with `close`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.flights.stop();
    await this.swarms.suspendAll();
  }

  close(): void {
    this.#endOfChanges();
    this.mirrors.close();
  }

  #fetchHost({ insideMirrors, mirrorsAlone = false }: FetchOnOptions) {
    const { discovery, flights, isAlone, oldVersions } = this.#options;
    const { directories, links } = discovery;
    return {
      ...this.#context,
      swarms: this.swarms,
      flights,
      nodeId: this.#context.identity.nodeId,
      nearnessOf: links.nearnessOf.bind(links),
      coming: (name: string) => comingFiles(this.#context, { by: "name", value: name }),
      hasNetworkKey: this.#context.identity.networkKey !== undefined,
      mirrors: this.mirrors,
      insideMirrors,
      // What mirrors inside give to others is not for who may not ask them.
      mirrorReads: this.#mirrorReadsOf({
        isForStranger: insideMirrors !== undefined,
        mirrorsAlone,
      }),
      rejectedFiles: this.#rejectedFiles,
      isAlone,
      directories,
      links,
      overlay: links.overlay,
      dialNodes: () => links.step({ kind: "in-need" }),
      search: discovery.search.bind(discovery),
      /** Dials a holder of `root` and has the searcher hear its offer, as if it had called back. */
      dialHolder: (address: HostPort, root: Root, searcher: Pick<Searcher, "offered">) =>
        takeFromHolder(this.#context, {
          address,
          root,
          searcher,
          oldVersions,
          isBanned: links.isBanned.bind(links),
        }),
      askRelays: this.#relayRequests.ask.bind(this.#relayRequests),
      dialProblem: (error: unknown) =>
        linkProblemOf(error, { ...this.#context.identity, what: "node" }).text,
    };
  }

  #mirrorReadsOf(
    { isForStranger, mirrorsAlone }: {
      readonly isForStranger: boolean;
      readonly mirrorsAlone: boolean;
    },
  ): CoalescedReads {
    if (isForStranger) return mirrorsAlone ? new CoalescedReads() : this.#readsOfStrangers;
    return mirrorsAlone ? this.#readsOfMirrorsAlone : this.#mirrorReads;
  }

  /** Right after `pacman -Sy` a name may stand in a database that is just being read. */
  #mayBeNewer({ name, root, sha256, sizeBytes }: FetchRequest): boolean {
    const { trust } = this.#options;
    if (trust === undefined || root !== null || sha256 !== null || sizeBytes !== null) return false;
    return trust.find(name) === undefined;
  }
}

/** The request of a root under the name that its holders give it: others are offered it by that. */
function unnamedRoot(request: FetchRequest): FetchRequest {
  return request.root === null ? request : { ...request, name: "" };
}
