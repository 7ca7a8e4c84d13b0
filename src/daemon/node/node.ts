/**
 * One node of the network: listens, keeps links, answers searches, serves and fetches.
 *
 * It joins the pure policies of `core` to connections and the store, and owns all their state.
 * The daemon runs one for as long as it lives; a fetch without a daemon runs one for itself.
 */

import type { HostPort } from "../../base/address.ts";
import {
  EnvironmentError,
  FetchFailure,
  messageOf,
  PeerFault,
  unreachable,
} from "../../base/errors.ts";
import { newQueryId, type NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { PackageIndex } from "../../base/package_index.ts";
import { permilleOf } from "../../core/directory/balance.ts";
import { Overlay, type OverlayEffect, type OverlayEvent } from "../../core/overlay/overlay.ts";
import type { Connection } from "../../net/connection.ts";
import type { LocalIdentity, RemoteIdentity } from "../../net/handshake.ts";
import { Mirrors } from "../../http/mirrors.ts";
import type { Transport } from "../../net/transport.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { StoreChange } from "../../store/files/stored_file.ts";
import type { FetchObserver } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Done } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { SearchReport } from "../../wire/reports.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import { callRequester, takeFromHolder } from "./outbound_calls.ts";
import { ChunkHasher } from "../swarm/chunk_hasher.ts";
import { Connections } from "../../net/connections.ts";
import { Directories, type DirectoryAnswer } from "../directories/directories.ts";
import { Fetch } from "../fetch/fetch.ts";
import { Links } from "./links.ts";
import { NameQuery } from "../discovery/name_query.ts";
import { LoadMeter } from "../upload/load_meter.ts";
import { HolderQuery } from "../discovery/holder_query.ts";
import { NodePort } from "./node_port.ts";
import { fileOffer, fileOfRoot, filesSought, holdsAny } from "../discovery/offers.ts";
import { PushReceiver } from "../push/push_receiver.ts";
import { Questions } from "./questions.ts";
import { HERE } from "../discovery/provenance.ts";
import { type Searcher, Searches } from "../discovery/searches.ts";
import { LogThrottle } from "../../base/log_throttle.ts";
import { Swarms } from "../swarm/swarms.ts";
import { waitForIdle } from "../discovery/wait_for_idle.ts";
import { Uploads } from "../upload/uploads.ts";
import { applySyncDb } from "../trust/apply_sync_db.ts";
import { OfferPolicy, type OfferPolicyChange } from "../trust/offer_policy.ts";
import { RejectedFiles } from "../trust/rejected_files.ts";

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
}

/** A node of the network. */
export class Node {
  readonly nodeId: NodeId;
  readonly store: ChunkStore;
  readonly offerPolicy: OfferPolicy;
  readonly log: Logger;
  readonly overlay: Overlay;
  readonly connections: Connections;
  readonly links: Links;
  readonly uploads: Uploads;
  readonly swarms: Swarms;
  readonly loadMeter: LoadMeter;
  readonly pushReceiver: PushReceiver;
  readonly questions: Questions;
  readonly directories: Directories;
  readonly identity: LocalIdentity;
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  strikes = 0;
  readonly #options: NodeOptions;
  readonly #port: NodePort;
  /** The HTTP client of all fetches from mirrors, and of the gateway. */
  readonly mirrors: Mirrors;
  readonly searches = new Searches();
  readonly #hasher = new ChunkHasher();
  readonly #fetches = new Set<Fetch>();
  readonly #rejectedFiles = new RejectedFiles();
  readonly throttle = new LogThrottle();
  readonly #endStoreEvents: () => void;
  readonly #failed = Promise.withResolvers<Error>();
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #savedBytesIn = 0;
  #savedBytesOut = 0;
  #flushedMs = performance.now();

