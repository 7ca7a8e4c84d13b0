/**
 * The addresses at which nodes were said to accept connections, and when each may be dialled
 * again. The rules:
 *
 *  1. Addresses that a person gave are pinned: never forgotten. The others are bounded: hearsay goes
 *     first, then where a node was met longest ago.
 *  2. After each failure an address waits twice as long. A pinned one, and one where a node was met
 *     within `limits.metRecentlyMs`, waits `limits.redialMsMax` at most; hearsay
 *     `limits.backoffMs`.
 *  3. While this node has no link at all a failure says more about its own network than about the
 *     address: then hearsay waits no longer than the others.
 *  4. When the network is back, all start over: see {@linkcode AddressBook.startOver}.
 *  5. What the LAN alone names, which anybody on it may do, has bounds of its own: so many addresses, and
 *     so many of one host; what others say of a host goes first, then what failed most often. What
 *     somebody else names as well is hearsay like any other.
 *  6. A full node is left alone for `limits.backoffMs` by a node that has links enough, and by no
 *     other; who banned this node, by this node in any case.
 *
 * It does not decide to dial: `dials.ts` does.
 */

import { Counts } from "../../base/counts.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { formatAddress, isLoopback, isNowhere, type LanNaming } from "../../wire/host.ts";

/** One address and what is known of it. */
export interface KnownAddress {
  readonly host: string;
  readonly port: number;
  /** Given by a person. */
  isPinned: boolean;
  /** It leads to this node itself. */
  isSelf: boolean;
  /** A dial is under way: it is not forgotten. */
  isDialled: boolean;
  /** Who named it on the LAN; undefined: it is known from elsewhere. */
  namedOnLan: LanNaming | undefined;
  /** A node was met there, and no dial has failed since: it may be told to others. */
  isGood: boolean;
  /** When a node was last met there, by this run or the one before; undefined for hearsay. */
  metAtMs: number | undefined;
  /** The node that was last met there. */
  nodeId: NodeId | undefined;
  /** Failures in a row. */
  failures: number;
  /** Not to be dialled before this time: it failed. */
  dialAtMs: number;
  /** Not to be dialled before this time either: it refused, and starting over changes nothing. */
  refusedUntilMs: number;
  /** The same for a node that has links enough: who answers there is full. */
  fullUntilMs: number;
}

/** A bounded set of addresses. */
export class AddressBook {
  readonly #entries = new Map<string, KnownAddress>();
  #pinned: KnownAddress[] = [];
  readonly #random: Random;
  readonly #sizeMax: number;

