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
 *  5. A loopback host means another machine elsewhere, and so does an address of an IPv6 link
 *     (fe80::/10): over a link to another machine, or one that is not seen at such an address, the query
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
 * 10. When a query is through with this node and all behind it, that is told back (`convergecast.ts`).
 * 11. A HIT goes back by the cache of ids, link by link; the first neighbour of the holder writes
 *     in its host, as in 4 and 5. It is dropped when its query is not known, its way back is gone,
 *     or its link sends too many.
 *
 * This file does not dial, look into a catalogue, or know what a requester wants: it says so in
 * its effects, and is told the answers as events.
 */

import { type OfKind, unreachable } from "../../base/errors.ts";
import type { QueryId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isOnlyHere, isSharedMeaning } from "../../wire/host.ts";
import type { Hit, Query, QueryOutcome } from "../../wire/messages.ts";
import type { Misdeed } from "./bans.ts";
import { Convergecast } from "./convergecast.ts";
import type { LinkId } from "./neighbour_events.ts";
import type {
  CallbackOutcome,
  Fault,
  OwnSearch,
  SearchCounters,
  SearchEffect,
  SearchEvent,
  SearchMessage,
} from "./search_events.ts";
import {
  addressProblem,
  mayForward,
  newSearchLink,
  originProblem,
  type SearchLink,
  withCallbackHost,
  withHolderHost,
} from "./search_link.ts";
import { SeenCache } from "./seen_cache.ts";

