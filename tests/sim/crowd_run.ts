/**
 * Runs the policy of a crowd, the very one of the daemon, in a simulated world on virtual time: who
 * arrives finds some of those present, reads from one mirror over a line that all share, and fails as
 * the world says.
 */

import type { NodeId } from "../../src/base/ids.ts";
import { randomBelow, shuffled } from "../../src/base/random.ts";
import type { FellowAddress } from "../../src/core/crowd/crowd_events.ts";
import type { SimAsk } from "./crowd_asks.ts";
import { SimFellow } from "./crowd_fellow.ts";
import { SimLiar } from "./crowd_liar.ts";
import { SimLine, type SimReading } from "./crowd_line.ts";
import { SimLink } from "./crowd_links.ts";
import type { CrowdWorld, SimFellowPlan } from "./crowd_world.ts";
import { VirtualTime } from "./virtual_time.ts";

/** How soon a machine that lost its fellows looks for others. */
const SEARCH_AGAIN_MS = 500;
/** How long after a chunk of it came a liar about bytes is found out. */
const FOUND_OUT_MS = 3_000;

/** How a run ended. */
export interface CrowdRunResult {
  /** What went over the line to the mirror, in files. */
  readonly copies: number;
  /** From the first arrival until the last honest machine had it all; Infinity: not within the bound. */
  readonly tookMs: number;
  /** The least that it could have taken. */
  readonly idealMs: number;
  /** The longest that a machine waited, beyond what it had to. */
  readonly lateMs: number;
  /** Steps of the policy, and its ticks, a second and machine. */
  readonly stepsPerSecond: number;
  readonly ticksPerSecond: number;
  /** Who did not get everything. */
  readonly missing: readonly string[];
}

/** Runs a world until all have the file, or its bound is over. */
export function runCrowd(world: CrowdWorld): CrowdRunResult {
  return new CrowdRun(world).run();
}

export class CrowdRun {
  readonly world: CrowdWorld;
  readonly time = new VirtualTime();
  readonly line: SimLine;
  readonly ends: (SimFellow | SimLiar | undefined)[] = [];
  readonly #indexes = new Map<NodeId, number>();
  /** Those whose file counts, as they are now. */
  readonly #waiting = new Set<number>();
  #isStopDue: boolean;
  readonly #found = new Set<NodeId>();
  /** The chunk that each liar gives wrong, and all of them; and those who proved what is wrong. */
  readonly #wrongOf = new Map<NodeId, number>();
  readonly #wrongChunks = new Set<number>();
  readonly #provers = new Set<SimFellow>();
  readonly #lonely = new Set<SimFellow>();

  constructor(world: CrowdWorld) {
    this.world = world;
    this.line = new SimLine(this.time, world.chunks / world.aloneMs);
    this.#isStopDue = world.stopMs > 0;
    for (const { nodeId, index } of world.plans) this.#indexes.set(nodeId, index);
  }

  run(): CrowdRunResult {
    const { plans, arrivalMs, aloneMs } = this.world;
    for (const plan of plans) this.#plan(plan);
    this.time.runUntil(() => this.#waiting.size === 0, arrivalMs + 6 * aloneMs + 60_000);
    return this.#result();
  }

  #plan(plan: SimFellowPlan): void {
    const { index, arrivesMs, diesMs, returnsMs, lie } = plan;
    this.time.at(arrivesMs, () => this.#arrives(plan));
    const isCounted = lie === null && (diesMs === Infinity || returnsMs < Infinity);
    if (isCounted) this.#waiting.add(index);
    if (diesMs === Infinity) return;
    this.time.at(diesMs, () => (this.ends[index] as SimFellow).die());
    if (returnsMs === Infinity) return;
    this.time.at(returnsMs, () => {
      this.#waiting.add(index);
      this.#arrives(plan);
    });
  }

  #arrives(plan: SimFellowPlan): void {
    const { index, lie } = plan;
    const isScripted = lie === "has-all" || lie === "claims" || lie === "others-gone";
    const end = isScripted ? new SimLiar(this, plan) : new SimFellow(this, plan);
    this.ends[index] = end;
    if (end instanceof SimFellow) end.holds(this.#heldBy(plan));
    this.#search(index);
    const { listensMs } = this.world;
    if (end instanceof SimFellow) this.time.later(listensMs, () => end.beginReading());
  }

  /** The stripes that one says to have read that lies about them: a third of all, or none. */
  #heldBy({ lie }: SimFellowPlan): number[] {
    const { random, stripes } = this.world;
    if (lie !== "one-chunk" && lie !== "one-chunk-to-some") return [];
    const all = shuffled(random, Array.from({ length: stripes }, (_, stripe) => stripe));
    return all.slice(0, Math.max(1, Math.floor(stripes / 3)));
  }

  /** It is connected with some of those that it sees. */
  #search(index: number): void {
    const { random, sought, sees } = this.world;
    const present = this.ends.flatMap((end) => end !== undefined && end.isHere ? [end.index] : []);
    const seen = shuffled(random, present.filter((other) => other !== index && sees(index, other)));
    let found = this.ends[index]!.links.size;
    for (const other of seen) {
      if (found >= sought) break;
      if (this.#connect(index, other)) found++;
    }
    // Who is full takes one more, rather than leave somebody alone.
    if (found === 0 && seen.length > 0) this.#connect(index, seen[0]!, { isForced: true });
  }