  constructor(options: { readonly random: Random; readonly sizeMax?: number }) {
    this.#random = options.random;
    this.#sizeMax = options.sizeMax ?? limits.addressesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Addresses that a person gave. */
  get pinned(): readonly KnownAddress[] {
    return this.#pinned;
  }

  get(host: string, port: number): KnownAddress | undefined {
    return this.#entries.get(formatAddress(host, port));
  }

  /** The entry of an address, a new one if need be; undefined when the book is full of better. */
  add(
    host: string,
    port: number,
    { namedOnLan }: { readonly namedOnLan?: LanNaming | undefined } = {},
  ): KnownAddress | undefined {
    const key = formatAddress(host, port);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      // The better word counts.
      if (namedOnLan === undefined || known.namedOnLan === "other") known.namedOnLan = namedOnLan;
      return known;
    }
    if (namedOnLan !== undefined) this.#makeRoomOfLan(host);
    if (this.#entries.size >= this.#sizeMax && !this.#makeRoom()) return undefined;
    const entry: KnownAddress = {
      host,
      port,
      isPinned: false,
      isSelf: false,
      isDialled: false,
      namedOnLan,
      isGood: false,
      metAtMs: undefined,
      nodeId: undefined,
      failures: 0,
      dialAtMs: -Infinity,
      refusedUntilMs: -Infinity,
      fullUntilMs: -Infinity,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Adds an address that a person gave; false when there is no room for another. */
  pin(
    host: string,
    port: number,
    naming: { readonly namedOnLan?: LanNaming | undefined } = {},
  ): boolean {
    const entry = this.add(host, port, naming);
    if (entry === undefined) return false;
    if (!entry.isPinned) {
      entry.isPinned = true;
      entry.dialAtMs = -Infinity;
      this.#pinned.push(entry);
    }
    return true;
  }

  /** A person named the address no more: it is as good as any other that is known. */
  unpin(host: string, port: number): void {
    const entry = this.get(host, port);
    if (entry === undefined || !entry.isPinned) return;
    entry.isPinned = false;
    this.#pinned = this.#pinned.filter((one) => one !== entry);
  }

  /** Notes that a link with `nodeId` came up there. */
  met(entry: KnownAddress, nodeId: NodeId, nowMs: number): void {
    entry.nodeId = nodeId;
    entry.isGood = true;
    entry.metAtMs = nowMs;
  }

  /**
   * Notes that a dial failed or a link ended at once: again after 1 s, 2 s, 4 s, ... (rules 2 and
   * 3). A quarter of it is random, so that a fleet does not dial in step.
   */
  failed(
    entry: KnownAddress,
    nowMs: number,
    { isCutOff = false }: { readonly isCutOff?: boolean } = {},
  ): void {
    entry.failures++;
    entry.isGood = false;
    const { metAtMs = -Infinity } = entry;
    const isSoon = entry.isPinned || isCutOff || nowMs - metAtMs < limits.metRecentlyMs;
    const delayMs = Math.min(
      isSoon ? limits.redialMsMax : limits.backoffMs,
      limits.redialMsMin * 2 ** Math.min(entry.failures - 1, 16),
    );
    entry.dialAtMs = this.#about(delayMs, nowMs);
  }

  /** Notes that a link that had served well ended: the node may be back soon. */
  ended(entry: KnownAddress, nowMs: number): void {
    entry.failures = 0;
    entry.metAtMs = nowMs;
    entry.dialAtMs = this.#about(limits.redialMsMin, nowMs);
  }

  /**
   * The network is back: what failed may have failed for want of it, and is tried again soon; all
   * but `except`, which showed it.
   */
  startOver(nowMs: number, except: readonly KnownAddress[] = []): void {
    for (const entry of this.#entries.values()) {
      if (except.includes(entry)) continue;
      entry.failures = 0;
      entry.dialAtMs = Math.min(entry.dialAtMs, nowMs + limits.redialMsMin * this.#random.unit());
    }
  }

  /** This node has lost its last link: nothing waits for longer than rule 3 allows. */
  hurry(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      entry.dialAtMs = Math.min(entry.dialAtMs, this.#about(limits.redialMsMax, nowMs));
    }
  }

  /**
   * Up to `count` addresses where nodes were met, the last met first; no names. No host but this machine has
   * more than `limits.knownNodesPerHostMax`: one that names many ports would be all of them.
   */
  lastMet(count: number): KnownAddress[] {
    const met = [...this.#entries.values()].filter(({ host, isSelf, metAtMs }) =>
      metAtMs !== undefined && !isSelf && !isNowhere(host)
    );
    met.sort((a, b) => b.metAtMs! - a.metAtMs!);
    const ofHost = new Counts<string>();
    const listed: KnownAddress[] = [];
    for (const entry of met) {
      if (listed.length === count) break;
      if (!isLoopback(entry.host) && ofHost.of(entry.host) >= limits.knownNodesPerHostMax) continue;
      ofHost.add(entry.host, 1);
      listed.push(entry);
    }
    return listed;
  }

  /** Up to `count` entries that `fits` accepts, at random. */
  pick(count: number, fits: (entry: KnownAddress) => boolean): KnownAddress[] {
    // Reservoir sampling (Vitter's algorithm R): one pass, no list of all that fit.
    const picked: KnownAddress[] = [];
    let seen = 0;
    for (const entry of this.#entries.values()) {
      if (!fits(entry)) continue;
      seen++;
      if (picked.length < count) picked.push(entry);
      else {
        const at = Math.floor(this.#random.unit() * seen);
        if (at < count) picked[at] = entry;
      }
    }
    return picked;
  }

  /**
   * Up to `count` entries that only the LAN names and `fits` accepts: first what hosts said of themselves,
   * a host after the other, of each what failed least often.
   */
  pickOfLan(count: number, fits: (entry: KnownAddress) => boolean): KnownAddress[] {
    const byHost = new Map<string, { readonly entry: KnownAddress; readonly tie: number }[]>();
    for (const entry of this.#entries.values()) {
      if (entry.namedOnLan === undefined || !fits(entry)) continue;
      const ofHost = byHost.get(entry.host) ?? [];
      byHost.set(entry.host, ofHost);
      ofHost.push({ entry, tie: this.#random.unit() });
    }
    const ranked = [...byHost.values()].flatMap((ofHost) =>
      ofHost.sort((a, b) => byWorth(a.entry, b.entry) || a.tie - b.tie)
        .map((one, turn) => ({ ...one, turn }))
    );
    return ranked
      .sort((a, b) => rankOf(a.entry) - rankOf(b.entry) || a.turn - b.turn || a.tie - b.tie)
      .slice(0, count).map(({ entry }) => entry);
  }

  /** A time `delayMs` from now, or up to a quarter of it sooner. */
  #about(delayMs: number, nowMs: number): number {
    return nowMs + delayMs * (1 - 0.25 * this.#random.unit());
  }

  /** Rule 5. */
  #makeRoomOfLan(host: string): void {
    const all = [...this.#entries.values()].filter((one) =>
      one.namedOnLan !== undefined && one.metAtMs === undefined && !one.isPinned && !one.isDialled
    );
    const ofHost = all.filter((one) => one.host === host);
    const isHostFull = ofHost.length >= limits.lanDialsPerHostMax;
    if (!isHostFull && all.length < limits.lanAddressesKnownMax) return;
    const worst = (isHostFull ? ofHost : all).reduce((a, b) => byWorth(b, a) > 0 ? b : a);
    this.#entries.delete(formatAddress(worst.host, worst.port));
  }

  /** Rule 1. */
  #makeRoom(): boolean {
    let oldest: [key: string, metAtMs: number] | undefined;
    for (const [key, { isPinned, isSelf, isDialled, metAtMs }] of this.#entries) {
      if (isPinned || isSelf || isDialled) continue;
      if (metAtMs === undefined) {
        this.#entries.delete(key);
        return true;
      }
      if (oldest === undefined || metAtMs < oldest[1]) oldest = [key, metAtMs];
    }
    return oldest !== undefined && this.#entries.delete(oldest[0]);
  }
}

/** Of addresses that the LAN names, less than 0 where `a` is rather worth a dial. */
function byWorth(a: KnownAddress, b: KnownAddress): number {
  return rankOf(a) - rankOf(b) || a.failures - b.failures;
}

function rankOf({ namedOnLan }: KnownAddress): number {
  return namedOnLan === "other" ? 1 : 0;
}
