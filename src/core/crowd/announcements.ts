/**
 * Which chunks of a file the connected fellows of a crowd announced, and who read those from a mirror.
 * A chunk is taken from the one that read it while that one is here, so that a wrong one has one
 * culprit; from anybody else only when it is not.
 */

import { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import type { Stripes } from "../nearness/stripes.ts";

/** What one fellow announced. */
interface Announced {
  readonly have: Bitfield;
  readonly origins: Origins;
  /** Whether it is heard of, so that what it has can be had. */
  isCounted: boolean;
}

/** Who read each stripe from a mirror; of a stripe that several read, nobody knows. */
export class Origins {
  readonly #readers = new Map<number, NodeId | null>();

  [Symbol.iterator](): IterableIterator<[number, NodeId | null]> {
    return this.#readers[Symbol.iterator]();
  }

  of(stripe: number): NodeId | null {
    return this.#readers.get(stripe) ?? null;
  }

  /** Whether another one is known to have read any of it. */
  isOfAnother(stripe: number, nodeId: NodeId): boolean {
    const origin = this.#readers.get(stripe);
    return origin !== undefined && origin !== nodeId;
  }

  note(stripe: number, origin: NodeId | null): void {
    const before = this.#readers.get(stripe);
    this.#readers.set(stripe, before === undefined || before === origin ? origin : null);
  }

  /** All of it was read by one, whoever did so before. */
  set(stripe: number, origin: NodeId): void {
    this.#readers.set(stripe, origin);
  }

  forget(stripe: number): void {
    this.#readers.delete(stripe);
  }
}

/** What all connected fellows announced. */
export class Announcements {
  readonly #stripes: Stripes;
  readonly #have: Bitfield;
  readonly #byFellow = new Map<NodeId, Announced>();
  /** Chunks that are here, or that a connected fellow has. */
  #served: Bitfield;
  /** How many of each stripe. */
  readonly #servedOf: Uint32Array;

  /** `have`: the chunks that are here. */
  constructor(stripes: Stripes, have: Bitfield) {
    this.#stripes = stripes;
    this.#have = have;
    this.#served = have.clone();
    this.#servedOf = new Uint32Array(stripes.count);
    this.recount();
  }

  get isAllServed(): boolean {
    return this.#served.isFull;
  }

  /** Whether all of a stripe is here, or at a fellow. */
  isServed(stripe: number): boolean {
    return this.#servedOf[stripe] === this.#stripes.range(stripe).count;
  }

  /** Whether nothing of a stripe is. */
  isMissing(stripe: number): boolean {
    return this.#servedOf[stripe] === 0;
  }

  /** The runs of a stripe that are neither here nor at a fellow. */
  unserved(stripe: number): ChunkRange[] {
    return this.#served.missingRuns(this.#stripes.range(stripe));
  }

  /** Chunks are here. */
  gained(range: ChunkRange): void {
    for (const [stripe, part] of this.#stripes.split([range])) this.#serve(stripe, part);
  }

  joined(nodeId: NodeId): void {
    const have = new Bitfield(this.#stripes.chunks);
    this.#byFellow.set(nodeId, { have, origins: new Origins(), isCounted: true });
  }

  left(nodeId: NodeId): void {
    if (this.#byFellow.delete(nodeId)) this.recount();
  }

  /** Whether a fellow is heard of: what only a silent one has counts as had by nobody. */
  setCounted(nodeId: NodeId, isCounted: boolean): void {
    const announced = this.#byFellow.get(nodeId);
    if (announced === undefined || announced.isCounted === isCounted) return;
    announced.isCounted = isCounted;
    this.recount();
  }

  /** The stripes that a fellow says to have read itself, all of each, and whether others had before. */
  allRead(nodeId: NodeId, ranges: readonly ChunkRange[]): { stripe: number; isAgain: boolean }[] {
    const origins = this.#byFellow.get(nodeId)?.origins;
    if (origins === undefined) return [];
    return [...this.#stripes.split(ranges)].filter(([stripe, part]) => this.#isAll(stripe, part))
      .map(([stripe]) => ({ stripe, isAgain: origins.isOfAnother(stripe, nodeId) }));
  }

  /** Takes what a fellow announced; how many chunks of each stripe nobody had told of. */
  announced(
    nodeId: NodeId,
    origin: NodeId | null,
    ranges: readonly ChunkRange[],
  ): Map<number, number> {
    const news = new Map<number, number>();
    const announced = this.#byFellow.get(nodeId);
    if (announced === undefined) return news;
    for (const [stripe, part] of this.#stripes.split(ranges)) {
      announced.have.addRange(part);
      if (origin === nodeId && this.#isAll(stripe, part)) announced.origins.set(stripe, nodeId);
      else announced.origins.note(stripe, origin);
      const chunks = announced.isCounted ? this.#serve(stripe, part) : 0;
      if (chunks > 0) news.set(stripe, (news.get(stripe) ?? 0) + chunks);
    }
    return news;
  }

  /** Who read a stripe, as far as a fellow says. */
  originOf(nodeId: NodeId, stripe: number): NodeId | null {
    return this.#byFellow.get(nodeId)?.origins.of(stripe) ?? null;
  }

  /** Whether a fellow says that it has all of these. */
  hasAnnounced(nodeId: NodeId, part: ChunkRange): boolean {
    return this.#byFellow.get(nodeId)?.have.hasRange(part) ?? false;
  }

  /** What of some chunks a fellow has not announced. */
  lackedBy(nodeId: NodeId, ranges: readonly ChunkRange[]): ChunkRange[] {
    const announced = this.#byFellow.get(nodeId);
    return ranges.flatMap((range) => announced?.have.missingRuns(range) ?? [range]);
  }

  /** How many chunks a fellow has. */
  chunksAt(nodeId: NodeId): number {
    return this.#byFellow.get(nodeId)?.have.count ?? 0;
  }

  /** What may be asked of a fellow, while those of `isAsked` are asked for what they read. */
  askable(
    nodeId: NodeId,
    isAsked: (origin: NodeId) => boolean,
    among?: readonly ChunkRange[],
  ): ChunkRange[] {
    const announced = this.#byFellow.get(nodeId);
    if (announced === undefined) return [];
    const askable: ChunkRange[] = [];
    for (const [stripe, part] of this.#stripes.split(among ?? announced.have.ranges())) {
      const origin = announced.origins.of(stripe);
      const isElsewhere = origin !== null && origin !== nodeId && isAsked(origin) &&
        // What is said of others does not count here: the origin itself has to have announced it.
        this.hasAnnounced(origin, part);
      if (!isElsewhere) askable.push(part);
    }
    return askable;
  }

  #isAll(stripe: number, { count }: ChunkRange): boolean {
    return count === this.#stripes.range(stripe).count;
  }

  #serve(stripe: number, part: ChunkRange): number {
    const chunks = this.#served.addRange(part);
    this.#servedOf[stripe]! += chunks;
    return chunks;
  }

  /** A fellow has not what it announced; all that it did not read itself where nothing is named. */
  refused(nodeId: NodeId, ranges?: readonly ChunkRange[]): void {
    const announced = this.#byFellow.get(nodeId);
    if (announced === undefined) return;
    const { have, origins } = announced;
    for (const range of ranges ?? []) have.removeRange(range);
    if (ranges === undefined) {
      for (const [stripe, part] of [...this.#stripes.split(have.ranges())]) {
        if (origins.of(stripe) !== nodeId) have.removeRange(part);
      }
    }
    this.recount();
  }

  /** Forgets all that `origin` is said to have read. */
  forget(origin: NodeId): void {
    for (const { have, origins } of this.#byFellow.values()) {
      for (const [stripe, reader] of origins) {
        if (reader !== origin) continue;
        have.removeRange(this.#stripes.range(stripe));
        origins.forget(stripe);
      }
    }
    this.recount();
  }

  /** Looks anew at who has what: something that was served is not. */
  recount(): void {
    this.#served = this.#have.clone();
    for (const { have, isCounted } of this.#byFellow.values()) {
      if (!isCounted) continue;
      for (const range of have.ranges()) this.#served.addRange(range);
    }
    this.#servedOf.fill(0);
    for (const [stripe, { count }] of this.#stripes.split(this.#served.ranges())) {
      this.#servedOf[stripe]! += count;
    }
  }
}
