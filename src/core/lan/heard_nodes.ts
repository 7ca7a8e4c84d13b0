/**
 * The nodes that were heard on the LAN, those of the own network and strangers. What is announced
 * counts for a time, and anybody may announce anything, so all of it has bounds:
 *
 *  1. So many nodes of either kind; a new one takes the place of the one heard longest ago.
 *  2. So many of them at one address. What its host says of itself and what others say of it count
 *     apart, so that nobody can use up the places of another.
 *  3. So many that one host names at other addresses than that from which it sends. It may do so: it
 *     has several, or it passes on what it heard on another link.
 *  4. So many new ones in a second, in all and of what one host says; of those already heard only the
 *     time is noted.
 *  5. One at each address. What a host says of itself counts before what others say, of the address and
 *     of the label, and only the host that announced a node says its goodbye.
 */

import { Counts } from "../../base/counts.ts";
import { limits } from "../../base/limits.ts";
import { HostRateLimit, RateLimit } from "../../base/rate_limit.ts";
import { formatAddress, type LanNaming } from "../../wire/host.ts";
import type { AnnouncedNode, LanNodeReport } from "./lan_events.ts";

/** A node that was heard. */
interface HeardNode extends LanNodeReport {
  /** The host that announced it last. */
  readonly from: string;
}

/** Bounded sets of nodes that were heard. */
export class HeardNodes {
  readonly #tag: string;
  /** By label, the one heard longest ago first. */
  readonly #nodes = new Map<string, HeardNode>();
  /** By address. */
  readonly #labelAt = new Map<string, string>();
  readonly #counts = { own: 0, strangers: 0 };
  /** How many there are in each of the bounded groups that `groupsOf` names. */
  readonly #inGroup = new Counts<string>();
  readonly #news = new RateLimit(limits.lanNewPerSecond, limits.lanNewBurst);
  readonly #newsOf = new HostRateLimit({
    perSecond: limits.lanNewPerHostPerSecond,
    burst: limits.lanNewPerHostBurst,
    hostsMax: limits.lanNodesMax,
  });

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
  *own(): Iterable<HeardNode> {
    for (const node of this.#nodes.values()) if (node.isOwn) yield node;
  }

  get(label: string): HeardNode | undefined {
    return this.#nodes.get(label);
  }

  /** Whether the node is of the own network, and was not heard before at this address. */
  heard(node: AnnouncedNode, segment: string, nowMs: number): boolean {
    const { label, host, port, tags, from } = node;
    const isOwn = tags.includes(this.#tag);
    const known = this.#nodes.get(label);
    const there = this.#nodes.get(this.#labelAt.get(formatAddress(host, port)) ?? "");
    const before = [...new Set([known, there])].filter((one) => one !== undefined);
    const naming = namingOf(node);
    if (naming === "other" && before.some((one) => namingOf(one) === "itself")) return false;
    const isMoved = known === undefined || known !== there || known.isOwn !== isOwn ||
      namingOf(known) !== naming;
    if (isMoved) {
      if (!this.#newsOf.take(from, nowMs) || !this.#news.take(nowMs)) return false;
    }
    for (const one of before) this.#forget(one);
    const heard = { label, host, port, isOwn, segment, from, heardAtMs: nowMs };
    this.#makeRoom(heard);
    this.#nodes.set(label, heard);
    this.#labelAt.set(formatAddress(host, port), label);
    this.#count(heard, 1);
    return isOwn && isMoved;
  }

  /** Rule 5: a host says that a node ended; false when that changes nothing. */
  gone(label: string, from: string): boolean {
    const node = this.#nodes.get(label);
    if (node?.from !== from) return false;
    this.#forget(node);
    return true;
  }

  /** Forgets whose time is over. */
  expire(nowMs: number): void {
    for (const node of this.#nodes.values()) {
      if (nowMs - node.heardAtMs < limits.lanTtlMs) return;
      this.#forget(node);
    }
  }

  /** Forgets who was heard where nobody is any more. */
  keepOnly(segments: ReadonlySet<string>): void {
    for (const node of this.#nodes.values()) {
      if (!segments.has(node.segment)) this.#forget(node);
    }
  }

  #forget(node: HeardNode): void {
    this.#nodes.delete(node.label);
    this.#labelAt.delete(formatAddress(node.host, node.port));
    this.#count(node, -1);
  }

  #count(node: HeardNode, by: 1 | -1): void {
    this.#counts[node.isOwn ? "own" : "strangers"] += by;
    for (const group of groupsOf(node)) this.#inGroup.add(group, by);
  }

  #makeRoom(node: HeardNode): void {
    for (const group of groupsOf(node)) {
      if (this.#inGroup.of(group) < limits.lanNodesPerHostMax) continue;
      this.#forgetOldest((one) => groupsOf(one).includes(group));
    }
    const { isOwn } = node;
    const max = isOwn ? limits.lanNodesMax : limits.lanStrangersMax;
    if (this.#counts[isOwn ? "own" : "strangers"] < max) return;
    this.#forgetOldest((one) => one.isOwn === isOwn);
  }

  #forgetOldest(fits: (node: HeardNode) => boolean): void {
    for (const node of this.#nodes.values()) if (fits(node)) return this.#forget(node);
  }
}

/** Who named the address of a node. */
export function namingOf({ host, from }: Pick<HeardNode, "host" | "from">): LanNaming {
  return host === from ? "itself" : "other";
}

/** Rules 2 and 3: what a node counts to. */
function groupsOf({ host, from }: HeardNode): string[] {
  return host === from ? [`itself at ${host}`] : [`named at ${host}`, `named by ${from}`];
}
