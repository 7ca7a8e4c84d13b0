/**
 * The links of a node: runs the overlay over connections. Their frames become events of the
 * overlay, and what the overlay wants done is done here. What to link to, and why, is not known
 * here.
 */

import type { HostPort } from "../../base/address.ts";
import { Changes } from "../../base/changes.ts";
import { messageOf, type OfKind, PeerFault, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LinkId } from "../../core/overlay/neighbour_events.ts";
import type { CallbackOutcome } from "../../core/overlay/search_events.ts";
import type { NamedAddress } from "../../core/lan/lan_events.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import { Overlay, type OverlayEffect, type OverlayEvent } from "../../core/overlay/overlay.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { RefusedError, type RemoteIdentity } from "../../net/handshake.ts";
import { decodePayload } from "../../wire/codec.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress, type LanNaming, plainHost } from "../../wire/host.ts";
import {
  type Message,
  type MessageKind,
  NODE_VERSION_SITES,
  NODE_VERSION_THROUGH,
  type Refusal,
} from "../../wire/messages.ts";
import type { Nearness } from "../../wire/nearness.ts";
import type { Sought } from "../../wire/structures.ts";
import type { GivenPeerReport } from "../../wire/reports.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { type Asker, Askers, comingFiles } from "../discovery/coming_files.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import { fileOffer, filesSought, holdsAny } from "../discovery/offers.ts";
import { Searches } from "../discovery/searches.ts";
import type { SwarmFile } from "../swarm/swarm_events.ts";
import type { Uploads } from "../upload/uploads.ts";
import { dialNode, type OldVersions } from "../../net/version_fallback.ts";
import type { Flights } from "../crowd/flights.ts";
import type { KnownNodes } from "./known_nodes.ts";
import { GivenPeers } from "./given_peers.ts";
import type { EmptyName } from "./srv_peers.ts";
import { LinkLog } from "./link_log.ts";
import { callRequester } from "./outbound_calls.ts";

/** Messages that a link carries. */
const LINK_KINDS = ["ping", "pong", "bye", "peers", "query", "hit", "query-done"] as const;
/** Those that every version knows. */
const OLD_LINK_KINDS = LINK_KINDS.filter((kind) => kind !== "query-done");

interface LinksOptions {
  /** Serves the requesters that this node calls back. */
  readonly uploads: Uploads;
  /** What this node is just getting. */
  readonly flights: Flights;
  readonly oldVersions: OldVersions;
  /** Whether a fetch of this node seeks the same; none does by default. */
  readonly isFetching?: (sought: Sought) => boolean;
  /** Nodes that a person named: links to them are kept up. */
  readonly peers: readonly HostPort[];
  /** Remembers over a restart whom it met; nobody does by default. */
  readonly knownNodes?: KnownNodes | undefined;
  /** This machine's addresses as one text; by default they never change. */
  readonly ownAddresses?: () => string;
  readonly linksMin: number;
  readonly linksMax: number;
}

/** All links of one node. */
export class Links {
  readonly overlay: Overlay;
  /** Told whenever there are more or fewer links, or dials. */
  readonly changes = new Changes();
  /** This node's own searches, which hear the hits. */
  readonly searches = new Searches();
  readonly #context: NodeContext;
  readonly #options: LinksOptions;
  readonly #connections = new Map<LinkId, Connection>();
  /** Why links are ending, as one of the two sides said. */
  readonly #byes = new Map<LinkId, string>();
  #nextId = 1;
  readonly #dials = new Set<{ readonly sinceMs: number }>();
  #isStopped = false;
  readonly #timers = new DisposableStack();
  /** Requesters that wait for what is not here yet. */
  readonly #askers = new Askers();
  /** Near ones that seek what this node fetches, and has nothing of. */
  readonly #nearSeekers = new Askers();
  readonly #given: GivenPeers;
  readonly #linkLog: LinkLog;
  #ownAddresses = "";
  /** The node of the LAN that comes next. */
  #next: HostPort | null = null;

  constructor(context: NodeContext, options: LinksOptions) {
    this.#context = context;
    this.#options = options;
    this.#given = new GivenPeers(options.peers, context.identity);
    this.#linkLog = new LinkLog(context.log);
    const { nodeId, random } = context.identity;
    const { linksMin, linksMax } = options;
    this.overlay = new Overlay({ nodeId, random, linksMin, linksMax });
  }

  get size(): number {
    return this.#connections.size;
  }

  /** How many are being dialled. */
  get dialling(): number {
    return this.#dials.size;
  }

