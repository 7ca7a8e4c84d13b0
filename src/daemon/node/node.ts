/**
 * One node of the network: listens, keeps links, answers searches, serves and fetches. This file
 * connects the classes that do so, and starts, ticks and stops them.
 *
 * The daemon runs one for as long as it lives; a fetch without a daemon runs one for itself.
 */

import type { HostPort } from "../../base/address.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type LogFields, type Logger, LogThrottle, PeerLog } from "../../base/log.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import { NO_RATES, type RateSettings } from "../../base/rates/rate_settings.ts";
import { systemRandom } from "../../base/random.ts";
import { Connections } from "../../net/connections.ts";
import { DialGuard } from "../../net/dial_guard.ts";
import { ownNetworks } from "../../net/own_addresses.ts";
import { OwnNonces } from "../../net/handshake.ts";
import { OldVersions } from "../../net/version_fallback.ts";
import type { Transport } from "../../net/transport.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import { isLoopback, type OwnAddress } from "../../wire/host.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { ReachReport } from "../../wire/reports.ts";
import { KEEP_ALL, type KeepingSettings } from "../../core/keeping/disk_marks.ts";
import { HolderBook } from "../../core/keeping/holder_book.ts";
import { Flights } from "../crowd/flights.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { OwnPlace } from "../discovery/own_place.ts";
import type { Fetch } from "../fetch/fetch.ts";
import { Keeper } from "../keeping/keeper.ts";
import { ChunkHasher } from "../swarm/chunk_hasher.ts";
import { RateLimiter } from "../rates/rate_limiter.ts";
import type { SwarmContext } from "../swarm/swarm_events.ts";
import type { ConfiguredMirrors } from "../trust/configured_mirrors.ts";
import { OfferPolicy } from "../trust/offer_policy.ts";
import { Uploads } from "../upload/uploads.ts";
import { askDialBacks } from "./dial_backs.ts";
import { Discovery } from "./discovery.ts";
import type { FetchingOptions } from "./fetches.ts";
import type { KnownNodes } from "./known_nodes.ts";
import { Links } from "./links.ts";
import { NodePort } from "./node_port.ts";
import { Questions } from "./questions.ts";
import { Transfers } from "./transfers.ts";

/** How a node is set up. */
export interface NodeOptions {
  readonly nodeId: NodeId;
  readonly listen: HostPort;
  /** False: nobody can dial this node, and it tells others so. */
  readonly isReachable: boolean;
  readonly network: string;
  readonly networkKey: Uint8Array | undefined;
  /** Keys that others may use as well. */
  readonly otherKeys?: readonly Uint8Array[];
  readonly ttl: number;
  readonly linksMin: number;
  readonly linksMax: number;
  /** Bytes that all downloads may come to with files that others ask this node to take; 0: none. */
  readonly acceptBytes?: number;
  /** Whether linked nodes may have it fetch files that they cannot have otherwise. */
  readonly relaysFiles?: boolean;
  /** What of the downloads is kept; all by default. */
  readonly keeping?: KeepingSettings;
  /** Uploads at once with which this node counts as fully loaded. */
  readonly uploadsLoaded?: number;
  /** How long peers alone are asked before a mirror is, unless a request says; null: the default. */
  readonly mirrorDelayMs?: number | null;
  /** The mirrors that users without the token may have asked inside the network; none by default. */
  readonly configuredMirrors?: ConfiguredMirrors;
  /** Whether it lasts for one fetch only, and is no daemon's. */
  readonly isAlone?: boolean;
  readonly peers: readonly HostPort[];
  /** Remembers over a restart whom this node met. */
  readonly knownNodes?: KnownNodes;
  /** This machine's addresses as one text: when they change, all nodes are dialled anew. */
  readonly ownAddresses?: () => string;
  /** Where it is, as a person named it; "" or left out: nobody did. */
  readonly site?: string;
  /** The subnets that this machine is in; by default it is in none. */
  readonly ownSubnets?: () => readonly OwnAddress[];
  /** Directories that are told what is here and asked what is sought; none by default. */
  readonly directories?: readonly HostPort[];
  readonly store: ChunkStore;
  /** How fast files may go; by default as fast as they can. */
  readonly rates?: RateSettings;
  /** Knows what files have to be by their names; nobody does by default. */
  readonly trust?: PackageIndex | undefined;
  readonly transport: Transport;
  readonly log: Logger;
  /** The time; by default, the system's. */
  readonly clock?: Clock;
  /** The time of others, which goes on while this process sleeps; by default the same. */
  readonly outerClock?: Clock;
}

