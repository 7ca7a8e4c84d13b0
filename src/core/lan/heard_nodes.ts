/**
 * The nodes that were heard on the LAN, those of the own network and strangers. What is announced
 * counts for a time, and anybody may announce anything, so all of it has bounds:
 *
 *  1. So many nodes of either kind; a new one takes the place of the one heard longest ago.
 *  2. So many of them at one address.
 *  3. So many new ones in a second; of those already heard only the time is noted.
 */

import { Counts } from "../../base/counts.ts";
import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { AnnouncedNode, LanNodeReport } from "./lan_events.ts";

/** Bounded sets of nodes that were heard. */
export class HeardNodes {
  readonly #tag: string;
  /** By label, the one heard longest ago first. */
  readonly #nodes = new Map<string, LanNodeReport>();
  readonly #counts = { own: 0, strangers: 0 };
  readonly #atHost = new Counts<string>();
  readonly #news = new RateLimit(limits.lanNewPerSecond, limits.lanNewBurst);

  /** @param tag That of the own network. */
  constructor(tag: string) {
    this.#tag = tag;
  }

  /** How many of the own network, and of others. */
  get counts(): { readonly own: number; readonly strangers: number } {
    return this.#counts;
  }

  /** All of them, the one heard longest ago first. */
  get all(): Iterable<LanNodeReport> {
    return this.#nodes.values();
  }

  /** Those of the own network. */
  *own(): Iterable<LanNodeReport> {
    for (const node of this.#nodes.values()) if (node.isOwn) yield node;
  }

  get(label: string): LanNodeReport | undefined {
    return this.#nodes.get(label);
  }

  /** Whether the node is of the own network, and was not heard before at this address. */
  heard(node: AnnouncedNode, segment: string, nowMs: number): boolean {
    const { label, host, port, tags } = node;
    const isOwn = tags.includes(this.#tag);
    const known = this.#nodes.get(label);
    const isMoved = known === undefined || known.host !== host || known.port !== port ||
      known.isOwn !== isOwn;
    if (isMoved) {
      if (!this.#news.take(nowMs)) return false;
      if (known !== undefined) this.forget(label);
      if (this.#atHost.of(host) >= limits.lanNodesPerHostMax) return false;
      this.#makeRoom(isOwn);
      this.#count(isOwn, host, 1);
    }
    this.#nodes.delete(label);
    this.#nodes.set(label, { label, host, port, isOwn, segment, heardAtMs: nowMs });
    return isOwn && isMoved;
  }

  /** Forgets a node; false when it is not known. */
  forget(label: string): boolean {
    const node = this.#nodes.get(label);
    if (node === undefined) return false;
    this.#nodes.delete(label);
    this.#count(node.isOwn, node.host, -1);
    return true;
  }

  /** Forgets whose time is over. */
  expire(nowMs: number): void {
    for (const { label, heardAtMs } of this.#nodes.values()) {
      if (nowMs - heardAtMs < limits.lanTtlMs) return;
      this.forget(label);
    }
  }

  /** Forgets who was heard where nobody is any more. */
  keepOnly(segments: ReadonlySet<string>): void {
    for (const { label, segment } of this.#nodes.values()) {
      if (!segments.has(segment)) this.forget(label);
    }
  }

  #count(isOwn: boolean, host: string, by: 1 | -1): void {
    this.#counts[isOwn ? "own" : "strangers"] += by;
    this.#atHost.add(host, by);
  }

  #makeRoom(isOwn: boolean): void {
    const max = isOwn ? limits.lanNodesMax : limits.lanStrangersMax;
    if (this.#counts[isOwn ? "own" : "strangers"] < max) return;
    for (const node of this.#nodes.values()) {
      if (node.isOwn !== isOwn) continue;
      this.forget(node.label);
      return;
    }
  }
}
