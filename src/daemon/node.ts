/**
 * One node of the network: listens, keeps links, answers searches, serves and fetches.
 *
 * It joins the pure policies of `core` to connections and the store, and owns all their state.
 * The daemon runs one for as long as it lives; a fetch without a daemon runs one for itself.
 */

import type { HostPort } from "../base/address.ts";
import {
  EnvironmentError,
  FetchFailure,
  messageOf,
  PeerFault,
  unreachable,
} from "../base/errors.ts";
import { newQueryId, type NodeId, type QueryId, type Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { Overlay, type OverlayEffect, type OverlayEvent } from "../core/overlay.ts";
import type { CallbackOutcome } from "../core/search.ts";
import type { Connection } from "../net/connection.ts";
import { withDeadline } from "../net/deadline.ts";
import {
  accept,
  expectMessage,
  initiate,
  type LocalIdentity,
  RefusedError,
  type RemoteIdentity,
} from "../net/handshake.ts";
import type { Duplex, Listener, Transport } from "../net/transport.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { StoreChange } from "../store/place.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import { onlyKinds } from "../wire/gate.ts";
import { formatAddress } from "../wire/host.ts";
import type { Done, Query, Refusal, Sought } from "../wire/messages.ts";
import type { SearchReport } from "../wire/reports.ts";
import { callbackProof, hearOffers, offerFiles, peerLabel, receiveOffers } from "./callbacks.ts";
import { ChunkHasher } from "./chunk_hasher.ts";
import { Connections } from "./connections.ts";
import { Fetch, type FetchObserver } from "./fetch.ts";
import { Links } from "./links.ts";
import { Listing } from "./listing.ts";
import { fileOffer, fileOfRoot, filesSought, offerMessage } from "./offers.ts";
import { type Searcher, Searches } from "./searches.ts";
import { Seldom } from "./seldom.ts";
import type { Swarm } from "./swarm.ts";
import { Swarms } from "./swarms.ts";
import { Uploads } from "./uploads.ts";

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
  readonly peers: readonly HostPort[];
  readonly store: ChunkStore;
  readonly transport: Transport;
  readonly log: Logger;
}