  /** Whether a link may come up in a moment: one that is dialled for long is not likely to. */
  get isLinking(): boolean {
    const nowMs = this.#context.clock.nowMs();
    for (const { sinceMs } of this.#dials) if (nowMs - sinceMs < limits.dialSlowMs) return true;
    return false;
  }

  /** How the nodes stand that a person named. */
  givenPeers(): GivenPeerReport[] {
    return this.#given.reports(this.overlay.neighbours, this.#context.clock.nowMs());
  }

  /**
   * Keeps links with these nodes from now on: new ones are dialled, links with others may stay.
   *
   * @param empty Names that stand for none, to be told of.
   */
  setPeers(peers: readonly HostPort[], empty: readonly EmptyName[] = []): void {
    this.#given.replaceEmpty(empty, this.#context.clock.nowMs());
    const { added, removed } = this.#given.replace(peers);
    for (const one of removed) if (!isSame(one, this.#next)) this.#unpin(one);
    for (const { host, port } of added) {
      this.step({ kind: "add-address", host, port, pinned: true });
    }
  }

  /** Keeps a link with this node of the LAN from now on, and not with the one before. */
  keepNext(address: NamedAddress | null): void {
    const before = this.#next;
    this.#next = address;
    if (before !== null && !this.#given.has(before)) this.#unpin(before);
    if (address !== null) this.step({ kind: "add-address", ...address, pinned: true });
  }

  /** Whether there is a link with the node at an address that is kept. */
  isLinked(address: HostPort): boolean {
    return this.overlay.neighbours.pinned()
      .some((one) => isSame(one, address) && one.isLinked);
  }

  /** Why there is no link to some of them. */
  get faults(): ReturnType<GivenPeers["faults"]> {
    return this.#given.faults(this.overlay.neighbours, this.#context.clock.nowMs());
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    this.step({ kind: "tick" });
    this.#linkLog.tick(nowMs);
  }

  /** Begins to dial the nodes that a person named, and those that the run before met. */
  start(): void {
    const { knownNodes, ownAddresses, peers } = this.#options;
    for (const { host, port } of peers) {
      this.step({ kind: "add-address", host, port, pinned: true });
    }
    const { clock, store, offerPolicy } = this.#context;
    this.#timers.defer(store.onChange((change) => {
      if (change.kind === "added") this.#came(change.name);
    }));
    this.#timers.defer(offerPolicy.onChange(({ name }) => this.#came(name)));
    if (knownNodes !== undefined) {
      for (const { host, port } of knownNodes.atStart) {
        this.step({ kind: "add-address", host, port, pinned: false, met: true });
      }
      this.#timers.use(clock.every(limits.knownNodesSaveMs, () => this.#save()));
    }
    if (ownAddresses !== undefined) {
      this.#ownAddresses = ownAddresses();
      this.#timers.use(clock.every(limits.ownAddressesMs, () => this.#lookAtAddresses()));
    }
  }

  /** Says goodbye on every link; resolves when that is written, or after a short bound. */
  async stop(): Promise<void> {
    this.#timers.dispose();
    this.#save();
    this.#isStopped = true;
    await Promise.all([...this.#connections.values()].map((connection) => {
      connection.send({ kind: "bye", reason: "shutting down" });
      return connection.closeAfterWriting();
    }));
  }

