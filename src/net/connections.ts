/**
 * Every connection of the node port, in and out: opened, counted, bounded, watched for stalls.
 */

import type { HostPort } from "../base/address.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { Counts } from "../base/counts.ts";
import { EnvironmentError, messageOf, PeerFault, type PeerFaultCode } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { Connection } from "./connection.ts";
import type { LanNaming } from "../wire/host.ts";
import type { ByNearness, Nearness } from "../wire/nearness.ts";
import type { DialGuard } from "./dial_guard.ts";
import type { Duplex, Transport } from "./transport.ts";

/** Which connections may be closed when all slots are taken and another host needs one. */
interface Crowding {
  /** Since when nothing came on it; undefined when it has to stay. */
  idleSinceMs(connection: Connection): number | undefined;
  /** It was closed for another host: for the log. */
  crowdedOut(connection: Connection): void;
}

/** The open connections of a node. */
export class Connections {
  readonly #transport: Transport;
  readonly #crowding: Crowding | undefined;
  readonly #clock: Clock;
  /** Knows which hosts are left alone; nobody is by default. */
  readonly guard: DialGuard | undefined;
  readonly #faulty: ((host: string) => void) | undefined;
  /** Those that others opened. */
  readonly #cameIn = new WeakSet<Connection>();
  readonly #open = new Set<Connection>();
  readonly #perHost = new Counts<string>();
  /** Dials that are not answered yet: each has its slot already. */
  #dialing = 0;
  /** Of connections that are closed. */
  readonly #closedBytes = { in: noBytes(), out: noBytes() };

