/**
 * One machine of a simulated crowd: the very policy of the daemon, and around it, simplified, what a
 * daemon does: it reads from the mirror, asks fellows for chunks, and gives up on those that give none.
 */

import { Bitfield } from "../../src/base/bitfield.ts";
import { unreachable } from "../../src/base/errors.ts";
import type { ChunkRange } from "../../src/base/geometry.ts";
import type { NodeId } from "../../src/base/ids.ts";
import { Crowd } from "../../src/core/crowd/crowd.ts";
import type { CrowdEffect, CrowdEvent, FellowMessage } from "../../src/core/crowd/crowd_events.ts";
import { type SimAsk, SimAsks } from "./crowd_asks.ts";
import type { SimReading } from "./crowd_line.ts";
import type { SimEnd, SimLink } from "./crowd_links.ts";
import type { CrowdRun } from "./crowd_run.ts";
import { SimMending } from "./crowd_mending.ts";
import { HIDDEN_LIES, type SimFellowPlan } from "./crowd_world.ts";

/**
 * A request that is not answered for so long is asked of another; and a fellow that has given nothing
 * at all in this time is left.
 */
const ASK_TIMEOUT_MS = 2_000;
/** Chunks in a ms, each way, of each machine: 100 MB/s. */
const LAN_CHUNKS_PER_MS = 6.4;
/** How long the check of the whole takes. */
const CHECK_MS = 5;

/** An honest one, or one that lies about bytes or origins only. */
export class SimFellow implements SimEnd {
  readonly index: number;
  readonly nodeId: NodeId;
  readonly plan: SimFellowPlan;
  readonly links = new Map<number, SimLink>();
  readonly have: Bitfield;
  readonly crowd: Crowd;
  /** When it had everything. */
  wholeMs = Infinity;
  steps = 0;
  ticks = 0;
  readChunks = 0;
  readonly #run: CrowdRun;
  readonly #asks: SimAsks;
  readonly #mending: SimMending;
  /** Of each fellow: who it said read a stripe. */
  readonly #origins = new Map<number, Map<number, NodeId | null>>();
  /** When each fellow gave something last. */
  readonly #gaveMs = new Map<number, number>();
  readonly #banned = new Set<number>();
  readonly #events: CrowdEvent[] = [];
  /** What is to be done when it goes on. */
  readonly #later: (() => void)[] = [];
  #reading: SimReading | null = null;
  #isStepping = false;
  #isStopped = false;
  #isDead = false;
  #wakeMs = Infinity;
  #upFreeMs = 0;
  #downFreeMs = 0;

  constructor(run: CrowdRun, plan: SimFellowPlan) {
    const { flight, chunks } = run.world;
    this.index = plan.index;
    this.nodeId = plan.nodeId;
    this.plan = plan;
    this.have = new Bitfield(chunks);
    this.#asks = new SimAsks(this.have);
    this.#run = run;
    this.#mending = new SimMending(run, this);
    const sizeBytes = chunks * 16_384;
    const { nowMs } = run.time;
    this.crowd = new Crowd({ flight, nodeId: plan.nodeId, sizeBytes, have: this.have, nowMs });
    this.#upFreeMs = this.#downFreeMs = nowMs;
  }

  get isHere(): boolean {
    return !this.#isDead;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get isHonest(): boolean {
    return this.plan.lie === null;
  }

  wants(index: number): boolean {
    return this.isHere && !this.#banned.has(index);
  }

