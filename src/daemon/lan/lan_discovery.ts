/**
 * Finds nodes on the networks that this machine is on: carries out `core/lan` on the interfaces that a
 * person did not exclude. Where there is no multicast the log says so once, and all else goes on.
 */

import type { HostPort } from "../../base/address.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { toHex } from "../../base/bytes.ts";
import { messageOf, unreachable } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import { type Random, systemRandom } from "../../base/random.ts";
import { Lan } from "../../core/lan/lan.ts";
import type { Asker, LanEffect, LanEvent, NamedAddress } from "../../core/lan/lan_events.ts";
import { isOnLink, type LanInterface } from "../../net/lan_interfaces.ts";
import { MDNS_PORT } from "../../net/multicast_socket.ts";
import { ownSubnets } from "../../net/own_addresses.ts";
import { formatAddress, isLinkLocal, isNowhere, isSameHost, plainHost } from "../../wire/host.ts";
import {
  decodeLanPacket,
  encodeAnnouncement,
  encodeQuestion,
  type LanNode,
} from "../../wire/lan_packet.ts";
import type { LanReport } from "../../wire/reports.ts";
import { LanLog, type LanState } from "./lan_log.ts";
import { type Discover, LanSegments, type OpenSegment } from "./lan_segments.ts";
import { type NetworkSecrets, networkTags } from "./network_tags.ts";

/** What finds and is found. */
export interface LanDiscoveryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: Random;
  /** Where this node accepts connections; port 0: nobody can dial it. */
  readonly listen: HostPort;
  readonly secrets: NetworkSecrets;
  /** Whether it keeps a link with the node that comes next. */
  readonly keepsNext: boolean;
  /** A node of the network may be dialled here. */
  readonly found: (address: NamedAddress) => void;
  /** A link with this node is to be kept, and not with the one before. */
  readonly keep: (address: NamedAddress | null) => void;
  readonly isLinked: (address: HostPort) => boolean;
}

/** What runs while nodes are looked for. */
interface Running {
  readonly label: string;
  readonly tags: readonly string[];
  readonly lan: Lan;
}

/** Finds nodes of one network, for one node. */
export class LanDiscovery {
  readonly #options: LanDiscoveryOptions;
  readonly #random: Random;
  #discover: Discover = [];
  #running: Running | undefined;
  readonly #segments: LanSegments;
  readonly #log: LanLog;
  /** The addresses of this machine. */
  #own: readonly string[] = [];
  #looking: Timer | undefined;
  #wake: Timer | undefined;
  /** Looks at the interfaces, one at a time. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: LanDiscoveryOptions) {
    this.#options = options;
    this.#random = options.random ?? systemRandom;
    const { clock, log } = options;
    this.#log = new LanLog({ clock, log, state: () => this.#state() });
    this.#segments = new LanSegments({
      clock,
      received: (segment, bytes, from) => this.#received(segment, bytes, from),
      changed: () => this.#log.changed(),
      lookAgain: () => void this.#lookAgain(),
    });
  }

  /** What it found out; null while it does not look. */
  report(): LanReport | null {
    const lan = this.#running?.lan;
    if (lan === undefined) return null;
    const nowMs = this.#options.clock.nowMs();
    const { own: nodes, strangers } = lan.counts;
    return {
      segments: this.#segments.reports(),
      nodes,
      strangers,
      heard: lan.nodes().slice(0, limits.lanReportedMax).map((one) => ({
        peer: formatAddress(one.host, one.port),
        network: one.isOwn ? "own" : "other",
        segment: one.segment,
        heardMs: Math.round(nowMs - one.heardAtMs),
      })),
    };
  }

  /** Looks for nodes on these interfaces from now on; resolves when it does. */
  async set(discover: Discover): Promise<void> {
    this.#discover = discover;
    const { clock } = this.#options;
    this.#looking ??= clock.every(limits.ownAddressesMs, () => void this.#lookAgain());
    await this.#lookAgain();
  }

