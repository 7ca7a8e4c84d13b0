/**
 * The links to other nodes: whom to dial, whom to take in, who is still there.
 *
 * The rules:
 *
 *  1. Links, and dials on their way to become links, stand in one linked list in the order in which
 *     they came; see `linked_list.ts` for why.
 *  2. Addresses that a person gave (pinned) are dialled whenever no link leads to them, up to the
 *     most links that a node has. Addresses from gossip only while there are fewer links than the
 *     fewest that it wants. Failed addresses wait; see `address_book.ts`.
 *  3. A link of this node with itself is closed, and its address is never dialled again.
 *  4. Of two links between the same two nodes, one dialled by each, both close the one that the
 *     higher node id dialled, so that they keep the same one. Of two that one node dialled, that
 *     node alone closes the later: the other cannot know that the earlier is not dead.
 *  5. A full node tells what comes in a few addresses of others and closes it as busy, so that one
 *     seed can bring a big fleet together.
 *  6. Each link gets a PING every 5 s, at a phase of its own; 30 s without a message close it.
 *  7. Each link gets a few addresses of other nodes after it comes up, and again every 5 minutes:
 *     only such where a node was met. A loopback address goes only to nodes on this machine.
 *  8. A banned node (see `bans.ts`) is refused as a neighbour, its links are closed, and where it was
 *     met is not dialled. Whom a node refuses as banned leaves that node alone for a while.
 *
 * It does not open, read or close connections, and does not know what else the links carry.
 */

import type { HostPort } from "../../base/address.ts";
import { Counts } from "../../base/counts.ts";
import { unreachable } from "../../base/errors.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { isSharedMeaning, plainHost } from "../../wire/host.ts";
import type { MessageOf, Refusal } from "../../wire/messages.ts";
import { AddressBook, type KnownAddress } from "./address_book.ts";
import { type Ban, Bans, type Misdeed, type SeenNode } from "./bans.ts";
import { LinkedList, type ListNode } from "./linked_list.ts";
import { RateLimit } from "../../base/rate_limit.ts";

/**
 * A link between this node and another, numbered by the owner of the connections; the number never
 * travels. None is given twice in the life of a process, so a stale one means a link that is gone.
 */
export type LinkId = number;

/** The messages that keep links. */
type LinkMessage = MessageOf<"ping" | "pong" | "bye" | "peers">;

/** A connection whose handshake is complete. */
interface NewLink {
  readonly link: LinkId;
  readonly nodeId: NodeId;
  /** The other end's address as the connection reports it: an IP address, never a name. */
  readonly host: string;
  readonly port: number;
  /** What `dial` said, where it differs from `host` and `port`: a name that was resolved. */
  readonly dialled?: HostPort;
  /** Where the other node accepts connections; 0: it cannot be reached. */
  readonly listenPort: number;
  /** Whether the other node dialled. */
  readonly inbound: boolean;
}

/** What may happen to the links. */
export type NeighboursEvent =
  /** `pinned`: given by a person, rather than learned. */
  | ({ readonly kind: "add-address"; readonly pinned: boolean } & HostPort)
  | ({ readonly kind: "link-up" } & NewLink)
  /**
   * Also after `close`, where it changes nothing. `faulty`: it broke the protocol; `misdeed`: in a
   * way that counts against its node.
   */
  | {
    readonly kind: "link-down";
    readonly link: LinkId;
    readonly faulty?: boolean;
    readonly misdeed?: Misdeed;
  }
  /** Answers `dial` when no link comes of it. */
  | ({ readonly kind: "dial-failed"; readonly refusal?: Refusal } & HostPort)
  | { readonly kind: "message"; readonly link: LinkId; readonly message: LinkMessage }
  /** Any other message came. */
  | { readonly kind: "heard"; readonly link: LinkId }
  /** A node did, over a link or elsewhere, what counts against it. */
  | { readonly kind: "misbehaved"; readonly node: SeenNode; readonly misdeed: Misdeed }
  | { readonly kind: "tick" };

