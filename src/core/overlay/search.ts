/**
 * The flooding callback search: one node's part in everybody's searches, and its own.
 *
 * Nothing here recurses, and nothing waits for another node's answer to give its own. A search is
 * one QUERY that floods over the links. A node that has any part of what is sought turns to the
 * requester itself. The rules, in the order in which a query meets them:
 *
 *  1. The origin sends its query with hops 0 and no callback host on every link that it has, and
 *     on every link that comes up while the search lasts.
 *  2. A link that sends more queries than the bound has the excess dropped; one that sends ten
 *     times as many is dropped itself, which counts against its node (see `bans.ts`). Nobody
 *     forwards more than the bound over a link, so an honest node is never taken for a flooder for
 *     what it forwards. Globs, for which a node walks over all its names, have a much smaller bound
 *     of their own, and no fault.
 *  3. An id that was seen before is dropped, an own one included, also when its search is over. The
 *     first copy decides the way back. The cache of ids is bounded.
 *  4. The first neighbour writes in the host that it sees the link come from. An origin that writes
 *     one itself is at fault, which counts against its node, so nobody can have a victim dialled from where it stands. Port 0
 *     says that the requester cannot be dialled, and stays.
 *  5. A loopback host means another machine elsewhere: over a link to another machine the query
 *     goes on as one that cannot be dialled, and one that comes over such a link is treated so.
 *  6. A node that has no part of it forwards at once: to every link but the one it came from, with
 *     one link less to travel (TTL) and one more travelled (hops), if any is left.
 *  7. A node that has any part calls back first. It forwards if the requester answers that the
 *     search shall go on, if the callback fails, or if it is not answered in time; it does not
 *     forward if the requester has enough. An answer that comes later changes nothing, except
 *     that the requester turns out not to be reachable: see 9.
 *  8. With too many callbacks in progress it forwards at once and calls nobody.
 *  9. A requester that cannot be dialled, because it says so or because an attempt shows it, gets
 *     a HIT instead, over the links by which the query came, and the query is forwarded at once:
 *     nobody here can know whether it has enough.
 * 10. A HIT goes back by the cache of ids, link by link; the first neighbour of the holder writes
 *     in its host, as in 4 and 5. It is dropped when its query is not known, its way back is gone,
 *     or its link sends too many.
 *
 * This file does not dial, look into a catalogue, or know what a requester wants: it says so in
 * its effects, and is told the answers as events.
 */

