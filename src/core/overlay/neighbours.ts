/**
 * The links to other nodes: whom to dial, whom to take in, who is still there.
 *
 * The rules:
 *
 *  1. Links, and dials on their way to become links, stand in one list (`link_table.ts`).
 *  2. Whom to dial is decided in `dials.ts`, and how long failed addresses wait in `address_book.ts`.
 *  3. A link of this node with itself is closed, and its address is never dialled again.
 *  4. Of two links between the same two nodes, one dialled by each, both close the one that the
 *     higher node id dialled, so that they keep the same one. Of two that one node dialled, that
 *     node closes the later; the other asks over the earlier whether it is dead, keeps it if it is
 *     heard of again, and lets it go for the later if not. A third is refused.
 *  5. A full node tells what comes in a few addresses of others and closes it as busy, so that one
 *     seed can bring a big fleet together. Who gets the places is in `link_places.ts`; who has to
 *     give one is told addresses and closed as busy too.
 *  6. Each link gets a PING every 5 s, at a phase of its own; 30 s without a message close it.
 *  7. Each link gets a few addresses of other nodes when it comes up, some seconds later, when more
 *     may have come back after an outage, and about every 5 minutes: only such where a node was met.
 *     A loopback address goes only to nodes on this machine, one of an IPv6 link only to nodes that are
 *     seen at such addresses.
 *  8. A banned node (see `bans.ts`) is refused as a neighbour, its links are closed, and where it was
 *     met is not dialled. Whom a node refuses as banned leaves that node alone for a while.
 *
 * It does not open, read or close connections, and does not know what else the links carry.
 */

import type { HostPort } from "../../base/address.ts";
import { unreachable } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { isSharedMeaning, plainHost } from "../../wire/host.ts";
import { AddressBook, type KnownAddress } from "./address_book.ts";
import { type Ban, Bans, type Misdeed, type SeenNode } from "./bans.ts";
import { Dials } from "./dials.ts";
import { placeFor } from "./link_places.ts";
import { type ActiveLink, LinkTable } from "./link_table.ts";
import type {
  CloseReason,
  LinkId,
  LinkMessage,
  LinkRefusal,
  LinkReport,
  NeighboursEffect,
  NeighboursEvent,
  NewLink,
  PinnedReport,
} from "./neighbour_events.ts";
import { RateLimit } from "../../base/rate_limit.ts";

/** How a node keeps its links. */
export interface NeighboursOptions {
  readonly nodeId: NodeId;
  readonly random: Random;
  readonly linksMin?: number;
  readonly linksMax?: number;
}

/** The links of one node. */
export class Neighbours {
  readonly #table = new LinkTable();
  readonly #book: AddressBook;
  readonly #bans = new Bans();
  readonly #dials: Dials;
  readonly #nodeId: NodeId;
  readonly #random: Random;
  readonly #linksMin: number;
  readonly #linksMax: number;

