/**
 * Two sites in virtual time, and a line between them: machines that get one file, each by the very
 * policy of the product (`core/download`), from a holder that is far for some of them, and from each
 * other. No sockets and no data: only chunk numbers go about.
 */

import { Bitfield } from "../../src/base/bitfield.ts";
import { chunkCount, type ChunkRange, rangeBytes } from "../../src/base/geometry.ts";
import { newNodeId, type NodeId, type Root } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { Download, type DownloadEffect } from "../../src/core/download/download.ts";
import { rankOf } from "../../src/core/nearness/nearness.ts";
import { VirtualTime } from "./virtual_time.ts";

const LAN_BYTES_PER_SECOND = 100e6;
const LAN_DELAY_MS = 0.3;
const TICK_MS = 250;
/** What a source puts on the wire at a time. */
const PIECE_BYTES = 16 * 1024;

/** One machine. Times are in milliseconds from the start. */
export interface Machine {
  readonly site: "a" | "b";
  /** When it begins; a holder, which has all of it, needs none. */
  readonly beginsMs?: number;
  readonly isHolder?: boolean;
  /** What it has when it begins, and others may take. */
  readonly has?: ChunkRange;
  /** How fast it gives; that of the network by default. */
  readonly givesBytesPerSecond?: number;
  /** How fast the line gives to this one at most. */
  readonly takesBytesPerSecond?: number;
  /** From then on it does nothing any more, and its connections stay. */
  readonly stopsMs?: number;
  /** It never gets anything: what it has is from another day. */
  readonly isParked?: boolean;
}

export interface SitesOptions {
  readonly sizeBytes: number;
  readonly machines: readonly Machine[];
  readonly lineBytesPerSecond: number;
  readonly lineDelayMs: number;
  readonly seed: number;
  /** Whether nobody knows who is near, as before. */
  readonly areAllAlike?: boolean;
}

export interface SitesResult {
  /** How often the file crossed the line, to both sides together. */
  readonly copies: number;
  /** When each machine had all of it; Infinity: never. */
  readonly endsMs: readonly number[];
}

/** What is asked of a source, by the number that it has at the one that asks. */
interface Asked {
  readonly range: ChunkRange;
  readonly source: number;
}

/** An answer on its way. */
interface Sending {
  readonly bytes: number;
  readonly arriving: (bytes: number) => void;
  readonly whole: () => void;
  readonly left: () => void;
}

/** One machine that runs. */
class Node {
  readonly id: NodeId;
  readonly machine: Machine;
  readonly have: Bitfield;
  download: Download | null = null;
  endMs = Infinity;
  /** When what it gives, or is given over the line, has left. */
  freeMs = 0;
  lineFreeMs = 0;
  /** What it gained and did not tell. */
  gained: ChunkRange[] = [];
  /** Those who take from it. */
  readonly takers = new Set<Node>();
  /** What each of them asked for, and did not get yet. */
  readonly queues = new Map<Node, Asked[]>();
  /** Its sources, by the number that they have here. */
  readonly sources: Node[] = [];

  constructor(id: NodeId, machine: Machine, chunks: number) {
    this.id = id;
    this.machine = machine;
    this.have = new Bitfield(chunks);
    if (machine.isHolder) this.have.addRange({ first: 0, count: chunks });
    if (machine.has !== undefined) this.have.addRange(machine.has);
  }
}

/** Runs them until all have the file, or for ten minutes. */
export function runSites(options: SitesOptions): SitesResult {
  return new Sites(options).run();
}

class Sites {
  readonly #options: SitesOptions;
  readonly #time = new VirtualTime();
  readonly #random;
  readonly #nodes: readonly Node[];
  readonly #root: Root;
  #lineFreeMs = 0;
  #crossedBytes = 0;

  constructor(options: SitesOptions) {
    this.#options = options;
    const random = this.#random = seededRandom(options.seed);
    const chunks = chunkCount(options.sizeBytes);
    this.#root = Array.from(random.bytes(32), (byte) => byte.toString(16).padStart(2, "0"))
      .join("") as Root;
    this.#nodes = options.machines.map((machine) => new Node(newNodeId(random), machine, chunks));
  }

