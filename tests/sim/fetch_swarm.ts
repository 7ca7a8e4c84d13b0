/** The swarm of one candidate in a simulated fetch: leaves, then chunks one by one from each source. */

import { Bitfield } from "../../src/base/bitfield.ts";
import { type ChunkRange, rangeBytes } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import type {
  ChunkOrigin,
  FetchPolicyEvent,
  SwarmFacts,
} from "../../src/core/fetch/fetch_events.ts";
import type { Content, SimMirror, SimPeer } from "./fetch_world.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** Wrong chunks after which a source is banned. */
const STRIKES_MAX = 3;
const LEAVES_MS = 5;

interface Source {
  readonly peer: SimPeer;
  given: number;
  strikes: number;
  isGiving: boolean;
}

/** A mirror beside the peers. */
export interface RangeGiver {
  /** The one to ask now; null when there is none. */
  give(): SimMirror | null;
  /** It gave this chunk. */
  gave(index: number): void;
  /** It gives no more: a chunk was wrong, or, with null, nobody is left. */
  fail(wrong: number | null): void;
}

/** What a swarm tells, and how lies are drawn. */
export interface SimSwarmOptions {
  readonly time: VirtualTime;
  readonly unit: () => number;
  readonly wanted: ChunkRange;
  readonly tell: (event: FetchPolicyEvent) => void;
}

/** One file on its way in. */
export class SimSwarm implements SwarmFacts {
  readonly content: Content;
  readonly have: Bitfield;
  readonly #options: SimSwarmOptions;
  readonly #sources: Source[] = [];
  readonly #banned = new Set<string>();
  #mirror: RangeGiver | null = null;
  #isOver = false;
  #recent: number[] = [];
  hasLeaves = false;
  hasBegun = false;
  hadSources = false;
  readonly isHeld = false;
  #isAnyMissing = false;
  peerBytes = 0;
  readonly bytesHad: number;

  constructor(content: Content, had: Bitfield | undefined, options: SimSwarmOptions) {
    this.content = content;
    this.#options = options;
    this.have = had?.clone() ?? new Bitfield(content.chunks);
    this.bytesHad = this.bytesDone;
  }