  /**
   * Listens at once; links are dialled from {@linkcode start} on.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(options: NodeOptions) {
    this.#options = options;
    this.nodeId = options.nodeId;
    this.store = options.store;
    this.log = options.log;
    const listener = options.transport.listen(options.listen);
    this.mirrors = new Mirrors({ log: options.log });
    this.offerPolicy = new OfferPolicy({ store: this.store, trust: options.trust, log: this.log });
    this.offerPolicy.onChange((change) => this.#offerPolicyChanged(change));
    this.address = listener.address;
    this.identity = {
      nodeId: options.nodeId,
      listenPort: options.isReachable ? this.address.port : 0,
      network: options.network,
      networkKey: options.networkKey,
      random: systemRandom,
    };
    this.connections = new Connections(options.transport);
    this.overlay = new Overlay({
      nodeId: options.nodeId,
      random: systemRandom,
      linksMin: options.linksMin,
      linksMax: options.linksMax,
    });
    this.links = new Links({
      identity: this.identity,
      step: (event) => this.#step(event),
      connect: (address) => this.connections.dial(address),
      ended: (connection, remote) => this.#linkEnded(connection, remote),
    });
    this.uploads = new Uploads({ store: this.store, offerPolicy: this.offerPolicy, log: this.log });
    this.swarms = new Swarms({
      log: this.log,
      random: systemRandom,
      hasher: this.#hasher,
      struck: () => this.#struck(),
      misbehaved: (node, root) =>
        this.#step({ kind: "misbehaved", node, misdeed: { kind: "wrong-data", root } }),
    }, this.store);
    this.loadMeter = new LoadMeter({
      uploads: (nowMs) => this.uploads.active(nowMs),
      bytesGiven: () => this.uploads.bytesGiven,
      room: () => this.pushReceiver.room,
    }, { uploadsMax: options.uploadsLoaded ?? limits.uploadsLoadedDefault });
    this.pushReceiver = new PushReceiver({
      store: this.store,
      log: this.log,
      isFull: (nowMs) => this.loadMeter.isFull(nowMs),
      fetch: (request, how) => this.fetch(request, how),
      isFetching: (root) => [...this.swarms].some(({ file }) => file.root === root),
    }, { acceptBytes: options.acceptBytes ?? 0 });
    this.directories = new Directories({
      identity: this.identity,
      store: this.store,
      offerPolicy: this.offerPolicy,
      random: systemRandom,
      throttle: this.throttle,
      log: this.log,
      connect: (address, signal) => this.connections.dial(address, { signal }),
      load: (nowMs) => this.loadMeter.load(nowMs),
    }, options.directories ?? []);
    this.questions = new Questions({
      store: this.store,
      offerPolicy: this.offerPolicy,
      loadMeter: this.loadMeter,
      pushReceiver: this.pushReceiver,
      sessionByProof: (mac, nonces) => this.directories.sessionByProof(mac, nonces),
    });
    this.#port = new NodePort(this, listener);
    this.#endStoreEvents = this.store.onChange((change) => this.#storeChanged(change));
  }

  /** Resolves with the reason when the node cannot go on by itself. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  /** How many links there are. */
  get linkCount(): number {
    return this.links.size;
  }

  /** What is being fetched, the last begun first. */
  get fetches(): readonly Fetch[] {
    return [...this.#fetches].reverse();
  }

  /** Begins to accept, to dial and to let time pass. */
  start(): void {
    this.#port.run().then(
      () => this.#portEnded(new EnvironmentError("other", "The node port accepts no more")),
      (error) => this.#portEnded(error as Error),
    );
    for (const { host, port } of this.#options.peers) {
      this.#step({ kind: "add-address", host, port, pinned: true });
    }
    this.directories.start();
    this.#timer = setInterval(() => this.#tick(), limits.overlayTickMs);
    this.#tick();
  }