  run(): SitesResult {
    for (const node of this.#nodes) {
      const { beginsMs, isParked = false } = node.machine;
      if (beginsMs !== undefined && !isParked) this.#time.later(beginsMs, () => this.#begin(node));
    }
    const wanted = this.#nodes.filter(({ machine }) =>
      machine.beginsMs !== undefined && !machine.isParked && machine.stopsMs === undefined
    );
    this.#time.runUntil(() => wanted.every(({ endMs }) => endMs < Infinity), 600_000);
    const { sizeBytes } = this.#options;
    return {
      copies: this.#crossedBytes / sizeBytes,
      endsMs: this.#nodes.map(({ endMs }) => endMs),
    };
  }

  #begin(node: Node): void {
    const { sizeBytes, areAllAlike = false } = this.#options;
    const nowMs = this.#time.nowMs;
    const others = this.#nodes.filter((other) => other !== node);
    const near = others.filter(({ machine }) => machine.site === node.machine.site);
    const expected =
      near.filter(({ machine, endMs }) =>
        Math.abs((machine.beginsMs ?? Infinity) - nowMs) < 100 && endMs === Infinity
      ).length;
    const shared = { root: this.#root, nodeId: node.id, expected, nowMs };
    node.download = new Download({
      sizeBytes,
      wanted: { first: 0, count: node.have.length },
      have: node.have,
      inflightBytesMax: limits.inflightBytesMax,
      random: this.#random,
      ...(areAllAlike ? {} : { shared }),
    });
    // Each is found after a while, and finds those that began before.
    for (const other of others) {
      const isThere = other.machine.isHolder || other.have.count > 0 || other.download !== null;
      if (isThere) this.#meet(node, other);
      if (other.download !== null && other.endMs === Infinity) this.#meet(other, node);
    }
    const tick = () => {
      if (this.#isStopped(node) || node.endMs < Infinity) return;
      this.#step(node, { kind: "tick" });
      this.#tell(node);
      this.#time.later(TICK_MS, tick);
    };
    tick();
  }

  /** `taker` is to take from `giver` from a moment on. */
  #meet(taker: Node, giver: Node): void {
    const isFar = taker.machine.site !== giver.machine.site;
    const roundTripMs = isFar ? 2 * this.#options.lineDelayMs : 2 * LAN_DELAY_MS;
    this.#time.later(5 + 3 * roundTripMs + 20 * this.#random.unit(), () => {
      if (taker.endMs < Infinity || taker.sources.includes(giver)) return;
      if (taker.sources.length >= limits.sourcesMax) return;
      giver.takers.add(taker);
      const nearness = isFar ? "far" : "subnet";
      const rank = rankOf(nearness, roundTripMs);
      const have = giver.have.isFull ? "all" : giver.have.clone();
      this.#step(taker, {
        kind: "source-joined",
        source: taker.sources.push(giver) - 1,
        have,
        ...(this.#options.areAllAlike ? {} : { place: { rank, isFar, nodeId: giver.id } }),
      });
    });
  }

  #step(node: Node, event: Parameters<Download["step"]>[0]): void {
    if (node.download === null || this.#isStopped(node)) return;
    for (const effect of node.download.step(event, this.#time.nowMs)) this.#obey(node, effect);
  }

  #obey(node: Node, effect: DownloadEffect): void {
    if (effect.kind === "complete") node.endMs = this.#time.nowMs;
    if (effect.kind === "complete") this.#tell(node);
    if (effect.kind === "drop") node.sources[effect.source]!.takers.delete(node);
    if (effect.kind !== "request") return;
    const giver = node.sources[effect.source]!;
    const asked = { range: effect.range, source: effect.source };
    this.#time.later(this.#delayMs(node, giver), () => this.#give(giver, node, asked));
  }

  /** A connection gives one thing after the other. */
  #give(giver: Node, taker: Node, asked: Asked): void {
    const queue = giver.queues.get(taker) ?? [];
    giver.queues.set(taker, queue);
    if (queue.push(asked) === 1) this.#giveFirst(giver, taker, queue);
  }

  #giveFirst(giver: Node, taker: Node, queue: Asked[]): void {
    const [asked] = queue;
    if (asked === undefined || this.#isStopped(giver)) return;
    const { range, source } = asked;
    const { length } = rangeBytes(this.#options.sizeBytes, range);
    this.#givePieces(giver, taker, {
      bytes: length,
      arriving: (bytes) => this.#step(taker, { kind: "arriving", source, bytes }),
      whole: () => {
        const isNew = !taker.have.hasRange(range);
        taker.have.addRange(range);
        if (isNew) this.#gained(taker, range);
        this.#step(taker, { kind: "chunks-good", source, range });
      },
      left: () => {
        queue.shift();
        this.#giveFirst(giver, taker, queue);
      },
    });
  }

  /** So that connections share a line, each sends its next piece when the one before has left. */
  #givePieces(giver: Node, taker: Node, sending: Sending): void {
    const { lineBytesPerSecond } = this.#options;
    const bytes = Math.min(PIECE_BYTES, sending.bytes);
    const rate = giver.machine.givesBytesPerSecond ?? LAN_BYTES_PER_SECOND;
    const { nowMs } = this.#time;
    let endMs = giver.freeMs = Math.max(nowMs, giver.freeMs) + bytes / rate * 1_000;
    if (giver.machine.site !== taker.machine.site) {
      this.#crossedBytes += bytes;
      endMs = this.#lineFreeMs = Math.max(endMs, this.#lineFreeMs) +
        bytes / lineBytesPerSecond * 1_000;
      const own = taker.machine.takesBytesPerSecond;
      if (own !== undefined) {
        endMs = taker.lineFreeMs = Math.max(endMs, taker.lineFreeMs) + bytes / own * 1_000;
      }
    }
    const left = { ...sending, bytes: sending.bytes - bytes };
    this.#time.at(endMs, () => {
      if (this.#isStopped(giver)) return;
      if (left.bytes > 0) this.#givePieces(giver, taker, left);
      else left.left();
      this.#time.later(this.#delayMs(giver, taker), () => {
        left.arriving(bytes);
        if (left.bytes === 0) left.whole();
      });
    });
  }

  #gained(node: Node, range: ChunkRange): void {
    node.gained.push(range);
    const chunks = node.gained.reduce((sum, { count }) => sum + count, 0);
    if (chunks >= limits.nearGainedChunks) this.#tell(node);
  }

  #tell(node: Node): void {
    const ranges = node.gained;
    node.gained = [];
    if (ranges.length === 0) return;
    for (const taker of node.takers) {
      this.#time.later(this.#delayMs(node, taker), () => {
        const source = taker.sources.indexOf(node);
        this.#step(taker, { kind: "source-has", source, ranges });
      });
    }
  }

  #delayMs(one: Node, other: Node): number {
    return one.machine.site === other.machine.site ? LAN_DELAY_MS : this.#options.lineDelayMs;
  }

  #isStopped({ machine: { stopsMs = Infinity } }: Node): boolean {
    return this.#time.nowMs >= stopsMs;
  }
}