  /** Without `crowding` who has a slot keeps it. */
  constructor(
    transport: Transport,
    options: {
      readonly crowding?: Crowding;
      readonly clock?: Clock;
      readonly guard?: DialGuard;
      /** Is told of each connection from a host that broke the protocol. */
      readonly faulty?: (host: string) => void;
    } = {},
  ) {
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    this.#crowding = options.crowding;
    this.guard = options.guard;
    this.#faulty = options.faulty;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Bytes read over all connections, present and past. */
  get bytesIn(): number {
    return sumOf(this.bytesInBy);
  }

  /** Bytes written over all connections, present and past. */
  get bytesOut(): number {
    return sumOf(this.bytesOutBy);
  }

  /** The same by how near the other side is; who did not shake hands counts as far. */
  get bytesInBy(): ByNearness {
    const bytes = { ...this.#closedBytes.in };
    for (const { nearness, bytesIn } of this.#open) bytes[nearness] += bytesIn;
    return bytes;
  }

  get bytesOutBy(): ByNearness {
    const bytes = { ...this.#closedBytes.out };
    for (const { nearness, bytesOut } of this.#open) bytes[nearness] += bytesOut;
    return bytes;
  }

  /**
   * Opens a connection. `isGiven`: the address is not one that some other node named; `namedOnLan`: only
   * the LAN named it.
   *
   * @throws {EnvironmentError} "unreachable" when nobody answers there, all slots are taken, or the
   * host is left alone.
   */
  async dial(
    address: HostPort,
    { isGiven = false, namedOnLan, ...options }: {
      readonly signal?: AbortSignal | undefined;
      readonly isGiven?: boolean | undefined;
      readonly namedOnLan?: LanNaming | undefined;
    } = {},
  ): Promise<Connection> {
    if (!this.#hasSlotFor(address.host)) {
      throw new EnvironmentError(
        "unreachable",
        `Cannot connect: ${this.#open.size} connections are open and ${this.#dialing} are being ` +
          `dialled, at most ${limits.connectionsMax} together`,
      );
    }
    const { signal } = options;
    const outcome = isGiven
      ? undefined
      : this.guard?.begin(address, this.#clock.nowMs(), namedOnLan);
    this.#dialing++;
    try {
      const timeoutMs = limits.dialMs;
      const connection = this.#keep(
        await this.#transport.dial(address, { timeoutMs, ...(signal && { signal }) }),
      );
      if (outcome !== undefined) connection.dialled = { outcome, signal };
      return connection;
    } catch (error) {
      if (signal?.aborted) outcome?.givenUp();
      else outcome?.failed(this.#clock.nowMs(), messageOf(error));
      throw error;
    } finally {
      this.#dialing--;
    }
  }

  /** Takes in what a listener accepted; null, and closed, when there is no slot for it. */
  admit(duplex: Duplex): Connection | null {
    const { host } = duplex.remote;
    // Those that ended for a fault count before more of that host come in.
    if (this.#perHost.of(host) >= limits.banFaultsBurst) this.#sweep();
    if (this.#perHost.of(host) >= limits.connectionsPerHostMax || !this.#hasSlotFor(host)) {
      duplex.close();
      return null;
    }
    const connection = this.#keep(duplex);
    this.#cameIn.add(connection);
    return connection;
  }

  /** Forgets what is closed, and closes what does not move. */
  tick(nowMs: number): void {
    for (const connection of this.#open) {
      const sinceMs = connection.writeSinceMs;
      if (!connection.isClosed && sinceMs !== null && nowMs - sinceMs > limits.writeStallMs) {
        connection.close(new PeerFault("slow-reader", "The other side does not read any more"));
      }
      if (connection.isClosed) this.#forget(connection);
    }
  }

  closeAll(): void {
    for (const connection of this.#open) connection.close();
  }

  get #isFull(): boolean {
    return this.#open.size + this.#dialing >= limits.connectionsMax;
  }

  /** Whether one more may be opened with `host`; one of another host may have to go for it. */
  #hasSlotFor(host: string): boolean {
    if (this.#isFull) this.#sweep();
    if (!this.#isFull) return true;
    const connection = this.#idleOfMost(this.#perHost.of(host));
    if (connection === undefined) return false;
    connection.close(
      new EnvironmentError("unreachable", "Another host needed the place of the connection"),
    );
    this.#forget(connection);
    this.#crowding?.crowdedOut(connection);
    return true;
  }

  /**
   * The longest idle one of the host that has the most, if those are more than `least`; of hosts
   * with as many, the longest idle of all.
   */
  #idleOfMost(least: number): Connection | undefined {
    if (this.#crowding === undefined) return undefined;
    let most = least, idleSinceMs = -Infinity;
    let found: Connection | undefined;
    for (const connection of this.#open) {
      const ofHost = this.#perHost.of(connection.remote.host);
      if (ofHost <= least || ofHost < most) continue;
      const sinceMs = this.#crowding.idleSinceMs(connection);
      if (sinceMs === undefined || (ofHost === most && sinceMs >= idleSinceMs)) continue;
      [most, idleSinceMs, found] = [ofHost, sinceMs, connection];
    }
    return found;
  }

  /** Forgets what is closed: its slot is free before the next tick. */
  #sweep(): void {
    for (const connection of this.#open) if (connection.isClosed) this.#forget(connection);
  }

  #keep(duplex: Duplex): Connection {
    const connection = new Connection(duplex, { clock: this.#clock });
    this.#open.add(connection);
    this.#perHost.add(connection.remote.host, 1);
    return connection;
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    const { nearness, bytesIn, bytesOut } = connection;
    this.#closedBytes.in[nearness] += bytesIn;
    this.#closedBytes.out[nearness] += bytesOut;
    this.#perHost.add(connection.remote.host, -1);
    if (this.#cameIn.has(connection) && brokeProtocol(connection.reason)) {
      this.#faulty?.(connection.remote.host);
    }
  }
}

function noBytes(): Record<Nearness, number> {
  return { host: 0, subnet: 0, site: 0, far: 0 };
}

function sumOf(bytes: ByNearness): number {
  return Object.values(bytes).reduce((sum, one) => sum + one, 0);
}

/** What no program does that speaks the protocol, in whatever version and network. */
const FAULTS: readonly PeerFaultCode[] = [
  "malformed",
  "oversized",
  "unexpected",
  "wrong-magic",
  "flooding",
];

function brokeProtocol(reason: Error | undefined): boolean {
  return reason instanceof PeerFault && FAULTS.includes(reason.code);
}
