/**
 * Whom a node leaves alone. Most addresses that a node dials were named by somebody else: where a
 * requester is to be called back, where a holder is, where a neighbour was met. Who lies about them
 * has other nodes dial a victim. So dials are bounded here, over all purposes together. The rules:
 *
 *  1. An address where `limits.dialFailuresFree` dials in a row met no node of this network is left
 *     alone, twice as long after each further one, up to `limits.dialRestMs`; up to
 *     `limits.redialMsMax` where a node was met lately, for it may be starting again.
 *  2. A host has `limits.hostDialsMax` dials to addresses where no node was met lately, and gets one
 *     more every `limits.hostDialRestMs`. A dial that meets a node is given back, so that any number
 *     of nodes behind one address can be met. Not a loopback host: many nodes of one machine are
 *     dialled there, and who can name its ports to this node can dial them himself.
 *  3. All hosts together have a bound of the same kind, against a node that scans a network.
 *  4. What packets on the LAN alone name, which anybody on it may send, has bounds of its own of the kinds
 *     2 and 3, so that it uses up nothing of the others: one for what a host says of itself, one for what
 *     others say of it. There each address is a host, and gets one dial more every
 *     `limits.lanDialRestMs`: who can name its ports there can dial them himself.
 *  5. A node that was met, but knew nothing of why it was called, has a bound on such calls.
 *  6. When this machine's network changed, nothing of this counts any more: all of it may have failed
 *     for want of a network. Who comes here from an address is not left alone there.
 *
 * It is not asked about addresses that a person gave or where a link was: those have their own pace
 * (`core/overlay/address_book.ts`).
 */

import type { HostPort } from "../base/address.ts";
import { BoundedMap } from "../base/bounded_map.ts";
import { EnvironmentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { HostRateLimit, networkOf, RateLimit } from "../base/rate_limit.ts";
import { formatAddress, isLoopback, type LanNaming, plainHost } from "../wire/host.ts";

/** What is known of one address. */
interface Dialled {
  /** Failures in a row, and what the last one was, in words; null: not said. */
  failures: number;
  problem: string | null;
  /** Not to be dialled before this time. */
  untilMs: number;
  /** When a node was met there last. */
  metAtMs: number;
  /** Calls that were for nothing. */
  readonly wasted: RateLimit;
}

/** How one dial ended; each is told once, and only the first counts. */
export interface DialOutcome {
  /** A node of this network is there. */
  met(nowMs: number): void;
  /** `problem` says why, in words that an error may have. */
  failed(nowMs: number, problem?: string): void;
  /** It was given up by this side: nothing is known. */
  givenUp(): void;
}

/** The dials of one node. */
export class DialGuard {
  readonly #addresses = new BoundedMap<string, Dialled>(limits.dialledMax);
  #bounds = newBounds();
  readonly #leftAlone: (host: string) => void;

  /** `leftAlone` is told of each dial that is not made. */
  constructor(leftAlone: (host: string) => void = () => {}) {
    this.#leftAlone = leftAlone;
  }

  /**
   * Counts a dial that begins.
   *
   * @param namedOnLan Who named the address, where only the LAN did.
   * @throws {EnvironmentError} "unreachable" when it must not be made.
   */
  begin({ host, port }: HostPort, nowMs: number, namedOnLan?: LanNaming): DialOutcome {
    const key = keyOf({ host, port });
    const known = this.#addresses.get(key);
    const isMet = known !== undefined && isMetLately(known, nowMs);
    const waitMs = (known?.untilMs ?? -Infinity) - nowMs;
    // Why it cannot be reached is what whoever asks wants to know, not that it was not tried again.
    const problem = known?.problem ?? null;
    if (waitMs > 0) this.#refuse(host, { why: "the last dials of it failed", problem, namedOnLan });
    if (known !== undefined && known.wasted.waitMs(nowMs) > 0) {
      this.#refuse(host, { why: "too many calls there were for nothing", namedOnLan });
    }
    const bounds = isMet || isLoopback(host) ? undefined : this.#bounds[namedOnLan ?? "elsewhere"];
    const why = bounds?.take(host, nowMs);
    if (why !== undefined) this.#refuse(host, { why, namedOnLan });
    return this.#outcome(key, host, bounds);
  }

  /** The node there knew nothing of why it was called. */
  wasted(address: HostPort, nowMs: number): void {
    const known = this.#of(keyOf(address));
    known.wasted.take(nowMs);
  }

  /** A node of this network came from there. */
  met(address: HostPort, nowMs: number): void {
    const known = this.#of(keyOf(address));
    known.failures = 0;
    known.untilMs = -Infinity;
    known.metAtMs = nowMs;
  }

  /** Rule 6. */
  startOver(): void {
    this.#addresses.clear();
    this.#bounds = newBounds();
  }

  #outcome(key: string, host: string, bounds: DialBounds | undefined): DialOutcome {
    let isTold = false;
    const once = (tell: () => void) => {
      if (!isTold) tell();
      isTold = true;
    };
    const giveBack = () => bounds?.giveBack(host);
    return {
      met: (nowMs) =>
        once(() => {
          giveBack();
          const known = this.#of(key);
          known.failures = 0;
          known.untilMs = -Infinity;
          known.metAtMs = nowMs;
        }),
      failed: (nowMs, problem) =>
        once(() => this.#failed(this.#of(key), { nowMs, problem: problem ?? null })),
      givenUp: () => once(giveBack),
    };
  }

  #failed(
    known: Dialled,
    { nowMs, problem }: { readonly nowMs: number; readonly problem: string | null },
  ): void {
    known.failures++;
    known.problem = problem;
    const counted = known.failures - limits.dialFailuresFree;
    if (counted < 0) return;
    const mostMs = isMetLately(known, nowMs) ? limits.redialMsMax : limits.dialRestMs;
    known.untilMs = nowMs + Math.min(mostMs, limits.redialMsMin * 2 ** Math.min(counted, 16));
  }

  #of(key: string): Dialled {
    const known = this.#addresses.touch(key) ?? {
      failures: 0,
      problem: null,
      untilMs: -Infinity,
      metAtMs: -Infinity,
      wasted: new RateLimit(limits.callsWastedPerSecondMax, limits.callsWastedMax),
    };
    this.#addresses.set(key, known);
    return known;
  }

  #refuse(
    host: string,
    { why, problem = null, namedOnLan }: {
      readonly why: string;
      readonly problem?: string | null;
      readonly namedOnLan: LanNaming | undefined;
    },
  ): never {
    // The host is dialled all the same where anybody else names it.
    if (namedOnLan === undefined) this.#leftAlone(networkOf(plainHost(host)));
    throw new EnvironmentError(
      "unreachable",
      problem ?? `Cannot connect: the host is left alone, ${why}`,
    );
  }
}