  /** Tells the overlay what happened, and does what it says. */
  step(event: OverlayEvent): void {
    if (this.#isStopped) return;
    for (const effect of this.overlay.step(event, this.#context.clock.nowMs())) this.#apply(effect);
  }

  /** Why a node that comes in may not become a link; undefined when it may. */
  refusal({ nodeId }: RemoteIdentity, { remote: { host } }: Connection): Refusal | undefined {
    return this.overlay.neighbours.refusal(
      { nodeId, host, inbound: true },
      this.#context.clock.nowMs(),
    );
  }

  /** Whether there is a link with a node, at the host from which it came here. */
  hasLinkWith({ nodeId }: RemoteIdentity, { remote }: Connection): boolean {
    const host = plainHost(remote.host);
    return this.overlay.neighbours.links()
      .some((link) => link.nodeId === nodeId && link.host === host);
  }

  /** Whether a host is turned away before it has said anything. */
  isShutOut(host: string): boolean {
    return this.overlay.neighbours.isShutOut(host, this.#context.clock.nowMs());
  }

  /** Whether nothing is taken from a node, nor any question of it answered. */
  isBanned({ nodeId }: RemoteIdentity, { remote: { host } }: Connection): boolean {
    return this.overlay.neighbours.isBanned({ nodeId, host }, this.#context.clock.nowMs());
  }

  /** Keeps a link that another node opened, or one that was `dialled`, until it ends. */
  async keep(
    connection: Connection,
    remote: RemoteIdentity,
    dialled?: HostPort,
  ): Promise<void> {
    const link = this.#nextId++;
    const { host, port } = connection.remote;
    this.#connections.set(link, connection);
    const saysDone = remote.version >= NODE_VERSION_THROUGH;
    connection.setGate(onlyKinds("Cannot keep link", saysDone ? LINK_KINDS : OLD_LINK_KINDS));
    const { nodeId, listenPort } = remote;
    this.step({
      kind: "link-up",
      link,
      nodeId,
      host,
      port,
      listenPort,
      saysDone,
      inbound: dialled === undefined,
      ...(dialled === undefined ? {} : { dialled }),
    });
    this.changes.tell();
    const peer = peerLabel(connection, remote);
    const openedBy = dialled === undefined ? "that node" : "this node";
    this.#linkLog.up(nodeId, { peer, openedBy });
    if (dialled !== undefined) this.#given.linked(dialled);
    await connection.receive(this.#handler(link));
    this.#connections.delete(link);
    const reason = this.#byes.get(link);
    this.#byes.delete(link);
    const why = reason ?? connection.reason?.message ?? "the other side hung up";
    this.#linkLog.down(nodeId, { peer, reason: why });
    if (dialled !== undefined) this.#given.ended(dialled, reason, this.#context.clock.nowMs());
    this.step({ kind: "link-down", link, faulty: connection.reason instanceof PeerFault });
    this.changes.tell();
    this.#logEnd(connection, remote);
  }

  #unpin({ host, port }: HostPort): void {
    this.step({ kind: "unpin-address", host, port });
  }

  #save(): void {
    const { clock } = this.#context;
    this.#options.knownNodes?.save(this.overlay.neighbours.lastMet(clock.nowMs()));
  }

  #lookAtAddresses(): void {
    const now = this.#options.ownAddresses?.() ?? "";
    if (now === this.#ownAddresses) return;
    this.#ownAddresses = now;
    this.#context.log.info("this machine's addresses changed", { addresses: now });
    this.#context.connections.guard?.startOver();
    this.step({ kind: "network-changed" });
  }

  #apply(effect: OverlayEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dialOrLog({ host: effect.host, port: effect.port }, effect);
        break;
      case "send":
        this.#connections.get(effect.link)?.send(effect.message);
        break;
      case "close":
        this.#close(effect.link, effect.reason);
        break;
      case "look-up":
        this.#lookUp(effect);
        break;
      case "call-back":
        this.#callBack(
          {
            id: effect.id,
            address: { host: effect.host, port: effect.port },
            sought: effect.sought,
          },
          (outcome) => this.step({ kind: "callback-answered", id: effect.id, outcome }),
        );
        break;
      case "answer-by-hit":
        this.step({
          kind: "hit-ready",
          id: effect.id,
          offers: filesSought(this.#context, effect.sought, { max: limits.hitOffersMax })
            .map(fileOffer),
          nodeId: this.#context.identity.nodeId,
          holderPort: this.#context.identity.listenPort,
          isComing: this.#isComing(effect.sought),
        });
        break;
      case "deliver-hit":
        this.searches.hit(effect.hit);
        break;
      case "search-through":
        this.searches.through(effect.id);
        break;
      case "warn":
        this.#warn(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  /** How many near nodes seek a file just now. */
  nearSeekers({ name, root }: SwarmFile): number {
    const nowMs = this.#context.clock.nowMs();
    const seekers = [name, root].flatMap((value) => this.#nearSeekers.of(value, nowMs));
    return seekers.filter(({ address: { host } }) => !isFar(this.nearnessOf(host))).length;
  }

  /** Chunks of a file can come here: near ones that seek it are called, so that they share the work. */
  begun({ name, root }: SwarmFile): void {
    if (this.#isStopped) return;
    const nowMs = this.#context.clock.nowMs();
    for (const value of [name, root]) {
      const seekers = this.#nearSeekers.take(value, nowMs).slice(-limits.nearSeekersMax);
      for (const asker of seekers) this.#callBack(asker, () => {}, { evenBegun: true });
    }
  }

  #callBack(
    asker: Asker,
    answered: (outcome: CallbackOutcome) => void,
    how: { readonly evenBegun?: boolean } = {},
  ): void {
    callRequester(this.#context, {
      ...this.#options,
      ...how,
      ...asker,
      answered,
      waits: (asker) => this.#askers.add(asker, this.#context.clock.nowMs()),
    });
  }

  /** There may be something to offer of a name that was still to come. */
  #came(name: string): void {
    if (this.#isStopped) return;
    for (const asker of this.#askers.take(name, this.#context.clock.nowMs())) {
      this.#callBack(asker, () => {});
    }
  }

  #lookUp({ id, sought, ...address }: OfKind<OverlayEffect, "look-up">): void {
    const { flights } = this.#options;
    flights.sought(sought);
    const holds = holdsAny(this.#context, sought) || this.#isComing(sought);
    this.step({ kind: "looked-up", id, holds });
    if (!holds && address.port !== 0) this.#nearSeeks({ id, address, sought });
  }

  /** Somebody seeks what is not here: if it comes here too, and they are near, they get it together. */
  #nearSeeks(asker: Asker): void {
    const { address: { host }, sought } = asker;
    if (this.#options.isFetching?.(sought) !== true) return;
    // Where sites were named, its own may show only when it is called.
    const mayBeNear = !isFar(this.nearnessOf(host)) || this.#site !== "";
    if (!mayBeNear) return;
    this.#nearSeekers.add(asker, this.#context.clock.nowMs());
    const begun = filesSought(this.#context, sought, { evenBegun: true });
    for (const file of begun) this.begun(file);
  }

  /** How near this node a host is. */
  nearnessOf(host: string): Nearness {
    return this.#context.identity.place?.nearnessOf({ host, site: "" }) ?? "far";
  }

  get #site(): string {
    return this.#context.identity.place?.site ?? "";
  }

  /** Whether something that matches is about to be here. */
  #isComing(sought: Sought): boolean {
    return this.#options.flights.matching(sought).length > 0 ||
      comingFiles(this.#context, sought).length > 0;
  }

  #warn({ message, fields }: OfKind<OverlayEffect, "warn">): void {
    const link = fields["link"];
    const connection = typeof link === "number" ? this.#connections.get(link) : undefined;
    const host = connection === undefined ? {} : { host: connection.remote.host };
    this.#context.log.warn(message, { ...host, ...fields });
  }

  #dialOrLog(address: HostPort, { namedOnLan }: OfKind<OverlayEffect, "dial">): void {
    this.#dial(address, namedOnLan).catch((error) => {
      const { clock, log, throttle } = this.#context;
      const peer = formatAddress(address.host, address.port);
      // Addresses that others tell may be anything; only those that a person gave are worth a line.
      if (!this.#given.has(address)) {
        return log.debug("cannot link", { peer, error: messageOf(error) });
      }
      const { code, text } = this.#given.failed(address, error, clock.nowMs());
      if (code === "duplicate" || !throttle.isFirst(`dial ${peer} ${code}`)) return;
      const fields = { peer, problem: code, reason: text };
      if (code === "cloned-id") log.warn("cannot link", fields);
      else log.info("cannot link", fields);
    });
  }

