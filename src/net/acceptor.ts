/**
 * The accepting side of a port that strangers can reach: accepts connections, shakes hands, and lets
 * in who may enter. The rest is turned away here, bounded for each host and now and then named in the log.
 * What a connection is good for once it is inside is not known here.
 */

import { EnvironmentError, messageOf, PeerFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger, LogThrottle } from "../base/log.ts";
import type { Refusal } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { accept, type LocalIdentity, RefusedError, type RemoteIdentity } from "./handshake.ts";
import type { Duplex, Listener } from "./transport.ts";

/** What a port needs of whom it lets connections in to. */
interface AcceptorHost {
  readonly identity: LocalIdentity;
  readonly connections: Connections;
  readonly throttle: LogThrottle;
  readonly log: Logger;
  /** Whether a host is not even heard; all are by default. */
  isShutOut?(host: string): boolean;
  /** Why one that has proved itself may not come in; undefined when it may. */
  refusal(remote: RemoteIdentity, connection: Connection): Refusal | undefined;
  /** Takes over a connection that was let in. What it throws closes the connection. */
  entered(connection: Connection, remote: RemoteIdentity): Promise<void>;
}

/** The accepting side of a port. */
export class Acceptor {
  readonly #host: AcceptorHost;
  readonly #listener: Listener;
  readonly #what: string;
  readonly #pendingHandshakes = new PendingHandshakes();
  #isClosed = false;

  /** `what` names the port in the log: "node port". */
  constructor(host: AcceptorHost, listener: Listener, options: { readonly what: string }) {
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
    const { host } = duplex.remote;
    const slot = this.#pendingHandshakes.slotFor(host);
    if (slot === null || this.#host.isShutOut?.(host) === true) {
      duplex.close();
      return null;
    }
    const connection = this.#host.connections.admit(duplex);
    if (connection !== null && slot !== "free") this.#crowdOut(slot);
    return connection;
  }

  /** Ends a handshake whose slot another host needs. */
  #crowdOut(connection: Connection): void {
    const { log, throttle } = this.#host;
    const { host } = connection.remote;
    // At once: the handshake itself learns of its end later than the next one comes.
    this.#pendingHandshakes.delete(connection);
    connection.close(
      new EnvironmentError("unreachable", "Another host needed the place in the handshake"),
    );
    if (!throttle.isFirst(`crowded ${this.#what}`)) return;
    log.warn(`all places for handshakes on the ${this.#what} are taken`, {
      max: limits.handshakesMax,
      host,
      reason: "the host with the most has to give one to each that has fewer",
    });
  }

  async #accepted(connection: Connection): Promise<void> {
    this.#pendingHandshakes.add(connection);
    const remote = await accept(connection, {
      identity: this.#host.identity,
      admit: (remote) => this.#host.refusal(remote, connection),
    }).finally(() => this.#pendingHandshakes.delete(connection));
    await this.#host.entered(connection, remote);
  }

  /** Who fails the handshake is named in the log, each host once in a while. */
  #turnedAway(connection: Connection, error: unknown): void {
    connection.close();
    const { log, throttle } = this.#host;
    const { host } = connection.remote;
    const message = messageOf(error);
    // A message may have in it what the other side sent, which can be something else each time.
    const what = error instanceof PeerFault ? error.code : message;
    if (error instanceof EnvironmentError) {
      log.debug("connection ended early", { host, error: message });
    } else if (error instanceof RefusedError && error.isClone) {
      if (!throttle.isFirst(`clone ${host}`)) return;
      log.warn("another node has the id of this one: a data directory was copied", {
        host,
        remedy: "stop one of the two, remove node.id from its data directory, and start it again",
      });
    } else if (error instanceof RefusedError || this.#isClosed) {
      log.debug("connection refused", { host, error: message });
    } else if (throttle.isFirst(`stranger ${host} ${what}`)) {
      log.warn(`refused a connection on the ${this.#what}`, { host, reason: message });
    }
  }
}

/**
 * The connections that have not proved anything yet: bounded for each host and in all. When all
 * slots are taken, the host with the most of them has to give one to a host that has fewer, so that
 * a few hosts cannot shut the port for the others.
 */
class PendingHandshakes {
  /** Each host's own, the oldest first. */
  readonly #ofHost = new Map<string, Set<Connection>>();
  #count = 0;

  add(connection: Connection): void {
    const { host } = connection.remote;
    const own = this.#ofHost.get(host) ?? new Set();
    this.#ofHost.set(host, own.add(connection));
    this.#count++;
  }

  /** Gives its slot back; may be called again. */
  delete(connection: Connection): void {
    const { host } = connection.remote;
    const own = this.#ofHost.get(host);
    if (own === undefined || !own.delete(connection)) return;
    if (own.size === 0) this.#ofHost.delete(host);
    this.#count--;
  }

  /** Whether one of `host` may come in: at once, or in the slot of another. */
  slotFor(host: string): "free" | Connection | null {
    const ofHost = this.#ofHost.get(host)?.size ?? 0;
    if (ofHost >= limits.handshakesPerHostMax) return null;
    if (this.#count < limits.handshakesMax) return "free";
    return this.#oldestOfMost(ofHost);
  }

  /** The oldest of the host that has the most, if those are more than `least`. */
  #oldestOfMost(least: number): Connection | null {
    let most = least;
    let oldest: Connection | null = null;
    // Of hosts with as many the one that has been here longest gives: a map keeps that order.
    for (const own of this.#ofHost.values()) {
      if (own.size <= most) continue;
      most = own.size;
      for (const first of own) {
        oldest = first;
        break;
      }
    }
    return oldest;
  }
}