  /** Says goodbye where it announced itself, and ends; resolves soon, whatever the network does. */
  async stop(): Promise<void> {
    this.#looking?.cancel();
    this.#looking = undefined;
    this.#segments.stopTrying();
    this.#log.stop();
    await this.#work;
    this.#wake?.cancel();
    const running = this.#running;
    if (running === undefined) return;
    // What comes from now on is for nobody.
    this.#running = undefined;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    using _ = this.#options.clock.after(limits.lanGoodbyeMs, resolve);
    await Promise.race([this.#step(running, { kind: "stop" }), late]);
    this.#segments.close();
    this.#options.log.info("looks for no nodes on the LAN any more");
  }

  // Interfaces

  async #lookAgain(): Promise<void> {
    this.#work = this.#work.then(() => this.#look()).catch((error) => {
      this.#options.log.warn("cannot look for nodes on the LAN", { error: messageOf(error) });
    });
    await this.#work;
  }

  async #look(): Promise<void> {
    if (this.#looking === undefined) return;
    this.#running ??= await this.#begin();
    await this.#segments.look(this.#discover);
    this.#own = ownSubnets().map(({ host }) => host);
    const segments = Array.from(this.#segments.all, (one) => {
      const { id, isFresh } = one;
      one.isFresh = false;
      return { id, isFresh, addresses: this.#addressesOn(one.interface) };
    });
    await this.#step(this.#running, { kind: "segments", segments });
    this.#log.changed();
  }

  async #begin(): Promise<Running> {
    const { secrets, keepsNext, isLinked } = this.#options;
    const { accepted, dialled } = await networkTags(secrets);
    // By 8 random bytes nobody else has it: RFC 6762, 8.1, wants no probing then.
    const label = toHex(this.#random.bytes(8));
    const lan = new Lan({ label, tag: dialled, random: this.#random, keepsNext, isLinked });
    return { label, lan, tags: accepted };
  }

  #state(): LanState {
    const { usable, isTried, problems, interfaces: { missing, there } } = this.#segments;
    const isHidden = usable.every((one) => this.#addressesOn(one.interface).length === 0);
    const hidden = isHidden ? `nobody there can reach ${this.#options.listen.host}` : undefined;
    return {
      ...{ open: usable.map(({ id }) => id), isTried, hidden, problems },
      ...{ missing, interfaces: there },
    };
  }

  /** Where others on an interface can dial this node. */
  #addressesOn({ addresses }: LanInterface): string[] {
    const { host, port } = this.#options.listen;
    if (port === 0) return [];
    const isAny = host === "::" || host === "0.0.0.0";
    const families = host === "0.0.0.0" ? [4] as const : [4, 6] as const;
    return families.flatMap((family) =>
      lastOfLink(addresses[family].map((one) => one.host))
        .filter((one) => isAny || one === plainHost(host))
        .slice(0, limits.lanAddressesMax)
    );
  }

  // Packets

  #received(segment: OpenSegment, bytes: Uint8Array, from: HostPort): void {
    const running = this.#running;
    if (running === undefined) return;
    // Also what came over another interface: see `multicast_socket.ts`.
    if (!isOnLink(segment.interface, from.host)) return;
    if (!segment.packets.take(this.#options.clock.nowMs())) return;
    const packet = decodeLanPacket(bytes, running.label);
    if (packet === undefined) return;
    if (packet.kind === "question") {
      const legacy = from.port === MDNS_PORT ? undefined : packet;
      this.#tell({
        kind: "asked",
        segment: segment.id,
        question: packet,
        from: { ...from, legacy },
      });
      return;
    }
    for (const label of packet.gone) this.#tell({ kind: "gone", label, from: from.host });
    for (const { label, port, tags, addresses } of packet.nodes) {
      const host = addressOf(addresses, { on: segment.interface, from: from.host });
      if (host === undefined || this.#isNotThere({ host, port }, from)) continue;
      const node = { label, host, port, tags, from: from.host };
      this.#tell({ kind: "announced", segment: segment.id, node });
    }
  }

  /**
   * Whether an address of this machine is named that no other node has: that of this one, or any that
   * somebody on another machine names.
   */
  #isNotThere({ host, port }: HostPort, from: HostPort): boolean {
    if (!this.#own.some((own) => isSameHost(own, host))) return false;
    if (!this.#own.some((own) => isSameHost(own, from.host))) return true;
    const { listen } = this.#options;
    const isHere = isNowhere(listen.host) || isSameHost(listen.host, host);
    return isHere && port === listen.port;
  }

  // Policy

  #tell(event: LanEvent): void {
    if (this.#running !== undefined) void this.#step(this.#running, event);
  }

  /** Carries out what the policy says of an event; resolves when all is sent, and never rejects. */
  async #step(running: Running, event: LanEvent): Promise<void> {
    const { clock } = this.#options;
    const effects = running.lan.step(event, clock.nowMs());
    this.#wakeLater(running.lan);
    await Promise.all(effects.map((effect) => this.#apply(running, effect)));
  }

  #wakeLater(lan: Lan): void {
    this.#wake?.cancel();
    this.#wake = undefined;
    if (this.#looking === undefined || lan.wakeMs === Infinity) return;
    const { clock } = this.#options;
    const waitMs = Math.max(1, Math.ceil(lan.wakeMs - clock.nowMs()));
    this.#wake = clock.after(waitMs, () => this.#tell({ kind: "tick" }));
  }

  #apply(running: Running, effect: LanEffect): Promise<void> | void {
    switch (effect.kind) {
      case "announce": {
        const { segment, to, withType } = effect;
        return this.#announce(running, segment, { to, withType, ttlMs: limits.lanTtlMs });
      }
      case "goodbye":
        return this.#announce(running, effect.segment, { ttlMs: 0 });
      case "ask":
        return this.#segments.send(effect.segment, encodeQuestion(effect.known));
      case "found":
        return this.#options.found(effect.address);
      case "keep":
        return this.#options.keep(effect.address);
      default:
        return unreachable(effect);
    }
  }

  async #announce(
    { label, tags }: Running,
    id: string,
    { to, ...how }: {
      readonly ttlMs: number;
      readonly withType?: boolean;
      readonly to?: Asker | undefined;
    },
  ): Promise<void> {
    const segment = this.#segments.get(id);
    if (segment === undefined) return;
    const { port } = this.#options.listen;
    const node: LanNode = { label, tags, port, addresses: this.#addressesOn(segment.interface) };
    const bytes = encodeAnnouncement(node, { ...how, legacy: to?.legacy });
    await this.#segments.send(id, bytes, to);
  }
}

/** Where a node is dialled: an IPv4 address on the link, that of the sender first, or an IPv6 one. */
function addressOf(
  addresses: readonly string[],
  { on, from }: { readonly on: LanInterface; readonly from: string },
): string | undefined {
  const onLink = lastOfLink(addresses.filter((host) => isOnLink(on, host)));
  const isV4 = (host: string) => !host.includes(":");
  const host = onLink.find((one) => isV4(one) && one === from) ?? onLink.find(isV4) ?? onLink[0];
  // What is one address is to be one text.
  return host !== undefined && isSameHost(host, from) ? from : host;
}

/** Addresses with the one of the IPv6 link alone last: others can be told to anybody. */
function lastOfLink(hosts: readonly string[]): readonly string[] {
  return [...hosts.filter((one) => !isLinkLocal(one)), ...hosts.filter(isLinkLocal).slice(0, 1)];
}
