/**
 * The links of a node and the dials that may become links, in the one order in which they came (see
 * `linked_list.ts` for why), and found by their keys. It decides nothing.
 */

import { Counts } from "../../base/counts.ts";
import type { NodeId } from "../../base/ids.ts";
import type { RateLimit } from "../../base/rate_limit.ts";
import type { KnownAddress } from "./address_book.ts";
import { LinkedList, type ListNode } from "./linked_list.ts";
import type { LinkId, LinkReport } from "./neighbour_events.ts";

/** A dial that has not been answered. */
interface PendingDial {
  readonly state: "pending";
  readonly address: KnownAddress;
  readonly sinceMs: number;
}

/** A link that is up. */
export interface ActiveLink extends LinkReport {
  readonly state: "active";
  /** Where the other node can be dialled, as it was given and as it turned out to be. */
  readonly addresses: readonly KnownAddress[];
  readonly peersRead: RateLimit;
  /** An earlier link that the same node dialled, until it shows which of them is dead. */
  earlier: LinkId | undefined;
  heardAtMs: number;
  roundTripMs: number | null;
  pingAtMs: number;
  pingToken: number;
  pingSentMs: number;
  gossipAtMs: number;
}

/** The links and dials of one node. */
export class LinkTable {
  readonly #list = new LinkedList<PendingDial | ActiveLink>();
  readonly #links = new Map<LinkId, ListNode<PendingDial | ActiveLink>>();
  readonly #dials = new Map<KnownAddress, ListNode<PendingDial | ActiveLink>>();
  /** How many links each node has. */
  readonly #linksOf = new Counts<NodeId>();

  /** Links and dials, oldest first; any of them may go meanwhile. */
  [Symbol.iterator](): Iterator<PendingDial | ActiveLink> {
    return this.#list[Symbol.iterator]();
  }

  /** The links, oldest first; any of them may go meanwhile. */
  *links(): Generator<ActiveLink> {
    for (const one of this.#list) if (one.state === "active") yield one;
  }

  /** The dials, oldest first. */
  *dials(): Generator<PendingDial> {
    for (const { value } of this.#dials.values()) if (value.state === "pending") yield value;
  }

  /** How many links and dials there are. */
  get size(): number {
    return this.#list.size;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  get dialCount(): number {
    return this.#dials.size;
  }

  link(id: LinkId): ActiveLink | undefined {
    const found = this.#links.get(id)?.value;
    return found?.state === "active" ? found : undefined;
  }

  /** How many links lead to a node. */
  linksWith(nodeId: NodeId): number {
    return this.#linksOf.of(nodeId);
  }

  isDialled(address: KnownAddress): boolean {
    return this.#dials.has(address);
  }

  add(link: ActiveLink): void {
    this.#links.set(link.link, this.#list.push(link));
    this.#linksOf.add(link.nodeId, 1);
  }

  remove({ link, nodeId }: ActiveLink): void {
    const node = this.#links.get(link);
    if (node === undefined) return;
    this.#links.delete(link);
    this.#list.remove(node);
    this.#linksOf.add(nodeId, -1);
  }

  beginDial(address: KnownAddress, nowMs: number): void {
    address.isDialled = true;
    this.#dials.set(address, this.#list.push({ state: "pending", address, sinceMs: nowMs }));
  }

  endDial(address: KnownAddress): void {
    const node = this.#dials.get(address);
    if (node === undefined) return;
    address.isDialled = false;
    this.#dials.delete(address);
    this.#list.remove(node);
  }
}
