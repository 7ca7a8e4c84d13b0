/**
 * The files that a node is just getting, or has just got while fellows still take them from it: finds
 * the one that somebody seeks, and takes fellows in.
 */

import type { HostPort } from "../../base/address.ts";
import { messageOf } from "../../base/errors.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { matchesGlob } from "../../base/names.ts";
import type { Random } from "../../base/random.ts";
import { HostRateLimit } from "../../base/rate_limit.ts";
import type { Connection } from "../../net/connection.ts";
import { flightsOfName } from "../../core/crowd/flight_id.ts";
import { withDeadline } from "../../net/deadline.ts";
import { expectMessage, type RemoteIdentity } from "../../net/handshake.ts";
import { dialNode, type OldVersions } from "../../net/version_fallback.ts";
import { onlyKinds } from "../../wire/framer.ts";
import { formatAddress } from "../../wire/host.ts";
import {
  type MessageOf,
  NODE_VERSION_FLIGHTS,
  NODE_VERSION_SITES,
  type Refusal,
} from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { NodeContext } from "../discovery/node_context.ts";
import { peerLabel } from "../discovery/offer_exchange.ts";
import type { SwarmContext } from "../swarm/swarm_events.ts";
import { type FellowDial, FellowDials } from "./fellow_dials.ts";
import type { FellowIdentity } from "./fellow.ts";
import { Flight, type FlightHost, type FlightObserver } from "./flight.ts";
import { type FlightFile, rootOfFlight } from "./flight_file.ts";
import type { FlightPlace } from "./flight_storage.ts";
import { PassedWrong } from "./passed_wrong.ts";
import type { MirrorFile } from "../../http/mirrors.ts";

/** What the flights of a node work with. */
interface FlightsOptions extends SwarmContext {
  readonly isBanned: (remote: RemoteIdentity, connection: Connection) => boolean;
  readonly oldVersions: OldVersions;
}

/** What one node has in flight. */
interface NodesFlights {
  readonly nodeId: NodeId;
  readonly offers: readonly MessageOf<"in-flight">[];
}

/** Who is told that somebody else may be about to get a file. */
type SeekerListener = (name: string) => void;