  /** One that lies so that it is hardly found, and reads nothing. */
  get #isHidden(): boolean {
    return HIDDEN_LIES.some((lie) => lie === this.plan.lie);
  }

  /** It says that it read these. */
  holds(stripes: readonly number[]): void {
    for (const stripe of stripes) {
      this.#gained(this.crowd.stripes.range(stripe), this.nodeId);
    }
  }

  /** It says that it read again what others gave, and found it right. */
  proveFalsely(): void {
    for (const to of this.links.keys()) {
      for (let stripe = 0; stripe < this.crowd.stripes.count; stripe++) {
        const ranges = [this.crowd.stripes.range(stripe)];
        for (const origin of [this.#run.anybody(), this.nodeId]) {
          this.links.get(to)?.send(this.index, { kind: "announce", origin, ranges });
        }
      }
    }
  }

  /** Its own time to listen is over. */
  beginReading(): void {
    if (this.#isHidden) return;
    const reads = this.plan.givesRanges ? "ranges" : "whole";
    this.#whenGoing(() => this.tell({ kind: "reads", reads }));
  }

  // What happens to it

  die(): void {
    this.#isDead = true;
    this.#dropReading();
    this.#mending.stop();
    for (const link of [...this.links.values()]) link.close(-1);
  }

  stop(forMs: number): void {
    this.#isStopped = true;
    if (this.#reading !== null) this.#run.line.pause(this.#reading);
    this.#run.time.later(forMs, () => {
      this.#isStopped = false;
      if (this.#isDead) return;
      if (this.#reading !== null) this.#run.line.resume(this.#reading);
      for (const todo of this.#later.splice(0)) todo();
    });
  }

  /** Runs something now, or when it goes on; never once it is dead. */
  #whenGoing(todo: () => void): void {
    if (this.#isDead) return;
    if (this.#isStopped) this.#later.push(todo);
    else todo();
  }

  joined(other: SimEnd): void {
    this.#whenGoing(() => {
      const { nodeId, address } = this.#run.addressOf(other.index);
      this.tell({ kind: "joined", nodeId, address });
    });
  }

  left(other: SimEnd): void {
    this.#whenGoing(() => {
      this.tell({ kind: "left", nodeId: this.#run.addressOf(other.index).nodeId });
      this.#ask(this.#asks.gone(other.index));
      this.#run.lonely(this);
    });
  }

  heard(from: SimEnd, messages: readonly FellowMessage[]): void {
    this.#whenGoing(() => {
      const { nodeId } = this.#run.addressOf(from.index);
      for (const message of messages) {
        if (message.kind === "announce") this.#noteOrigins(from.index, message);
        this.tell({ kind: "heard", from: nodeId, message });
      }
    });
  }

  /** Somebody gave what is not true: what it read is lost. */
  distrust(liar: NodeId): void {
    this.#whenGoing(() => {
      this.#banned.add(this.#run.indexOf(liar));
      const lost: ChunkRange[] = [];
      for (let chunk = 0; chunk < this.have.length; chunk++) {
        if (!this.have.has(chunk) || this.crowd.originOf(chunk) !== liar) continue;
        lost.push({ first: chunk, count: 1 });
      }
      for (const range of lost) this.have.removeRange(range);
      if (lost.length > 0) this.tell({ kind: "lost", ranges: lost });
      this.tell({ kind: "distrusted", nodeId: liar });
      this.#ask(this.#asks.lost(lost));
    });
  }

  /** Tells all fellows that a chunk is wrong. */
  accuse(chunk: number): void {
    for (const [index, link] of this.links) {
      this.#run.time.later(link.latencyMs(), () => this.#run.accuse(index, chunk));
    }
  }

  /** A fellow says that a chunk is wrong. */
  accused(chunk: number): void {
    this.#whenGoing(() => this.#mending.accused(chunk));
  }

  /** Chunks count as missing. */
  lose(ranges: readonly ChunkRange[]): void {
    for (const range of ranges) this.have.removeRange(range);
    this.#mending.forget(ranges);
    if (ranges.length > 0) this.tell({ kind: "lost", ranges });
    this.#ask(this.#asks.lost(ranges));
  }

  /** What was wrong is missing, or there is nothing wrong. */
  isMended(): void {
    this.#checkSoon();
  }

  // The policy

  tell(event: CrowdEvent): void {
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      this.steps++;
      for (const effect of this.crowd.step(next, this.#run.time.nowMs)) this.#apply(effect);
    }
    this.#isStepping = false;
    this.#setWake();
  }

  #setWake(): void {
    const { time } = this.#run;
    const wakeMs = Math.max(this.crowd.wakeMs, time.nowMs);
    if (wakeMs >= this.#wakeMs || wakeMs === Infinity) return;
    this.#wakeMs = wakeMs;
    time.at(wakeMs, () => {
      if (this.#wakeMs !== wakeMs) return;
      this.#wakeMs = Infinity;
      this.#whenGoing(() => {
        if (this.crowd.wakeMs > time.nowMs) return this.#setWake();
        this.ticks++;
        this.tell({ kind: "tick" });
      });
    });
  }

  #apply(effect: CrowdEffect): void {
    switch (effect.kind) {
      case "tell":
        return this.#say(effect.to, effect.message);
      case "read":
        return this.#read(effect.range);
      case "read-until":
        return this.#readUntil(effect.chunk);
      case "read-again":
        // Not at once: an effect is being carried out.
        return this.#run.time.later(0, () => {
          this.#whenGoing(() => this.#mending.readAgain(effect.stripe));
        });
      case "lose":
        return this.#mending.loses(effect.ranges);
      case "dial":
        return this.#run.dial(this.index, this.#run.indexOf(effect.nodeId));
      case "may-ask":
        return this.#ask(this.#asks.may(this.#run.indexOf(effect.nodeId), effect.ranges));
      case "may-only-ask":
        return this.#ask(this.#asks.mayOnly(this.#run.indexOf(effect.nodeId), effect.ranges));
      case "close":
        return this.#leave(this.#run.indexOf(effect.nodeId));
      default:
        return unreachable(effect);
    }
  }

  #say(to: readonly NodeId[], message: FellowMessage): void {
    const said = this.plan.lie === "origins" && message.kind === "announce"
      ? { ...message, origin: this.#run.anybody() }
      : message;
    for (const nodeId of to) {
      this.links.get(this.#run.indexOf(nodeId))?.send(this.index, said);
    }
  }

  #leave(index: number): void {
    this.#banned.add(index);
    this.links.get(index)?.close(this.index);
  }

  // The mirror

  #read(range: ChunkRange): void {
    if (this.#reading !== null) throw new Error(`${this.index} reads two runs at a time`);
    const reading: SimReading = this.#reading = {
      range,
      next: range.first,
      end: range.first + range.count,
      isOver: false,
      got: (chunk) => {
        this.readChunks++;
        this.#run.readChunk();
        this.#mending.read(chunk);
        this.#gained({ first: chunk, count: 1 }, this.nodeId);
      },
      ended: () => this.#readEnded(),
    };
    this.#run.reads(this, reading);
  }

  #readUntil(chunk: number): void {
    const reading = this.#reading;
    if (reading === null) return;
    reading.end = Math.min(reading.end, chunk);
    if (reading.next < reading.end) return;
    this.#dropReading();
    // Not at once: an effect is being carried out.
    this.#events.push({ kind: "read-ended" });
  }

  #readEnded(): void {
    this.#reading = null;
    this.tell({ kind: "read-ended" });
  }

  #dropReading(): void {
    if (this.#reading !== null) this.#run.line.drop(this.#reading);
    this.#reading = null;
  }

  // Fellows

  #noteOrigins(
    from: number,
    { origin, ranges }: { readonly origin: NodeId | null; readonly ranges: readonly ChunkRange[] },
  ): void {
    const origins = this.#origins.get(from) ?? new Map();
    this.#origins.set(from, origins);
    for (const [stripe] of this.crowd.stripes.split(ranges)) origins.set(stripe, origin);
  }

  #ask(asks: readonly SimAsk[]): void {
    for (const ask of asks) {
      const link = this.links.get(ask.of);
      if (link === undefined) continue;
      const { time } = this.#run;
      const askedMs = time.nowMs;
      time.later(link.latencyMs(), () => this.#run.ask(ask, this));
      time.later(ASK_TIMEOUT_MS, () => this.#whenGoing(() => this.#isUnanswered(ask, askedMs)));
    }
  }

  #isUnanswered(ask: SimAsk, askedMs: number): void {
    const missing = this.#asks.unanswered(ask);
    if (missing.length === 0) return;
    this.#ask(this.#asks.askAny(missing));
    if ((this.#gaveMs.get(ask.of) ?? 0) < askedMs) this.#leave(ask.of);
  }

  /** Another asks: what is here goes out after what was asked for before. */
  give(to: SimFellow, { range }: SimAsk): void {
    if (this.#isDead || this.#isStopped) return;
    const link = this.links.get(to.index);
    if (link === undefined) return;
    const { time } = this.#run;
    if (!this.have.hasRange(range)) {
      return time.later(link.latencyMs(), () => to.#whenGoing(() => to.#refused(this, range)));
    }
    const takesMs = range.count / LAN_CHUNKS_PER_MS;
    const doneMs = Math.max(time.nowMs, this.#upFreeMs, to.#downFreeMs) + takesMs;
    this.#upFreeMs = to.#downFreeMs = doneMs;
    time.at(doneMs + link.latencyMs(), () => {
      if (!link.isOver) to.#whenGoing(() => to.#got(this, range));
    });
  }

  /** It was asked for what it has not any more. */
  #refused({ index, nodeId }: SimFellow, range: ChunkRange): void {
    this.tell({ kind: "refused", nodeId, ranges: [range] });
    this.#ask(this.#asks.askAny(this.#asks.unanswered({ of: index, range })));
  }

  #got(from: SimFellow, range: ChunkRange): void {
    const { index, nodeId } = from;
    this.#gaveMs.set(index, this.#run.time.nowMs);
    for (const [stripe, part] of this.crowd.stripes.split([range])) {
      const origin = this.#origins.get(index)?.get(stripe) ?? null;
      for (const run of this.have.missingRuns(part)) {
        for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
          const isWrong = from.#isWrongFor(chunk, this);
          this.#mending.gave(chunk, { nodeId, isReader: origin === nodeId }, isWrong);
        }
        this.#gained(run, origin);
      }
    }
  }

  /** Whether it gives a chunk wrong to this one. */
  #isWrongFor(chunk: number, to: SimFellow): boolean {
    return this.#isHidden ? this.#run.liesAbout(this, chunk, to) : this.#mending.isWrong(chunk);
  }

  #gained(range: ChunkRange, origin: NodeId | null): void {
    if (this.have.addRange(range) === 0) return;
    this.tell({ kind: "gained", range, origin });
    this.#checkSoon();
  }

  #checkSoon(): void {
    if (!this.have.isFull || this.wholeMs < Infinity || this.#mending.isBusy) return;
    this.#run.time.later(CHECK_MS, () => this.#whenGoing(() => this.#check()));
  }

  /** All is here: whether it is right. */
  #check(): void {
    if (!this.have.isFull || this.wholeMs < Infinity || this.#mending.isBusy) return;
    const origins = new Set<NodeId | null>();
    for (let stripe = 0; stripe < this.crowd.stripes.count; stripe++) {
      origins.add(this.crowd.originOf(this.crowd.stripes.range(stripe).first));
    }
    const liars = [...origins].filter((origin) => origin !== null && this.#run.givesWrong(origin));
    if (liars.length > 0 && this.isHonest) {
      for (const liar of liars) this.distrust(liar!);
      return;
    }
    if (this.#isHidden) return;
    if (!this.#mending.isRight) {
      this.#run.doubts();
      return this.#mending.begin();
    }
    this.wholeMs = this.#run.time.nowMs;
    this.#run.isWhole(this);
    this.tell({ kind: "whole" });
  }
}
