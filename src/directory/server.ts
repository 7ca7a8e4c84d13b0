/**
 * A directory server: takes clients in, keeps the index for them, and dials them when the index has
 * a question. All that it knows is in memory; what is known, and why somebody is asked, is in
 * `core/directory/directory.ts`.
 */

import type { HostPort } from "../base/address.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorOf, messageOf, PeerFault, unreachable } from "../base/errors.ts";
import { newNodeId, type NodeId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Logger, LogThrottle } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { Directory } from "../core/directory/directory.ts";
import {
  type ClientKey,
  type Denial,
  type DirectoryEffect,
  type DirectoryEvent,
  type Listed,
  sessionOf,
} from "../core/directory/directory_events.ts";
import type { Connection } from "../net/connection.ts";
import { Connections } from "../net/connections.ts";
import { Acceptor } from "../net/acceptor.ts";
import type { LocalIdentity, RemoteIdentity } from "../net/handshake.ts";
import type { Transport } from "../net/transport.ts";
import { formatAddress } from "../wire/host.ts";
import type { MessageOf } from "../wire/messages.ts";
import {
  askFiles,
  checkClient,
  type CheckOutcome,
  type DialledClient,
  requestUpload,
} from "./dial_backs.ts";
import { DialQueue } from "./dial_queue.ts";
import { DirectorySession } from "./session.ts";

type EffectOf<K extends DirectoryEffect["kind"]> = Extract<DirectoryEffect, { kind: K }>;

/** A directory's settings, once flags and configuration file are read; defaults are the CLI's. */
export interface DirectoryConfig {
  readonly listen: HostPort;
  readonly network: string;
  /** Secret of the network; undefined for an open one. */
  readonly networkKey: Uint8Array | undefined;
  /** Whole copies of a popular file below which more are made; 0: no balancing at all. */
  readonly replicas: number;
  /** How often clients shall say that they are there. */
  readonly refreshMs: number;
  /** Questions a second that one host may ask. */
  readonly queriesPerSecond: number;
  readonly log: Logger;
}

