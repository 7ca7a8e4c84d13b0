/**
 * Whom a node dials to get links, and when. What comes of a dial stands in the address book, which
 * says how long a failed address waits.
 *
 * Rules
 *  1. Addresses that a person gave (pinned) are dialled whenever no link leads to them, up to the
 *     most links that a node has.
 *  2. Others only while there are fewer links than the fewest that it wants: those where a node was
 *     met first, by this run or the one before, then hearsay, then what the LAN alone names, which
 *     anybody on it may do: a host after the other. A dial that is not answered for `dialSlowMs` does
 *     not count as a link to come.
 *  3. Where a fetch waits for a link, those that a person gave and that were met last are dialled at
 *     once.
 *  4. A link that comes up after failures, and a change of this machine's addresses, mean that the
 *     network is back: all addresses start over, but not more often than a link has time to prove good.
 */

import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import { plainHost } from "../../wire/host.ts";
import type { AddressBook, KnownAddress } from "./address_book.ts";
import type { Bans } from "./bans.ts";
import type { LinkTable } from "./link_table.ts";
import type { NeighboursEffect, NeighboursEvent } from "./neighbour_events.ts";

/** Why no link came of a dial. */
type FailedDial = Omit<NeighboursEvent & { readonly kind: "dial-failed" }, "kind">;

/** The dials of one node. */
export class Dials {
  readonly #book: AddressBook;
  readonly #table: LinkTable;
  readonly #bans: Bans;
  readonly #linksMin: number;
  readonly #linksMax: number;
  /** When all addresses last started over. */
  #startedOverMs = -Infinity;
  /** When somebody last waited for a link. */
  #neededMs = -Infinity;

  constructor(parts: {
    readonly book: AddressBook;
    readonly table: LinkTable;
    readonly bans: Bans;
    readonly linksMin: number;
    readonly linksMax: number;
  }) {
    this.#book = parts.book;
    this.#table = parts.table;
    this.#bans = parts.bans;
    this.#linksMin = parts.linksMin;
    this.#linksMax = parts.linksMax;
  }

  /** Rules 1 and 2: dials what is to be dialled now. */
  dial(nowMs: number, out: NeighboursEffect[]): void {
    for (const entry of this.#book.pinned) {
      if (this.#isFull) return;
      if (this.#mayDial(entry, nowMs)) this.#dialOne(entry, nowMs, out);
    }
    let wanted = this.#wanted(nowMs);
    for (const isMet of [true, false]) {
      if (wanted <= 0) return;
      const entries = this.#book.pick(
        wanted,
        (one) =>
          (one.metAtMs !== undefined) === isMet && (isMet || one.namedOnLan === undefined) &&
          this.#mayDial(one, nowMs),
      );
      for (const entry of entries) this.#dialOne(entry, nowMs, out);
      wanted -= entries.length;
    }
    if (wanted <= 0) return;
    for (const entry of this.#book.pickOfLan(wanted, (one) => this.#mayDial(one, nowMs))) {
      this.#dialOne(entry, nowMs, out);
    }
  }

  /** Rule 3: pinned addresses in any case; others as long as this node wants links by itself. */
  inNeed(nowMs: number, out: NeighboursEffect[]): void {
    if (nowMs - this.#neededMs < limits.redialMsMin) return;
    this.#neededMs = nowMs;
    const isShort = this.#table.linkCount < this.#linksMin;
    const met = isShort ? this.#book.lastMet(limits.dialsInNeedMax) : [];
    const isPinned = new Set(this.#book.pinned);
    for (const entry of [...isPinned, ...met]) {
      if (this.#isFull) return;
      if (!isPinned.has(entry) && this.#table.dialCount >= limits.dialsAtOnceMax) continue;
      entry.dialAtMs = Math.min(entry.dialAtMs, nowMs);
      if (this.#mayDial(entry, nowMs)) this.#dialOne(entry, nowMs, out);
    }
    this.dial(nowMs, out);
  }

  /** A dial came to nothing. */
  failed({ host, port, refusal, nodeId }: FailedDial, nowMs: number): void {
    const address = this.#book.get(plainHost(host), port);
    if (address === undefined) return;
    this.#table.endDial(address);
    if (refusal === "self") address.isSelf = true;
    this.putAside(address, nowMs, { isBusy: refusal === "busy" });
    // The link that it is a duplicate of may end; then this address is wanted soon.
    if (refusal === "duplicate") {
      address.refusedUntilMs = nowMs + limits.linkSilentMs;
      if (nodeId !== undefined) this.#book.met(address, nodeId, nowMs);
    }
    if (refusal === "banned") address.refusedUntilMs = nowMs + limits.backoffMs;
  }

  /** Dials that were not answered for too long have failed. */
  expire(dial: { readonly address: HostPort; readonly sinceMs: number }, nowMs: number): void {
    if (nowMs - dial.sinceMs < limits.pendingDialMs) return;
    const { host, port } = dial.address;
    this.failed({ host, port }, nowMs);
  }

  /** An address waits, since nothing good came of it. */
  putAside(address: KnownAddress, nowMs: number, how: { readonly isBusy: boolean }): void {
    this.#book.failed(address, nowMs, { isCutOff: this.#table.linkCount === 0 });
    // A node that has links enough does not knock at a full one every half minute.
    if (how.isBusy) address.fullUntilMs = nowMs + limits.backoffMs;
  }

  /** Rule 4: a link came up. */
  startOver(nowMs: number, except: readonly KnownAddress[] = []): void {
    // A flapping link is no network's return.
    if (nowMs - this.#startedOverMs < limits.linkSilentMs) return;
    this.#startedOverMs = nowMs;
    this.#book.startOver(nowMs, except);
  }

  /** Rule 4: this machine's addresses changed. */
  networkChanged(nowMs: number): void {
    this.#startedOverMs = -Infinity;
    this.startOver(nowMs);
  }

  get #isFull(): boolean {
    return this.#table.size >= this.#linksMax;
  }

  /** How many addresses that no person gave are to be dialled now. */
  #wanted(nowMs: number): number {
    let slow = 0;
    for (const { sinceMs } of this.#table.dials()) if (nowMs - sinceMs >= limits.dialSlowMs) slow++;
    return Math.min(
      this.#linksMin - (this.#table.size - slow),
      limits.dialsAtOnceMax - this.#table.dialCount,
      this.#linksMax - this.#table.size,
    );
  }

  #mayDial(entry: KnownAddress, nowMs: number): boolean {
    if (nowMs < entry.dialAtMs || nowMs < entry.refusedUntilMs || entry.isSelf) return false;
    if (this.#table.isDialled(entry)) return false;
    if (nowMs < entry.fullUntilMs && this.#table.size >= this.#linksMin) return false;
    const { nodeId, host } = entry;
    if (nodeId !== undefined && this.#table.linksWith(nodeId) > 0) return false;
    return !this.#bans.has({ host, ...(nodeId === undefined ? {} : { nodeId }) }, nowMs);
  }

  #dialOne(address: KnownAddress, nowMs: number, out: NeighboursEffect[]): void {
    this.#table.beginDial(address, nowMs);
    const { host, port, namedOnLan } = address;
    out.push({ kind: "dial", host, port, ...(namedOnLan && { namedOnLan }) });
  }
}
