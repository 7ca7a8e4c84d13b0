/**
 * A directory server: takes clients in, keeps the index for them, and dials them when the index has
 * a question. All that it knows is in memory; what is known, and why somebody is asked, is in
 * `core/directory/directory.ts`.
 */

import type { HostPort } from "../base/address.ts";
import { AwakeClock, type Clock, type Timer } from "../base/clock.ts";
import { newNodeId, type NodeId } from "../base/ids.ts";
import { type Random, systemRandom } from "../base/random.ts";
import { tcpTransport } from "../net/tcp_transport.ts";
import { formatAddress } from "../wire/host.ts";
import { errorOf, PeerFault, unreachable } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { Directory } from "../core/directory/directory.ts";
import type { DirectoryEffect } from "../core/directory/directory_events.ts";
import type { Connection } from "../net/connection.ts";
import { Connections } from "../net/connections.ts";
import { Acceptor } from "../net/acceptor.ts";
import type { RemoteIdentity } from "../net/handshake.ts";
import type { Transport } from "../net/transport.ts";
import { ClientDials } from "./client_dials.ts";
import { DirectoryRun, DirectorySession } from "./session.ts";

/** A directory's settings, once flags and configuration file are read; defaults are the CLI's. */
export interface DirectoryConfig {
  readonly listen: HostPort;
  readonly network: string;
  /** Secret of the network; undefined for an open one. */
  readonly networkKey: Uint8Array | undefined;
  /** Keys that others may use as well. */
  readonly otherKeys?: readonly Uint8Array[];
  /** Whole copies of a popular file below which more are made; 0: no balancing at all. */
  readonly replicas: number;
  /** How often clients shall say that they are there. */
  readonly refreshMs: number;
  /** Questions a second that one host may ask. */
  readonly queriesPerSecond: number;
  /** Clients that it has at most; by default `limits.directoryClientsMax`. */
  readonly clientsMax?: number;
  /** Files that they may list together; by default `limits.listingsMax`. */
  readonly listingsMax?: number;
  readonly log: Logger;
}

/** What a directory knows of itself at one moment; counts are since its start. */
export interface DirectoryFigures extends ReturnType<Directory["status"]> {
  /** Connections that are open, in and out. */
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Nodes that are just being asked to take a copy. */
  readonly copiesPending: number;
  /** Leases of files in flight. */
  readonly leases: number;
}

/** A directory that listens. */
export class DirectoryServer {
  readonly run: DirectoryRun;
  readonly address: HostPort;
  readonly #connections: Connections;
  readonly #acceptor: Acceptor;
  readonly #dials: ClientDials;
  readonly #sessions = new Map<Connection, DirectorySession>();
  readonly #failed = Promise.withResolvers<Error>();
  #timer: Timer | undefined;
  #accepting: Promise<void> | undefined;
  #isStopping = false;

