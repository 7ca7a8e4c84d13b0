/**
 * The connections of a simulated network: dials, handshakes, links with delay, messages in order,
 * hang-ups; and what goes wrong with them: cut links and partitions. Every message passes through
 * the real codec.
 */

import { limits } from "../../src/base/limits.ts";
import type { HostPort } from "../../src/base/address.ts";
import { type Random } from "../../src/base/random.ts";
import type { LinkId } from "../../src/core/overlay/neighbour_events.ts";
import { Overlay, type OverlayEvent } from "../../src/core/overlay/overlay.ts";
import type { DialOutcome } from "../../src/net/dial_guard.ts";
import { decodePayload, encodeFrame } from "../../src/wire/codec.ts";
import { formatAddress, isLoopback, type LanNaming } from "../../src/wire/host.ts";
import type { Message } from "../../src/wire/messages.ts";
import type { SimLog } from "./sim_log.ts";
import type { LinkEnd, SimNode } from "./sim_node.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** What the connections stand on. */
export interface SimLinksOptions {
  readonly time: VirtualTime;
  readonly log: SimLog;
  readonly random: Random;
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Puts an event into a node. */
  readonly step: (node: SimNode, event: OverlayEvent) => void;
}

/** All connections of one network. */
export class SimLinks {
  /** Messages that arrived, by kind. */
  readonly arrived = new Map<string, number>();
  /** How many of the messages of a kind are lost; none by default. */
  lossOf: (message: Message) => number = () => 0;
  readonly #options: SimLinksOptions;
  readonly #byAddress = new Map<string, SimNode>();
  readonly #groups = new Map<SimNode, number>();
  #count = 0;

  constructor(options: SimLinksOptions) {
    this.#options = options;
  }

  /** Makes a node known at its address. */
  add(node: SimNode): void {
    this.#byAddress.set(formatAddress(node.host, node.port), node);
  }

  /** The node that `from` finds at an address; loopback is its own machine. */
  nodeAt(from: SimNode, host: string, port: number): SimNode | undefined {
    return this.#byAddress.get(formatAddress(isLoopback(host) ? from.host : host, port));
  }

  /** The time that one message takes now. */
  delay(): number {
    const { delayMs, jitterMs, random } = this.#options;
    return jitterMs === 0 ? delayMs : delayMs + jitterMs * random.unit();
  }

  // Faults

  cut(a: SimNode, b: SimNode): void {
    for (const end of a.links.values()) {
      if (end.far.node === b) end.isCut = end.far.isCut = true;
    }
  }

  /** Puts nodes into groups; links that stand between two are lost for good. */
  partition(groups: readonly (readonly SimNode[])[]): void {
    for (const [number, nodes] of groups.entries()) {
      for (const node of nodes) this.#groups.set(node, number);
    }
    for (const node of this.#groups.keys()) {
      for (const end of node.links.values()) {
        if (this.#isSplit(node, end.far.node)) end.isCut = end.far.isCut = true;
      }
    }
  }

  heal(): void {
    this.#groups.clear();
  }

  #isSplit(a: SimNode, b: SimNode): boolean {
    return this.#groups.get(a) !== this.#groups.get(b);
  }

  // Dialling

  /** Reports after the time that a connection takes, with the reason if it fails. */
  connect(
    from: SimNode,
    { host, port }: { readonly host: string; readonly port: number },
    done: (failed: "refused" | "timeout" | undefined) => void,
  ): void {
    const { time } = this.#options;
    const to = this.nodeAt(from, host, port);
    const isSilent = to === undefined || to.state === "machine-dead" || !to.isReachable ||
      this.#isSplit(from, to);
    if (isSilent) {
      time.later(limits.dialMs, () => done("timeout"));
      return;
    }
    time.later(2 * this.delay(), () => {
      done(to.state === "alive" && !this.#isSplit(from, to) ? undefined : "refused");
    });
  }

  /** Makes a link, or tells the node that it cannot be had. */
  dial(
    from: SimNode,
    { host, port, namedOnLan }: HostPort & { readonly namedOnLan?: LanNaming },
  ): void {
    const { log, step, time } = this.#options;
    const { life } = from;
    const wasMet = from.brain instanceof Overlay && from.brain.neighbours.wasMet({ host, port });
    let outcome: DialOutcome | undefined;
    try {
      if (!wasMet) outcome = from.guard?.begin({ host, port }, time.nowMs, namedOnLan);
    } catch {
      time.later(0, () => step(from, { kind: "dial-failed", host, port }));
      return;
    }
    this.connect(from, { host, port }, (failed) => {
      if (failed === undefined) outcome?.met(time.nowMs);
      else outcome?.failed(time.nowMs);
      if (from.state !== "alive" || from.life !== life) return;
      const to = this.nodeAt(from, host, port);
      if (failed !== undefined || to === undefined) {
        log.note("links", () => `${from.name} cannot dial ${host}:${port}: ${failed}`);
        step(from, { kind: "dial-failed", host, port });
        return;
      }
      this.#handshake(from, to, host);
    });
  }

  /** The dialler knows of the link first; the other end when the last word of it arrives. */
  #handshake(from: SimNode, to: SimNode, host: string): void {
    const { time, log, step } = this.#options;
    const seenFrom = isLoopback(host) ? host : from.host;
    const refusal = this.#refusal(to, from, { host: seenFrom, inbound: true }) ??
      this.#refusal(from, to, { host, inbound: false });
    if (refusal !== undefined) {
      log.note("links", () => `${from.name} is refused by ${to.name}: ${refusal}`);
      step(from, { kind: "dial-failed", host, port: to.port, refusal });
      return;
    }
    const [near, far] = this.#join(from, to);
    far.lastArrivalMs = time.nowMs + this.delay();
    time.at(far.lastArrivalMs, () => {
      if (near.isCut || to.state !== "alive" || to.life !== far.life) {
        this.hangUp(near);
        return;
      }
      to.links.set(far.link, far);
      const port = 40_000 + near.link;
      this.#up(to, from, { link: far.link, host: seenFrom, port, inbound: true });
    });
    from.links.set(near.link, near);
    this.#up(from, to, { link: near.link, host, port: to.port, inbound: false });
  }