/** The files in flight of one node. */
export class Flights {
  readonly #context: NodeContext;
  readonly #options: FlightsOptions;
  readonly #host: FlightHost;
  readonly #flights = new Map<FlightId, Flight>();
  readonly #seekers = new Set<SeekerListener>();
  readonly #dials: FellowDials<Flight>;
  readonly #passedWrong = new PassedWrong();
  /** Connections that hosts begin as fellows. */
  readonly #joins = new HostRateLimit({
    perSecond: limits.fellowJoinsPerSecond,
    burst: limits.fellowJoinsBurst,
    hostsMax: limits.fellowJoinHostsMax,
  });

  constructor(context: NodeContext, options: FlightsOptions) {
    this.#context = context;
    this.#options = options;
    const { clock, log, store } = context;
    this.#host = {
      ...options,
      nodeId: context.identity.nodeId,
      dialFellow: (flight, dial) => this.dial(flight, dial),
      passedWrong: this.#passedWrong,
      gave: (fellow, bytesGiven) => store.peerTotals.add({ ...fellow, bytesGiven }, clock.unixMs()),
    };
    this.#dials = new FellowDials({
      clock,
      log,
      isWanted: (flight, { nodeId, address }) =>
        flight.fellowCount < limits.fellowsSoughtMax && !flight.hasFellow(nodeId) &&
        flight.hasRoomFor(nodeId, { address, isDialled: true }),
      reach: (flight, address) => this.#reach(flight, address),
    });
  }

  [Symbol.iterator](): IterableIterator<Flight> {
    return this.#flights.values();
  }

  /** Begins a flight; undefined when one of this id goes on already, for another fetch. */
  begin(options: {
    readonly file: FlightFile;
    readonly place: FlightPlace;
    readonly mirror: MirrorFile | null;
    readonly observer: FlightObserver;
  }): Flight | undefined {
    const { id } = options.file;
    const before = this.#flights.get(id);
    if (before?.isOver === false) return undefined;
    if (before !== undefined) this.#remove(before);
    const flight = new Flight(this.#host, options);
    this.#flights.set(id, flight);
    return flight;
  }

  /** What is in flight of what is sought, and can be shared with who listens there. */
  offersTo(address: HostPort, sought: Sought): MessageOf<"in-flight">[] {
    const peer = formatAddress(address.host, address.port);
    return this.matching(sought).filter((flight) => !flight.hasFellowAt(peer))
      .map((flight) => flight.offer());
  }

  /** What is in flight of what is sought. */
  matching({ by, value }: Sought): Flight[] {
    if (by === "root") return [];
    return [...this.#flights.values()].filter(({ file: { name }, isOpen }) =>
      isOpen && (by === "glob" ? matchesGlob(value, name) : name === value)
    );
  }

  get random(): Random {
    return this.#options.random;
  }

  /** A node gave chunks of a file in flight that are not the file. */
  misbehaved(node: { readonly nodeId: NodeId; readonly host: string }, { file }: Flight): void {
    this.#options.struck();
    this.#options.misbehaved(node, rootOfFlight(file.id));
  }

  /** A node passed on chunks of a file in flight that are not the file. */
  passedWrong(nodeId: NodeId, flight: Flight): void {
    this.#passedWrong.add(nodeId, this.#context.clock.nowMs());
    flight.passedWrong();
  }

  /** Somebody seeks a name: it may be about to get the file. */
  sought({ by, value }: Sought): void {
    if (by === "name") { for (const listener of [...this.#seekers]) listener(value); }
  }

  /** Calls `listener` for each name that somebody seeks; the function that this returns ends that. */
  onSought(listener: SeekerListener): () => void {
    this.#seekers.add(listener);
    return () => this.#seekers.delete(listener);
  }

  /**
   * Asks a node what it has in flight of a name, or with an empty one at all.
   *
   * @throws {EnvironmentError | PeerFault | RefusedError} when it cannot be had, or knows nothing of that.
   */
  async ask(address: HostPort, name: string): Promise<NodesFlights> {
    const { connection, remote } = await this.#dial(address, flightsOfName(name));
    try {
      if (this.#options.isBanned(remote, connection)) return { nodeId: remote.nodeId, offers: [] };
      connection.setGate(onlyKinds("Cannot hear flights", ["in-flight", "bye"]));
      const offers: MessageOf<"in-flight">[] = [];
      await withDeadline(connection, "Cannot hear flights", async () => {
        while (offers.length < limits.flightsOfferedMax) {
          const message = await connection.receiveOne();
          if (message.kind !== "in-flight") return;
          offers.push(message);
        }
      });
      return { nodeId: remote.nodeId, offers };
    } finally {
      connection.close();
    }
  }

  /** Why a node that dialled may not become a fellow; undefined when it may. */
  refusal(remote: RemoteIdentity, host: string): Refusal | undefined {
    if (this.#flights.size === 0) return "not-supported";
    if (remote.nodeId === this.#host.nodeId) return "self";
    return this.#joins.take(host, this.#context.clock.nowMs()) ? undefined : "busy";
  }

  /** Takes over a connection of a fellow that dialled: it says of which file. */
  async enter(connection: Connection, remote: RemoteIdentity): Promise<void> {
    connection.setGate(onlyKinds("Cannot be a fellow", ["join"]));
    const { flight: id } = await withDeadline(
      connection,
      "Cannot be a fellow",
      async () => expectMessage(await connection.receiveOne(), "join"),
    );
    await this.join(connection, { id, remote, isDialled: false });
  }

  /** Keeps a fellow of a flight until the connection ends; one that cannot be is sent away. */
  async join(
    connection: Connection,
    { id, remote, isDialled }: {
      readonly id: FlightId;
      readonly remote: RemoteIdentity;
      /** Whether it was this node that dialled. */
      readonly isDialled: boolean;
    },
  ): Promise<void> {
    const flight = this.#flights.get(id);
    const fellow = { ...identityOf(connection, remote), isDialled };
    const isWelcome = flight !== undefined && !this.#options.isBanned(remote, connection) &&
      flight.hasRoomFor(remote.nodeId, fellow);
    if (!isWelcome) {
      for (const offer of this.#offersOf(id)) connection.send(offer);
      connection.send({ kind: "bye", reason: "no such file is in flight here" });
      return await connection.closeAfterWriting();
    }
    await flight.join(connection, fellow);
    this.#removeIfDone(flight);
  }

  /** Has a fellow dialled that others told of; nothing is lost when that comes to nothing. */
  dial(flight: Flight, dial: FellowDial): void {
    this.#dials.add(flight, dial);
  }

  /** Whether any fellow of a file is being dialled, or waits for that. */
  isDialling(flight: Flight): boolean {
    return this.#dials.isUnderWay(flight);
  }

  tick(nowMs: number): void {
    for (const flight of [...this.#flights.values()]) {
      flight.tick(nowMs);
      this.#removeIfDone(flight);
    }
  }

  /** Ends all of them. */
  stop(): void {
    for (const flight of this.#flights.values()) flight.close("shutting down");
    this.#flights.clear();
  }

  #removeIfDone(flight: Flight): void {
    if (flight.isDone(this.#context.clock.nowMs())) this.#remove(flight);
  }

  #remove(flight: Flight): void {
    const { id } = flight.file;
    if (this.#flights.get(id) === flight) this.#flights.delete(id);
    this.#dials.drop(flight);
    flight.close("the file is complete");
  }

  /** What is in flight of a name, for who asked for that in place of a flight. */
  #offersOf(id: FlightId): MessageOf<"in-flight">[] {
    const flying = [...this.#flights.values()].filter(({ isOpen, isLanded }) =>
      isOpen && !isLanded
    );
    const asked = flying.filter(({ file: { name } }) =>
      id === flightsOfName(name) || id === flightsOfName("")
    );
    return asked.slice(0, limits.flightsOfferedMax).map((flight) => flight.offer());
  }

  async #dial(address: HostPort, flight: FlightId) {
    const { clock, connections, identity } = this.#context;
    return await dialNode(connections, address, {
      identity,
      purpose: "fellow",
      version: identity.place?.site ? NODE_VERSION_SITES : NODE_VERSION_FLIGHTS,
      below: NODE_VERSION_FLIGHTS,
      fallback: false,
      oldVersions: this.#options.oldVersions,
      nowMs: clock.nowMs(),
      first: () => [{ kind: "join", flight, searchOn: false }],
    });
  }

  async #reach(flight: Flight, address: HostPort): Promise<void> {
    const { log } = this.#context;
    const { id: join } = flight.file;
    const { connection, remote } = await this.#dial(address, join);
    if (this.#options.isBanned(remote, connection)) return connection.close();
    // The dial is over; the fellow stays.
    this.join(connection, { id: join, remote, isDialled: true }).catch((error) => {
      const peer = formatAddress(address.host, address.port);
      log.debug("a fellow was lost", { peer, error: messageOf(error) });
    });
  }
}

function identityOf(
  connection: Connection,
  remote: RemoteIdentity,
): Omit<FellowIdentity, "isDialled"> {
  return {
    nodeId: remote.nodeId,
    peer: peerLabel(connection, remote),
    address: { host: connection.remote.host, port: remote.listenPort },
  };
}
