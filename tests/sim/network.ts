/**
 * A network in memory, in virtual time, from one seed: nodes run the same Overlay as the daemon,
 * links have delay and jitter, can be cut, partitioned and lost; nodes die and come back. The same
 * seed gives the same run, event by event.
 *
 * Hosts such as 10.0.0.1 are only text here: nothing touches a real network.
 */

import type { HostPort } from "../../src/base/address.ts";
import { newNodeId, newQueryId, type QueryId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { LinkId } from "../../src/core/overlay/neighbour_events.ts";
import { Overlay, type OverlayEffect, type OverlayEvent } from "../../src/core/overlay/overlay.ts";
import type { CallbackOutcome } from "../../src/core/overlay/search_events.ts";
import { formatAddress } from "../../src/wire/host.ts";
import type { Hit, Message } from "../../src/wire/messages.ts";
import type { Sought } from "../../src/wire/structures.ts";
import { SimLinks } from "./sim_links.ts";
import { SimLog, type Topic } from "./sim_log.ts";
import { SimNode, type SimNodeOptions, type SimSearch } from "./sim_node.ts";
import { VirtualTime } from "./virtual_time.ts";

export interface SimNetworkOptions {
  readonly seed: number;
  /** One way, between any two nodes. */
  readonly delayMs?: number;
  /** Up to so much is added at random to each message. */
  readonly jitterMs?: number;
  readonly topics?: readonly Topic[];
}

/** How a search is made. */
export interface SimSearchOptions {
  readonly ttl?: number;
  /** Offers until the requester answers ENOUGH. */
  readonly wants?: number;
  readonly answerMs?: number;
  /** What the query says about where the requester can be dialled; by default the truth. */
  readonly callbackPort?: number;
}

export class SimNetwork {
  readonly seed: number;
  readonly nodes: SimNode[] = [];
  /** What nodes wrote into their logs. */
  readonly warnings: string[] = [];
  readonly #time = new VirtualTime();
  readonly #log: SimLog;
  readonly #links: SimLinks;
  readonly #random: Random;

  constructor(options: SimNetworkOptions) {
    this.seed = options.seed;
    this.#random = seededRandom(options.seed);
    this.#log = new SimLog(this.#time, options.topics ?? ["search"]);
    this.#links = new SimLinks({
      time: this.#time,
      log: this.#log,
      random: this.#random,
      delayMs: options.delayMs ?? 10,
      jitterMs: options.jitterMs ?? 0,
      step: (node, event) => this.tell(node, event),
    });
  }

  get nowMs(): number {
    return this.#time.nowMs;
  }

  /** The transcript so far. */
  get lines(): readonly string[] {
    return this.#log.lines;
  }

  /** Messages that arrived, by kind. */
  get arrived(): ReadonlyMap<string, number> {
    return this.#links.arrived;
  }

  /** Adds a line of the test's own to the transcript. */
  say(text: string): void {
    this.#log.lines.push(text);
  }

  /** Lets time pass. */
  run(forMs: number): void {
    this.#time.run(forMs);
  }

  /** Calls back after a time. */
  later(waitMs: number, run: () => void): void {
    this.#time.later(waitMs, run);
  }

  /** Lets time pass until something holds; false when it does not within `withinMs`. */
  runUntil(holds: () => boolean, withinMs: number): boolean {
    return this.#time.runUntil(holds, withinMs);
  }

  // Nodes

  addNode(options: SimNodeOptions = {}): SimNode {
    const number = this.nodes.length + 1;
    const named = {
      ...options,
      name: options.name ?? `n${number}`,
      host: options.host ?? `10.${number >> 16}.${number >> 8 & 255}.${number & 255}`,
    };
    const nodeId = newNodeId(this.#random);
    const node = new SimNode(named, nodeId, options.brain ?? { step: () => [] });
    this.nodes.push(node);
    this.#links.add(node);
    this.#start(node);
    return node;
  }

  /** Tells `node` the address of another, as a person would. */
  pin(node: SimNode, to: SimNode, host = to.host): void {
    const address = { host, port: to.port };
    node.pins.push(address);
    this.tell(node, { kind: "add-address", ...address, pinned: true });
  }

  #start(node: SimNode): void {
    const { linksMin = 0, linksMax, seenQueriesMax, brain } = node.options;
    const seed = Math.floor(this.#random.unit() * 0x1_0000_0000);
    node.brain = brain ?? new Overlay({
      nodeId: node.nodeId,
      random: seededRandom(seed),
      linksMin,
      ...(linksMax === undefined ? {} : { linksMax }),
      ...(seenQueriesMax === undefined ? {} : { seenQueriesMax }),
    });
    for (const address of node.pins) {
      this.tell(node, { kind: "add-address", ...address, pinned: true });
    }
    this.#tickLater(node, node.life, limits.overlayTickMs * this.#random.unit());
  }

  #tickLater(node: SimNode, life: number, waitMs: number): void {
    this.#time.later(waitMs, () => {
      if (node.state !== "alive" || node.life !== life) return;
      this.tell(node, { kind: "tick" });
      this.#tickLater(node, life, limits.overlayTickMs);
    });
  }

  // Faults

  /** Ends a node: as by `kill -9`, where the system closes its connections, or by power loss. */
  kill(node: SimNode, how: "process" | "machine" = "process"): void {
    node.state = how === "process" ? "process-dead" : "machine-dead";
    for (const end of node.links.values()) {
      if (how === "process") this.#links.hangUp(end.far);
      else end.far.isCut = true;
    }
    node.links.clear();
    this.#log.note("links", () => `${node.name} dies (${how})`);
  }

  /** Starts a node that died anew: same id, same pins, and what `known` says of others. */
  restart(node: SimNode, { known = [] }: { readonly known?: readonly HostPort[] } = {}): void {
    node.state = "alive";
    node.life++;
    this.#log.note("links", () => `${node.name} starts again`);
    this.#start(node);
    for (const address of known) {
      this.tell(node, { kind: "add-address", ...address, pinned: false, met: true });
    }
  }

  /** Cuts the links between two nodes without a word to either. */
  cut(a: SimNode, b: SimNode): void {
    this.#links.cut(a, b);
  }

  /** Splits the network: links between different groups are lost, and dials run into the void. */
  partition(groups: readonly (readonly SimNode[])[]): void {
    this.#log.note("links", () => `the network splits into ${groups.length}`);
    this.#links.partition(groups);
  }

  /** Loses so many of the messages on links from now on, by kind. */
  lose(lossOf: (message: Message) => number): void {
    this.#links.lossOf = lossOf;
  }

  heal(): void {
    this.#log.note("links", () => "the network is whole again");
    this.#links.heal();
  }

  // Puppets

  /** Makes a puppet dial. */
  dial(node: SimNode, to: SimNode): void {
    this.#links.dial(node, to);
  }

  /** Makes a puppet send. */
  send(node: SimNode, link: LinkId, message: Message): void {
    this.#links.transmit(node, link, message);
  }

  // Searches

  search(node: SimNode, name: string, options: SimSearchOptions = {}): SimSearch {
    return this.seek(node, { by: "name", value: name }, options);
  }

  seek(node: SimNode, sought: Sought, options: SimSearchOptions = {}): SimSearch {
    const search: SimSearch = {
      id: newQueryId(this.#random),
      sought,
      startedMs: this.nowMs,
      wants: options.wants ?? 1,
      answerMs: options.answerMs ?? 0,
      offers: [],
      hits: [],
      through: null,
    };
    node.searches.set(search.id, search);
    const { id } = search;
    const ttl = options.ttl ?? limits.ttlDefault;
    const callbackPort = options.callbackPort ?? node.listenPort;
    const name = this.#log.queryName(id);
    this.#log.note("search", () => `${node.name} seeks ${sought.value} as ${name}`);
    this.tell(node, { kind: "search", id, sought, ttl, callbackPort });
    return search;
  }

  endSearch(node: SimNode, search: SimSearch): void {
    node.searches.delete(search.id);
    this.tell(node, { kind: "search-ended", id: search.id });
  }

  /** Puts an event into a node, and does what it wants done. */
  tell(node: SimNode, event: OverlayEvent): void {
    if (node.state !== "alive") return;
    if (event.kind === "link-up") {
      for (const { through, startedMs } of node.searches.values()) {
        if (through?.untilMs === Infinity) through.untilMs = this.nowMs - startedMs;
      }
    }
    for (const effect of node.brain.step(event, this.nowMs)) this.#do(node, effect);
  }

  #do(node: SimNode, effect: OverlayEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#links.dial(node, effect);
        break;
      case "send":
        this.#links.transmit(node, effect.link, effect.message);
        break;
      case "close":
        this.#links.close(node, effect.link, effect.reason);
        break;
      case "look-up":
        this.#lookUp(node, effect.id, effect.sought);
        break;
      case "call-back":
        this.#callBack(node, effect);
        break;
      case "answer-by-hit":
        this.#answerByHit(node, effect.id, effect.sought);
        break;
      case "deliver-hit":
        this.#followHit(node, effect.id, effect.hit);
        break;
      case "search-through":
        this.#through(node, effect.id);
        break;
      case "warn":
        this.warnings.push(`${node.name}: ${effect.message}`);
        this.#log.note("search", () => `${node.name} warns: ${this.#log.shorten(effect.message)}`);
        break;
    }
  }

  #through(node: SimNode, id: QueryId): void {
    const search = node.searches.get(id);
    const outcome = node.overlay.outcomeOf(id);
    if (search === undefined || outcome === null) return;
    const { length: hits } = search.hits;
    const afterMs = this.nowMs - search.startedMs;
    search.through ??= { afterMs, outcome, hits, untilMs: Infinity };
    this.#log.note("search", () => `${node.name} knows that ${outcome} came of it`);
  }

  #lookUp(node: SimNode, id: QueryId, sought: Sought): void {
    const holds = node.find(sought).length > 0;
    if (holds) this.#log.note("search", () => `${node.name} holds ${sought.value}`);
    this.tell(node, { kind: "looked-up", id, holds });
  }

  #callBack(node: SimNode, call: OverlayEffect & { kind: "call-back" }): void {
    const { id, host, port } = call;
    const { life } = node;
    const where = formatAddress(host, port);
    const name = this.#log.queryName(id);
    this.#log.note("search", () => `${node.name} calls back ${where} for ${name}`);
    const answer = (outcome: CallbackOutcome) => {
      if (node.life === life) this.tell(node, { kind: "callback-answered", id, outcome });
    };
    this.#links.connect(node, call, (failed) => {
      const requester = failed ? undefined : this.#links.nodeAt(node, host, port);
      const search = requester?.searches.get(id);
      if (requester === undefined || search === undefined) {
        this.#log.note("search", () => `${node.name} cannot call back ${where}`);
        answer(requester === undefined ? "unreachable" : "failed");
        return;
      }
      // The offer travels once more, then the answer comes back.
      this.#time.later(this.#links.delay(), () => {
        if (requester.state !== "alive" || search.answerMs === Infinity) {
          this.#time.later(limits.dialMs, () => answer("failed"));
        }
        if (requester.state !== "alive") return;
        this.#offer(requester, search, node);
        if (search.answerMs === Infinity) return;
        const outcome = search.offers.length >= search.wants ? "enough" : "search-on";
        this.#time.later(search.answerMs + this.#links.delay(), () => answer(outcome));
      });
    });
  }

  #answerByHit(node: SimNode, id: QueryId, sought: Sought): void {
    this.#log.note("search", () => `${node.name} answers ${this.#log.queryName(id)} by HIT`);
    const { nodeId, listenPort: holderPort } = node;
    this.tell(node, { kind: "hit-ready", id, offers: node.find(sought), nodeId, holderPort });
  }

  #followHit(node: SimNode, id: QueryId, hit: Hit): void {
    const search = node.searches.get(id);
    if (search === undefined) return;
    search.hits.push(hit);
    const { holderHost: host, holderPort: port } = hit;
    const where = port === 0 ? "nowhere" : formatAddress(host, port);
    const links = hit.hops + 1;
    this.#log.note(
      "search",
      () => `${node.name} gets a HIT: holder at ${where}, ${links} links away`,
    );
    if (port === 0) return;
    this.#links.connect(node, { host, port }, (failed) => {
      const holder = this.#links.nodeAt(node, host, port);
      if (failed !== undefined || holder === undefined) return;
      this.#time.later(this.#links.delay(), () => this.#offer(node, search, holder));
    });
  }

  #offer(requester: SimNode, search: SimSearch, holder: SimNode): void {
    search.offers.push({ from: holder.name, afterMs: this.nowMs - search.startedMs });
    const { length } = search.offers;
    const count = `${length} of ${search.wants}`;
    this.#log.note("search", () => `${requester.name} has an offer of ${holder.name} (${count})`);
  }
}