  /**
   * Listens, but takes nobody in before `start`.
   *
   * @throws {EnvironmentError} when the port cannot be had.
   */
  constructor(
    config: DirectoryConfig,
    options: { readonly transport: Transport; readonly random: Random; readonly clock: Clock },
  ) {
    const { transport, random, clock } = options;
    const { network, networkKey, otherKeys = [], log } = config;
    const { replicas, refreshMs, queriesPerSecond, clientsMax, listingsMax } = config;
    const room = { clientsMax, listingsMax };
    const instance = newNodeId(random);
    this.run = new DirectoryRun({
      instance,
      index: new Directory({ random, replicas, refreshMs, queriesPerSecond, ...room }),
      clock,
      log,
      apply: (effect) => this.#apply(effect),
    });
    const connections = this.#connections = new Connections(transport, {
      clock,
      crowding: {
        idleSinceMs: (connection) => this.#sessions.get(connection)?.heardMs,
        crowdedOut: (connection) => this.#crowdedOut(connection),
      },
    });
    const listener = transport.listen(config.listen);
    this.address = listener.address;
    const listenPort = listener.address.port;
    const identity = { nodeId: instance, listenPort, network, networkKey, otherKeys, random };
    this.#dials = new ClientDials(this.run, { identity, connections });
    this.#acceptor = new Acceptor(
      {
        identity,
        connections,
        throttle: this.run.throttle,
        log,
        refusal: ({ purpose }) => purpose === "directory" ? undefined : "not-supported",
        entered: (connection, remote) => this.#entered(connection, remote),
      },
      listener,
      { what: "directory" },
    );
  }

  /** Resolves with the reason when the server cannot go on by itself. */
  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  /** What it knows of itself, at a cost that does not grow with what is listed. */
  figures(): DirectoryFigures {
    const { size, bytesIn, bytesOut } = this.#connections;
    const { index } = this.run;
    const { uploadsPending: copiesPending, leases } = index;
    return { ...index.status(), connections: size, bytesIn, bytesOut, copiesPending, leases };
  }

  start(): void {
    this.#accepting = this.#acceptor.run().then(
      () => this.#ended(new Error("The directory's port was closed")),
      (error) => this.#ended(errorOf(error)),
    );
    this.#timer = this.run.clock.every(limits.overlayTickMs, () => this.#tick());
  }

  /** Ends all connections; nothing has to be saved. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    this.#dials.close();
    this.#acceptor.close();
    this.#connections.closeAll();
    await this.#accepting;
  }

  async #entered(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const session = new DirectorySession(this.run, connection, remote);
    this.#sessions.set(connection, session);
    try {
      await session.run();
    } catch (error) {
      const { host } = connection.remote;
      const { log } = this.run;
      if (!(error instanceof PeerFault)) log.error("cannot serve a client", { host, error });
      else if (error.code === "silent") log.debug("a client is silent", { host });
      else {
        const fields = { host, reason: error.message };
        this.run.warnOnce(`fault ${host} ${error.code}`, "a client broke the protocol", fields);
      }
    } finally {
      this.#sessions.delete(connection);
    }
  }

  #crowdedOut({ remote: { host } }: Connection): void {
    this.run.warnOnce("crowded connections", "all places for connections are taken", {
      max: limits.connectionsMax,
      host,
      reason: "the host with the most has to give one to each that has fewer",
    });
  }

  #tick(): void {
    const nowMs = this.run.clock.nowMs();
    this.run.step({ kind: "tick" });
    for (const session of this.#sessions.values()) session.tick(nowMs);
    this.#connections.tick(nowMs);
    this.run.throttle.tick(nowMs);
  }

  #apply(effect: Exclude<DirectoryEffect, { readonly kind: "answer" }>): void {
    switch (effect.kind) {
      case "check":
        return this.#dials.check(effect);
      case "ask-files":
        return this.#dials.askFiles(effect);
      case "request-upload":
        return this.#dials.requestUpload(effect);
      case "warn": {
        const { message, fields } = effect;
        // Ports and ids are the client's choice: with them each line would be a new one.
        return this.run.warnOnce(`${message} ${fields["host"]}`, message, fields);
      }
      default:
        return unreachable(effect);
    }
  }

  #ended(error: Error): void {
    if (!this.#isStopping) this.#failed.resolve(error);
  }
}

/** A directory that is ready. */
export interface RunningDirectory {
  /** Of this run: after a restart it is another. */
  readonly instance: NodeId;
  /** Where it listens, the real port included. */
  readonly address: HostPort;
  /** Resolves with the reason when the directory cannot go on by itself. */
  readonly failed: Promise<Error>;
  /** Why it cannot do its work just now; undefined when it can. */
  problem(): string | undefined;
  /** What it knows of itself, for monitors. */
  figures(): DirectoryFigures;
  stop(): Promise<void>;
}

/**
 * Starts a directory; it accepts connections when this returns.
 *
 * @throws {EnvironmentError} with a hint when the port cannot be had.
 */
export function startDirectory(config: DirectoryConfig): RunningDirectory {
  const clock = new AwakeClock();
  const server = new DirectoryServer(config, {
    transport: tcpTransport,
    random: systemRandom,
    clock,
  });
  server.start();
  const { run: { instance }, address, failed } = server;
  config.log.info("ready", { directory: formatAddress(address.host, address.port), instance });
  const stop = async () => {
    await server.stop();
    clock[Symbol.dispose]();
  };
  // What ends its port ends it.
  const problem = () => undefined;
  const figures = () => server.figures();
  return { instance, address, failed, problem, figures, stop };
}
