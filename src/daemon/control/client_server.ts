/** The client port: accepts a few clients, kept in an array, and gives each a session. */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { Connection } from "../../net/connection.ts";
import type { Listener, Transport } from "../../net/transport.ts";
import { ClientSession, type SessionHost } from "./client_session.ts";
import { LogThrottle } from "../../base/log_throttle.ts";

/** Serves the clients of one daemon. */
export class ClientServer {
  readonly address: HostPort;
  readonly #host: SessionHost;
  readonly #listener: Listener;
  readonly #throttle = new LogThrottle();
  #sessions: ClientSession[] = [];
  #isStopped = false;

  /**
   * Listens at once; {@linkcode start} begins to accept.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(host: SessionHost, transport: Transport, listen: HostPort) {
    this.#host = host;
    this.#listener = transport.listen(listen);
    this.address = this.#listener.address;
  }

  start(): void {
    this.#acceptAll().catch((error) =>
      this.#host.log.error("stopped accepting clients", { error: messageOf(error) })
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#listener.close();
    for (const session of this.#sessions) session.close();
  }

  async #acceptAll(): Promise<void> {
    for await (const duplex of this.#listener) {
      this.#throttle.tick(performance.now());
      if (this.#sessions.length >= limits.clientsMax) {
        turnAway(new Connection(duplex));
        if (this.#throttle.isFirst("full")) {
          this.#host.log.warn("refused a client: all places are taken", {
            clients: limits.clientsMax,
          });
        }
        continue;
      }
      this.#serve(new ClientSession(this.#host, new Connection(duplex)));
    }
  }

  async #serve(session: ClientSession): Promise<void> {
    this.#sessions.push(session);
    try {
      await session.run();
    } catch (error) {
      const reason = messageOf(error);
      const { host } = session.remote;
      if (this.#isStopped || error instanceof EnvironmentError) {
        this.#host.log.debug("client gone", { host, reason });
      } else if (this.#throttle.isFirst(`${host} ${reason}`)) {
        this.#host.log.warn("dropped a client", { host, reason });
      }
    } finally {
      session.close();
      this.#sessions = this.#sessions.filter((other) => other !== session);
    }
  }
}

/** Says why before it closes: a client that hears nothing takes it for a daemon that is not there. */
function turnAway(connection: Connection): void {
  connection.send({
    kind: "failed",
    failure: "failed",
    message:
      `The daemon is busy: it has ${limits.clientsMax} clients, and serves no more at a time`,
    hint: "Try again when some have ended.",
  });
  connection.closeAfterWriting();
}
