/**
 * One wire of a simulated LAN, on which nodes find each other: the policy of the daemon over the real
 * packets, in virtual time. What is sent is heard by all on the wire but for what is lost.
 */

import type { HostPort } from "../../src/base/address.ts";
import { toHex } from "../../src/base/bytes.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { Lan } from "../../src/core/lan/lan.ts";
import type { AnnouncedNode, Asker, LanEffect, LanEvent } from "../../src/core/lan/lan_events.ts";
import {
  decodeLanPacket,
  encodeAnnouncement,
  encodeQuestion,
  type LanAnswer,
} from "../../src/wire/lan_packet.ts";
import type { SimNetwork } from "./network.ts";
import type { SimNode } from "./sim_node.ts";

const SEGMENT = "wire";
const DELAY_MS = 1;

/** A node on the wire. */
export interface LanMember {
  readonly node: SimNode;
  readonly label: string;
  readonly tag: string;
  readonly lan: Lan;
  /** When it sent a packet to all, but for its goodbye. */
  readonly sentAtMs: number[];
  group: number;
  /** When its policy is woken. */
  wakeMs: number;
  hasLeft: boolean;
}

/** The wire. */
export class LanWire {
  readonly members: LanMember[] = [];
  /** How many of the packets are lost, for each who would hear them. */
  loss = 0;
  /** What was sent to single hosts. */
  readonly unicasts: HostPort[] = [];
  readonly #network: SimNetwork;
  readonly #random: Random;

  constructor(network: SimNetwork) {
    this.#network = network;
    this.#random = seededRandom(network.seed + 1);
  }

  /** Puts a node on the wire. */
  join(
    node: SimNode,
    options: { readonly tag?: string; readonly group?: number; readonly keepsNext?: boolean } = {},
  ): LanMember {
    const { tag = "00000001", group = 0, keepsNext = true } = options;
    const random = seededRandom(Math.floor(this.#random.unit() * 0x1_0000_0000));
    const label = toHex(random.bytes(8));
    const isLinked = ({ host, port }: HostPort) =>
      node.overlay.neighbours.pinned()
        .some((one) => one.host === host && one.port === port && one.isLinked);
    const lan = new Lan({ label, tag, random, keepsNext, isLinked });
    const member: LanMember = {
      ...{ node, label, tag, lan, group },
      sentAtMs: [],
      wakeMs: -1,
      hasLeft: false,
    };
    this.members.push(member);
    const addresses = node.isReachable ? [node.host] : [];
    this.#tell(member, { kind: "segments", segments: [{ id: SEGMENT, addresses }] });
    return member;
  }

  /** A node ends in order: it says goodbye, and its links are closed. */
  leave(member: LanMember): void {
    this.#tell(member, { kind: "stop" });
    member.hasLeft = true;
    this.#network.kill(member.node);
  }

  /** A stranger asks for all nodes. */
  ask(from: Asker, { wantsUnicast = false } = {}): void {
    for (const member of this.members) {
      const question = {
        ...{ isForAll: true, isForTypes: false, wantsUnicast },
        ...{ isNews: true, known: [] },
      };
      this.#tell(member, { kind: "asked", segment: SEGMENT, question, from });
    }
  }

  /** Somebody announces nodes, to all but those at whose address they are said to be. */
  announce(nodes: readonly AnnouncedNode[]): void {
    for (const member of this.members) {
      for (const node of nodes) {
        // As a daemon does: nobody else says what is at its own address.
        if (node.host === member.node.host) continue;
        this.#tell(member, { kind: "announced", segment: SEGMENT, node });
      }
    }
  }

  #tell(member: LanMember, event: LanEvent): void {
    if (member.hasLeft) return;
    const { nowMs } = this.#network;
    for (const effect of member.lan.step(event, nowMs)) this.#do(member, effect);
    const { wakeMs } = member.lan;
    if (event.kind === "stop" || wakeMs === member.wakeMs) return;
    member.wakeMs = wakeMs;
    this.#network.later(Math.max(1, wakeMs - nowMs), () => {
      if (member.wakeMs === wakeMs) this.#tell(member, { kind: "tick" });
    });
  }

  #do(member: LanMember, effect: LanEffect): void {
    const { node, label, tag } = member;
    const own = { label, tags: [tag], port: node.port, addresses: [node.host] };
    switch (effect.kind) {
      case "announce":
        if (effect.to !== undefined) return void this.unicasts.push(effect.to);
        member.sentAtMs.push(this.#network.nowMs);
        return this.#send(member, encodeAnnouncement(own, { ttlMs: limits.lanTtlMs }));
      case "goodbye":
        return this.#send(member, encodeAnnouncement(own, { ttlMs: 0 }));
      case "ask":
        member.sentAtMs.push(this.#network.nowMs);
        return this.#send(member, encodeQuestion(effect.known));
      case "found":
        return this.#network.tell(node, { kind: "add-address", ...effect.address, pinned: false });
      case "keep":
        for (const { host, port } of node.overlay.neighbours.pinned()) {
          this.#network.tell(node, { kind: "unpin-address", host, port });
        }
        if (effect.address === null) return;
        return this.#network.tell(node, { kind: "add-address", ...effect.address, pinned: true });
    }
  }

  #send(from: LanMember, bytes: Uint8Array): void {
    // What is said of others is the same for all who hear it.
    const packet = decodeLanPacket(bytes, "");
    this.#network.later(DELAY_MS, () => {
      for (const member of this.members) {
        if (member === from || member.hasLeft || member.group !== from.group) continue;
        if (this.#random.unit() < this.loss) continue;
        this.#hear(member, packet?.kind === "answer" ? packet : bytes, from.node);
      }
    });
  }

  #hear(member: LanMember, heard: Uint8Array | LanAnswer, { host }: SimNode): void {
    const packet = heard instanceof Uint8Array ? decodeLanPacket(heard, member.label) : heard;
    if (packet === undefined) throw new Error("A packet of a node cannot be read");
    if (packet.kind === "question") {
      const from = { host, port: 5353 };
      return this.#tell(member, { kind: "asked", segment: SEGMENT, question: packet, from });
    }
    for (const label of packet.gone) this.#tell(member, { kind: "gone", label, from: host });
    for (const { addresses, ...node } of packet.nodes) {
      const announced = { ...node, host: addresses[0]!, from: host };
      this.#tell(member, { kind: "announced", segment: SEGMENT, node: announced });
    }
  }
}

/** The sizes of the parts of a network that no link connects. */
export function partsOf(nodes: readonly SimNode[]): number[] {
  const left = new Set(nodes);
  const sizes: number[] = [];
  for (const first of nodes) {
    if (!left.delete(first)) continue;
    const part = [first];
    for (const node of part) {
      for (const { far } of node.links.values()) if (left.delete(far.node)) part.push(far.node);
    }
    sizes.push(part.length);
  }
  return sizes;
}