  /**
   * Opens a link and keeps it until it ends.
   *
   * @throws {Error} when no link comes about; the overlay has been told.
   */
  async #dial(address: HostPort, namedOnLan: LanNaming | undefined): Promise<void> {
    const { clock, connections, identity } = this.#context;
    const dial = { sinceMs: clock.nowMs() };
    let connection: Connection;
    let remote: RemoteIdentity;
    this.#dials.add(dial);
    try {
      const isGiven = this.#given.has(address) || this.overlay.neighbours.wasMet(address);
      ({ connection, remote } = await dialNode(connections, address, {
        identity,
        purpose: "link",
        version: this.#site === "" ? NODE_VERSION_THROUGH : NODE_VERSION_SITES,
        below: NODE_VERSION_THROUGH,
        fallback: true,
        oldVersions: this.#options.oldVersions,
        nowMs: clock.nowMs(),
        isGiven,
        namedOnLan,
      }));
    } catch (error) {
      const { refusal, nodeId } = error instanceof RefusedError ? error : {};
      this.step({
        kind: "dial-failed",
        ...address,
        ...(refusal === undefined ? {} : { refusal }),
        ...(nodeId === undefined ? {} : { nodeId }),
      });
      throw error;
    } finally {
      this.#dials.delete(dial);
      this.changes.tell();
    }
    await this.keep(connection, remote, address);
  }

  #close(link: LinkId, reason: string): void {
    const connection = this.#connections.get(link);
    if (connection === undefined) return;
    if (reason !== "bye") {
      connection.send({ kind: "bye", reason });
      this.#byes.set(link, reason);
    }
    connection.closeAfterWriting();
  }

  #handler(link: LinkId): FrameHandler {
    return {
      frame: (frame) => {
        const message = decodePayload(frame.code, frame.payload);
        if (!isLinkMessage(message)) {
          throw new PeerFault("unexpected", `Cannot take ${message.kind} on a link`);
        }
        if (message.kind === "bye") this.#byes.set(link, message.reason);
        this.step({ kind: "message", link, message });
      },
    };
  }

  #logEnd(connection: Connection, remote: RemoteIdentity): void {
    if (!(connection.reason instanceof PeerFault)) return;
    this.#context.log.warn("a peer broke the protocol", {
      peer: peerLabel(connection, remote),
      nodeId: remote.nodeId,
      reason: connection.reason.message,
    });
  }
}

function isSame(one: HostPort, other: HostPort | null): boolean {
  return one.host === other?.host && one.port === other.port;
}

function isLinkMessage(
  message: Message,
): message is OfKind<Message, (typeof LINK_KINDS)[number]> {
  return (LINK_KINDS as readonly MessageKind[]).includes(message.kind);
}
