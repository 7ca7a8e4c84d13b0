/**
 * The addresses at which nodes were said to accept connections, and when each may be dialled
 * again. Addresses that a person gave are pinned: never forgotten, and tried again soon. What came
 * by gossip is hearsay: bounded, and left alone for long after a failure.
 *
 * It does not decide to dial: `neighbours.ts` does.
 */

import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { formatAddress } from "../../wire/host.ts";

/** One address and what is known of it. */
export interface KnownAddress {
  readonly host: string;
  readonly port: number;
  /** Given by a person. */
  isPinned: boolean;
  /** It leads to this node itself. */
  isSelf: boolean;
  /** A node was met there, and no dial has failed since: it may be told to others. */
  isGood: boolean;
  /** The node that was last met there. */
  nodeId: NodeId | undefined;
  /** Failures in a row. */
  failures: number;
  /** Not to be dialled before this time. */
  dialAtMs: number;
}

/** A bounded set of addresses. */
export class AddressBook {
  readonly #entries = new Map<string, KnownAddress>();
  readonly #pinned: KnownAddress[] = [];
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
  add(host: string, port: number): KnownAddress | undefined {
    const key = formatAddress(host, port);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.#sizeMax && !this.#makeRoom()) return undefined;
    const entry: KnownAddress = {
      host,
      port,
      isPinned: false,
      isSelf: false,
      isGood: false,
      nodeId: undefined,
      failures: 0,
      dialAtMs: -Infinity,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Adds an address that a person gave; false when there is no room for another. */
  pin(host: string, port: number): boolean {
    const entry = this.add(host, port);
    if (entry === undefined) return false;
    if (!entry.isPinned) {
      entry.isPinned = true;
      entry.dialAtMs = -Infinity;
      this.#pinned.push(entry);
    }
    return true;
  }

  /** Notes that a link with `nodeId` came up there. */
  met(entry: KnownAddress, nodeId: NodeId): void {
    entry.nodeId = nodeId;
    entry.isGood = true;
  }

  /**
   * Notes that a dial failed or a link ended at once. Pinned: again after 1 s, 2 s, ... 30 s;
   * others after 300 s. A quarter of it is random, so that a fleet does not dial in step.
   */
  failed(entry: KnownAddress, nowMs: number): void {
    entry.failures++;
    entry.isGood = false;
    const delayMs = entry.isPinned
      ? Math.min(limits.redialMsMax, limits.redialMsMin * 2 ** Math.min(entry.failures - 1, 16))
      : limits.backoffMs;
    entry.dialAtMs = nowMs + delayMs * (1 - 0.25 * this.#random.unit());
  }

  /** Notes that a link that had served well ended: the node may be back soon. */
  ended(entry: KnownAddress, nowMs: number): void {
    entry.failures = 0;
    entry.dialAtMs = nowMs + limits.redialMsMin * (1 - 0.25 * this.#random.unit());
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

  /** Forgets the oldest address that is mere hearsay, else the oldest that nobody pinned. */
  #makeRoom(): boolean {
    let oldest: string | undefined;
    for (const [key, entry] of this.#entries) {
      if (entry.isPinned || entry.isSelf) continue;
      if (!entry.isGood) {
        this.#entries.delete(key);
        return true;
      }
      oldest ??= key;
    }
    return oldest !== undefined && this.#entries.delete(oldest);
  }
}