/** A node of the network. */
export class Node {
  /** What links, discovery and transfers work with. */
  readonly context: NodeContext;
  readonly links: Links;
  readonly discovery: Discovery;
  readonly transfers: Transfers;
  readonly questions: Questions;
  /** What is just coming from mirrors. */
  readonly flights: Flights;
  /** Makes room for what is fetched. */
  readonly keeper: Keeper;
  /** Where it is. */
  readonly place: OwnPlace;
  /** How fast files may go. */
  readonly rates: RateLimiter;
  /** Strikes that peers were given. */
  strikes = 0;
  readonly #oldVersions = new OldVersions();
  readonly #hasher: ChunkHasher;
  readonly #port: NodePort;
  readonly #log: PeerLog;
  readonly #timers = new DisposableStack();
  /** Bytes that stand in the statistics. */
  #saved = { bytesIn: 0, bytesOut: 0 };

  /**
   * Listens at once; links are dialled from {@linkcode start} on.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(options: NodeOptions) {
    const { clock = systemClock, nodeId, store, transport, trust } = options;
    const log = this.#log = new PeerLog(options.log, { clock, isThisMachine: isLoopback });
    const listener = transport.listen(options.listen);
    const { address } = listener;
    const throttle = new LogThrottle(clock);
    const { site = "", ownSubnets = () => [] } = options;
    const place = this.place = new OwnPlace({ site, clock, subnets: ownSubnets });
    const guard = new DialGuard((host) => {
      if (throttle.isFirst(`dials ${host}`)) log.warn("leaves a host alone", leftAlone(host));
    });
    const rates = this.rates = new RateLimiter({ clock, log, ownNetworks });
    rates.apply(options.rates ?? NO_RATES);
    const context = this.context = {
      clock,
      log,
      store,
      rates,
      throttle,
      connections: new Connections(transport, {
        clock,
        guard,
        faulty: (host) => this.links.step({ kind: "host-faulty", host }),
      }),
      offerPolicy: new OfferPolicy({ clock, store, trust, log }),
      holders: new HolderBook(nodeId),
      identity: {
        nodeId,
        listenPort: options.isReachable ? address.port : 0,
        network: options.network,
        networkKey: options.networkKey,
        ...(options.otherKeys === undefined ? {} : { otherKeys: options.otherKeys }),
        random: systemRandom,
        place,
        ownNonces: new OwnNonces(),
      },
    };
    const swarmContext: SwarmContext = {
      clock,
      log,
      rates,
      random: systemRandom,
      nodeId,
      nearSeekers: (file) => this.links.nearSeekers(file),
      begun: (file) => this.links.begun(file),
      hasher: this.#hasher = new ChunkHasher(clock),
      struck: () => this.#struck(),
      misbehaved: (node, root) =>
        this.links.step({ kind: "misbehaved", node, misdeed: { kind: "wrong-data", root } }),
    };
    const uploads = new Uploads(context, {
      nearBegan: (root, requester) => this.transfers.fetches.nearBegan(root, requester),
    });
    const oldVersions = this.#oldVersions;
    const flights = this.flights = new Flights(context, {
      ...swarmContext,
      oldVersions,
      isBanned: (remote, connection) => this.links.isBanned(remote, connection),
    });
    const links = this.links = new Links(context, {
      ...options,
      uploads,
      flights,
      oldVersions,
      isFetching: (sought) => this.transfers.fetches.seeks(sought),
    });
    const discovery = this.discovery = new Discovery(context, {
      links,
      flights,
      directories: options.directories ?? [],
      ttl: options.ttl,
      // A node of one fetch is gone before its links are of use.
      linksMin: options.isAlone === true ? 0 : options.linksMin,
      address,
      oldVersions,
      outerClock: options.outerClock ?? clock,
      load: () => this.transfers.loadMeter.load(clock.nowMs()),
    });
    const keeper = this.keeper = new Keeper(context, {
      settings: options.keeping ?? KEEP_ALL,
      trust,
      directories: discovery.directories,
    });
    this.transfers = new Transfers(context, {
      swarmContext,
      flights,
      uploads,
      discovery,
      oldVersions,
      trust,
      acceptBytes: options.acceptBytes ?? 0,
      relaysFiles: options.relaysFiles ?? false,
      keeper,
      uploadsLoaded: options.uploadsLoaded ?? limits.uploadsLoadedDefault,
      isAlone: options.isAlone ?? false,
      mirrorDelayMs: options.mirrorDelayMs ?? null,
      configuredMirrors: options.configuredMirrors,
    });
    const { loadMeter, pushReceiver } = this.transfers;
    const { directories } = discovery;
    const questions = new Questions(context, { loadMeter, pushReceiver, directories, links });
    this.questions = questions;
    this.#port = new NodePort(context, listener, { links, uploads, questions, flights });
  }

  /** Where it listens, the real port included. */
  get address(): HostPort {
    return this.#port.address;
  }