  get isComplete(): boolean {
    return this.hasBegun && this.have.hasRange(this.#options.wanted);
  }

  get isFull(): boolean {
    return this.have.isFull;
  }

  get sourceCount(): number {
    return this.#sources.length + (this.#mirror === null ? 0 : 1);
  }

  get isWithdrawn(): boolean {
    return this.hadSources && this.#sources.length === 0 && !this.#isAnyMissing;
  }

  get peersGiving(): number {
    return this.#sources.filter(({ isGiving }) => isGiving).length;
  }

  get needsSources(): boolean {
    if (this.#isOver || this.isComplete) return false;
    return this.hasBegun ? this.peersGiving === 0 && this.#mirror === null : this.#leafless;
  }

  get wantsSources(): boolean {
    return !this.#isOver && !this.isComplete && this.#sources.length < limits.sourcesMax;
  }

  get peersBytesPerSecond(): number {
    const { nowMs } = this.#options.time;
    this.#recent = this.#recent.filter((atMs) => nowMs - atMs < 1_000);
    return this.#recent.length * 16_384;
  }

  get bytesDone(): number {
    const { first, count } = this.#options.wanted;
    let bytes = 0;
    for (let index = first; index < first + count; index++) {
      if (this.have.has(index)) bytes += this.#bytes(index);
    }
    return bytes;
  }

  get bytesTotal(): number {
    return rangeBytes(this.content.sizeBytes, this.#options.wanted).length;
  }

  hasSource(nodeId: string): boolean {
    return this.#sources.some(({ peer }) => peer.nodeId === nodeId);
  }

  /** All is told: chunks that are here count from now on. */
  start(): void {
    if (this.have.count > 0) this.#begin();
  }

  join(peer: SimPeer): void {
    const { time } = this.#options;
    if (this.#isOver || this.#banned.has(peer.nodeId) || this.hasSource(peer.nodeId)) return;
    const source: Source = { peer, given: 0, strikes: 0, isGiving: true };
    this.#sources.push(source);
    this.hadSources = true;
    if (peer.diesMs < Infinity) {
      time.at(Math.max(time.nowMs, peer.diesMs), () => this.#lose(source));
    }
    if (!peer.givesLeaves) {
      source.isGiving = this.hasLeaves;
      time.later(limits.snubMs, () => this.#needy());
    } else if (!this.hasLeaves) time.later(LEAVES_MS, () => this.#leavesCame(source));
    if (this.hasBegun) this.#give(source);
  }

  /** A mirror gives ranges beside the peers; `null` takes it out. */
  joinMirror(mirror: RangeGiver | null): void {
    this.#mirror = mirror;
    if (mirror !== null && this.hasBegun) this.#giveByMirror(mirror);
  }

  /** Takes a chunk that came by another way, if it is what the leaves say. */
  feed(index: number, chunk: number, right: number): boolean {
    if (chunk !== right) return false;
    this.#took(index, "own-mirror");
    return true;
  }

  end(): void {
    this.#isOver = true;
    this.#mirror = null;
  }

  get #leafless(): boolean {
    return !this.#sources.some(({ peer }) => peer.givesLeaves);
  }

  #leavesCame(source: Source): void {
    if (this.#isOver || this.hasLeaves || !this.#sources.includes(source)) return;
    this.hasLeaves = true;
    this.#options.time.later(1, () => this.#begin());
  }

  #begin(): void {
    if (this.#isOver || this.hasBegun) return;
    this.hasLeaves = this.hasBegun = true;
    this.#options.tell({ kind: "begun" });
    for (const range of this.have.ranges()) {
      this.#options.tell({ kind: "gained", range, by: "here" });
    }
    if (this.isComplete) return this.#options.tell({ kind: "completed" });
    for (const source of this.#sources) this.#give(source);
    if (this.#mirror !== null) this.#giveByMirror(this.#mirror);
  }

  #give(source: Source): void {
    const { peer } = source;
    const { time, unit } = this.#options;
    if (this.#isOver || this.isComplete || !this.#sources.includes(source)) return;
    if (source.given >= peer.stallsAfter) {
      time.later(limits.snubMs, () => {
        source.isGiving = false;
        this.#needy();
      });
      return;
    }
    time.later(1_000 / peer.chunksPerSecond, () => {
      if (this.#isOver || this.isComplete || !this.#sources.includes(source)) return;
      source.given++;
      if (unit() < peer.lies) return this.#strike(source);
      const index = this.#missing(unit());
      if (index !== null) {
        this.peerBytes += this.#bytes(index);
        this.#recent.push(time.nowMs);
        this.#took(index, "peer");
      }
      this.#give(source);
    });
  }

  #giveByMirror(mirror: RangeGiver): void {
    const { time, unit } = this.#options;
    const giver = mirror.give();
    if (giver === null) {
      this.#mirror = null;
      return mirror.fail(null);
    }
    time.later(giver.answersMs / 4 + 1_000 / giver.chunksPerSecond, () => {
      if (this.#isOver || this.isComplete || this.#mirror !== mirror) return;
      const index = this.#missing(unit());
      if (index === null) return;
      if (!this.#fits(giver, index)) {
        this.#mirror = null;
        return mirror.fail(index);
      }
      mirror.gave(index);
      this.#took(index, "own-mirror");
      this.#giveByMirror(mirror);
    });
  }

  #fits({ content }: SimMirror, index: number): boolean {
    const isSame = content.differs.has(index) === this.content.differs.has(index);
    return isSame && (!content.differs.has(index) || content.id === this.content.id);
  }

  #strike(source: Source): void {
    if (++source.strikes < STRIKES_MAX) return this.#give(source);
    this.#banned.add(source.peer.nodeId);
    this.#lose(source);
    this.#options.tell({ kind: "peer-banned", nodeId: source.peer.nodeId });
  }

  #lose(source: Source): void {
    const at = this.#sources.indexOf(source);
    if (at < 0) return;
    this.#sources.splice(at, 1);
    this.#isAnyMissing ||= source.peer.successor === null;
    this.#needy();
  }

  #needy(): void {
    if (!this.#isOver && this.needsSources) this.#options.tell({ kind: "needs-sources" });
  }

  #took(index: number, by: ChunkOrigin): void {
    if (this.have.has(index)) return;
    this.have.add(index);
    this.#options.tell({ kind: "gained", range: { first: index, count: 1 }, by });
    if (this.isComplete) this.#options.tell({ kind: "completed" });
  }

  #missing(unit: number): number | null {
    const { first, count } = this.#options.wanted;
    const missing: number[] = [];
    for (let i = first; i < first + count; i++) if (!this.have.has(i)) missing.push(i);
    return missing[Math.floor(unit * missing.length)] ?? null;
  }

  #bytes(index: number): number {
    return rangeBytes(this.content.sizeBytes, { first: index, count: 1 }).length;
  }
}
