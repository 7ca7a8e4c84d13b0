/**
 * The node port: hands each connection that comes in to the part of the node that its purpose names.
 * Strangers are turned away before that, in `acceptor.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, unreachable } from "../../base/errors.ts";
import { isFar } from "../../core/nearness/nearness.ts";
import { Acceptor } from "../../net/acceptor.ts";
import type { Connection } from "../../net/connection.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import type { Listener } from "../../net/transport.ts";
import { onlyKinds } from "../../wire/framer.ts";
import type { Refusal } from "../../wire/messages.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { hearOffers } from "../discovery/offer_exchange.ts";
import { fileOfRoot, offerMessage } from "../discovery/offers.ts";
import type { Flights } from "../crowd/flights.ts";
import type { Uploads } from "../upload/uploads.ts";
import type { Links } from "./links.ts";
import type { Questions } from "./questions.ts";

/** What takes the connections of each purpose. */
interface NodePortOptions {
  readonly links: Links;
  readonly uploads: Uploads;
  readonly questions: Questions;
  readonly flights: Flights;
}

/** The accepting side of one node. */
export class NodePort {
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  readonly #context: NodeContext;
  readonly #options: NodePortOptions;
  readonly #acceptor: Acceptor;
  readonly #failed = Promise.withResolvers<Error>();
  #isClosed = false;

  constructor(context: NodeContext, listener: Listener, options: NodePortOptions) {
    this.address = listener.address;
    this.#context = context;
    this.#options = options;
    const { identity, connections, throttle, log } = context;
    this.#acceptor = new Acceptor(
      {
        identity,
        connections,
        throttle,
        log,
        isShutOut: (host) => options.links.isShutOut(host),
        refusal: (remote, connection) => this.#refusal(remote, connection),
        entered: (connection, remote) => this.#entered(connection, remote),
      },
      listener,
      { what: "node port" },
    );
  }

  /** Resolves with the reason when it accepts no more without being closed. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  start(): void {
    const ended = (error: Error) => {
      if (!this.#isClosed) this.#failed.resolve(error);
    };
    this.#acceptor.run().then(
      () => ended(new EnvironmentError("other", "The node port accepts no more")),
      (error) => ended(error as Error),
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#acceptor.close();
  }

  async #entered(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { flights, links, questions } = this.#options;
    const { clock, connections } = this.#context;
    if (remote.listenPort !== 0) {
      const address = { host: connection.remote.host, port: remote.listenPort };
      connections.guard?.met(address, clock.nowMs());
    }
    switch (remote.purpose) {
      case "link":
        return await links.keep(connection, remote);
      case "callback": {
        const verdict = await hearOffers(connection, { remote, searches: links.searches });
        if (verdict.kind === "want") return await verdict.use(connection);
        if (verdict.kind === "join") return await verdict.use(connection, remote);
        return await connection.closeAfterWriting();
      }
      case "transfer":
        return await this.#transfer(connection, remote);
      case "directory":
        return await questions.serve(connection, remote);
      case "fellow":
        return await flights.enter(connection, remote);
      default:
        return unreachable(remote.purpose);
    }
  }

  #refusal(remote: RemoteIdentity, connection: Connection): Refusal | undefined {
    const { flights, links, questions, uploads } = this.#options;
    const { host } = connection.remote;
    // A banned node is no neighbour and no source, and asks nothing; it is still given files.
    if (remote.purpose !== "transfer" && links.isBanned(remote, connection)) return "banned";
    switch (remote.purpose) {
      case "link":
        return links.refusal(remote, connection);
      case "directory":
        return questions.refusal(host);
      case "transfer":
        return uploads.hasRoomFor(host) ? undefined : "busy";
      case "callback":
        return undefined;
      case "fellow":
        return flights.refusal(remote, host);
      default:
        return unreachable(remote.purpose);
    }
  }

  /** A requester that learned of this node by HIT: it says what it wants, and is offered that. */
  async #transfer(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const { store } = this.#context;
    connection.setGate(onlyKinds("Cannot serve", ["want"]));
    const { root } = await withDeadline(
      connection,
      "Cannot serve",
      async () => expectMessage(await connection.receiveOne(), "want"),
    );
    const evenBegun = !isFar(connection.nearness);
    const file = fileOfRoot(this.#context, root, { evenBegun });
    if (file !== undefined) connection.send(offerMessage(store, file, { listing: false }));
    connection.send({ kind: "offers-end" });
    if (file === undefined) await connection.closeAfterWriting();
    else await this.#options.uploads.serve(connection, remote, { root });
  }
}
