/**
 * The connections of this node's links: dials and accepts them, turns their frames into events of
 * the overlay and the overlay's messages into frames. What to link to, and why, is not known here.
 */

import type { HostPort } from "../../base/address.ts";
import { PeerFault } from "../../base/errors.ts";
import type { LinkId } from "../../core/overlay/neighbours.ts";
import type { OverlayEvent } from "../../core/overlay/overlay.ts";
import type { Connection, FrameHandler } from "../../net/connection.ts";
import {
  initiate,
  type LocalIdentity,
  RefusedError,
  type RemoteIdentity,
} from "../../net/handshake.ts";
import { decodePayload } from "../../wire/codec.ts";
import { onlyKinds } from "../../wire/gate.ts";
import type { Message, MessageKind } from "../../wire/messages.ts";

/** Messages that a link carries. */
const LINK_KINDS = ["ping", "pong", "bye", "peers", "query", "hit"] as const;

/** What links need of the node that they belong to. */
export interface LinksHost {
  readonly identity: LocalIdentity;
  step(event: OverlayEvent): void;
  /** Opens a connection, counted and bounded with all others. */
  connect(address: HostPort): Promise<Connection>;
  /** Says why a link ended, for the log. */
  ended(connection: Connection, remote: RemoteIdentity): void;
}

/** One link, for reports. */
export interface LinkInfo {
  readonly connection: Connection;
  readonly remote: RemoteIdentity;
  readonly inbound: boolean;
  readonly sinceMs: number;
}

/** All links of one node. */
export class Links {
  readonly #host: LinksHost;
  readonly #links = new Map<LinkId, LinkInfo>();
  #nextId = 1;
  #dialling = 0;

  constructor(host: LinksHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#links.size;
  }

  /** How many are being dialled. */
  get dialling(): number {
    return this.#dialling;
  }

  get(link: LinkId): LinkInfo | undefined {
    return this.#links.get(link);
  }

  entries(): IterableIterator<[LinkId, LinkInfo]> {
    return this.#links.entries();
  }

  /**
   * Opens a link and keeps it until it ends.
   *
   * @throws {Error} when no link comes about; the overlay has been told.
   */
  async dial(address: HostPort): Promise<void> {
    let connection: Connection;
    let remote: RemoteIdentity;
    this.#dialling++;
    try {
      connection = await this.#host.connect(address);
      remote = await initiate(connection, { identity: this.#host.identity, purpose: "link" });
    } catch (error) {
      const refusal = error instanceof RefusedError ? { refusal: error.refusal } : {};
      this.#host.step({ kind: "dial-failed", ...address, ...refusal });
      throw error;
    } finally {
      this.#dialling--;
    }
    await this.#run(connection, remote, address);
  }

  /** Keeps a link that another node opened, until it ends. */
  async accepted(connection: Connection, remote: RemoteIdentity): Promise<void> {
    await this.#run(connection, remote);
  }

  send(link: LinkId, message: Message): void {
    this.#links.get(link)?.connection.send(message);
  }

  close(link: LinkId, reason?: Error): void {
    this.#links.get(link)?.connection.close(reason);
  }

  /** Says goodbye on every link; resolves when that is written, or after a short bound. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#links.values()].map(({ connection }) => {
      connection.send({ kind: "bye", reason: "shutting down" });
      return connection.closeAfterWriting();
    }));
  }

  async #run(
    connection: Connection,
    remote: RemoteIdentity,
    dialled?: HostPort,
  ): Promise<void> {
    const link = this.#nextId++;
    const { host, port } = connection.remote;
    const inbound = dialled === undefined;
    this.#links.set(link, { connection, remote, inbound, sinceMs: performance.now() });
    connection.setGate(onlyKinds("Cannot keep link", LINK_KINDS));
    const { nodeId, listenPort } = remote;
    this.#host.step({
      kind: "link-up",
      link,
      nodeId,
      host,
      port,
      listenPort,
      inbound,
      ...(dialled === undefined ? {} : { dialled }),
    });
    await connection.receive(this.#handler(link));
    this.#links.delete(link);
    this.#host.step({
      kind: "link-down",
      link,
      faulty: connection.reason instanceof PeerFault,
    });
    this.#host.ended(connection, remote);
  }

  #handler(link: LinkId): FrameHandler {
    return {
      frame: (frame) => {
        const message = decodePayload(frame.code, frame.payload);
        if (!isLinkMessage(message)) {
          throw new PeerFault("unexpected", `Cannot take ${message.kind} on a link`);
        }
        this.#host.step({ kind: "message", link, message });
      },
    };
  }
}

function isLinkMessage(
  message: Message,
): message is Extract<Message, { kind: (typeof LINK_KINDS)[number] }> {
  return (LINK_KINDS as readonly MessageKind[]).includes(message.kind);
}
