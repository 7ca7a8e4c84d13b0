/**
 * The client port: accepts a few clients, and gives each a session. With all places taken, a client
 * that asks for nothing gives its place to the next; beyond them there are some for those who prove the
 * token, which a user of this machine cannot take from whom the daemon belongs to.
 */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { Connection } from "../../net/connection.ts";
import type { Listener, Transport } from "../../net/transport.ts";
import { ClientSession, type ClientSessionOptions } from "./client_session.ts";

/** Serves the clients of one daemon. */
export class ClientServer {
  readonly address: HostPort;
  readonly #options: ClientSessionOptions;
  readonly #listener: Listener;
  #sessions: ClientSession[] = [];
  #isStopped = false;
  /** Whether it takes clients, until it is stopped or the system refuses. */
  isAccepting = false;

  /**
   * Listens at once; {@linkcode start} begins to accept.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(options: ClientSessionOptions, transport: Transport, listen: HostPort) {
    this.#options = options;
    this.#listener = transport.listen(listen);
    this.address = this.#listener.address;
  }

  /** Clients that are connected. */
  get clientCount(): number {
    return this.#sessions.length;
  }

  start(): void {
    this.isAccepting = true;
    this.#acceptAll().catch((error) =>
      this.#options.node.context.log.error("stopped accepting clients", { error: messageOf(error) })
    ).finally(() => this.isAccepting = false);
  }

  stop(): void {
    this.#isStopped = true;
    this.#listener.close();
    for (const session of this.#sessions) session.close();
  }

  async #acceptAll(): Promise<void> {
    const { clock, log, throttle } = this.#options.node.context;
    for await (const duplex of this.#listener) {
      const connection = new Connection(duplex, { clock });
      if (this.#sessions.length >= limits.clientsMax) this.#endIdle(clock.nowMs());
      const left = limits.clientsMax - this.#sessions.length;
      const session = new ClientSession(this.#options, connection, { needsToken: left <= 0 });
      if (left + limits.clientsTrustedMax > 0) {
        this.#serve(session);
        continue;
      }
      session.turnAway();
      if (throttle.isFirst("clients full")) {
        log.warn("refused a client: all places are taken", { clients: limits.clientsMax });
      }
    }
  }

  /** The one that has asked for nothing for longest goes, if that is long. */
  #endIdle(nowMs: number): void {
    let longest: ClientSession | undefined;
    let longestMs: number = limits.clientIdleMs;
    for (const session of this.#sessions) {
      const idleMs = session.idleMs(nowMs);
      if (idleMs > longestMs) [longest, longestMs] = [session, idleMs];
    }
    if (longest === undefined) return;
    longest.turnAway();
    this.#sessions = this.#sessions.filter((other) => other !== longest);
  }

  async #serve(session: ClientSession): Promise<void> {
    this.#sessions.push(session);
    try {
      await session.run();
    } catch (error) {
      const { log, throttle } = this.#options.node.context;
      const reason = messageOf(error);
      const { host } = session.remote;
      if (this.#isStopped || error instanceof EnvironmentError) {
        log.debug("client gone", { host, reason });
      } else if (throttle.isFirst(`client ${host} ${reason}`)) {
        log.warn("dropped a client", { host, reason });
      }
    } finally {
      session.close();
      this.#sessions = this.#sessions.filter((other) => other !== session);
    }
  }
}