/** Why a node is not wanted as a neighbour. */
type LinkRefusal = Extract<Refusal, "self" | "banned" | "busy" | "duplicate">;

/** Why a link is closed. "bye": the other end said so first, and needs no BYE. */
export type CloseReason = LinkRefusal | "silent" | "bye";

/** What is to be done for the links. */
export type NeighboursEffect =
  | ({ readonly kind: "dial" } & HostPort)
  | { readonly kind: "send"; readonly link: LinkId; readonly message: LinkMessage }
  /** The link is gone for this node at once; the connection shall follow. */
  | { readonly kind: "close"; readonly link: LinkId; readonly reason: CloseReason }
  /** Somebody is kept out from now on. */
  | { readonly kind: "banned"; readonly ban: Ban };

/** A link as it is shown to people. */
interface LinkReport extends Omit<NewLink, "dialled"> {
  readonly sinceMs: number;
  readonly heardAtMs: number;
  /** Round trip of the last PING that was answered; null before the first. */
  readonly roundTripMs: number | null;
}

/** How a node keeps its links. */
export interface NeighboursOptions {
  readonly nodeId: NodeId;
  readonly random: Random;
  readonly linksMin?: number;
  readonly linksMax?: number;
}

interface PendingDial {
  readonly state: "pending";
  readonly address: KnownAddress;
  /** When it counts as failed though nobody said so. */
  readonly failsAtMs: number;
}

interface ActiveLink extends LinkReport {
  readonly state: "active";
  /** Where the other node can be dialled, as it was given and as it turned out to be. */
  readonly addresses: readonly KnownAddress[];
  readonly peersRead: RateLimit;
  heardAtMs: number;
  roundTripMs: number | null;
  pingAtMs: number;
  pingToken: number;
  pingSentMs: number;
  gossipAtMs: number;
}

type Neighbour = PendingDial | ActiveLink;