/** Where own queries come from in the cache of ids: no link has this id, so no HIT goes there. */
const NO_LINK: LinkId = -1;

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
    doneSent: 0,
  };
  readonly #links = new Map<LinkId, SearchLink>();
  readonly #own = new Map<QueryId, Query>();
  readonly #seen: SeenCache;
  readonly #cast = new Convergecast();
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

  /** What came of a query of this node that is through with the network; null while it is not. */
  outcomeOf(id: QueryId): QueryOutcome | null {
    return this.#cast.outcomeOf(id);
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
        return this.#onLinkUp(event, nowMs, out);
      case "link-down":
        this.#links.delete(event.link);
        return this.#cast.linkDown(event.link);
      case "query-done":
        this.#cast.answered(event.done.id, event.link, event.done.outcome);
        return this.#tellThrough(event.done.id, out);
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
    this.#cast.beginOwn(search.id, nowMs);
    for (const link of this.#links.values()) this.#sendOwn(link, query, nowMs, out);
  }

  /** Copies that are still on their way are no stranger's query. */
  #onSearchEnded(id: QueryId): void {
    if (this.#own.delete(id)) this.#seen.add(id, NO_LINK);
    this.#cast.endOwn(id);
  }

  #onLinkUp(
    { link, host, saysDone = false }: OfKind<SearchEvent, "link-up">,
    nowMs: number,
    out: SearchEffect[],
  ): void {
    const state = newSearchLink(link, host, { saysDone });
    this.#links.set(link, state);
    for (const query of this.#own.values()) this.#sendOwn(state, query, nowMs, out);
  }

  #sendOwn(link: SearchLink, query: Query, nowMs: number, out: SearchEffect[]): void {
    // A person waits for it: it goes out in any case, and leaves less room for what is forwarded.
    link.forwards.take(nowMs);
    if (query.sought.by === "glob") link.globsOut.take(nowMs);
    this.#sendQuery(link, query, out);
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
      return this.#onCopy(link, query.id, out);
    }
    // After the duplicates, which cost nothing, and before it is remembered: it may still come
    // over another link.
    if (query.sought.by === "glob" && !link.globsIn.take(nowMs)) {
      this.counters.droppedRate++;
      return;
    }
    this.#seen.add(query.id, linkId);
    this.#cast.begin(query.id, linkId, nowMs);
    this.counters.queriesSeen++;

    const held: HeldQuery = {
      query: withCallbackHost(query, link),
      from: linkId,
      forwardAtMs: nowMs + limits.callbackMs,
      isForwarded: false,
    };
    if (this.#lookUps.size >= limits.lookUpsMax) {
      this.#cast.lost(query.id);
      this.#forward(held, nowMs, out);
      return;
    }
    this.#lookUps.set(query.id, held);
    const { callbackHost: host, callbackPort: port } = held.query;
    out.push({ kind: "look-up", id: query.id, sought: query.sought, host, port });
  }

  // Rules 6 to 9

  #onLookedUp(id: QueryId, holds: boolean, nowMs: number, out: SearchEffect[]): void {
    const held = this.#lookUps.get(id);
    if (held === undefined) return;
    this.#lookUps.delete(id);
    const { sought, callbackHost, callbackPort } = held.query;
    if (!holds) {
      this.#forward(held, nowMs, out);
      this.#cast.looked(id, "nothing");
      this.#tellThrough(id, out);
    } else if (callbackPort === 0) {
      out.push({ kind: "answer-by-hit", id, sought });
      this.#forward(held, nowMs, out);
    } else if (this.#callbacks.size >= limits.callbacksMax) {
      this.#cast.lost(id);
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
      this.#cast.looked(id, "answered");
      return this.#tellThrough(id, out);
    }
    if (outcome === "unreachable") {
      // The HIT, if there is a way back for it, counts as the answer.
      this.counters.answered--;
      out.push({ kind: "answer-by-hit", id, sought: held.query.sought });
    }
    if (outcome === "failed") this.#cast.lost(id);
    this.#forward(held, nowMs, out);
    if (outcome !== "search-on") return;
    this.#cast.looked(id, "answered");
    this.#tellThrough(id, out);
  }

  #onTick(nowMs: number, out: SearchEffect[]): void {
    for (const held of this.#callbacks.values()) {
      if (nowMs >= held.forwardAtMs) this.#forward(held, nowMs, out);
    }
    for (const held of this.#lookUps.values()) {
      if (nowMs >= held.forwardAtMs) this.#forward(held, nowMs, out);
    }
    this.#cast.tick(nowMs);
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
    const isForHere = isOnlyHere(whole.callbackHost);
    let undiallable: Query | undefined;
    let isSent = false;
    for (const link of this.#links.values()) {
      if (link.link === from || this.#cast.isKnownAt(query.id, link.link)) continue;
      if (!mayForward(link, query, nowMs)) {
        this.counters.droppedRate++;
        this.#cast.lost(query.id);
        continue;
      }
      const message = isForHere && !isSharedMeaning(whole.callbackHost, link.host)
        ? undiallable ??= { ...whole, callbackHost: "", callbackPort: 0 }
        : whole;
      this.#sendQuery(link, message, out);
      isSent = true;
    }
    if (isSent) this.counters.forwarded++;
  }

  // Rule 10

  /** Another copy of a query came. */
  #onCopy({ link, saysDone }: SearchLink, id: QueryId, out: SearchEffect[]): void {
    const answer = this.#cast.copied(id, link);
    if (answer === "is-answer") return this.#tellThrough(id, out);
    if (answer === "owes-one" && saysDone && !this.#isOwn(id)) {
      this.#send(link, { kind: "query-done", id, outcome: "nothing" }, out);
    }
  }

  #isOwn(id: QueryId): boolean {
    return this.#own.has(id) || this.#seen.linkOf(id) === NO_LINK;
  }

  #tellThrough(id: QueryId, out: SearchEffect[]): void {
    const through = this.#cast.through(id);
    if (through === null) return;
    const { parent, outcome } = through;
    if (parent === null) out.push({ kind: "search-through", id });
    else if (this.#links.get(parent)?.saysDone) {
      this.#send(parent, { kind: "query-done", id, outcome }, out);
    }
  }

  // Rules 9 and 11

  #onHitReady(answer: SearchEvent & { kind: "hit-ready" }, out: SearchEffect[]): void {
    this.#sendHits(answer, out);
    const { id, offers, isComing = false } = answer;
    this.#cast.looked(id, offers.length > 0 ? "answered" : isComing ? "coming" : "nothing");
    this.#tellThrough(id, out);
  }

  #sendHits(answer: SearchEvent & { kind: "hit-ready" }, out: SearchEffect[]): void {
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
      this.#cast.lost(hit.id);
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
    // One that has ended may be of a search that still hears late answers.
    if (this.#isOwn(hit.id)) {
      out.push({ kind: "deliver-hit", id: hit.id, hit: withHolderHost(hit, link) });
      return;
    }
    const backId = this.#seen.linkOf(hit.id);
    const back = backId === undefined ? undefined : this.#links.get(backId);
    if (back === undefined || back === link || hit.hops > limits.ttlMax) {
      this.#cast.lost(hit.id);
      return;
    }
    const known = withHolderHost(hit, link);
    const isLost = isOnlyHere(known.holderHost) && !isSharedMeaning(known.holderHost, back.host);
    const hidden = isLost ? { holderHost: "", holderPort: 0 } : undefined;
    this.counters.hitsRelayed++;
    this.#send(back.link, { ...known, ...hidden, hops: hit.hops + 1 }, out);
  }

  #sendQuery({ link }: SearchLink, query: Query, out: SearchEffect[]): void {
    this.#cast.sent(query.id, link);
    this.#send(link, query, out);
  }

  #send(link: LinkId, message: SearchMessage, out: SearchEffect[]): void {
    if (message.kind === "query-done") this.counters.doneSent++;
    else this.counters.messagesSent++;
    out.push({ kind: "send", link, message });
  }
}

/** An origin that names a host itself lies about it; what was filled in on the way, others did. */
function falseHost(hops: number): { readonly misdeed?: Misdeed } {
  return hops === 0 ? { misdeed: { kind: "false-host" } } : {};
}

function fault(
  { link }: SearchLink,
  fault: Omit<Fault, "kind" | "link">,
  out: SearchEffect[],
): void {
  out.push({ kind: "fault", link, ...fault });
}
