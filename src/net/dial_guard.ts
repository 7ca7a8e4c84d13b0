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
 *  4. A node that was met, but knew nothing of why it was called, has a bound on such calls.
 *  5. When this machine's network changed, nothing of this counts any more: all of it may have failed
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
import { formatAddress, isLoopback, plainHost } from "../wire/host.ts";

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
  #hosts = newHosts();
  #all = newAll();
  readonly #leftAlone: (host: string) => void;

  /** `leftAlone` is told of each dial that is not made. */
  constructor(leftAlone: (host: string) => void = () => {}) {
    this.#leftAlone = leftAlone;
  }

  /**
   * Counts a dial that begins.
   *
   * @throws {EnvironmentError} "unreachable" when it must not be made.
   */
  begin({ host, port }: HostPort, nowMs: number): DialOutcome {
    const key = keyOf({ host, port });
    const known = this.#addresses.get(key);
    const isMet = known !== undefined && isMetLately(known, nowMs);
    const waitMs = (known?.untilMs ?? -Infinity) - nowMs;
    // Why it cannot be reached is what whoever asks wants to know, not that it was not tried again.
    if (waitMs > 0) this.#refuse(host, `the last dials of it failed`, known?.problem ?? null);
    if (known !== undefined && known.wasted.waitMs(nowMs) > 0) {
      this.#refuse(host, "too many calls there were for nothing");
    }
    const isBounded = !isMet && !isLoopback(host);
    if (isBounded && !this.#hosts.take(host, nowMs)) {
      this.#refuse(host, `${limits.hostDialsMax} dials of this host met no node`);
    }
    if (isBounded && !this.#all.take(nowMs)) {
      this.#hosts.owe(host, -1);
      this.#refuse(host, `${limits.dialsUnmetMax} dials of unknown addresses met no node`);
    }
    return this.#outcome(key, host, isBounded);
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

  /** Rule 5. */
  startOver(): void {
    this.#addresses.clear();
    this.#hosts = newHosts();
    this.#all = newAll();
  }

  #outcome(key: string, host: string, isBounded: boolean): DialOutcome {
    let isTold = false;
    const once = (tell: () => void) => {
      if (!isTold) tell();
      isTold = true;
    };
    const giveBack = () => {
      if (!isBounded) return;
      this.#hosts.owe(host, -1);
      this.#all.owe(-1);
    };
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

  #refuse(host: string, why: string, problem: string | null = null): never {
    this.#leftAlone(networkOf(plainHost(host)));
    throw new EnvironmentError(
      "unreachable",
      problem ?? `Cannot connect: the host is left alone, ${why}`,
    );
  }
}

function newHosts(): HostRateLimit {
  return new HostRateLimit({
    perSecond: 1000 / limits.hostDialRestMs,
    burst: limits.hostDialsMax,
    hostsMax: limits.dialledMax,
  });
}

function newAll(): RateLimit {
  return new RateLimit(limits.dialsUnmetPerSecondMax, limits.dialsUnmetMax);
}

function isMetLately({ metAtMs }: Dialled, nowMs: number): boolean {
  return nowMs - metAtMs < limits.metRecentlyMs;
}

function keyOf({ host, port }: HostPort): string {
  return formatAddress(plainHost(host), port);
}
