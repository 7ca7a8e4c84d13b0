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
import { type Logger, LogThrottle } from "../../base/log.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import { systemRandom } from "../../base/random.ts";
import { Connections } from "../../net/connections.ts";
import type { Transport } from "../../net/transport.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Done } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import type { Fetch } from "../fetch/fetch.ts";
import { OfferPolicy } from "../trust/offer_policy.ts";
import { Uploads } from "../upload/uploads.ts";
import { Discovery } from "./discovery.ts";
import type { FetchingOptions } from "./fetches.ts";
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
  readonly ttl: number;
  readonly linksMin: number;
  readonly linksMax: number;
  /** Bytes that all downloads may come to with files that others ask this node to take; 0: none. */
  readonly acceptBytes?: number;
  /** Uploads at once with which this node counts as fully loaded. */
  readonly uploadsLoaded?: number;
  /** Whether it lasts for one fetch only, and is no daemon's. */
  readonly isAlone?: boolean;
  readonly peers: readonly HostPort[];
  /** Directories that are told what is here and asked what is sought; none by default. */
  readonly directories?: readonly HostPort[];
  readonly store: ChunkStore;
  /** Knows what files have to be by their names; nobody does by default. */
  readonly trust?: PackageIndex | undefined;
  readonly transport: Transport;
  readonly log: Logger;
  /** The time; by default, the system's. */
  readonly clock?: Clock;
}

/** A node of the network. */
export class Node {
  /** What links, discovery and transfers work with. */
  readonly context: NodeContext;
  readonly links: Links;
  readonly discovery: Discovery;
  readonly transfers: Transfers;
  readonly questions: Questions;
  readonly #port: NodePort;
  readonly #timers = new DisposableStack();
  /** Bytes that stand in the statistics. */
  #saved = { bytesIn: 0, bytesOut: 0 };

  /**
   * Listens at once; links are dialled from {@linkcode start} on.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(options: NodeOptions) {
    const { clock = systemClock, log, nodeId, store, transport, trust } = options;
    const listener = transport.listen(options.listen);
    const { address } = listener;
    const context = this.context = {
      clock,
      log,
      store,
      throttle: new LogThrottle(),
      connections: new Connections(transport, { clock }),
      offerPolicy: new OfferPolicy({ clock, store, trust, log }),
      identity: {
        nodeId,
        listenPort: options.isReachable ? address.port : 0,
        network: options.network,
        networkKey: options.networkKey,
        random: systemRandom,
      },
    };
    const uploads = new Uploads(context);
    const links = this.links = new Links(context, { ...options, uploads });
    const discovery = this.discovery = new Discovery(context, {
      links,
      directories: options.directories ?? [],
      ttl: options.ttl,
      address,
      load: (nowMs) => this.transfers.loadMeter.load(nowMs),
    });
    this.transfers = new Transfers(context, {
      uploads,
      discovery,
      trust,
      acceptBytes: options.acceptBytes ?? 0,
      uploadsLoaded: options.uploadsLoaded ?? limits.uploadsLoadedDefault,
      isAlone: options.isAlone ?? false,
    });
    const { loadMeter, pushReceiver } = this.transfers;
    const { directories } = discovery;
    const questions = new Questions(context, { loadMeter, pushReceiver, directories, links });
    this.questions = questions;
    this.#port = new NodePort(context, listener, { links, uploads, questions });
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

  /** Begins to accept, to dial and to let time pass. */
  start(): void {
    this.#port.start();
    this.links.start();
    this.discovery.directories.start();
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
      offerPolicy[Symbol.asyncDispose](),
    ]);
    for (const end of ends) {
      if (end.status === "fulfilled") continue;
      log.warn("cannot stop in order", { error: messageOf(end.reason) });
    }
    this.transfers.fetches.close();
    this.#saveStatistics();
    connections.closeAll();
  }

  #tick(): void {
    const { clock, connections, throttle } = this.context;
    const nowMs = clock.nowMs();
    this.links.step({ kind: "tick" });
    this.discovery.tick(nowMs);
    this.transfers.tick(nowMs);
    connections.tick(nowMs);
    throttle.tick(nowMs);
    this.#saveStatistics();
  }

  #saveStatistics(): void {
    const { connections: { bytesIn, bytesOut }, store } = this.context;
    store.addStatistic("bytesIn", bytesIn - this.#saved.bytesIn);
    store.addStatistic("bytesOut", bytesOut - this.#saved.bytesOut);
    this.#saved = { bytesIn, bytesOut };
  }
}