  /** Ends everything; downloads are kept as of now. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#port.close();
    this.#endStoreEvents();
    const ends = await Promise.allSettled([
      this.links.closeAll(),
      this.directories.stop(),
      this.swarms.suspendAll(),
      this.pushReceiver.stop(),
      this.offerPolicy[Symbol.asyncDispose](),
    ]);
    for (const end of ends) {
      if (end.status === "fulfilled") continue;
      this.log.warn("cannot stop in order", { error: messageOf(end.reason) });
    }
    this.mirrors.close();
    this.#hasher.close();
    this.#saveStatistics();
    this.connections.closeAll();
  }

  /**
   * Gets one file.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async fetch(
    request: FetchRequest,
    options: {
      readonly observer: FetchObserver;
      readonly signal: AbortSignal;
      /** Where the data is written; by default, the store's own place. */
      readonly path?: string;
      /** Is given whom holders that are at hand may be offered to. */
      readonly begun?: (searcher: Searcher) => void;
      /** The first byte that somebody waits for; see `FetchOptions`. */
      readonly from?: number;
      /** Whether a mirror would be asked otherwise; see `FetchOptions`. */
      readonly hasMirror?: boolean;
    },
  ): Promise<Done> {
    if (this.#mayBeNewer(request)) await this.#options.trust?.settle?.();
    if (this.#fetches.size >= limits.fetchesMax) {
      throw new FetchFailure(
        "failed",
        `Cannot fetch: ${this.#fetches.size} fetches are running, at most ${limits.fetchesMax}`,
        { hint: "Try again when some have ended." },
      );
    }
    const { begun, signal, ...how } = options;
    const vouched = applySyncDb(request, this.#options.trust);
    const fetch = new Fetch(
      {
        store: this.store,
        swarms: this.swarms,
        log: this.log,
        links: this.links,
        directories: this.directories,
        overlay: this.overlay,
        isAlone: this.#options.isAlone ?? false,
        search: (sought, searcher) => this.#search(sought, searcher),
        dialHolder: (address, root, searcher) => takeFromHolder(this, { address, root, searcher }),
        mirrors: this.mirrors,
        rejectedFiles: this.#rejectedFiles,
        offerPolicy: this.offerPolicy,
      },
      vouched.request,
      { ...how, isOfDatabase: vouched.isOfDatabase },
    );
    this.#fetches.add(fetch);
    try {
      const running = fetch.run(AbortSignal.any([signal, this.#stopping.signal]));
      begun?.(fetch);
      return await running;
    } finally {
      this.#fetches.delete(fetch);
    }
  }

  /** Right after `pacman -Sy` a name may stand in a database that is just being read. */
  #mayBeNewer({ name, root, sha256, sizeBytes }: FetchRequest): boolean {
    const { trust } = this.#options;
    if (trust === undefined || root !== null || sha256 !== null || sizeBytes !== null) return false;
    return trust.find(name) === undefined;
  }

  /** Asks the network for the names that match `glob`; resolves when no more news comes. */
  async list(
    glob: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<SearchReport[]> {
    const listing = new NameQuery(performance.now());
    for (const file of filesSought(this, { by: "glob", value: glob })) {
      listing.add(fileOffer(file), this.nodeId, { from: HERE });
    }
    const end = this.#search({ by: "glob", value: glob }, listing);
    try {
      const signal = AbortSignal.any([options.signal, this.#stopping.signal]);
      await waitForIdle(listing, { ...options, signal });
    } finally {
      end();
    }
    return listing.reports();
  }

  /** Asks the network who has what of a name or root; resolves when no more news comes. */
  async locate(
    sought: Sought,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<HolderQuery> {
    const holderQuery = new HolderQuery(sought, performance.now());
    const { listenPort: port } = this.identity;
    const self = { nodeId: this.nodeId, address: { host: this.address.host, port } };
    const loadPermille = permilleOf(this.loadMeter.load(performance.now()));
    for (const file of filesSought(this, sought)) {
      const sha256 = this.store.sha256(file.root);
      holderQuery.here(fileOffer(file), self, { sha256, loadPermille });
    }
    const end = this.#search(sought, holderQuery, { holdersMax: limits.holdersMax });
    try {
      const signal = AbortSignal.any([options.signal, this.#stopping.signal]);
      await waitForIdle(holderQuery, { ...options, signal });
    } finally {
      end();
    }
    return holderQuery;
  }

  /** Floods a query and asks the directories at the same time; the returned function ends both. */
  #search(
    sought: Sought,
    searcher: Searcher,
    options: { readonly holdersMax?: number } = {},
  ): () => void {
    const listed = (answer: DirectoryAnswer) => searcher.listed(answer);
    const endFiles = this.directories.findFiles(sought, listed);
    const { holdersMax: max = limits.directoryHoldersAsked } = options;
    const endHolders = sought.by === "glob"
      ? () => {}
      : this.directories.findHolders(sought, listed, { max });
    const id = newQueryId(systemRandom);
    this.searches.add(id, sought, searcher);
    this.#step({
      kind: "search",
      id,
      sought,
      ttl: this.#options.ttl,
      callbackPort: this.identity.listenPort,
    });
    return () => {
      endFiles();
      endHolders();
      this.searches.end(id, performance.now());
      this.#step({ kind: "search-ended", id });
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#step({ kind: "tick" });
    this.searches.tick(nowMs);
    for (const fetch of this.#fetches) fetch.tick(nowMs);
    this.directories.tick(nowMs);
    this.swarms.tick(nowMs);
    this.uploads.tick(nowMs);
    this.loadMeter.tick(nowMs);
    this.connections.tick(nowMs);
    this.throttle.tick(nowMs);
    this.#saveStatistics();
    if (nowMs - this.#flushedMs < limits.statisticsFlushMs) return;
    this.#flushedMs = nowMs;
    this.store.flushStatistics();
  }

  #step(event: OverlayEvent): void {
    if (this.#stopping.signal.aborted) return;
    for (const effect of this.overlay.step(event, performance.now())) this.#apply(effect);
  }

  #apply(effect: OverlayEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dialLink({ host: effect.host, port: effect.port });
        break;
      case "send":
        this.links.send(effect.link, effect.message);
        break;
      case "close":
        this.#closeLink(effect.link, effect.reason);
        break;
      case "look-up":
        this.#step({
          kind: "looked-up",
          id: effect.id,
          holds: holdsAny(this, effect.sought),
        });
        break;
      case "call-back":
        callRequester(this, {
          id: effect.id,
          address: { host: effect.host, port: effect.port },
          sought: effect.sought,
          answered: (outcome) => this.#step({ kind: "callback-answered", id: effect.id, outcome }),
        });
        break;
      case "answer-by-hit":
        this.#step({
          kind: "hit-ready",
          id: effect.id,
          offers: filesSought(this, effect.sought, { max: limits.hitOffersMax })
            .map(fileOffer),
          nodeId: this.nodeId,
          holderPort: this.identity.listenPort,
        });
        break;
      case "deliver-hit":
        this.searches.hit(effect.hit);
        break;
      case "warn":
        if (this.throttle.isFirst(`${effect.message} ${JSON.stringify(effect.fields)}`)) {
          this.log.warn(effect.message, effect.fields);
        }
        break;
      default:
        unreachable(effect);
    }
  }

  #dialLink(address: HostPort): void {
    this.links.dial(address).catch((error) => {
      const peer = formatAddress(address.host, address.port);
      const fields = { peer, error: messageOf(error) };
      // Addresses that others tell may be anything; only those that a person gave are worth a line.
      const isGiven = this.#options.peers.some(({ host, port }) =>
        host === address.host && port === address.port
      );
      if (!isGiven) this.log.debug("cannot link", fields);
      else if (this.throttle.isFirst(`dial ${peer} ${fields.error}`)) {
        this.log.info("cannot link", fields);
      }
    });
  }

  #closeLink(link: number, reason: string): void {
    const connection = this.links.get(link)?.connection;
    if (connection === undefined) return;
    if (reason !== "bye") connection.send({ kind: "bye", reason });
    connection.closeAfterWriting();
  }

  #linkEnded(connection: Connection, remote: RemoteIdentity): void {
    const fields = { peer: peerLabel(connection, remote), nodeId: remote.nodeId };
    if (connection.reason instanceof PeerFault) {
      this.log.warn("a peer broke the protocol", { ...fields, reason: connection.reason.message });
    } else this.log.debug("link ended", fields);
  }

  #portEnded(error: Error): void {
    if (!this.#stopping.signal.aborted) this.#failed.resolve(error);
  }

  #storeChanged(change: StoreChange): void {
    if (change.kind === "gained") this.uploads.gained(change.root, change.range);
    else if (change.kind === "withdrawn" || change.kind === "discarded") {
      if (this.store.definition(change.root) === undefined) {
        this.uploads.withdraw(change.root, "the file is not offered any more");
      }
    }
  }

  /** Those who began before a file was contradicted get no more of it. */
  #offerPolicyChanged({ root, verdict }: OfferPolicyChange): void {
    if (verdict !== "contradicted" || fileOfRoot(this, root) !== undefined) return;
    this.uploads.withdraw(root, "the file is not offered any more");
  }

  #struck(): void {
    this.strikes++;
    this.store.addStatistic("strikes", 1);
  }

  #saveStatistics(): void {
    const { bytesIn, bytesOut } = this.connections;
    this.store.addStatistic("bytesIn", bytesIn - this.#savedBytesIn);
    this.store.addStatistic("bytesOut", bytesOut - this.#savedBytesOut);
    this.#savedBytesIn = bytesIn;
    this.#savedBytesOut = bytesOut;
  }
}