/** A node of the network. */
export class Node {
  readonly nodeId: NodeId;
  readonly store: ChunkStore;
  readonly log: Logger;
  readonly overlay: Overlay;
  readonly connections: Connections;
  readonly links: Links;
  readonly uploads: Uploads;
  readonly swarms: Swarms;
  readonly identity: LocalIdentity;
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  strikes = 0;
  readonly #options: NodeOptions;
  readonly #listener: Listener;
  readonly #searches = new Searches();
  readonly #hasher = new ChunkHasher();
  readonly #fetches = new Set<Fetch>();
  readonly #seldom = new Seldom();
  readonly #endStoreEvents: () => void;
  readonly #stopping = new AbortController();
  #handshakes = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #savedBytesIn = 0;
  #savedBytesOut = 0;

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
    this.#listener = options.transport.listen(options.listen);
    this.address = this.#listener.address;
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
    this.uploads = new Uploads({ store: this.store, log: this.log });
    this.swarms = new Swarms({
      log: this.log,
      random: systemRandom,
      hasher: this.#hasher,
      struck: () => this.strikes++,
    }, this.store);
    this.#endStoreEvents = this.store.onChange((change) => this.#storeChanged(change));
  }

  /** How many links there are. */
  get linkCount(): number {
    return this.links.size;
  }

  /** Begins to accept, to dial and to let time pass. */
  start(): void {
    this.#acceptAll().catch((error) =>
      this.log.error("stopped accepting nodes", { error: messageOf(error) })
    );
    for (const { host, port } of this.#options.peers) {
      this.#step({ kind: "add-address", host, port, pinned: true });
    }
    this.#timer = setInterval(() => this.#tick(), limits.overlayTickMs);
    this.#tick();
  }

  /** Ends everything; downloads are kept as of now. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#listener.close();
    this.#endStoreEvents();
    await Promise.all([this.links.closeAll(), this.swarms.suspendAll()]);
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
    },
  ): Promise<Done> {
    if (this.#fetches.size >= limits.fetchesMax) {
      throw new FetchFailure(
        "failed",
        `Cannot fetch: ${this.#fetches.size} fetches are running, at most ${limits.fetchesMax}`,
        { hint: "Try again when some have ended." },
      );
    }
    const fetch = new Fetch(
      {
        store: this.store,
        swarms: this.swarms,
        log: this.log,
        search: (sought, searcher) => this.#search(sought, searcher),
        dialHolder: (address, root, swarm) => this.#dialHolder(address, root, swarm),
      },
      request,
      options,
    );
    this.#fetches.add(fetch);
    try {
      return await fetch.run(AbortSignal.any([options.signal, this.#stopping.signal]));
    } finally {
      this.#fetches.delete(fetch);
    }
  }

  /** Asks the network for the names that match `glob`; resolves when no more news comes. */
  async list(
    glob: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<SearchReport[]> {
    const startMs = performance.now();
    const listing = new Listing(startMs);
    for (const file of filesSought(this.store, { by: "glob", value: glob })) {
      listing.add(fileOffer(file), this.nodeId);
    }
    const end = this.#search({ by: "glob", value: glob }, listing);
    try {
      while (!options.signal.aborted && !this.#stopping.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const nowMs = performance.now();
        if (nowMs - startMs > options.timeoutMs || listing.isQuiet(nowMs)) break;
      }
    } finally {
      end();
    }
    return listing.reports();
  }

  #search(sought: Sought, searcher: Searcher): () => void {
    const id = newQueryId(systemRandom);
    this.#searches.add(id, sought, searcher);
    this.#step({
      kind: "search",
      id,
      sought,
      ttl: this.#options.ttl,
      callbackPort: this.identity.listenPort,
    });
    return () => {
      this.#searches.end(id, performance.now());
      this.#step({ kind: "search-ended", id });
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#step({ kind: "tick" });
    this.#searches.tick(nowMs);
    for (const fetch of this.#fetches) fetch.tick(nowMs);
    this.swarms.tick(nowMs);
    this.uploads.tick();
    this.connections.tick(nowMs);
    this.#seldom.tick(nowMs);
    this.#saveStatistics();
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
          holds: filesSought(this.store, effect.sought).length > 0,
        });
        break;
      case "call-back":
        this.#callBack(effect.id, { host: effect.host, port: effect.port }, effect.sought);
        break;
      case "answer-by-hit":
        this.#step({
          kind: "hit-ready",
          id: effect.id,
          offers: filesSought(this.store, effect.sought).slice(0, limits.hitOffersMax)
            .map(fileOffer),
          nodeId: this.nodeId,
          holderPort: this.identity.listenPort,
        });
        break;
      case "deliver-hit":
        this.#searches.hit(effect.hit);
        break;
      case "warn":
        if (this.#seldom.isFirst(`${effect.message} ${JSON.stringify(effect.fields)}`)) {
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
      if (this.#seldom.isFirst(`dial ${peer} ${messageOf(error)}`)) {
        this.log.info("cannot link", { peer, error: messageOf(error) });
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

  /** Holder's side: turns to the requester, and serves it if it wants. */
  async #callBack(id: QueryId, address: HostPort, sought: Query["sought"]): Promise<void> {
    let answered = false;
    const answer = (outcome: CallbackOutcome) => {
      if (!answered) this.#step({ kind: "callback-answered", id, outcome });
      answered = true;
    };
    let isReached = false;
    try {
      const connection = await this.connections.dial(address);
      const remote = await initiate(connection, {
        identity: this.identity,
        purpose: "callback",
        first: (remote) => [callbackProof(id, remote)],
      });
      const reply = await offerFiles(connection, {
        queryId: id,
        sought,
        remote,
        store: this.store,
        proved: () => isReached = true,
      });
      switch (reply.kind) {
        case "want":
          answer(reply.searchOn ? "search-on" : "enough");
          return await this.#serve(connection, remote, reply.root);
        case "more":
          answer("search-on");
          return connection.close();
        case "enough":
          answer("enough");
          return connection.close();
        default:
          unreachable(reply);
      }
    } catch (error) {
      // Nobody there, or another node than the requester: a router in between may forward the port.
      answer(isReached ? "failed" : "unreachable");
      this.log.debug("callback failed", {
        peer: formatAddress(address.host, address.port),
        error: messageOf(error),
      });
    }
  }

  /** Serves `root` over a connection on which it was offered, until that ends. */
  async #serve(connection: Connection, remote: RemoteIdentity, root: Root): Promise<void> {
    const file = fileOfRoot(this.store, root);
    if (file === undefined) return connection.close();
    await this.uploads.serve(connection, {
      root,
      name: file.name,
      sizeBytes: file.sizeBytes,
      nodeId: remote.nodeId,
      peer: peerLabel(connection, remote),
    });
  }

  /** Requester's side of a hit: dials the holder and takes the file from it. */
  async #dialHolder(address: HostPort, root: Root, swarm: Swarm): Promise<void> {
    const connection = await this.connections.dial(address);
    const remote = await initiate(connection, {
      identity: this.identity,
      purpose: "transfer",
      first: () => [{ kind: "want", root, searchOn: true }],
    });
    connection.setGate(onlyKinds("Cannot hear offers", ["offer", "offers-end"]));
    const offers = await withDeadline(
      connection,
      "Cannot hear offers",
      () => receiveOffers(connection, { countMax: 1, listing: false }),
    );
    const offer = offers[0];
    if (
      offer === undefined || offer.file.root !== root ||
      offer.file.sizeBytes !== swarm.file.sizeBytes || !swarm.wantsSources ||
      swarm.hasSource(remote.nodeId)
    ) return connection.close();
    await swarm.useSource(connection, {
      nodeId: remote.nodeId,
      peer: peerLabel(connection, remote),
      whole: offer.file.whole,
      bitfield: offer.bitfield,
    });
  }

  async #acceptAll(): Promise<void> {
    for await (const duplex of this.#listener) {
      this.#accepted(duplex).catch((error) => this.#refusedStranger(duplex, error));
    }
  }

  async #accepted(duplex: Duplex): Promise<void> {
    if (this.#handshakes >= limits.handshakesMax) return duplex.close();
    const connection = this.connections.admit(duplex);
    if (connection === null) return;
    let remote: RemoteIdentity;
    this.#handshakes++;
    try {
      remote = await accept(connection, {
        identity: this.identity,
        admit: (remote) => this.#admit(remote, connection),
      });
    } finally {
      this.#handshakes--;
    }
    switch (remote.purpose) {
      case "link":
        return await this.links.accepted(connection, remote);
      case "callback":
        return await this.#calledBack(connection, remote);
      case "transfer":
        return await this.#transferAsked(connection, remote);
      case "directory":
        return connection.close();
      default:
        return unreachable(remote.purpose);
    }
  }

  #admit(remote: RemoteIdentity, connection: Connection): Refusal | undefined {
    const { nodeId, purpose } = remote;
    if (purpose === "directory") return "not-supported";
    if (purpose === "transfer" && this.uploads.isFull) return "busy";
    if (purpose !== "link") return undefined;
    return this.overlay.refusal(
      { nodeId, host: connection.remote.host, inbound: true },
      performance.now(),
    );
  }

  async #calledBack(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const verdict = await hearOffers(connection, { remote, searches: this.#searches });
    if (verdict.kind === "want") await verdict.use(connection);
    else await connection.closeAfterWriting();
  }

  async #transferAsked(connection: Connection, remote: RemoteIdentity): Promise<void> {
    connection.setGate(onlyKinds("Cannot serve", ["want"]));
    const { root } = await withDeadline(
      connection,
      "Cannot serve",
      async () => expectMessage(await connection.receiveOne(), "want"),
    );
    const file = fileOfRoot(this.store, root);
    if (file !== undefined) connection.send(offerMessage(this.store, file, { listing: false }));
    connection.send({ kind: "offers-end" });
    if (file === undefined) await connection.closeAfterWriting();
    else await this.#serve(connection, remote, root);
  }

  /** Strangers who fail the handshake are named in the log, each host seldom. */
  #refusedStranger(duplex: Duplex, error: unknown): void {
    duplex.close();
    const { host } = duplex.remote;
    const message = messageOf(error);
    if (error instanceof EnvironmentError) {
      this.log.debug("connection ended early", { host, error: message });
    } else if (error instanceof RefusedError || this.#stopping.signal.aborted) {
      this.log.debug("connection refused", { host, error: message });
    } else if (this.#seldom.isFirst(`stranger ${host} ${message}`)) {
      this.log.warn("refused a connection on the node port", { host, reason: message });
    }
  }

  #storeChanged(change: StoreChange): void {
    if (change.kind === "gained") this.uploads.gained(change.root, change.range);
    else if (change.kind === "withdrawn" || change.kind === "discarded") {
      if (this.store.definition(change.root) === undefined) {
        this.uploads.withdraw(change.root, "the file is not offered any more");
      }
    }
  }

  #saveStatistics(): void {
    const { bytesIn, bytesOut } = this.connections;
    this.store.addStatistic("bytesIn", bytesIn - this.#savedBytesIn);
    this.store.addStatistic("bytesOut", bytesOut - this.#savedBytesOut);
    this.#savedBytesIn = bytesIn;
    this.#savedBytesOut = bytesOut;
  }
}