/** One run of a directory. */
export class DirectoryServer {
  /** Who this run is to others: another run is another. */
  readonly instance: NodeId;
  readonly identity: LocalIdentity;
  readonly address: HostPort;
  readonly connections: Connections;
  readonly index: Directory;
  readonly clock: Clock;
  readonly startedMs: number;
  /** On which connection the batch of a client goes on. */
  readonly batches = new Map<ClientKey, DirectorySession>();
  /** Resolves with the reason when the server cannot go on by itself. */
  readonly failed: Promise<Error>;
  readonly #failed = Promise.withResolvers<Error>();
  readonly #log: Logger;
  readonly #throttle = new LogThrottle();
  readonly #door: Acceptor;
  readonly #dials = new DialQueue({
    activeMax: limits.directoryDialsMax,
    activePerHostMax: limits.directoryDialsPerHostMax,
    waitingMax: limits.directoryClientsMax,
    waitingPerHostMax: limits.directoryClientsPerHostMax,
  });
  readonly #sessions = new Map<Connection, DirectorySession>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
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
    const { network, networkKey, replicas, refreshMs, queriesPerSecond } = config;
    this.clock = clock;
    this.startedMs = clock.nowMs();
    this.failed = this.#failed.promise;
    this.#log = config.log;
    this.instance = newNodeId(random);
    this.index = new Directory({ random, replicas, refreshMs, queriesPerSecond });
    this.connections = new Connections(transport, {
      crowding: {
        idleSinceMs: (connection) => this.#sessions.get(connection)?.heardMs,
        crowdedOut: (connection) => this.#crowdedOut(connection),
      },
    });
    const listener = transport.listen(config.listen);
    this.address = listener.address;
    const listenPort = listener.address.port;
    this.identity = { nodeId: this.instance, listenPort, network, networkKey, random };
    this.#door = new Acceptor(
      {
        identity: this.identity,
        connections: this.connections,
        throttle: this.#throttle,
        log: this.#log,
        refusal: ({ purpose }) => purpose === "directory" ? undefined : "not-supported",
        entered: (connection, remote) => this.#entered(connection, remote),
      },
      listener,
      { what: "directory" },
    );
  }

  start(): void {
    this.#running = this.#door.run().then(
      () => this.#ended(new Error("The directory's port was closed")),
      (error) => this.#ended(errorOf(error)),
    );
    this.#timer = this.clock.every(limits.overlayTickMs, () => this.#tick());
  }

  /** Ends all connections; nothing has to be saved. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    this.#dials.close();
    this.#door.close();
    this.connections.closeAll();
    await this.#running;
  }

  /** Feeds the index and does what it wants done; gives what it says to this event. */
  step(event: DirectoryEvent): Listed | Denial | undefined {
    let answer: Listed | Denial | undefined;
    for (const effect of this.index.step(event, this.clock.nowMs())) {
      if (effect.kind === "answer") answer = effect.answer;
      else this.#apply(effect);
    }
    return answer;
  }

  /** A client at `host` was told no: for the log. */
  denied(host: string, { limit, bound, message }: MessageOf<"denied">): void {
    if (this.#throttle.isFirst(`denied ${host} ${limit}`)) {
      this.#log.warn("refused a client", { host, limit, bound, reason: message });
    }
  }

  async #entered(connection: Connection, remote: RemoteIdentity): Promise<void> {
    const session = new DirectorySession(this, connection, remote);
    this.#sessions.set(connection, session);
    try {
      await session.run();
    } catch (error) {
      const { host } = connection.remote;
      if (!(error instanceof PeerFault)) this.#log.error("cannot serve a client", { host, error });
      else if (error.code === "silent") this.#log.debug("a client is silent", { host });
      else if (this.#throttle.isFirst(`fault ${host} ${error.code}`)) {
        this.#log.warn("a client broke the protocol", { host, reason: error.message });
      }
    } finally {
      this.#sessions.delete(connection);
    }
  }

  #crowdedOut({ remote: { host } }: Connection): void {
    if (!this.#throttle.isFirst("crowded connections")) return;
    this.#log.warn("all places for connections are taken", {
      max: limits.connectionsMax,
      host,
      reason: "the host with the most has to give one to each that has fewer",
    });
  }

  #tick(): void {
    const nowMs = this.clock.nowMs();
    this.step({ kind: "tick" });
    for (const session of this.#sessions.values()) session.tick(nowMs);
    this.connections.tick(nowMs);
    this.#throttle.tick(nowMs);
  }

  #apply(effect: Exclude<DirectoryEffect, EffectOf<"answer">>): void {
    switch (effect.kind) {
      case "check":
        return this.#check(effect);
      case "ask-files":
        return this.#askFiles(effect);
      case "request-upload":
        return this.#requestUpload(effect);
      case "warn":
        // Ports and ids are the client's choice: with them each line would be a new one.
        if (this.#throttle.isFirst(`${effect.message} ${effect.fields.host}`)) {
          this.#log.warn(effect.message, effect.fields);
        }
        return;
      default:
        return unreachable(effect);
    }
  }

  #check({ client, ...address }: EffectOf<"check">): void {
    const { port } = address;
    const isTaken = this.#dial(client, address, async (dialled) => {
      const outcome = await checkClient(this, dialled);
      this.#note(outcome, address);
      const load = outcome.kind === "proved" ? { load: outcome.load } : {};
      this.step({ kind: "checked", client, port, outcome: outcome.kind, ...load });
    });
    if (!isTaken) this.step({ kind: "checked", client, port, outcome: "unknown" });
  }

  #askFiles({ client, ...address }: EffectOf<"ask-files">): void {
    this.#dial(client, address, async (dialled) => {
      const outcome = await askFiles(this, dialled, (files, last) => {
        this.step({ kind: "files-heard", client, files, last });
      });
      this.#note(outcome, address);
    });
  }

  #requestUpload({ client, file, ...address }: EffectOf<"request-upload">): void {
    const { root } = file.file;
    const isTaken = this.#dial(client, address, async (dialled) => {
      const answer = await requestUpload(this, dialled, file);
      this.#log.debug("asked a client to take a file", { peer: label(address), root, answer });
      this.step({ kind: "upload-answered", client, root, answer });
    });
    if (!isTaken) this.step({ kind: "upload-answered", client, root, answer: "unreachable" });
  }

  /** Has a client dialled when its turn comes; false when too many wait already. */
  #dial(
    client: ClientKey,
    { host, port }: HostPort,
    talk: (client: DialledClient) => Promise<void>,
  ): boolean {
    const dialled = { address: { host, port }, session: sessionOf(client) };
    return this.#dials.add({
      client,
      host,
      run: async () => {
        // It may have gone while it waited for its turn.
        if (this.index.filesListed(client) !== undefined) await talk(dialled);
      },
    });
  }

  #note(outcome: CheckOutcome, address: HostPort): void {
    const peer = label(address);
    if ("error" in outcome) {
      this.#log.debug("cannot dial a client", { peer, error: messageOf(outcome.error) });
    } else if (outcome.kind === "proved") {
      this.#log.debug("a client proved its address", { peer });
    } else {
      // The index has it logged where a person sees it.
      this.#log.debug("another node answers for a client", { peer });
    }
  }

  #ended(error: Error): void {
    if (!this.#isStopping) this.#failed.resolve(error);
  }
}

function label({ host, port }: HostPort): string {
  return formatAddress(host, port);
}
