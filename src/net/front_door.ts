/**
 * The door of a port that strangers can reach: accepts connections, shakes hands, and lets in who
 * may enter. The rest is turned away here, bounded for each host and named in the log seldom. What
 * a connection is good for once it is inside is not known here.
 */

import { EnvironmentError, messageOf, PeerFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Seldom } from "../base/seldom.ts";
import type { Refusal } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { accept, type LocalIdentity, RefusedError, type RemoteIdentity } from "./handshake.ts";
import type { Duplex, Listener } from "./transport.ts";

/** What the door needs of the house. */
export interface FrontDoorHost {
  readonly identity: LocalIdentity;
  readonly connections: Connections;
  readonly seldom: Seldom;
  readonly log: Logger;
  /** Why one that has proved itself may not come in; undefined when it may. */
  refusal(remote: RemoteIdentity, connection: Connection): Refusal | undefined;
  /** Takes over a connection that was let in. What it throws closes the connection. */
  entered(connection: Connection, remote: RemoteIdentity): Promise<void>;
}

/** The accepting side of a port. */
export class FrontDoor {
  readonly #host: FrontDoorHost;
  readonly #listener: Listener;
  readonly #what: string;
  #handshakes = 0;
  readonly #handshakesOfHost = new Map<string, number>();
  #isClosed = false;

  /** `what` names the port in the log: "node port". */
  constructor(host: FrontDoorHost, listener: Listener, options: { readonly what: string }) {
    this.#host = host;
    this.#listener = listener;
    this.#what = options.what;
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
    const remote = await this.#shakeHands(connection);
    await this.#host.entered(connection, remote);
  }

  async #shakeHands(connection: Connection): Promise<RemoteIdentity> {
    const { host } = connection.remote;
    this.#handshakes++;
    this.#handshakesOfHost.set(host, (this.#handshakesOfHost.get(host) ?? 0) + 1);
    try {
      return await accept(connection, {
        identity: this.#host.identity,
        admit: (remote) => this.#host.refusal(remote, connection),
      });
    } finally {
      this.#handshakes--;
      const left = (this.#handshakesOfHost.get(host) ?? 1) - 1;
      if (left === 0) this.#handshakesOfHost.delete(host);
      else this.#handshakesOfHost.set(host, left);
    }
  }

  /** Who fails the handshake is named in the log, each host seldom. */
  #turnedAway(connection: Connection, error: unknown): void {
    connection.close();
    const { log, seldom } = this.#host;
    const { host } = connection.remote;
    const message = messageOf(error);
    // A message may have in it what the other side sent, which can be something else each time.
    const what = error instanceof PeerFault ? error.code : message;
    if (error instanceof EnvironmentError) {
      log.debug("connection ended early", { host, error: message });
    } else if (error instanceof RefusedError || this.#isClosed) {
      log.debug("connection refused", { host, error: message });
    } else if (seldom.isFirst(`stranger ${host} ${what}`)) {
      log.warn(`refused a connection on the ${this.#what}`, { host, reason: message });
    }
  }
}
