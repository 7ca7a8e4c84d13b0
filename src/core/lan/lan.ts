/**
 * How a node finds others on the networks that its machine is on, by multicast DNS, and what it tells
 * them of itself. Each interface has a segment for each family of addresses.
 *
 * Rules
 *  1. A node announces itself on each segment where it can be dialled: at once, again 2 s later, and
 *     then about every 50 s. What was announced counts for 120 s.
 *  2. A node asks who is there 1 s after it began (one that cannot be dialled: at once), then after 3,
 *     9, 27 s and so on, up to an hour. It says whom it knows, so that these are silent, and does not
 *     ask when it knows enough. A question of another who knows no more counts as its own.
 *  3. It answers a question once, by an announcement, which all hear. The answer waits at random, the
 *     longer the more nodes there are, and there is a bound on answers over time.
 *  4. An old resolver, and who asks for it and could have heard this node lately, gets an answer of its
 *     own, with a bound of its own.
 *  5. On one segment there is a gap of 1 s between any two packets to all; only the goodbye is sent at once.
 *  6. What is heard is bounded (`heard_nodes.ts`), and nodes of other networks are only counted.
 *  7. Each node of this network that is heard for the first time is told to the address book, which
 *     decides whom to dial; and whether the host at its address said so, or another.
 *  8. All nodes of one network that hear each other stand in a ring, in the order of their labels. Each
 *     keeps a link with the one that comes next, even if it has links enough: so the links connect all of
 *     them, also where the segments of two groups were joined after each had found links enough among
 *     themselves. Who does not get a link in time is passed over for a while.
 *
 * It sends nothing, and knows no packet.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { unreachable } from "../../base/errors.ts";
import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { HeardNodes, namingOf } from "./heard_nodes.ts";
import type { LanEffect, LanEvent, LanNodeReport, NamedAddress, Segment } from "./lan_events.ts";
import { SegmentTalk } from "./segment_talk.ts";

interface LanOptions {
  /** The name of this node on the LAN. */
  readonly label: string;
  /** That of the network whose nodes it can dial. */
  readonly tag: string;
  readonly random: Random;
  /** Whether it keeps a link with the node that comes next. */
  readonly keepsNext: boolean;
  /** Whether there is a link with the node that is kept. */
  readonly isLinked: (address: HostPort) => boolean;
}

/** The node that comes next. */
interface Next extends NamedAddress {
  readonly label: string;
  readonly sinceMs: number;
}

/** One node on its LANs. */
export class Lan {
  readonly #options: LanOptions;
  readonly #talks = new Map<string, SegmentTalk>();
  readonly #heard: HeardNodes;
  #next: Next | undefined;
  /** When it is found out anew which that is. */
  #nextAtMs = Infinity;
  /** Nodes that are passed over, and until when. */
  readonly #passedOver = new BoundedMap<string, number>(limits.lanNodesMax);

  constructor(options: LanOptions) {
    this.#options = options;
    this.#heard = new HeardNodes(options.tag);
  }

