/**
 * Who gets a place among the links of a node when there are not enough of them. The rules:
 *
 *  1. While there is room, everybody gets one: hundreds of nodes in one network are the common case.
 *  2. Links that this node dials itself have places that nobody else takes: as many as it wants by
 *     itself or a person named, up to half of all. So a node cannot be cut off by those who come.
 *  3. Where there is no room, the host with the most links that came in gives one to a host that
 *     would still have fewer; so one host with many ids does not keep others out.
 *  4. Where no host has more than the newcomer's would, the same goes for networks (an IPv4 /24, an
 *     IPv6 /48), but not for the older half of the places: those have served the longest, and in a
 *     network of honest machines newcomers of a hundred others must not take them all.
 *  5. The youngest of them goes, and never the last one of a host or network. Links of this
 *     node's own never go.
 */

import { groupToGive } from "../../base/counts.ts";
import { networkOf, widerNetworkOf } from "../../base/rate_limit.ts";

/** What is known of a link that has a place. */
interface Placed {
  readonly host: string;
  readonly inbound: boolean;
  readonly sinceMs: number;
}

/** A place for a newcomer: a free one, that of another, or none. */
type Place<L> = { readonly kind: "free" | "none" } | { readonly kind: "instead"; readonly of: L };

/**
 * The place for a newcomer.
 *
 * @param links Those that have one, in any order.
 * @param options `ownMax`: places that are kept for links of this node's own.
 */
export function placeFor<L extends Placed>(
  newcomer: { readonly host: string; readonly inbound: boolean },
  links: readonly L[],
  options: { readonly linksMax: number; readonly ownMax: number },
): Place<L> {
  const cameIn = links.filter(({ inbound }) => inbound);
  const ownKept = Math.min(options.ownMax, options.linksMax >> 1);
  const outbound = links.length - cameIn.length;
  const kept = newcomer.inbound ? Math.max(0, ownKept - outbound) : 0;
  if (links.length < options.linksMax - kept) return { kind: "free" };
  if (!newcomer.inbound) return { kind: "none" };
  cameIn.sort((a, b) => a.sinceMs - b.sinceMs);
  const younger = cameIn.slice(options.linksMax >> 1);
  const of = youngestOfMost(cameIn, newcomer, { among: cameIn, groupOf: networkOf }) ??
    youngestOfMost(cameIn, newcomer, { among: younger, groupOf: widerNetworkOf });
  return of === undefined ? { kind: "none" } : { kind: "instead", of };
}

/** The youngest of the group with the most, if it has more than the newcomer's would have. */
function youngestOfMost<L extends Placed>(
  links: readonly L[],
  newcomer: { readonly host: string },
  { among, groupOf }: { readonly among: readonly L[]; readonly groupOf: (host: string) => string },
): L | undefined {
  const group = groupToGive(links.map(({ host }) => groupOf(host)), groupOf(newcomer.host));
  return among.findLast(({ host }) => groupOf(host) === group);
}
