/**
 * A link, as the search sees it: how much may come and go over it, and what addresses of queries and
 * hits mean that came over it (rules 2, 4 and 5 of `search.ts`).
 */

import { limits } from "../../base/limits.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import { hostProblem, isSharedMeaning, isWholeAddress, plainHost } from "../../wire/host.ts";
import type { Hit, Query } from "../../wire/messages.ts";
import type { LinkId } from "./neighbour_events.ts";

/** What the search knows of a link, and what may still come and go over it. */
export interface SearchLink {
  readonly link: LinkId;
  /** Empty when the address cannot travel: a link-local one with a zone. */
  readonly host: string;
  readonly saysDone: boolean;
  readonly queries: RateLimit;
  readonly flood: RateLimit;
  readonly hits: RateLimit;
  readonly forwards: RateLimit;
  readonly globsIn: RateLimit;
  readonly globsOut: RateLimit;
}

/** The bounds of a link that came up, with the other end at `host` as seen from here. */
export function newSearchLink(
  link: LinkId,
  host: string,
  { saysDone }: { readonly saysDone: boolean },
): SearchLink {
  const plain = plainHost(host);
  return {
    link,
    host: hostProblem(plain) === undefined ? plain : "",
    saysDone,
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
}

/** Whether one more query may go out over a link; counts it. */
export function mayForward(link: SearchLink, query: Query, nowMs: number): boolean {
  if (query.sought.by === "glob" && !link.globsOut.take(nowMs)) return false;
  return link.forwards.take(nowMs);
}

/** Rules 4 and 5 for a query that came over `link`. */
export function withCallbackHost(query: Query, link: SearchLink): Query {
  const host = query.hops === 0 ? link.host : query.callbackHost;
  if (query.callbackPort !== 0 && isSharedMeaning(host, link.host)) {
    return { ...query, callbackHost: host };
  }
  return { ...query, callbackHost: "", callbackPort: 0 };
}

/** Rules 4 and 5 for a hit that came over `link`. */
export function withHolderHost(hit: Hit, link: SearchLink): Hit {
  const host = hit.hops === 0 ? link.host : hit.holderHost;
  if (hit.holderPort !== 0 && isSharedMeaning(host, link.host)) {
    return { ...hit, holderHost: host };
  }
  return { ...hit, holderHost: "", holderPort: 0 };
}

/** What is wrong with the host that an origin sends, which must be none. */
export function originProblem(host: string): string | undefined {
  return host === "" ? undefined : `its first link names the host ${host} itself`;
}

/** What is wrong with an address that was filled in on the way. */
export function addressProblem(host: string, port: number): string | undefined {
  return isWholeAddress(host, port) ? undefined : `host ${JSON.stringify(host)} with port ${port}`;
}
