/**
 * The sockets by which nodes are looked for: one for each interface in one family of addresses, on the
 * interfaces that a person did not exclude. Interfaces that come and go are noticed at the next look. Where
 * nothing can be sent it is tried again, each time after twice as long.
 */

import type { HostPort } from "../../base/address.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import { type Family, type LanInterface, lanInterfaces } from "../../net/lan_interfaces.ts";
import { MulticastSocket } from "../../net/multicast_socket.ts";
import type { LanReport } from "../../wire/reports.ts";

/** On which interfaces nodes are looked for: all, or those named; none where none is named. */
export type Discover = "all" | readonly string[];

/** An open segment. */
export interface OpenSegment {
  readonly id: string;
  readonly interface: LanInterface;
  readonly socket: MulticastSocket;
  readonly packets: RateLimit;
  hasSent: boolean;
  /** Whether the policy does not know yet that it is open. */
  isFresh: boolean;
}

/** Why nothing could be sent on a segment. */
interface SegmentProblem {
  readonly reason: string;
  /** How often in a row. */
  readonly failures: number;
  /** When it is tried again. */
  readonly againMs: number;
}

interface LanSegmentsOptions {
  readonly clock: Clock;
  readonly received: (segment: OpenSegment, bytes: Uint8Array, from: HostPort) => void;
  /** A segment was used for the first time, or cannot be used any more. */
  readonly changed: () => void;
  /** It is time to look again. */
  readonly lookAgain: () => void;
}

/** The segments of one node. */
export class LanSegments {
  readonly #options: LanSegmentsOptions;
  readonly #open = new Map<string, OpenSegment>();
  /** Why nothing could be sent on a segment, by its id; it stays until something is. */
  readonly #problems = new Map<string, SegmentProblem>();
  /** Interfaces that a person named, and that are not there or have nobody on them. */
  #missing: readonly string[] = [];
  /** Those that are there. */
  #there: readonly string[] = [];
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: LanSegmentsOptions) {
    this.#options = options;
  }

  get all(): Iterable<OpenSegment> {
    return this.#open.values();
  }

  get(id: string): OpenSegment | undefined {
    return this.#open.get(id);
  }

  /** Those on which something can be sent, as far as is known. */
  get usable(): OpenSegment[] {
    return [...this.#open.values()].filter(({ id }) => !this.#problems.has(id));
  }

  /** Whether something was sent on each, or could not be, often enough. */
  get isTried(): boolean {
    return this.usable.every(({ hasSent }) => hasSent) &&
      [...this.#problems.values()].every(({ failures }) => failures >= limits.lanTries);
  }

  /** Why the others cannot be used, by their ids. */
  get problems(): ReadonlyMap<string, string> {
    const sorted = [...this.#problems].sort(([a], [b]) => a < b ? -1 : 1);
    return new Map(sorted.map(([id, { reason }]) => [id, reason]));
  }

  /** The interfaces that were named in vain, and those that are there. */
  get interfaces(): { readonly missing: readonly string[]; readonly there: readonly string[] } {
    return { missing: this.#missing, there: this.#there };
  }

  reports(): LanReport["segments"] {
    const there = this.#there.join(", ") || "none";
    return [
      ...this.usable.map(({ id: segment }) => ({ segment, problem: null })),
      ...Array.from(this.problems, ([segment, problem]) => ({ segment, problem })),
      ...this.#missing.map((segment) => ({
        segment,
        problem: `not there, or without an address; there: ${there}`,
      })),
    ];
  }

  /** Opens and closes what is to be, on the interfaces as they are now; does not reject. */
  async look(discover: Discover): Promise<void> {
    const wanted = new Map(this.#wanted(discover).map((one) => [one.id, one]));
    for (const segment of [...this.#open.values()]) {
      const now = wanted.get(segment.id)?.interface;
      if (now === undefined || !isSameInterface(now, segment.interface)) this.#close(segment);
    }
    for (const id of this.#problems.keys()) if (!wanted.has(id)) this.#problems.delete(id);
    const nowMs = this.#options.clock.nowMs();
    for (const { id, interface: on, family } of wanted.values()) {
      const { againMs = -Infinity } = this.#problems.get(id) ?? {};
      if (this.#open.has(id) || nowMs < againMs) continue;
      await this.#openOne(id, on, family);
    }
  }

  /** Sends to all on a segment, or to one host; resolves when it is sent, or cannot be. */
  async send(id: string, bytes: Uint8Array, to?: HostPort): Promise<void> {
    const segment = this.#open.get(id);
    if (segment === undefined) return;
    try {
      await segment.socket.send(bytes, to);
      if (segment.hasSent) return;
      segment.hasSent = true;
      this.#problems.delete(id);
      this.#options.changed();
    } catch (error) {
      // One host that cannot be reached says nothing of the rest.
      if (to === undefined) this.#failed(id, messageOf(error));
    }
  }

  /** Tries nothing again; what is open stays until it is closed. */
  stopTrying(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
  }

  close(): void {
    this.stopTrying();
    for (const segment of [...this.#open.values()]) this.#close(segment);
  }

  /** The segments that there should be. */
  #wanted(
    discover: Discover,
  ): { readonly id: string; readonly interface: LanInterface; readonly family: Family }[] {
    const all = lanInterfaces();
    this.#there = all.map(({ name }) => name);
    const named = discover === "all" ? this.#there : discover;
    this.#missing = named.filter((name) => !this.#there.includes(name));
    const found = all.filter(({ name }) => named.includes(name));
    return found.slice(0, limits.lanInterfacesMax).flatMap((one) =>
      ([4, 6] as const).filter((family) => one.addresses[family].length > 0)
        .map((family) => ({ id: `${one.name} IPv${family}`, interface: one, family }))
    );
  }

  async #openOne(id: string, on: LanInterface, family: Family): Promise<void> {
    const packets = new RateLimit(limits.lanPacketsPerSecond, limits.lanPacketsBurst);
    try {
      const socket = await MulticastSocket.open({
        interface: on,
        family,
        received: (bytes, from) => {
          const segment = this.#open.get(id);
          if (segment !== undefined) this.#options.received(segment, bytes, from);
        },
        failed: (reason) => this.#failed(id, reason),
      });
      const segment = { id, interface: on, socket, packets, hasSent: false, isFresh: true };
      this.#open.set(id, segment);
    } catch (error) {
      this.#problem(id, messageOf(error));
    }
  }

  #failed(id: string, reason: string): void {
    const segment = this.#open.get(id);
    if (segment === undefined) return;
    this.#close(segment);
    this.#problem(id, reason);
    this.#options.changed();
  }

  #problem(id: string, reason: string): void {
    const { clock, lookAgain } = this.#options;
    const failures = 1 + (this.#problems.get(id)?.failures ?? 0);
    const waitMs = Math.min(limits.lanRetryMsMax, limits.lanRetryMsMin * 2 ** (failures - 1));
    this.#problems.set(id, { reason, failures, againMs: clock.nowMs() + waitMs });
    // Later than that it is looked at in any case.
    if (this.#isClosed || waitMs >= limits.ownAddressesMs) return;
    this.#retry?.cancel();
    this.#retry = clock.after(waitMs, lookAgain);
  }

  #close({ id, socket }: OpenSegment): void {
    this.#open.delete(id);
    socket.close();
  }
}

function isSameInterface(one: LanInterface, other: LanInterface): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
