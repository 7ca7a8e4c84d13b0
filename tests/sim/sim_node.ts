/**
 * One node of the simulated network: an Overlay (or a brain that a test writes to misbehave), the
 * files it holds, and the searches that its person started. It touches nothing outside of memory.
 */

import type { NodeId, QueryId, Root } from "../../src/base/ids.ts";
import { matchesGlob } from "../../src/base/names.ts";
import type { LinkId } from "../../src/core/overlay/neighbour_events.ts";
import type { Overlay, OverlayEffect, OverlayEvent } from "../../src/core/overlay/overlay.ts";
import type { DialGuard } from "../../src/net/dial_guard.ts";
import type { Hit, Message, QueryOutcome } from "../../src/wire/messages.ts";
import type { FileOffer, Sought } from "../../src/wire/structures.ts";

/** What drives a node: an Overlay is one. */
export interface Brain {
  step(event: OverlayEvent, nowMs: number): OverlayEffect[];
}

/** How a node is set up. */
export interface SimNodeOptions {
  readonly name?: string;
  /** Its machine's address; nodes of one host are on one machine. Default: one of its own. */
  readonly host?: string;
  readonly port?: number;
  /** False: behind NAT, it dials but nobody can dial it. */
  readonly isReachable?: boolean;
  readonly linksMin?: number;
  readonly linksMax?: number;
  /** Whether it knows QUERY-DONE; by default it does not, as nodes of older versions. */
  readonly saysDone?: boolean;
  readonly seenQueriesMax?: number;
  /** Names of files that it has any part of. */
  readonly holds?: readonly string[];
  /** Bounds its dials of what others name; by default nothing does. */
  readonly guard?: DialGuard;
  /** Instead of an Overlay. */
  readonly brain?: Brain;
}

/** One search, as the person who started it sees it. */
export interface SimSearch {
  readonly id: QueryId;
  readonly sought: Sought;
  readonly startedMs: number;
  /** Offers until it has enough. */
  readonly wants: number;
  /** How long it takes to answer a callback; Infinity: it never does. */
  readonly answerMs: number;
  /** Holders that offered, by callback or because they were dialled after a hit. */
  readonly offers: { readonly from: string; readonly afterMs: number }[];
  readonly hits: Hit[];
  /** When all had answered, first, and what came of it then; null before. */
  through: {
    readonly afterMs: number;
    readonly outcome: QueryOutcome;
    /** Hits that had come by then. */
    readonly hits: number;
    /** Until when: its query goes over each link that comes up after it. */
    untilMs: number;
  } | null;
}

/** One end of a simulated link. */
export interface LinkEnd {
  readonly link: LinkId;
  readonly node: SimNode;
  /** Which life of the node it belongs to. */
  readonly life: number;
  readonly far: LinkEnd;
  /** Nothing that is sent arrives any more, and nobody is told. */
  isCut: boolean;
  /** When the last message to this end arrives: later ones do not overtake it. */
  lastArrivalMs: number;
}

/** One node. */
export class SimNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly isReachable: boolean;
  readonly saysDone: boolean;
  readonly guard: DialGuard | undefined;
  readonly nodeId: NodeId;
  readonly options: SimNodeOptions;
  readonly files: FileOffer[];
  readonly links = new Map<LinkId, LinkEnd>();
  readonly pins: { readonly host: string; readonly port: number }[] = [];
  readonly searches = new Map<QueryId, SimSearch>();
  /** Links that each query had travelled when it first came. */
  readonly hopsOf = new Map<QueryId, number>();
  /** The state of its life: a process that died refuses, a machine that died is silent. */
  state: "alive" | "process-dead" | "machine-dead" = "alive";
  /** Counts its restarts. */
  life = 0;
  brain: Brain;

  constructor(
    options: SimNodeOptions & { name: string; host: string },
    nodeId: NodeId,
    brain: Brain,
  ) {
    this.name = options.name;
    this.host = options.host;
    this.port = options.port ?? 8048;
    this.isReachable = options.isReachable ?? true;
    this.saysDone = options.saysDone ?? false;
    this.guard = options.guard;
    this.options = options;
    this.nodeId = nodeId;
    this.brain = brain;
    this.files = (options.holds ?? []).map(fileOf);
  }

  /** Its Overlay, with the counters and the links. */
  get overlay(): Overlay {
    return this.brain as Overlay;
  }

  /** Where others can dial it; 0: nowhere. */
  get listenPort(): number {
    return this.isReachable ? this.port : 0;
  }

  /** What it has of what is sought. */
  find(sought: Sought): FileOffer[] {
    return this.files.filter((file) => {
      switch (sought.by) {
        case "name":
          return file.name === sought.value;
        case "root":
          return file.root === sought.value;
        case "glob":
          return matchesGlob(sought.value, file.name);
      }
    });
  }
}

/** A node that does what a test makes it do: it keeps what comes and answers nothing. */
export class Puppet implements Brain {
  readonly received: Message[] = [];
  readonly links: LinkId[] = [];
  readonly linksDown: LinkId[] = [];

  step(event: OverlayEvent): OverlayEffect[] {
    if (event.kind === "message") this.received.push(event.message);
    if (event.kind === "link-up") this.links.push(event.link);
    if (event.kind === "link-down") this.linksDown.push(event.link);
    return [];
  }
}

function fileOf(name: string): FileOffer {
  let root = "";
  for (let i = 0; root.length < 64; i++) {
    root += (name.charCodeAt(i % name.length) * (i + 1) & 0xff).toString(16).padStart(2, "0");
  }
  return { root: root as Root, name, type: "", sizeBytes: 16_384, chunksHave: 1, whole: true };
}