  #refusal(node: SimNode, other: SimNode, link: { host: string; inbound: boolean }) {
    if (!(node.brain instanceof Overlay)) return undefined;
    return node.brain.neighbours.refusal(
      { nodeId: other.nodeId, ...link },
      this.#options.time.nowMs,
    );
  }

  #join(from: SimNode, to: SimNode): readonly [LinkEnd, LinkEnd] {
    const end = (node: SimNode) => ({
      link: ++this.#count,
      node,
      life: node.life,
      isCut: false,
      lastArrivalMs: 0,
    });
    const near = end(from) as LinkEnd & { far: LinkEnd };
    const far: LinkEnd = { ...end(to), far: near };
    near.far = far;
    return [near, far];
  }

  #up(
    node: SimNode,
    other: SimNode,
    link: { link: LinkId; host: string; port: number; inbound: boolean },
  ): void {
    const { log, step } = this.#options;
    const way = link.inbound ? "from" : "to";
    log.note("links", () => `${node.name} has a link ${way} ${other.name}`);
    const { nodeId, listenPort } = other;
    const saysDone = node.saysDone && other.saysDone;
    step(node, { kind: "link-up", ...link, nodeId, listenPort, saysDone });
  }

  // Links that are up

  close(node: SimNode, link: LinkId, reason: string): void {
    const end = node.links.get(link);
    if (end === undefined) return;
    const other = end.far.node.name;
    this.#options.log.note("links", () => `${node.name} closes the link with ${other}: ${reason}`);
    if (reason !== "bye") this.transmit(node, link, { kind: "bye", reason });
    node.links.delete(link);
    this.hangUp(end.far);
  }

  /** Tells one end that the other closed, after all that is on its way there. */
  hangUp(end: LinkEnd): void {
    if (end.isCut) return;
    const { log, step } = this.#options;
    this.#arrive(end, () => {
      if (!end.node.links.delete(end.link)) return;
      log.note("links", () => `${end.node.name} loses the link with ${end.far.node.name}`);
      step(end.node, { kind: "link-down", link: end.link });
    });
  }

  transmit(node: SimNode, link: LinkId, message: Message): void {
    const end = node.links.get(link);
    if (end === undefined || end.isCut) return;
    const { log, step } = this.#options;
    const frame = encodeFrame(message);
    const { far } = end;
    this.#arrive(far, () => {
      if (!far.node.links.has(far.link)) return;
      if (this.lossOf(message) > 0 && this.#options.random.unit() < this.lossOf(message)) return;
      const decoded = decodePayload(frame[4]!, frame.subarray(limits.frameHeaderBytes));
      this.arrived.set(message.kind, (this.arrived.get(message.kind) ?? 0) + 1);
      log.noteMessage(node, far.node, decoded);
      if (decoded.kind === "query" && !far.node.hopsOf.has(decoded.id)) {
        far.node.hopsOf.set(decoded.id, decoded.hops + 1);
      }
      step(far.node, { kind: "message", link: far.link, message: decoded });
    });
  }

  /** Runs something at one end after the delay, in the order in which it was sent. */
  #arrive(end: LinkEnd, run: () => void): void {
    const { time } = this.#options;
    end.lastArrivalMs = Math.max(end.lastArrivalMs, time.nowMs + this.delay());
    time.at(end.lastArrivalMs, () => {
      if (!end.isCut && end.node.state === "alive" && end.node.life === end.life) run();
    });
  }
}
