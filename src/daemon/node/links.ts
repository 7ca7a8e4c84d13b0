/**
 * The links of a node: runs the overlay over connections. Their frames become events of the
 * overlay, and what the overlay wants done is done here. What to link to, and why, is not known
 * here.
 */

import type { HostPort } from "../../base/address.ts";
import { Changes } from "../../base/changes.ts";
import { messageOf, PeerFault, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LinkId } from "../../core/overlay/neighbours.ts";
import { Overlay, type OverlayEffect, type OverlayEvent } from "../../core/overlay/overlay.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import { initiate, RefusedError, type RemoteIdentity } from "../../net/handshake.ts";
import { decodePayload } from "../../wire/codec.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Message, MessageKind, Refusal } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import { fileOffer, filesSought, holdsAny } from "../discovery/offers.ts";
import { Searches } from "../discovery/searches.ts";
import type { Uploads } from "../upload/uploads.ts";
import { callRequester } from "./outbound_calls.ts";

/** Messages that a link carries. */
const LINK_KINDS = ["ping", "pong", "bye", "peers", "query", "hit"] as const;

interface LinksOptions {
  /** Serves the requesters that this node calls back. */
  readonly uploads: Uploads;
  /** Nodes that a person named: links to them are kept up. */
  readonly peers: readonly HostPort[];
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
  #nextId = 1;
  #dialling = 0;
  #isStopped = false;

  constructor(context: NodeContext, options: LinksOptions) {
    this.#context = context;
    this.#options = options;
    const { nodeId, random } = context.identity;
    const { linksMin, linksMax } = options;
    this.overlay = new Overlay({ nodeId, random, linksMin, linksMax });
  }

  get size(): number {
    return this.#connections.size;
  }

  /** How many are being dialled. */
  get dialling(): number {
    return this.#dialling;
  }

  /** Begins to dial the nodes that a person named. */
  start(): void {
    for (const { host, port } of this.#options.peers) {
      this.step({ kind: "add-address", host, port, pinned: true });
    }
  }

  /** Says goodbye on every link; resolves when that is written, or after a short bound. */
  async stop(): Promise<void> {
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
    connection.setGate(onlyKinds("Cannot keep link", LINK_KINDS));
    const { nodeId, listenPort } = remote;
    this.step({
      kind: "link-up",
      link,
      nodeId,
      host,
      port,
      listenPort,
      inbound: dialled === undefined,
      ...(dialled === undefined ? {} : { dialled }),
    });
    this.changes.tell();
    await connection.receive(this.#handler(link));
    this.#connections.delete(link);
    this.step({ kind: "link-down", link, faulty: connection.reason instanceof PeerFault });
    this.changes.tell();
    this.#logEnd(connection, remote);
  }

  #apply(effect: OverlayEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dialOrLog({ host: effect.host, port: effect.port });
        break;
      case "send":
        this.#connections.get(effect.link)?.send(effect.message);
        break;
      case "close":
        this.#close(effect.link, effect.reason);
        break;
      case "look-up":
        this.step({
          kind: "looked-up",
          id: effect.id,
          holds: holdsAny(this.#context, effect.sought),
        });
        break;
      case "call-back":
        callRequester(this.#context, {
          uploads: this.#options.uploads,
          id: effect.id,
          address: { host: effect.host, port: effect.port },
          sought: effect.sought,
          answered: (outcome) => this.step({ kind: "callback-answered", id: effect.id, outcome }),
        });
        break;
      case "answer-by-hit":
        this.step({
          kind: "hit-ready",
          id: effect.id,
          offers: filesSought(this.#context, effect.sought, { max: limits.hitOffersMax })
            .map(fileOffer),
          nodeId: this.#context.identity.nodeId,
          holderPort: this.#context.identity.listenPort,
        });
        break;
      case "deliver-hit":
        this.searches.hit(effect.hit);
        break;
      case "warn":
        this.#warn(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  #warn({ message, fields }: Extract<OverlayEffect, { kind: "warn" }>): void {
    const { log, throttle } = this.#context;
    if (throttle.isFirst(`${message} ${JSON.stringify(fields)}`)) log.warn(message, fields);
  }

  #dialOrLog(address: HostPort): void {
    this.#dial(address).catch((error) => {
      const { log, throttle } = this.#context;
      const peer = formatAddress(address.host, address.port);
      const fields = { peer, error: messageOf(error) };
      // Addresses that others tell may be anything; only those that a person gave are worth a line.
      const isGiven = this.#options.peers.some(({ host, port }) =>
        host === address.host && port === address.port
      );
      if (!isGiven) log.debug("cannot link", fields);
      else if (throttle.isFirst(`dial ${peer} ${fields.error}`)) log.info("cannot link", fields);
    });
  }

  /**
   * Opens a link and keeps it until it ends.
   *
   * @throws {Error} when no link comes about; the overlay has been told.
   */
  async #dial(address: HostPort): Promise<void> {
    const { connections, identity } = this.#context;
    let connection: Connection;
    let remote: RemoteIdentity;
    this.#dialling++;
    try {
      connection = await connections.dial(address);
      remote = await initiate(connection, { identity, purpose: "link" });
    } catch (error) {
      const refusal = error instanceof RefusedError ? { refusal: error.refusal } : {};
      this.step({ kind: "dial-failed", ...address, ...refusal });
      throw error;
    } finally {
      this.#dialling--;
      this.changes.tell();
    }
    await this.keep(connection, remote, address);
  }

  #close(link: LinkId, reason: string): void {
    const connection = this.#connections.get(link);
    if (connection === undefined) return;
    if (reason !== "bye") connection.send({ kind: "bye", reason });
    connection.closeAfterWriting();
  }

  #handler(link: LinkId): FrameHandler {
    return {
      frame: (frame) => {
        const message = decodePayload(frame.code, frame.payload);
        if (!isLinkMessage(message)) {
          throw new PeerFault("unexpected", `Cannot take ${message.kind} on a link`);
        }
        this.step({ kind: "message", link, message });
      },
    };
  }

  #logEnd(connection: Connection, remote: RemoteIdentity): void {
    const { log } = this.#context;
    const fields = { peer: peerLabel(connection, remote), nodeId: remote.nodeId };
    if (connection.reason instanceof PeerFault) {
      log.warn("a peer broke the protocol", { ...fields, reason: connection.reason.message });
    } else log.debug("link ended", fields);
  }
}

function isLinkMessage(
  message: Message,
): message is Extract<Message, { kind: (typeof LINK_KINDS)[number] }> {
  return (LINK_KINDS as readonly MessageKind[]).includes(message.kind);
}
