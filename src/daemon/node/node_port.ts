/**
 * The node port: gives each connection that comes in to whom its purpose concerns. Strangers are
 * turned away before that, in `acceptor.ts`.
 */

import { unreachable } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Overlay } from "../../core/overlay/overlay.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { Acceptor } from "../../net/acceptor.ts";
import { expectMessage, type LocalIdentity, type RemoteIdentity } from "../../net/handshake.ts";
import type { Listener } from "../../net/transport.ts";
import { onlyKinds } from "../../wire/gate.ts";
import type { Refusal } from "../../wire/messages.ts";
import { hearOffers } from "../discovery/offer_exchange.ts";
import type { Connections } from "../../net/connections.ts";
import type { Links } from "./links.ts";
import { fileOfRoot, offerMessage, type OfferSource } from "../discovery/offers.ts";
import type { Searches } from "../discovery/searches.ts";
import type { Questions } from "./questions.ts";
import type { LogThrottle } from "../../base/log_throttle.ts";
import type { Uploads } from "../upload/uploads.ts";

/** What the port needs of its node. */
export interface NodePortHost extends OfferSource {
  readonly identity: LocalIdentity;
  readonly overlay: Overlay;
  readonly connections: Connections;
  readonly links: Links;
  readonly uploads: Uploads;
  readonly searches: Searches;
  readonly questions: Questions;
  readonly throttle: LogThrottle;
  readonly log: Logger;
}

/** The accepting side of one node. */
export class NodePort {
  readonly #host: NodePortHost;
  readonly #door: Acceptor;

  constructor(host: NodePortHost, listener: Listener) {
    this.#host = host;
    const { identity, connections, throttle, log } = host;
    this.#door = new Acceptor(
      {
        identity,
        connections,
        throttle,
        log,
        refusal: (remote, connection) => this.#refusal(remote, connection),
        entered: (connection, remote) => this.#entered(connection, remote),
      },
      listener,
      { what: "node port" },
    );
  }

  /** Accepts until closed. */
  run(): Promise<void> {
    return this.#door.run();
  }

  close(): void {
    this.#door.close();
  }

  async #entered(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { links, searches } = this.#host;
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
        return await this.#host.questions.serve(connection, remote);
      default:
        return unreachable(remote.purpose);
    }
  }

  #refusal({ nodeId, purpose }: RemoteIdentity, connection: Connection): Refusal | undefined {
    const { host } = connection.remote;
    // Who is banned is no neighbour and no source, and asks nothing; it is still given files.
    const nowMs = performance.now();
    if (purpose !== "transfer" && this.#host.overlay.isBanned({ nodeId, host }, nowMs)) {
      return "banned";
    }
    if (purpose === "directory") return this.#host.questions.refusal(host);
    if (purpose === "transfer" && !this.#host.uploads.hasPlaceFor(host)) return "busy";
    if (purpose !== "link") return undefined;
    return this.#host.overlay.refusal({ nodeId, host, inbound: true }, nowMs);
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
    const file = fileOfRoot(this.#host, root);
    if (file !== undefined) connection.send(offerMessage(store, file, { listing: false }));
    connection.send({ kind: "offers-end" });
    if (file === undefined) await connection.closeAfterWriting();
    else await uploads.serve(connection, remote, { root });
  }
}