  #connect(one: number, other: number, { isForced = false } = {}): boolean {
    const { sees, fellowsMax, random } = this.world;
    const a = this.ends[one];
    const b = this.ends[other];
    if (a === undefined || b === undefined || one === other || !sees(one, other)) return false;
    if (!a.wants(other) || !b.wants(one) || a.links.has(other)) return false;
    const hasRoom = a.links.size < fellowsMax && b.links.size < fellowsMax;
    if (!hasRoom && !isForced) return false;
    new SimLink(this.time, random, [a, b]).open();
    return true;
  }

  // What machines ask of the world

  dial(from: number, to: number): void {
    if ((this.ends[from]?.links.size ?? 0) < this.world.sought) this.#connect(from, to);
  }

  /** It lost a fellow: it looks for others when there are few. */
  lonely(fellow: SimFellow): void {
    if (this.#lonely.has(fellow) || fellow.links.size > 1 || fellow.have.isFull) return;
    this.#lonely.add(fellow);
    this.time.later(SEARCH_AGAIN_MS, () => {
      this.#lonely.delete(fellow);
      if (!fellow.isHere || this.ends[fellow.index] !== fellow) return;
      if (fellow.links.size < 2) this.#search(fellow.index);
      this.lonely(fellow);
    });
  }

  /** A request is there; a liar does not answer. */
  ask(ask: SimAsk, from: SimFellow): void {
    const end = this.ends[ask.of];
    if (end instanceof SimFellow) end.give(from, ask);
  }

  reads(fellow: SimFellow, reading: SimReading): void {
    this.line.begin(reading);
    if (fellow.plan.lie === "bytes" && !this.#found.has(fellow.nodeId)) {
      this.#found.add(fellow.nodeId);
      this.time.later(FOUND_OUT_MS, () => this.#findOut(fellow));
    }
  }

  /** One says to another that a chunk is wrong; a liar does not mind. */
  accuse(index: number, chunk: number): void {
    const end = this.ends[index];
    if (end instanceof SimFellow && end.isHonest) end.accused(chunk);
  }

  /** Whether a liar gives a chunk wrong: of all that it gives, the one that was asked for first. */
  liesAbout({ nodeId, plan: { lie } }: SimFellow, chunk: number, to: SimFellow): boolean {
    if (lie === "false-proof") return this.#wrongChunks.has(chunk);
    if (lie === "one-chunk-to-some" && to.index % 2 === 0) return false;
    let wrong = this.#wrongOf.get(nodeId);
    if (wrong === undefined) this.#wrongOf.set(nodeId, wrong = chunk);
    this.#wrongChunks.add(wrong);
    return wrong === chunk;
  }

  /** Somebody begins to look for what is wrong. */
  doubts(): void {
    for (const end of this.ends) {
      if (!(end instanceof SimFellow) || end.plan.lie !== "false-proof") continue;
      if (!this.#provers.has(end)) end.proveFalsely();
      this.#provers.add(end);
    }
  }

  /** It has everything. */
  isWhole(fellow: SimFellow): void {
    const { diesMs } = fellow.plan;
    // One that is still to die counts when it is back.
    if (diesMs === Infinity || this.time.nowMs > diesMs) this.#waiting.delete(fellow.index);
  }

  addressOf(index: number): FellowAddress {
    const { nodeId } = this.world.plans[index]!;
    return { nodeId, address: { host: "192.0.2.1", port: index + 1 } };
  }

  indexOf(nodeId: NodeId): number {
    return this.#indexes.get(nodeId)!;
  }

  anybody(): NodeId {
    return this.world.plans[randomBelow(this.world.random, this.world.nodes)]!.nodeId;
  }

  #findOut({ nodeId, index }: SimFellow): void {
    for (const end of this.ends) {
      if (!(end instanceof SimFellow) || end.index === index || !end.isHonest) continue;
      end.distrust(nodeId);
    }
  }

  givesWrong(nodeId: NodeId): boolean {
    return this.world.plans[this.indexOf(nodeId)]!.lie === "bytes";
  }

  /** The one that reads most is stopped, once. */
  readChunk(): void {
    const { stopMs, chunks } = this.world;
    if (!this.#isStopDue || this.line.chunks < chunks / 3) return;
    this.#isStopDue = false;
    const fellows = this.ends.filter((end) => end instanceof SimFellow);
    const top = fellows.sort((a, b) => b.readChunks - a.readChunks)[0]!;
    this.#waiting.delete(top.index);
    top.stop(stopMs);
  }

  #result(): CrowdRunResult {
    const { chunks, aloneMs } = this.world;
    const plans = this.world.plans.filter(({ lie }) => lie === null);
    const firstMs = Math.min(...plans.map(({ arrivesMs }) => arrivesMs));
    const lastMs = Math.max(...plans.map(({ arrivesMs, returnsMs }) => {
      return returnsMs < Infinity ? returnsMs : arrivesMs;
    }));
    const idealMs = Math.max(aloneMs, lastMs - firstMs);
    const fellows = this.ends.filter((end) => end instanceof SimFellow);
    const seconds = (this.time.nowMs - firstMs) / 1_000 * fellows.length;
    const sum = (of: (fellow: SimFellow) => number) => fellows.reduce((all, f) => all + of(f), 0);
    const counted = fellows.filter(({ isHonest, isHere, isStopped }) =>
      isHonest && isHere && !isStopped
    );
    const missing = counted.filter(({ have }) => !have.isFull)
      .map(({ index, have }) => `${index} has ${have.count} of ${chunks}`);
    const wholeMs = Math.max(0, ...counted.map((fellow) => fellow.wholeMs));
    return {
      copies: this.line.chunks / chunks,
      tookMs: this.#waiting.size > 0 ? Infinity : wholeMs - firstMs,
      idealMs,
      lateMs: wholeMs - firstMs - idealMs,
      stepsPerSecond: sum(({ steps }) => steps) / seconds,
      ticksPerSecond: sum(({ ticks }) => ticks) / seconds,
      missing,
    };
  }
}