  get nodeId(): NodeId {
    return this.context.identity.nodeId;
  }

  get store(): ChunkStore {
    return this.context.store;
  }

  /** Resolves with the reason when the node cannot go on by itself. */
  get failed(): Promise<Error> {
    return this.#port.failed;
  }

  /** What is being fetched, the last begun first. */
  get fetches(): readonly Fetch[] {
    return this.transfers.fetches.running;
  }

  /**
   * Gets one file.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  fetch(request: FetchRequest, options: FetchingOptions): Promise<Done> {
    return this.transfers.fetches.fetch(request, options);
  }

  /** How some of the nodes that it has links with could dial this one. */
  async askDialBacks(): Promise<ReachReport[]> {
    return await askDialBacks(this.context, { links: this.links, oldVersions: this.#oldVersions });
  }

  /** Begins to accept, to dial and to let time pass. */
  start(): void {
    this.#port.start();
    this.links.start();
    this.discovery.directories.start();
    this.keeper.start();
    const { clock, store } = this.context;
    this.#timers.use(clock.every(limits.overlayTickMs, () => this.#tick()));
    this.#timers.use(clock.every(limits.statisticsFlushMs, () => store.flushStatistics()));
    this.#tick();
  }

  /** Ends everything; downloads are kept as of now. */
  async stop(): Promise<void> {
    this.#timers.dispose();
    this.#port.close();
    const { connections, log, offerPolicy } = this.context;
    const ends = await Promise.allSettled([
      this.links.stop(),
      this.discovery.stop(),
      this.transfers.stop(),
      this.keeper.stop(),
      offerPolicy[Symbol.asyncDispose](),
    ]);
    for (const end of ends) {
      if (end.status === "fulfilled") continue;
      log.warn("cannot stop in order", { error: messageOf(end.reason) });
    }
    this.transfers.fetches.close();
    this.#hasher.close();
    this.#saveStatistics();
    connections.closeAll();
  }

  #tick(): void {
    const { clock, connections, throttle } = this.context;
    const nowMs = clock.nowMs();
    this.rates.tick(nowMs);
    this.links.tick(nowMs);
    this.discovery.tick(nowMs);
    this.transfers.tick(nowMs);
    connections.tick(nowMs);
    throttle.tick(nowMs);
    this.#log.tick(nowMs);
    this.#saveStatistics();
  }

  #struck(): void {
    this.strikes++;
    this.context.store.addStatistic("strikes", 1);
  }

  #saveStatistics(): void {
    const { connections: { bytesIn, bytesOut }, store } = this.context;
    store.addStatistic("bytesIn", bytesIn - this.#saved.bytesIn);
    store.addStatistic("bytesOut", bytesOut - this.#saved.bytesOut);
    this.#saved = { bytesIn, bytesOut };
  }
}

function leftAlone(host: string): LogFields {
  const reason =
    "others name addresses there, and dials of them met no node, or one that asked nothing";
  return { host, reason };
}