import type { HostPort } from "../../base/address.ts";
import { type PeerFaultCode, unreachable } from "../../base/errors.ts";
import type { NodeId, QueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import {
  hostProblem,
  isLoopback,
  isSharedMeaning,
  isWholeAddress,
  plainHost,
} from "../../wire/host.ts";
import type { Hit, Query } from "../../wire/messages.ts";
import type { FileOffer, Sought } from "../../wire/structures.ts";
import type { Misdeed } from "./bans.ts";
import type { LinkId } from "./neighbours.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import { SeenCache } from "./seen_cache.ts";

/** Where own queries come from in the cache of ids: no link has this id, so no HIT goes there. */
const NO_LINK: LinkId = -1;

/** How a callback ended. */
export type CallbackOutcome =
  /** The requester takes what there is, or not, and still needs chunks from others. */
  | "search-on"
  /** The requester no longer needs anyone. */
  | "enough"
  /** No connection to it came about, however long that took to show. */
  | "unreachable"
  /** It was reached, but did not answer as it should. */
  | "failed";

/** What a search of this node's own asks for. */
interface OwnSearch {
  readonly id: QueryId;
  readonly sought: Sought;
  /** Links that the query may travel after the first; 0 reaches neighbours only. */
  readonly ttl: number;
  /** Where this node accepts callbacks; 0: nobody can dial it. */
  readonly callbackPort: number;
}

/** What may happen to the search. */
export type SearchEvent =
  /** A search of this node begins. */
  | ({ readonly kind: "search" } & OwnSearch)
  | { readonly kind: "search-ended"; readonly id: QueryId }
  | { readonly kind: "query"; readonly link: LinkId; readonly query: Query }
  /** Answers `look-up`, which must be answered, now or later: is any part of it here? */
  | { readonly kind: "looked-up"; readonly id: QueryId; readonly holds: boolean }
  /** Answers `call-back`, which must be answered, however late. */
  | { readonly kind: "callback-answered"; readonly id: QueryId; readonly outcome: CallbackOutcome }
  | { readonly kind: "hit"; readonly link: LinkId; readonly hit: Hit }
  /** Answers `answer-by-hit`. `holderPort` is where this node can be dialled, 0 for nowhere. */
  | {
    readonly kind: "hit-ready";
    readonly id: QueryId;
    readonly offers: readonly FileOffer[];
    readonly nodeId: NodeId;
    readonly holderPort: number;
  }
  /** `host` is the address that the other end has, as seen from here. */
  | { readonly kind: "link-up"; readonly link: LinkId; readonly host: string }
  | { readonly kind: "link-down"; readonly link: LinkId }
  | { readonly kind: "tick" };

/** What the search wants done. One message object may be sent to several links. */
export type SearchEffect =
  | { readonly kind: "send"; readonly link: LinkId; readonly message: Query | Hit }
  | { readonly kind: "look-up"; readonly id: QueryId; readonly sought: Sought }
  | ({ readonly kind: "call-back"; readonly id: QueryId; readonly sought: Sought } & HostPort)
  | { readonly kind: "answer-by-hit"; readonly id: QueryId; readonly sought: Sought }
  | { readonly kind: "deliver-hit"; readonly id: QueryId; readonly hit: Hit }
  | Fault;

/** What a link does that the protocol does not allow: it is to be closed. */
export interface Fault {
  readonly kind: "fault";
  readonly link: LinkId;
  readonly code: PeerFaultCode;
  readonly message: string;
  /** What of it counts against the node itself. */
  readonly misdeed?: Misdeed;
}

/** What the search has done since the node started. */
export interface SearchCounters {
  /** Queries of others, each counted once. */
  queriesSeen: number;
  /** Queries of others that were passed on, over however many links. */
  forwarded: number;
  /** Copies of a query that was seen before. */
  droppedDuplicate: number;
  /** Queries and hits that were over the bound of a link, in or out. */
  droppedRate: number;
  /** Queries that were answered, by a callback or by a hit. */
  answered: number;
  /** Hits of others that were passed back. */
  hitsRelayed: number;
  /** Requesters that answered that they need nobody else. */
  enoughHeard: number;
  /** QUERY and HIT messages sent, each link counted. */
  messagesSent: number;
}

interface Link {
  readonly link: LinkId;
  /** Empty when the address cannot travel: a link-local one with a zone. */
  readonly host: string;
  /** Whether the other end is on this machine. */
  readonly isLocal: boolean;
  readonly queries: RateLimit;
  readonly flood: RateLimit;
  readonly hits: RateLimit;
  readonly forwards: RateLimit;
  readonly globsIn: RateLimit;
  readonly globsOut: RateLimit;
}

/** A query that waits for an answer of this node before it goes on. */
interface HeldQuery {
  readonly query: Query;
  readonly from: LinkId;
  /** When it is forwarded whatever has come until then. */
  readonly forwardAtMs: number;
  isForwarded: boolean;
}

/** One node's part in the search. */
export class Search {
  readonly counters: SearchCounters = {
    queriesSeen: 0,
    forwarded: 0,
    droppedDuplicate: 0,
    droppedRate: 0,
    answered: 0,
    hitsRelayed: 0,
    enoughHeard: 0,
    messagesSent: 0,
  };
  readonly #links = new Map<LinkId, Link>();
  readonly #own = new Map<QueryId, Query>();
  readonly #seen: SeenCache;
  /** Queries whose look-up is not answered. */
  readonly #lookUps = new Map<QueryId, HeldQuery>();
  /** Queries whose callback is not answered. */
  readonly #callbacks = new Map<QueryId, HeldQuery>();

  constructor(options: { readonly seenQueriesMax?: number } = {}) {
    this.#seen = new SeenCache(options.seenQueriesMax);
  }

  /** Query ids that are remembered. */
  get seenCount(): number {
    return this.#seen.size;
  }

  /** Takes one event; gives what is to be done, in order. */
  step(event: SearchEvent, nowMs: number): SearchEffect[] {
    const out: SearchEffect[] = [];
    this.#apply(event, nowMs, out);
    return out;
  }

  #apply(event: SearchEvent, nowMs: number, out: SearchEffect[]): void {
    switch (event.kind) {
      case "query":
        return this.#onQuery(event.link, event.query, nowMs, out);
      case "looked-up":
        return this.#onLookedUp(event.id, event.holds, nowMs, out);
      case "callback-answered":
        return this.#onCallbackAnswered(event.id, event.outcome, nowMs, out);
      case "hit":
        return this.#onHit(event.link, event.hit, nowMs, out);
      case "hit-ready":
        return this.#onHitReady(event, out);
      case "search":
        return this.#onSearch(event, nowMs, out);
      case "search-ended":
        return this.#onSearchEnded(event.id);
      case "link-up":
        return this.#onLinkUp(event.link, event.host, nowMs, out);
      case "link-down":
        this.#links.delete(event.link);
        return;
      case "tick":
        return this.#onTick(nowMs, out);
      default:
        return unreachable(event);
    }
  }

  // Rule 1

  #onSearch(search: OwnSearch, nowMs: number, out: SearchEffect[]): void {
    if (this.#own.has(search.id) || this.#seen.has(search.id)) return;
    const query: Query = {
      kind: "query",
      id: search.id,
      ttl: Math.min(search.ttl, limits.ttlMax),
      hops: 0,
      sought: search.sought,
      callbackHost: "",
      callbackPort: search.callbackPort,
    };
    this.#own.set(search.id, query);
    for (const link of this.#links.values()) this.#sendOwn(link, query, nowMs, out);
  }

  /** Copies that are still on their way are no stranger's query. */
  #onSearchEnded(id: QueryId): void {
    if (this.#own.delete(id)) this.#seen.add(id, NO_LINK);
  }

  #onLinkUp(link: LinkId, host: string, nowMs: number, out: SearchEffect[]): void {
    const plain = plainHost(host);
    const state: Link = {
      link,
      host: hostProblem(plain) === undefined ? plain : "",
      isLocal: isLoopback(plain),
      queries: new RateLimit(limits.queriesPerSecondMax, limits.queriesBurstMax),
      flood: new RateLimit(
        limits.queriesPerSecondMax * limits.floodFactor,
        limits.queriesBurstMax * limits.floodFactor,
      ),
      hits: new RateLimit(limits.hitsPerSecondMax, limits.hitsBurstMax),
      forwards: new RateLimit(limits.queriesPerSecondMax, limits.queriesBurstMax),
      globsIn: new RateLimit(limits.globsPerSecondMax, limits.globsBurstMax),
      globsOut: new RateLimit(limits.globsPerSecondMax, limits.globsBurstMax),
    };
    this.#links.set(link, state);
    for (const query of this.#own.values()) this.#sendOwn(state, query, nowMs, out);
  }

  #sendOwn(link: Link, query: Query, nowMs: number, out: SearchEffect[]): void {
    // A person waits for it: it goes out in any case, and leaves less room for what is forwarded.
    link.forwards.take(nowMs);
    if (query.sought.by === "glob") link.globsOut.take(nowMs);
    this.#send(link.link, query, out);
  }

  // Rules 2 to 6

  #onQuery(linkId: LinkId, query: Query, nowMs: number, out: SearchEffect[]): void {
    const link = this.#links.get(linkId);
    if (link === undefined) return;
    if (!link.flood.take(nowMs)) {
      const perSecond = limits.queriesPerSecondMax * limits.floodFactor;
      const message = `Cannot keep link: over ${perSecond} queries a second`;
      fault(link, { code: "flooding", message, misdeed: { kind: "flooding" } }, out);
      return;
    }
    if (!link.queries.take(nowMs)) {
      this.counters.droppedRate++;
      return;
    }
    const problem = query.hops === 0
      ? originProblem(query.callbackHost)
      : addressProblem(query.callbackHost, query.callbackPort);
    if (problem !== undefined) {
      const message = `Cannot read query ${query.id}: ${problem}`;
      fault(link, { code: "malformed", message, ...falseHost(query.hops) }, out);
      return;
    }
    if (this.#own.has(query.id) || this.#seen.has(query.id)) {
      this.counters.droppedDuplicate++;
      return;
    }
    // After the duplicates, which cost nothing, and before it is remembered: it may still come
    // over another link.
    if (query.sought.by === "glob" && !link.globsIn.take(nowMs)) {
      this.counters.droppedRate++;
      return;
    }
    this.#seen.add(query.id, linkId);
    this.counters.queriesSeen++;

    const held: HeldQuery = {
      query: withCallbackHost(query, link),
      from: linkId,
      forwardAtMs: nowMs + limits.callbackMs,
      isForwarded: false,
    };
    if (this.#lookUps.size >= limits.lookUpsMax) {
      this.#forward(held, nowMs, out);
      return;
    }
    this.#lookUps.set(query.id, held);
    out.push({ kind: "look-up", id: query.id, sought: query.sought });
  }

  // Rules 6 to 9

  #onLookedUp(id: QueryId, holds: boolean, nowMs: number, out: SearchEffect[]): void {
    const held = this.#lookUps.get(id);
    if (held === undefined) return;
    this.#lookUps.delete(id);
    const { sought, callbackHost, callbackPort } = held.query;
    if (!holds) {
      this.#forward(held, nowMs, out);
    } else if (callbackPort === 0) {
      out.push({ kind: "answer-by-hit", id, sought });
      this.#forward(held, nowMs, out);
    } else if (this.#callbacks.size >= limits.callbacksMax) {
      this.#forward(held, nowMs, out);
    } else {
      this.counters.answered++;
      this.#callbacks.set(id, held);
      out.push({ kind: "call-back", id, host: callbackHost, port: callbackPort, sought });
    }
  }

  #onCallbackAnswered(
    id: QueryId,
    outcome: CallbackOutcome,
    nowMs: number,
    out: SearchEffect[],
  ): void {
    const held = this.#callbacks.get(id);
    if (held === undefined) return;
    this.#callbacks.delete(id);
    if (outcome === "enough") {
      this.counters.enoughHeard++;
      return;
    }
    if (outcome === "unreachable") {
      // The HIT, if there is a way back for it, counts as the answer.
      this.counters.answered--;
      out.push({ kind: "answer-by-hit", id, sought: held.query.sought });
    }
    this.#forward(held, nowMs, out);
  }

  #onTick(nowMs: number, out: SearchEffect[]): void {
    for (const held of this.#callbacks.values()) {
      if (nowMs >= held.forwardAtMs) this.#forward(held, nowMs, out);
    }
    for (const held of this.#lookUps.values()) {
      if (nowMs >= held.forwardAtMs) this.#forward(held, nowMs, out);
    }
  }

  /** Passes a query on, once. */
  #forward(held: HeldQuery, nowMs: number, out: SearchEffect[]): void {
    if (held.isForwarded) return;
    held.isForwarded = true;
    const { query, from } = held;
    // Whatever TTL a node writes in, no query travels further than `ttlMax` after the first link.
    const ttl = Math.min(query.ttl, limits.ttlMax - query.hops);
    if (ttl <= 0) return;
    const whole: Query = { ...query, ttl: ttl - 1, hops: query.hops + 1 };
    const isForThisMachine = isLoopback(whole.callbackHost);
    let undiallable: Query | undefined;
    let isSent = false;
    for (const link of this.#links.values()) {
      if (link.link === from) continue;
      if (!mayForward(link, query, nowMs)) {
        this.counters.droppedRate++;
        continue;
      }
      const message = isForThisMachine && !link.isLocal
        ? undiallable ??= { ...whole, callbackHost: "", callbackPort: 0 }
        : whole;
      this.#send(link.link, message, out);
      isSent = true;
    }
    if (isSent) this.counters.forwarded++;
  }

  // Rules 9 and 10

  #onHitReady(answer: SearchEvent & { kind: "hit-ready" }, out: SearchEffect[]): void {
    const back = this.#seen.linkOf(answer.id);
    if (back === undefined || !this.#links.has(back) || answer.offers.length === 0) return;
    this.counters.answered++;
    for (let first = 0; first < answer.offers.length; first += limits.hitOffersMax) {
      const hit: Hit = {
        kind: "hit",
        id: answer.id,
        hops: 0,
        nodeId: answer.nodeId,
        holderHost: "",
        holderPort: answer.holderPort,
        offers: answer.offers.slice(first, first + limits.hitOffersMax),
      };
      this.#send(back, hit, out);
    }
  }

  #onHit(linkId: LinkId, hit: Hit, nowMs: number, out: SearchEffect[]): void {
    const link = this.#links.get(linkId);
    if (link === undefined) return;
    if (!link.hits.take(nowMs)) {
      this.counters.droppedRate++;
      return;
    }
    const problem = hit.hops === 0
      ? originProblem(hit.holderHost)
      : addressProblem(hit.holderHost, hit.holderPort);
    if (problem !== undefined) {
      const message = `Cannot read hit of query ${hit.id}: ${problem}`;
      fault(link, { code: "malformed", message, ...falseHost(hit.hops) }, out);
      return;
    }
    if (this.#own.has(hit.id)) {
      out.push({ kind: "deliver-hit", id: hit.id, hit: withHolderHost(hit, link) });
      return;
    }
    const backId = this.#seen.linkOf(hit.id);
    const back = backId === undefined ? undefined : this.#links.get(backId);
    if (back === undefined || back === link || hit.hops > limits.ttlMax) return;
    const known = withHolderHost(hit, link);
    const isLost = isLoopback(known.holderHost) && !back.isLocal;
    const hidden = isLost ? { holderHost: "", holderPort: 0 } : undefined;
    this.counters.hitsRelayed++;
    this.#send(back.link, { ...known, ...hidden, hops: hit.hops + 1 }, out);
  }

  #send(link: LinkId, message: Query | Hit, out: SearchEffect[]): void {
    this.counters.messagesSent++;
    out.push({ kind: "send", link, message });
  }
}

