/**
 * The node port: accepts connections, shakes hands, and gives each to whom its purpose concerns.
 * Strangers are turned away here.
 */

import { EnvironmentError, messageOf, unreachable } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Overlay } from "../core/overlay.ts";
import type { Connection } from "../net/connection.ts";
import { withDeadline } from "../net/deadline.ts";
import {
  accept,
  expectMessage,
  type LocalIdentity,
  RefusedError,
  type RemoteIdentity,
} from "../net/handshake.ts";
import type { Duplex, Listener } from "../net/transport.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import { onlyKinds } from "../wire/gate.ts";
import type { Refusal } from "../wire/messages.ts";
import { hearOffers } from "./callbacks.ts";
import type { Connections } from "./connections.ts";
import type { Links } from "./links.ts";
import { fileOfRoot, offerMessage } from "./offers.ts";
import type { Searches } from "./searches.ts";
import type { Seldom } from "./seldom.ts";
import type { Uploads } from "./uploads.ts";

/** What the port needs of its node. */
export interface NodePortHost {
  readonly identity: LocalIdentity;
  readonly overlay: Overlay;
  readonly connections: Connections;
  readonly links: Links;
  readonly uploads: Uploads;
  readonly searches: Searches;
  readonly store: ChunkStore;
  readonly seldom: Seldom;
  readonly log: Logger;
}

/** The accepting side of one node. */
export class NodePort {
  readonly #host: NodePortHost;
  readonly #listener: Listener;
  #handshakes = 0;
  readonly #handshakesOfHost = new Map<string, number>();
  #isClosed = false;

  constructor(host: NodePortHost, listener: Listener) {
    this.#host = host;
    this.#listener = listener;
  }

  /** Accepts until closed. */
  async run(): Promise<void> {
    for await (const duplex of this.#listener) {
      const connection = this.#admit(duplex);
      if (connection === null) continue;
      this.#accepted(connection).catch((error) => this.#turnedAway(connection, error));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
  }

  #admit(duplex: Duplex): Connection | null {
    const ofHost = this.#handshakesOfHost.get(duplex.remote.host) ?? 0;
    if (this.#handshakes >= limits.handshakesMax || ofHost >= limits.handshakesPerHostMax) {
      duplex.close();
      return null;
    }
    return this.#host.connections.admit(duplex);
  }

  async #accepted(connection: Connection): Promise<void> {
    const { links, searches } = this.#host;
    const remote = await this.#shakeHands(connection);
    switch (remote.purpose) {
      case "link":
        return await links.accepted(connection, remote);
      case "callback": {
        const verdict = await hearOffers(connection, { remote, searches });
        if (verdict.kind === "want") return await verdict.use(connection);
        return await connection.closeAfterWriting();
      }
      case "transfer":
        return await this.#transfer(connection, remote);
      case "directory":
        return connection.close();
      default:
        return unreachable(remote.purpose);
    }
  }

  async #shakeHands(connection: Connection): Promise<RemoteIdentity> {
    const { host } = connection.remote;
    this.#handshakes++;
    this.#handshakesOfHost.set(host, (this.#handshakesOfHost.get(host) ?? 0) + 1);
    try {
      return await accept(connection, {
        identity: this.#host.identity,
        admit: (remote) => this.#refusal(remote, connection),
      });
    } finally {
      this.#handshakes--;
      const left = (this.#handshakesOfHost.get(host) ?? 1) - 1;
      if (left === 0) this.#handshakesOfHost.delete(host);
      else this.#handshakesOfHost.set(host, left);
    }
  }

  #refusal({ nodeId, purpose }: RemoteIdentity, connection: Connection): Refusal | undefined {
    if (purpose === "directory") return "not-supported";
    const { host } = connection.remote;
    if (purpose === "transfer" && !this.#host.uploads.hasPlaceFor(host)) return "busy";
    if (purpose !== "link") return undefined;
    return this.#host.overlay.refusal({ nodeId, host, inbound: true }, performance.now());
  }

  /** A requester that learned of this node by HIT: it says what it wants, and is offered that. */
  async #transfer(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { store, uploads } = this.#host;
    connection.setGate(onlyKinds("Cannot serve", ["want"]));
    const { root } = await withDeadline(
      connection,
      "Cannot serve",
      async () => expectMessage(await connection.receiveOne(), "want"),
    );
    const file = fileOfRoot(store, root);
    if (file !== undefined) connection.send(offerMessage(store, file, { listing: false }));
    connection.send({ kind: "offers-end" });
    if (file === undefined) await connection.closeAfterWriting();
    else await uploads.serve(connection, remote, root);
  }

  /** Who fails the handshake is named in the log, each host seldom. */
  #turnedAway(connection: Connection, error: unknown): void {
    connection.close();
    const { log, seldom } = this.#host;
    const { host } = connection.remote;
    const message = messageOf(error);
    if (error instanceof EnvironmentError) {
      log.debug("connection ended early", { host, error: message });
    } else if (error instanceof RefusedError || this.#isClosed) {
      log.debug("connection refused", { host, error: message });
    } else if (seldom.isFirst(`stranger ${host} ${message}`)) {
      log.warn("refused a connection on the node port", { host, reason: message });
    }
  }
}
