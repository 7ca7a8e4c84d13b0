/**
 * Who has which file in flight, as far as nodes say so to a directory, and whom of them a node is
 * told that has it too. Pure: no I/O, no clock. What a file in flight is, is in `core/crowd`.
 *
 * Rules
 *  1. A lease is of a node at the host that it is seen at, and of a flight with its size. It ends when
 *     its time is over, or when the node says so. Renewed, it keeps its place among the others.
 *  2. Nodes that can be dialled are named: those that came first, so that all are connected through
 *     them; those that came last, since the first may have no room; and others at random. Of those
 *     that cannot be dialled the number is told: they dial others.
 *  3. One host cannot have all the room. Where there is none, a node is answered as before, and is
 *     named to nobody: it can still dial those that it is told.
 */

import type { HostPort } from "../../base/address.ts";
import { Counts } from "../../base/counts.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow } from "../../base/random.ts";
import { networkOf } from "../../base/rate_limit.ts";
import type { NamedFellow } from "../../wire/structures.ts";

/** What a node says of a file that it has in flight. */
interface FlightQuestion extends HostPort {
  readonly flight: FlightId;
  readonly sizeBytes: number;
  /** Where it is seen is `host`; `port` is where it listens, 0: nowhere. */
  readonly nodeId: NodeId;
  /** 0: it has it in flight no more. */
  readonly leaseMs: number;
  /** Whether others may try to dial it. */
  readonly canBeDialled: boolean;
}

/** Who else has it. */
export interface LeasedFellows {
  /** How many there are, named or not. */
  readonly count: number;
  readonly fellows: readonly NamedFellow[];
}

interface Lease {
  readonly key: string;
  readonly flight: LeasedFlight;
  readonly nodeId: NodeId;
  readonly host: string;
  port: number;
  untilMs: number;
  /** Where it stands among those that can be dialled; -1: it cannot. */
  at: number;
}

interface LeasedFlight {
  readonly key: string;
  readonly leases: Map<string, Lease>;
  /** Those that can be dialled, in the order in which they came. */
  readonly inOrder: Set<Lease>;
  /** The same, in about that order: the last takes the place of one that is gone. */
  readonly dialled: Lease[];
}

/** The leases of all flights. */
export class FlightLeases {
  readonly #random: Random;
  readonly #flights = new Map<string, LeasedFlight>();
  readonly #perNetwork = new Counts<string>();
  #sweptMs = -Infinity;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How many there are. */
  get size(): number {
    return this.#perNetwork.total;
  }

  /** Takes a lease, renews or ends it; says who else has the file in flight. */
  take(question: FlightQuestion, nowMs: number): LeasedFellows {
    const { host, nodeId, leaseMs } = question;
    const key = `${host} ${nodeId}`;
    const flightKey = `${question.flight} ${question.sizeBytes}`;
    const flight = this.#flights.get(flightKey) ??
      { key: flightKey, leases: new Map(), inOrder: new Set(), dialled: [] };
    const known = flight.leases.get(key);
    if (leaseMs === 0) {
      if (known !== undefined) this.#remove(known);
      return { count: 0, fellows: [] };
    }
    const lease = known ?? this.#admit({ key, flight, nodeId, host });
    if (lease !== undefined) {
      lease.untilMs = nowMs + Math.min(leaseMs, limits.flightLeaseMsMax);
      lease.port = question.port;
      setDialled(lease, question.canBeDialled && question.port !== 0);
    }
    return this.#fellowsOf(flight, { key, nodeId, nowMs });
  }

  /** Lets time pass. */
  tick(nowMs: number): void {
    if (nowMs - this.#sweptMs < limits.flightSweepMs) return;
    this.#sweptMs = nowMs;
    for (const { leases } of this.#flights.values()) {
      for (const lease of leases.values()) if (lease.untilMs <= nowMs) this.#remove(lease);
    }
  }

  /** Rule 3. */
  #admit(options: Pick<Lease, "key" | "flight" | "nodeId" | "host">): Lease | undefined {
    const { key, flight, host } = options;
    const network = networkOf(host);
    if (this.size >= limits.flightLeasesMax) return undefined;
    if (this.#perNetwork.of(network) >= limits.flightLeasesPerHostMax) return undefined;
    const lease: Lease = { ...options, port: 0, untilMs: 0, at: -1 };
    this.#perNetwork.add(network, 1);
    flight.leases.set(key, lease);
    this.#flights.set(flight.key, flight);
    return lease;
  }

  #remove(lease: Lease): void {
    const { flight, key, host } = lease;
    setDialled(lease, false);
    flight.leases.delete(key);
    this.#perNetwork.add(networkOf(host), -1);
    if (flight.leases.size === 0) this.#flights.delete(flight.key);
  }

  /** Rule 2. */
  #fellowsOf(
    { leases, inOrder, dialled }: LeasedFlight,
    asker: { readonly key: string; readonly nodeId: NodeId; readonly nowMs: number },
  ): LeasedFellows {
    const named = new Set<Lease>();
    const name = (lease: Lease | undefined): void => {
      if (lease === undefined || lease.nodeId === asker.nodeId) return;
      if (lease.untilMs > asker.nowMs) named.add(lease);
    };
    const { flightNamedFirst, flightNamedLast, flightNamedMax } = limits;
    for (const lease of inOrder) {
      if (named.size >= flightNamedFirst) break;
      name(lease);
    }
    const lastMax = named.size + flightNamedLast;
    for (let at = dialled.length - 1; at >= 0 && named.size < lastMax; at--) name(dialled[at]);
    // Tries, since some may be named already: a few more than are wanted.
    for (let left = 2 * flightNamedMax; left > 0 && named.size < flightNamedMax; left--) {
      name(dialled[randomBelow(this.#random, Math.max(1, dialled.length))]);
    }
    return {
      count: leases.size - (leases.has(asker.key) ? 1 : 0),
      fellows: Array.from(named, ({ nodeId, host, port }) => ({ nodeId, host, port })),
    };
  }
}

/** Whether it may be named from now on. */
function setDialled(lease: Lease, isDialled: boolean): void {
  if (lease.at >= 0 === isDialled) return;
  const { inOrder, dialled } = lease.flight;
  if (isDialled) {
    inOrder.add(lease);
    lease.at = dialled.push(lease) - 1;
    return;
  }
  inOrder.delete(lease);
  const last = dialled.pop()!;
  if (last !== lease) {
    dialled[lease.at] = last;
    last.at = lease.at;
  }
  lease.at = -1;
}