/** Rules 2 and 3, of addresses that were named in one way. */
class DialBounds {
  readonly #hosts: HostRateLimit;
  readonly #all = new RateLimit(limits.dialsUnmetPerSecondMax, limits.dialsUnmetMax);
  readonly #hostMax: number;

  constructor(options: {
    readonly hostMax: number;
    readonly restMs: number;
    readonly groupOf?: (host: string) => string;
  }) {
    const { hostMax: burst, restMs, ...grouping } = options;
    this.#hostMax = burst;
    const hostsMax = limits.dialledMax;
    this.#hosts = new HostRateLimit({ perSecond: 1000 / restMs, burst, hostsMax, ...grouping });
  }

  /** Counts a dial; gives why it must not be made, if so. */
  take(host: string, nowMs: number): string | undefined {
    if (!this.#hosts.take(host, nowMs)) return `${this.#hostMax} dials of this host met no node`;
    if (this.#all.take(nowMs)) return undefined;
    this.#hosts.owe(host, -1);
    return `${limits.dialsUnmetMax} dials of unknown addresses met no node`;
  }

  giveBack(host: string): void {
    this.#hosts.owe(host, -1);
    this.#all.owe(-1);
  }
}

function newBounds(): Readonly<Record<LanNaming | "elsewhere", DialBounds>> {
  const { hostDialRestMs, hostDialsMax, lanDialRestMs, lanDialsPerHostMax } = limits;
  const ofLan = () =>
    new DialBounds({
      hostMax: lanDialsPerHostMax,
      restMs: lanDialRestMs,
      groupOf: (host) => host,
    });
  return {
    elsewhere: new DialBounds({ hostMax: hostDialsMax, restMs: hostDialRestMs }),
    itself: ofLan(),
    other: ofLan(),
  };
}

function isMetLately({ metAtMs }: Dialled, nowMs: number): boolean {
  return nowMs - metAtMs < limits.metRecentlyMs;
}

function keyOf({ host, port }: HostPort): string {
  return formatAddress(plainHost(host), port);
}