/** Whether one more query may go out over a link; counts it. */
function mayForward(link: Link, query: Query, nowMs: number): boolean {
  if (query.sought.by === "glob" && !link.globsOut.take(nowMs)) return false;
  return link.forwards.take(nowMs);
}

/** Rules 4 and 5 for a query that came over `link`. */
function withCallbackHost(query: Query, link: Link): Query {
  const host = query.hops === 0 ? link.host : query.callbackHost;
  if (query.callbackPort !== 0 && isSharedMeaning(host, link.host)) {
    return { ...query, callbackHost: host };
  }
  return { ...query, callbackHost: "", callbackPort: 0 };
}

/** Rules 4 and 5 for a hit that came over `link`. */
function withHolderHost(hit: Hit, link: Link): Hit {
  const host = hit.hops === 0 ? link.host : hit.holderHost;
  if (hit.holderPort !== 0 && isSharedMeaning(host, link.host)) {
    return { ...hit, holderHost: host };
  }
  return { ...hit, holderHost: "", holderPort: 0 };
}

/** What is wrong with the host that an origin sends, which must be none. */
function originProblem(host: string): string | undefined {
  return host === "" ? undefined : `its first link names the host ${host} itself`;
}

/** What is wrong with an address that was filled in on the way. */
function addressProblem(host: string, port: number): string | undefined {
  return isWholeAddress(host, port) ? undefined : `host ${JSON.stringify(host)} with port ${port}`;
}

/** An origin that names a host itself lies about it; what was filled in on the way, others did. */
function falseHost(hops: number): { readonly misdeed?: Misdeed } {
  return hops === 0 ? { misdeed: { kind: "false-host" } } : {};
}

function fault({ link }: Link, fault: Omit<Fault, "kind" | "link">, out: SearchEffect[]): void {
  out.push({ kind: "fault", link, ...fault });
}