  /** When something is due, if nothing happens before. */
  get wakeMs(): number {
    return Math.min(this.#nextAtMs, ...[...this.#talks.values()].map(({ wakeMs }) => wakeMs));
  }

  /** How many nodes were heard, of this network and of others. */
  get counts(): HeardNodes["counts"] {
    return this.#heard.counts;
  }

  /** Who was heard, the one heard last first. */
  nodes(): LanNodeReport[] {
    return [...this.#heard.all].reverse();
  }

  /** Takes one event; gives what is to be done, in order. */
  step(event: LanEvent, nowMs: number): LanEffect[] {
    const out: LanEffect[] = [];
    this.#heard.expire(nowMs);
    this.#apply(event, nowMs, out);
    if (event.kind !== "stop") {
      this.#keepNext(nowMs, out);
      this.#talk(nowMs, out);
    }
    return out;
  }

  #apply(event: LanEvent, nowMs: number, out: LanEffect[]): void {
    switch (event.kind) {
      case "segments":
        return this.#setSegments(event.segments, nowMs);
      case "asked":
        return this.#talks.get(event.segment)?.asked(event, this.#facts(), nowMs, out);
      case "announced": {
        const { node, segment } = event;
        if (node.label === this.#options.label || !this.#talks.has(segment)) return;
        if (!this.#heard.heard(node, segment, nowMs)) return;
        this.#passedOver.delete(node.label);
        this.#nextLater(nowMs);
        out.push({ kind: "found", address: addressOf(node) });
        return;
      }
      case "gone":
        if (this.#heard.gone(event.label, event.from)) this.#nextLater(nowMs);
        return;
      case "tick":
        return;
      case "stop":
        for (const talk of this.#talks.values()) talk.stop(out);
        if (this.#next !== undefined) out.push({ kind: "keep", address: null });
        this.#next = undefined;
        return this.#talks.clear();
      default:
        return unreachable(event);
    }
  }

  #setSegments(segments: readonly Segment[], nowMs: number): void {
    const ids = new Set(segments.map(({ id }) => id));
    for (const id of this.#talks.keys()) if (!ids.has(id)) this.#talks.delete(id);
    for (const segment of segments) {
      // At another address it is to be heard anew, and where nothing could be sent before.
      const isKnown = isSame(this.#talks.get(segment.id)?.segment, segment);
      if (isKnown && segment.isFresh !== true) continue;
      this.#talks.set(segment.id, new SegmentTalk(segment, this.#options.random, nowMs));
    }
    this.#heard.keepOnly(ids);
  }

  #facts(): { readonly known: readonly string[] } {
    return { known: [...this.#heard.own()].map(({ label }) => label).reverse() };
  }

  #talk(nowMs: number, out: LanEffect[]): void {
    for (const talk of this.#talks.values()) {
      if (nowMs >= talk.wakeMs) talk.tick(this.#facts(), nowMs, out);
    }
  }

  // Rule 8

  /** Of many nodes that come together, each would come next for a moment: so it is not done at once. */
  #nextLater(nowMs: number): void {
    if (this.#options.keepsNext) {
      this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + limits.lanNextMs);
    }
  }

  #keepNext(nowMs: number, out: LanEffect[]): void {
    if (nowMs < this.#nextAtMs) return;
    this.#nextAtMs = Infinity;
    const before = this.#next;
    const isLinked = before !== undefined && this.#options.isLinked(before);
    if (before !== undefined && !isLinked && nowMs - before.sinceMs >= limits.lanKeepMs) {
      this.#passedOver.set(before.label, nowMs + limits.lanPassOverMs);
    }
    const next = this.#nextNode(nowMs);
    if (next !== undefined) this.#nextAtMs = nowMs + limits.lanKeepMs;
    if (isSameNode(before, next)) return;
    this.#next = next && { label: next.label, ...addressOf(next), sinceMs: nowMs };
    out.push({ kind: "keep", address: next ? addressOf(next) : null });
  }

  #nextNode(nowMs: number): ReturnType<HeardNodes["get"]> {
    const { label: own } = this.#options;
    let next: ReturnType<HeardNodes["get"]>;
    for (const node of this.#heard.own()) {
      if ((this.#passedOver.get(node.label) ?? -Infinity) > nowMs) continue;
      if (next === undefined || isNearer(node.label, next.label, own)) next = node;
    }
    return next;
  }
}

function addressOf(
  { host, port, from }: HostPort & { readonly from: string },
): NamedAddress {
  return { host, port, namedOnLan: namingOf({ host, from }) };
}

function isSame(one: Segment | undefined, other: Segment): boolean {
  return one?.addresses.join() === other.addresses.join();
}

function isSameNode(one: Next | undefined, other: LanNodeReport | undefined): boolean {
  return one?.label === other?.label && one?.host === other?.host && one?.port === other?.port;
}

/** Whether `one` comes before `other` in the ring that begins after `own`. */
function isNearer(one: string, other: string, own: string): boolean {
  const isPast = (label: string) => label > own;
  return isPast(one) === isPast(other) ? one < other : isPast(one);
}
