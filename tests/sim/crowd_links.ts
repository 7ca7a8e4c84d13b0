/** Connections between the machines of a simulated crowd: what is sent arrives later, in order. */

import type { FellowMessage } from "../../src/core/crowd/crowd_events.ts";
import type { Random } from "../../src/base/random.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** One side of a connection. */
export interface SimEnd {
  readonly index: number;
  /** How many connections it has. */
  readonly links: Map<number, SimLink>;
  joined(other: SimEnd): void;
  left(other: SimEnd): void;
  heard(from: SimEnd, messages: readonly FellowMessage[]): void;
}

/** What is on its way to one side. */
interface Way {
  readonly to: SimEnd;
  readonly from: SimEnd;
  /** When the last of it arrives. */
  lastMs: number;
  /** What was sent at one moment arrives at one moment. */
  sentMs: number;
  sending: FellowMessage[];
}

/** One connection. */
export class SimLink {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #ways: readonly [Way, Way];
  #isUp = false;
  #isOver = false;

  constructor(time: VirtualTime, random: Random, ends: readonly [SimEnd, SimEnd]) {
    this.#time = time;
    this.#random = random;
    const [one, other] = ends;
    const way = (from: SimEnd, to: SimEnd): Way => {
      return { from, to, lastMs: 0, sentMs: -1, sending: [] };
    };
    this.#ways = [way(one, other), way(other, one)];
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Both sides learn of it when the handshake is over. */
  open(): void {
    for (const { from, to } of this.#ways) from.links.set(to.index, this);
    this.#time.later(2 * this.latencyMs(), () => {
      if (this.#isOver) return;
      this.#isUp = true;
      for (const { from, to } of this.#ways) from.joined(to);
    });
  }

  /** Both sides learn of it, the one that `index` is at once. */
  close(index: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { from, to } of this.#ways) {
      from.links.delete(to.index);
      if (!this.#isUp) continue;
      if (from.index === index) from.left(to);
      else this.#time.later(this.latencyMs(), () => from.left(to));
    }
  }

  send(from: number, message: FellowMessage): void {
    if (this.#isOver || !this.#isUp) return;
    const way = this.#ways[0].from.index === from ? this.#ways[0] : this.#ways[1];
    const { nowMs } = this.#time;
    if (way.sentMs === nowMs && way.sending.length > 0) {
      way.sending.push(message);
      return;
    }
    const sending = way.sending = [message];
    way.sentMs = nowMs;
    way.lastMs = Math.max(way.lastMs, nowMs + this.latencyMs());
    this.#time.at(way.lastMs, () => {
      if (way.sending === sending) way.sending = [];
      if (!this.#isOver) way.to.heard(way.from, sending);
    });
  }

  /** How long something takes to the other side: 0.2 to 2 ms. */
  latencyMs(): number {
    return 0.2 + 1.8 * this.#random.unit();
  }
}