  constructor(options: NeighboursOptions) {
    this.#nodeId = options.nodeId;
    this.#random = options.random;
    this.#linksMax = options.linksMax ?? limits.linksMax;
    this.#linksMin = Math.min(options.linksMin ?? limits.linksMin, this.#linksMax);
    this.#book = new AddressBook({ random: options.random });
    this.#dials = new Dials({
      book: this.#book,
      table: this.#table,
      bans: this.#bans,
      linksMin: this.#linksMin,
      linksMax: this.#linksMax,
    });
  }

  /** How many links are up. */
  get linkCount(): number {
    return this.#table.linkCount;
  }

  /** How many addresses are known. */
  get addressCount(): number {
    return this.#book.size;
  }

  has(link: LinkId): boolean {
    return this.#table.link(link) !== undefined;
  }

  /** Where nodes were met, the last first: for the next run, which knows nobody else. */
  lastMet(nowMs: number): HostPort[] {
    for (const { addresses } of this.#table.links()) {
      for (const entry of addresses) entry.metAtMs = nowMs;
    }
    return this.#book.lastMet(limits.knownNodesMax).map(({ host, port }) => ({ host, port }));
  }

  /** Whether a node was ever met there, rather than heard of only. */
  wasMet({ host, port }: HostPort): boolean {
    return this.#book.get(plainHost(host), port)?.metAtMs !== undefined;
  }

  /** The addresses that a person gave, and how they stand. */
  pinned(): PinnedReport[] {
    return this.#book.pinned.map((entry) => {
      const { host, port, nodeId = null, isSelf } = entry;
      const isLinked = nodeId !== null && this.#table.linksWith(nodeId) > 0;
      const isDialled = this.#table.isDialled(entry) || (!isSelf && entry.failures === 0);
      return { host, port, nodeId, isLinked, isDialled };
    });
  }

  /** The links that are up, oldest first. */
  links(): LinkReport[] {
    return Array.from(this.#table.links(), reportOf);
  }

  /**
   * Why a node would be closed at once, so that the handshake can say it; undefined if not. Never
   * "busy": a link to a full node does come up, to learn of others (rule 5).
   */
  refusal(
    node: { readonly nodeId: NodeId; readonly host: string; readonly inbound: boolean },
    nowMs: number,
  ): LinkRefusal | undefined {
    if (node.nodeId === this.#nodeId) return "self";
    if (this.isBanned(node, nowMs)) return "banned";
    const rivals = this.#rivals(node);
    return rivals === "keep-old" ? "duplicate" : undefined;
  }

  /** Whether a node is kept out, whatever it comes for. */
  isBanned({ nodeId, host }: SeenNode, nowMs: number): boolean {
    return this.#bans.has({ nodeId, host: plainHost(host) }, nowMs);
  }

  /** Whether a host is turned away before it has said anything. */
  isShutOut(host: string, nowMs: number): boolean {
    return this.#bans.isShutOut(plainHost(host), nowMs);
  }

  /** The bans that are not over. */
  bans(nowMs: number): Ban[] {
    return this.#bans.list(nowMs);
  }

  /** Takes one event; gives what is to be done, in order. */
  step(event: NeighboursEvent, nowMs: number): NeighboursEffect[] {
    const out: NeighboursEffect[] = [];
    this.#apply(event, nowMs, out);
    return out;
  }

  #apply(event: NeighboursEvent, nowMs: number, out: NeighboursEffect[]): void {
    switch (event.kind) {
      case "heard":
        this.#heard(event.link, nowMs);
        return;
      case "message":
        return this.#onMessage(event.link, event.message, nowMs, out);
      case "tick":
        return this.#onTick(nowMs, out);
      case "add-address":
        this.#onAddress(event, nowMs);
        return this.#dials.dial(nowMs, out);
      case "unpin-address":
        return this.#book.unpin(plainHost(event.host), event.port);
      case "in-need":
        return this.#dials.inNeed(nowMs, out);
      case "network-changed":
        return this.#onNetworkChanged(nowMs, out);
      case "link-up":
        return this.#onLinkUp(event, nowMs, out);
      case "link-down":
        this.#onLinkEnded(event, nowMs, out);
        return this.#dials.dial(nowMs, out);
      case "dial-failed":
        return this.#dials.failed(event, nowMs);
      case "host-faulty":
        this.#ban(this.#bans.faulty(plainHost(event.host), nowMs), nowMs, out);
        return this.#dials.dial(nowMs, out);
      case "misbehaved":
        this.#onMisbehaved(event.node, event.misdeed, nowMs, out);
        return this.#dials.dial(nowMs, out);
      default:
        return unreachable(event);
    }
  }

  // Rule 2

  #onAddress(
    { host, port, pinned, met, namedOnLan }: NeighboursEvent & { readonly kind: "add-address" },
    nowMs: number,
  ): void {
    if (pinned) this.#book.pin(plainHost(host), port, { namedOnLan });
    else {
      const entry = this.#book.add(plainHost(host), port, { namedOnLan });
      if (entry !== undefined && met === true) entry.metAtMs ??= nowMs;
    }
  }

  /** What was linked from an address that is gone is dead, and says nothing: it is asked. */
  #onNetworkChanged(nowMs: number, out: NeighboursEffect[]): void {
    this.#dials.networkChanged(nowMs);
    for (const one of this.#table.links()) {
      one.heardAtMs = Math.min(
        one.heardAtMs,
        nowMs - limits.linkSilentMs + limits.networkChangedMs,
      );
      one.pingAtMs = nowMs;
      this.#tickLink(one, nowMs, out);
    }
    this.#dials.dial(nowMs, out);
  }

  // Rules 3 to 5

  #onLinkUp(link: NewLink, nowMs: number, out: NeighboursEffect[]): void {
    const dialled = this.#dialledBy(link);
    if (dialled !== undefined) this.#table.endDial(dialled);
    const refusal = this.refusal(link, nowMs);
    if (refusal !== undefined) {
      if (dialled !== undefined) {
        if (refusal === "self") dialled.isSelf = true;
        else if (refusal === "duplicate") this.#book.met(dialled, link.nodeId, nowMs);
        else this.#book.failed(dialled, nowMs);
      }
      out.push({ kind: "close", link: link.link, reason: refusal });
      return;
    }
    const rivals = this.#rivals(link);
    if (rivals === "keep-old") return;
    const place = this.#placeFor(link, rivals);
    if (place.kind === "none") {
      this.#gossip(link, out);
      if (dialled !== undefined) this.#dials.putAside(dialled, nowMs, { isBusy: true });
      out.push({ kind: "close", link: link.link, reason: "busy" });
      return;
    }
    if (place.kind === "instead") {
      this.#gossip(place.of, out);
      this.#close(place.of, "busy", nowMs, out);
    }
    this.#add({ ...link, host: plainHost(link.host) }, nowMs, out);
    for (const rival of rivals) {
      this.#table.remove(rival);
      out.push({ kind: "close", link: rival.link, reason: "duplicate" });
    }
  }

  #placeFor(link: NewLink, rivals: readonly ActiveLink[]): ReturnType<typeof placeFor<ActiveLink>> {
    const links = [...this.#table.links().filter((one) => !rivals.includes(one))];
    return placeFor({ host: plainHost(link.host), inbound: link.inbound }, links, {
      linksMax: this.#linksMax,
      ownMax: Math.max(this.#linksMin, this.#book.pinned.length),
    });
  }

  /** The entry of the dial that a link came of. */
  #dialledBy(link: NewLink): KnownAddress | undefined {
    if (link.inbound) return undefined;
    const { host, port } = link.dialled ?? link;
    return this.#book.get(plainHost(host), port);
  }

  /** Links that give way to a new one with the same node, or "keep-old" if it gives way. */
  #rivals(
    node: { readonly nodeId: NodeId; readonly inbound: boolean },
  ): readonly ActiveLink[] | "keep-old" {
    if (this.#table.linksWith(node.nodeId) === 0) return [];
    const givingWay: ActiveLink[] = [];
    const isOwnLower = this.#nodeId < node.nodeId;
    let cameIn = 0;
    for (const one of this.#table.links()) {
      if (one.nodeId !== node.nodeId) continue;
      if (one.inbound === node.inbound) {
        if (!node.inbound || ++cameIn === 2) return "keep-old";
      } else {
        if (one.inbound !== isOwnLower) return "keep-old";
        givingWay.push(one);
      }
    }
    return givingWay;
  }

  #add(link: NewLink, nowMs: number, out: NeighboursEffect[]): void {
    const port = link.inbound ? link.listenPort : link.port;
    const entries = [
      this.#dialledBy(link),
      port === 0 ? undefined : this.#book.add(link.host, port),
    ];
    const addresses = [...new Set(entries)].filter((one) => one !== undefined);
    const wasFailing = addresses.some(({ failures }) => failures > 0);
    for (const address of addresses) this.#book.met(address, link.nodeId, nowMs);
    const active: ActiveLink = {
      ...link,
      state: "active",
      addresses,
      sinceMs: nowMs,
      heardAtMs: nowMs,
      roundTripMs: null,
      pingAtMs: nowMs + limits.pingIntervalMs * this.#random.unit(),
      pingToken: -1,
      pingSentMs: nowMs,
      gossipAtMs: nowMs + limits.gossipSoonMs * (0.5 + 0.5 * this.#random.unit()),
      peersRead: new RateLimit(limits.peersPerHourMax / 3600, limits.peersBurstMax),
      earlier: link.inbound ? this.#askEarlier(link.nodeId, nowMs, out) : undefined,
    };
    this.#table.add(active);
    this.#gossip(active, out);
    if (wasFailing || this.#table.linkCount === 1) this.#dials.startOver(nowMs, addresses);
  }

  /** Asks over the link that a node dialled before whether it is still there. */
  #askEarlier(nodeId: NodeId, nowMs: number, out: NeighboursEffect[]): LinkId | undefined {
    if (this.#table.linksWith(nodeId) === 0) return undefined;
    for (const one of this.#table.links()) {
      if (one.nodeId !== nodeId || !one.inbound) continue;
      this.#ping(one, nowMs, out);
      return one.link;
    }
    return undefined;
  }

  /** Rule 4: of two links that one node dialled, one goes. */
  #settle(link: ActiveLink, nowMs: number, out: NeighboursEffect[]): void {
    const earlier = link.earlier === undefined ? undefined : this.#table.link(link.earlier);
    if (earlier === undefined) link.earlier = undefined;
    else if (earlier.heardAtMs > link.sinceMs) this.#close(link, "duplicate", nowMs, out);
    else if (nowMs - link.sinceMs >= limits.earlierLinkMs) {
      this.#close(earlier, "silent", nowMs, out);
    }
  }

  #onLinkEnded(
    event: NeighboursEvent & { readonly kind: "link-down" },
    nowMs: number,
    out: NeighboursEffect[],
  ): void {
    const link = this.#table.link(event.link);
    this.#onLinkDown(event.link, nowMs, event.faulty === true ? "faulty" : undefined);
    if (link === undefined || event.misdeed === undefined) return;
    this.#onMisbehaved(link, event.misdeed, nowMs, out);
  }

  #onLinkDown(id: LinkId, nowMs: number, blame?: "faulty" | "busy"): void {
    const link = this.#table.link(id);
    if (link === undefined) return;
    this.#table.remove(link);
    // A link that ends soon is as bad as a failed dial, or two nodes would dial for ever.
    const isShort = nowMs - link.sinceMs < limits.linkSilentMs;
    for (const address of link.addresses) {
      if (isShort || blame !== undefined) {
        this.#dials.putAside(address, nowMs, { isBusy: blame === "busy" });
      } else this.#book.ended(address, nowMs);
    }
    if (this.#table.linkCount === 0) this.#book.hurry(nowMs);
  }

  #close(link: ActiveLink, reason: CloseReason, nowMs: number, out: NeighboursEffect[]): void {
    this.#onLinkDown(link.link, nowMs);
    out.push({ kind: "close", link: link.link, reason });
  }

  // Rule 8

  #onMisbehaved(
    { nodeId, host }: SeenNode,
    misdeed: Misdeed,
    nowMs: number,
    out: NeighboursEffect[],
  ): void {
    const bans = this.#bans.misbehaved({ nodeId, host: plainHost(host) }, misdeed, nowMs);
    this.#ban(bans, nowMs, out);
  }

  #ban(bans: readonly Ban[], nowMs: number, out: NeighboursEffect[]): void {
    if (bans.length === 0) return;
    for (const ban of bans) out.push({ kind: "banned", ban });
    for (const one of this.#table.links()) {
      if (this.isBanned(one, nowMs)) this.#close(one, "banned", nowMs, out);
    }
  }

  // Rules 6 and 7

  #heard(id: LinkId, nowMs: number): ActiveLink | undefined {
    const link = this.#table.link(id);
    if (link !== undefined) link.heardAtMs = nowMs;
    return link;
  }

  #onMessage(id: LinkId, message: LinkMessage, nowMs: number, out: NeighboursEffect[]): void {
    const link = this.#heard(id, nowMs);
    if (link === undefined) return;
    switch (message.kind) {
      case "ping":
        out.push({ kind: "send", link: id, message: { kind: "pong", token: message.token } });
        break;
      case "pong":
        if (message.token !== link.pingToken) break;
        link.roundTripMs = nowMs - link.pingSentMs;
        link.pingToken = -1;
        break;
      case "bye":
        this.#onLinkDown(id, nowMs, message.reason === "busy" ? "busy" : undefined);
        out.push({ kind: "close", link: id, reason: "bye" });
        this.#dials.dial(nowMs, out);
        break;
      case "peers":
        if (!link.peersRead.take(nowMs)) break;
        for (const { host, port } of message.addresses) {
          const plain = plainHost(host);
          if (port !== 0 && isSharedMeaning(plain, link.host)) this.#book.add(plain, port);
        }
        this.#dials.dial(nowMs, out);
        break;
      default:
        unreachable(message);
    }
  }

  #onTick(nowMs: number, out: NeighboursEffect[]): void {
    for (const one of this.#table) {
      if (one.state === "active") this.#tickLink(one, nowMs, out);
      else this.#dials.expire(one, nowMs);
    }
    this.#bans.expire(nowMs);
    this.#dials.dial(nowMs, out);
  }

  #tickLink(link: ActiveLink, nowMs: number, out: NeighboursEffect[]): void {
    if (nowMs - link.heardAtMs >= limits.linkSilentMs) {
      this.#close(link, "silent", nowMs, out);
      return;
    }
    if (link.earlier !== undefined) this.#settle(link, nowMs, out);
    if (!this.has(link.link)) return;
    if (nowMs >= link.pingAtMs) {
      link.pingAtMs = nowMs + limits.pingIntervalMs;
      this.#ping(link, nowMs, out);
    }
    if (nowMs >= link.gossipAtMs) {
      link.gossipAtMs = nowMs + limits.gossipIntervalMs * (0.75 + 0.25 * this.#random.unit());
      this.#gossip(link, out);
    }
  }

  #ping(link: ActiveLink, nowMs: number, out: NeighboursEffect[]): void {
    link.pingToken = Math.floor(this.#random.unit() * 0x1_0000_0000);
    link.pingSentMs = nowMs;
    out.push({ kind: "send", link: link.link, message: { kind: "ping", token: link.pingToken } });
  }

  #gossip(link: NewLink | ActiveLink, out: NeighboursEffect[]): void {
    const picked = this.#book.pick(
      limits.gossipAddressesMax,
      (entry) =>
        entry.isGood && !entry.isSelf && entry.nodeId !== link.nodeId &&
        isSharedMeaning(entry.host, link.host),
    );
    if (picked.length === 0) return;
    const addresses: HostPort[] = picked.map(({ host, port }) => ({ host, port }));
    out.push({ kind: "send", link: link.link, message: { kind: "peers", addresses } });
  }
}

function reportOf(
  { link, nodeId, host, port, listenPort, inbound, sinceMs, heardAtMs, roundTripMs }: ActiveLink,
): LinkReport {
  return { link, nodeId, host, port, listenPort, inbound, sinceMs, heardAtMs, roundTripMs };
}