/** The links of one node. */
export class Neighbours {
  readonly #list = new LinkedList<Neighbour>();
  readonly #active = new Map<LinkId, ListNode<Neighbour>>();
  readonly #pending = new Map<KnownAddress, ListNode<Neighbour>>();
  /** How many active links each node has. */
  readonly #linksOf = new Counts<NodeId>();
  readonly #book: AddressBook;
  readonly #bans = new Bans();
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
  }

  /** How many links are up. */
  get linkCount(): number {
    return this.#active.size;
  }

  /** How many addresses are known. */
  get addressCount(): number {
    return this.#book.size;
  }

  has(link: LinkId): boolean {
    return this.#active.has(link);
  }

  /** The links that are up, oldest first. */
  links(): LinkReport[] {
    const links: LinkReport[] = [];
    for (const one of this.#list) {
      if (one.state === "active") links.push(reportOf(one));
    }
    return links;
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
        if (event.pinned) this.#book.pin(plainHost(event.host), event.port);
        else this.#book.add(plainHost(event.host), event.port);
        return this.#dial(nowMs, out);
      case "link-up":
        return this.#onLinkUp(event, nowMs, out);
      case "link-down":
        this.#onLinkEnded(event, nowMs, out);
        return this.#dial(nowMs, out);
      case "dial-failed":
        return this.#onDialFailed(event.host, event.port, event.refusal, nowMs);
      case "misbehaved":
        this.#onMisbehaved(event.node, event.misdeed, nowMs, out);
        return this.#dial(nowMs, out);
      default:
        return unreachable(event);
    }
  }

  // Rule 2

  #dial(nowMs: number, out: NeighboursEffect[]): void {
    for (const entry of this.#book.pinned) {
      if (this.#list.size >= this.#linksMax) return;
      if (this.#mayDial(entry, nowMs)) this.#dialOne(entry, nowMs, out);
    }
    const wanted = this.#linksMin - this.#list.size;
    if (wanted <= 0) return;
    for (const entry of this.#book.pick(wanted, (one) => this.#mayDial(one, nowMs))) {
      this.#dialOne(entry, nowMs, out);
    }
  }

  #mayDial(entry: KnownAddress, nowMs: number): boolean {
    if (nowMs < entry.dialAtMs || entry.isSelf || this.#pending.has(entry)) return false;
    const { nodeId, host } = entry;
    if (nodeId !== undefined && this.#linksOf.of(nodeId) > 0) return false;
    return !this.#bans.has({ host, ...(nodeId === undefined ? {} : { nodeId }) }, nowMs);
  }

  #dialOne(address: KnownAddress, nowMs: number, out: NeighboursEffect[]): void {
    const failsAtMs = nowMs + limits.pendingDialMs;
    this.#pending.set(address, this.#list.push({ state: "pending", address, failsAtMs }));
    out.push({ kind: "dial", host: address.host, port: address.port });
  }

  #endDial(address: KnownAddress): void {
    const node = this.#pending.get(address);
    if (node === undefined) return;
    this.#pending.delete(address);
    this.#list.remove(node);
  }

  #onDialFailed(host: string, port: number, refusal: Refusal | undefined, nowMs: number): void {
    const address = this.#book.get(plainHost(host), port);
    if (address === undefined) return;
    this.#endDial(address);
    if (refusal === "self") address.isSelf = true;
    this.#failed(address, nowMs, refusal === "busy");
    // The link that it is a duplicate of may end; then this address is wanted soon.
    if (refusal === "duplicate") address.dialAtMs = nowMs + limits.linkSilentMs;
    if (refusal === "banned") address.dialAtMs = nowMs + limits.backoffMs;
  }

  #failed(address: KnownAddress, nowMs: number, isBusy: boolean): void {
    this.#book.failed(address, nowMs);
    // A node that has links enough does not knock at a full one every half minute.
    const isEnough = this.#list.size >= this.#linksMin;
    if (isBusy && isEnough) address.dialAtMs = nowMs + limits.backoffMs;
  }

  // Rules 3 to 5

  #onLinkUp(link: NewLink, nowMs: number, out: NeighboursEffect[]): void {
    const dialled = this.#dialledBy(link);
    if (dialled !== undefined) this.#endDial(dialled);
    const refusal = this.refusal(link, nowMs);
    if (refusal !== undefined) {
      if (dialled !== undefined) {
        if (refusal === "self") dialled.isSelf = true;
        else if (refusal === "duplicate") this.#book.met(dialled, link.nodeId);
        else this.#book.failed(dialled, nowMs);
      }
      out.push({ kind: "close", link: link.link, reason: refusal });
      return;
    }
    const rivals = this.#rivals(link);
    if (rivals === "keep-old") return;
    if (this.#active.size - rivals.length >= this.#linksMax) {
      this.#gossip(link, out);
      if (dialled !== undefined) this.#failed(dialled, nowMs, true);
      out.push({ kind: "close", link: link.link, reason: "busy" });
      return;
    }
    this.#add({ ...link, host: plainHost(link.host) }, nowMs, out);
    for (const rival of rivals) {
      this.#remove(rival);
      out.push({ kind: "close", link: rival.link, reason: "duplicate" });
    }
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
    if (this.#linksOf.of(node.nodeId) === 0) return [];
    const givingWay: ActiveLink[] = [];
    const isOwnLower = this.#nodeId < node.nodeId;
    for (const one of this.#list) {
      if (one.state !== "active" || one.nodeId !== node.nodeId) continue;
      if (one.inbound === node.inbound) {
        if (!node.inbound) return "keep-old";
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
    for (const address of addresses) this.#book.met(address, link.nodeId);
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
      gossipAtMs: nowMs + limits.gossipIntervalMs * (0.5 + 0.5 * this.#random.unit()),
      peersRead: new RateLimit(limits.peersPerHourMax / 3600, limits.peersBurstMax),
    };
    this.#active.set(link.link, this.#list.push(active));
    this.#linksOf.add(link.nodeId, 1);
    this.#gossip(active, out);
  }

  #remove(link: ActiveLink): void {
    const node = this.#active.get(link.link);
    if (node === undefined) return;
    this.#active.delete(link.link);
    this.#list.remove(node);
    this.#linksOf.add(link.nodeId, -1);
  }

  #onLinkEnded(
    event: NeighboursEvent & { readonly kind: "link-down" },
    nowMs: number,
    out: NeighboursEffect[],
  ): void {
    const link = this.#find(event.link);
    this.#onLinkDown(event.link, nowMs, event.faulty === true ? "faulty" : undefined);
    if (link === undefined || event.misdeed === undefined) return;
    this.#onMisbehaved(link, event.misdeed, nowMs, out);
  }

  #onLinkDown(id: LinkId, nowMs: number, blame?: "faulty" | "busy"): void {
    const link = this.#find(id);
    if (link === undefined) return;
    this.#remove(link);
    // A link that ends soon is as bad as a failed dial, or two nodes would dial for ever.
    const isShort = nowMs - link.sinceMs < limits.linkSilentMs;
    for (const address of link.addresses) {
      if (isShort || blame !== undefined) this.#failed(address, nowMs, blame === "busy");
      else this.#book.ended(address, nowMs);
    }
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
    if (bans.length === 0) return;
    for (const ban of bans) out.push({ kind: "banned", ban });
    for (const one of this.#list) {
      if (one.state !== "active" || !this.isBanned(one, nowMs)) continue;
      this.#close(one, "banned", nowMs, out);
    }
  }

  // Rules 6 and 7

  #heard(id: LinkId, nowMs: number): ActiveLink | undefined {
    const link = this.#find(id);
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
        this.#dial(nowMs, out);
        break;
      case "peers":
        if (!link.peersRead.take(nowMs)) break;
        for (const { host, port } of message.addresses) {
          const plain = plainHost(host);
          if (port !== 0 && isSharedMeaning(plain, link.host)) this.#book.add(plain, port);
        }
        this.#dial(nowMs, out);
        break;
      default:
        unreachable(message);
    }
  }

  #onTick(nowMs: number, out: NeighboursEffect[]): void {
    for (const one of this.#list) {
      if (one.state === "active") this.#tickLink(one, nowMs, out);
      else if (nowMs >= one.failsAtMs) {
        this.#onDialFailed(one.address.host, one.address.port, undefined, nowMs);
      }
    }
    this.#bans.expire(nowMs);
    this.#dial(nowMs, out);
  }

  #tickLink(link: ActiveLink, nowMs: number, out: NeighboursEffect[]): void {
    if (nowMs - link.heardAtMs >= limits.linkSilentMs) {
      this.#close(link, "silent", nowMs, out);
      return;
    }
    if (nowMs >= link.pingAtMs) {
      link.pingAtMs = nowMs + limits.pingIntervalMs;
      link.pingToken = Math.floor(this.#random.unit() * 0x1_0000_0000);
      link.pingSentMs = nowMs;
      out.push({ kind: "send", link: link.link, message: { kind: "ping", token: link.pingToken } });
    }
    if (nowMs >= link.gossipAtMs) {
      link.gossipAtMs = nowMs + limits.gossipIntervalMs;
      this.#gossip(link, out);
    }
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

  #find(id: LinkId): ActiveLink | undefined {
    const found = this.#active.get(id)?.value;
    return found?.state === "active" ? found : undefined;
  }
}

function reportOf(
  { link, nodeId, host, port, listenPort, inbound, sinceMs, heardAtMs, roundTripMs }: ActiveLink,
): LinkReport {
  return { link, nodeId, host, port, listenPort, inbound, sinceMs, heardAtMs, roundTripMs };
}
