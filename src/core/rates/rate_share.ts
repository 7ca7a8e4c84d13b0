/**
 * One rate and the flows that share it: who may move how many bytes when. Pure: no I/O, no clock.
 *
 * Rules
 *  1. A turn is paid for when it is given. The next one is given when what was paid for has passed at
 *     the rate, so no more goes than the rate in any time, but for the credit of rule 2.
 *  2. What was not used is made up for, but no more than `rateIdleCreditMs` of it; while somebody
 *     waited all the time, `rateLateCreditMs`.
 *  3. Peers share evenly in bytes, however many flows each has: the peer that had least of those that
 *     wait is next. One that comes, or comes back, is treated as if it had what the others have, but
 *     for a credit that lets it write what it was given first.
 *  4. The flows of one peer take turns.
 *  5. A turn is `rateTurnMs` of the rate, or less where many wait, so that a round takes `rateRoundMs`.
 *  6. A flow is held back when it had to wait within `rateHeldMs`, and the rate is used up
 *     (`rateHeldPercent` over `rateUseMs`): only then is its being slow the work of the rate.
 */

import { limits } from "../../base/limits.ts";

/** A peer with its flows. */
interface Peer {
  readonly key: string;
  flows: number;
  /** Bytes that it had, as far as they count against others. */
  hadBytes: number;
  readonly waiting: ShareFlow[];
}

/** One flow. */
export interface ShareFlow {
  readonly peer: Peer;
  isWaiting: boolean;
  /** What it was given last, and has not said to have used. */
  givenBytes: number;
  /** When it had to wait last. */
  heldMs: number;
}

/** A flow's turn. */
interface Turn {
  readonly flow: ShareFlow;
  readonly bytes: number;
}

/** The flows of one rate. */
export class RateShare {
  readonly #peers = new Map<string, Peer>();
  /** What went lately, old bytes fading, as of when; and since when anything goes without a rest. */
  readonly #use = { bytes: 0, atMs: -Infinity, sinceMs: 0 };
  #bytesPerSecond: number;
  /** When all that was paid for has passed. */
  #freeMs = -Infinity;
  /** What the peer had that was served last: where who comes begins. */
  #level = 0;
  #waiting = 0;
  /** Whether somebody waited ever since time was let pass last. */
  #wasWaiting = false;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** How many flows wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Another rate holds from now on; what is owed is owed in bytes. */
  setRate(bytesPerSecond: number, nowMs: number): void {
    const owedMs = Math.max(0, this.#freeMs - nowMs);
    this.#freeMs = nowMs + owedMs * this.#bytesPerSecond / bytesPerSecond;
    this.#bytesPerSecond = bytesPerSecond;
  }

  open(key: string): ShareFlow {
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = { key, flows: 0, hadBytes: this.#level, waiting: [] };
      this.#peers.set(key, peer);
    }
    peer.flows++;
    return { peer, isWaiting: false, givenBytes: 0, heldMs: -Infinity };
  }

  /** The flow is over. */
  close(flow: ShareFlow): void {
    const { peer } = flow;
    if (flow.isWaiting) {
      peer.waiting.splice(peer.waiting.indexOf(flow), 1);
      flow.isWaiting = false;
      this.#waiting--;
    }
    if (--peer.flows === 0) this.#peers.delete(peer.key);
  }

  /** The flow waits for its turn. */
  wait(flow: ShareFlow): void {
    if (flow.isWaiting) return;
    const { peer } = flow;
    if (peer.waiting.length === 0) {
      const creditBytes = this.#bytesPerSecond * limits.rateLateCreditMs / 1_000 /
        (this.#peers.size + 1);
      peer.hadBytes = Math.max(peer.hadBytes, this.#level - creditBytes);
    }
    flow.isWaiting = true;
    peer.waiting.push(flow);
    this.#waiting++;
  }

  /** The next turn that may be had now; undefined when there is none, or nobody waits. */
  next(nowMs: number): Turn | undefined {
    if (this.#waiting === 0) {
      this.#wasWaiting = false;
      return undefined;
    }
    const creditMs = this.#wasWaiting ? limits.rateLateCreditMs : limits.rateIdleCreditMs;
    this.#freeMs = Math.max(this.#freeMs, nowMs - creditMs);
    this.#wasWaiting = true;
    if (this.#freeMs > nowMs) {
      this.#noteHeld(nowMs);
      return undefined;
    }
    const peer = this.#nextPeer()!;
    const flow = peer.waiting.shift()!;
    const bytes = this.#turnBytes();
    flow.isWaiting = false;
    flow.givenBytes = bytes;
    this.#waiting--;
    this.#level = Math.max(this.#level, peer.hadBytes);
    this.#pay(peer, bytes, nowMs);
    return { flow, bytes };
  }

  /** How many bytes a flow moved of its turn. */
  used(flow: ShareFlow, bytes: number, nowMs: number): void {
    const more = bytes - flow.givenBytes;
    flow.givenBytes = 0;
    if (more !== 0) this.#pay(flow.peer, more, nowMs);
  }

  /** When the next turn may be had; Infinity when nobody waits. */
  get wakeMs(): number {
    return this.#waiting === 0 ? Infinity : this.#freeMs;
  }

  /** Rule 6. */
  isHeld({ isWaiting, heldMs }: ShareFlow, nowMs: number): boolean {
    if (!isWaiting && nowMs - heldMs > limits.rateHeldMs) return false;
    const { rateUseMs, rateTurnMs } = limits;
    // What fades in less time than that cannot have come to more.
    const usedMs = rateUseMs * (1 - Math.exp((this.#use.sinceMs - nowMs) / rateUseMs));
    const perSecond = this.#used(nowMs) * 1_000 / Math.max(rateTurnMs, usedMs);
    return perSecond * 100 >= this.#bytesPerSecond * limits.rateHeldPercent;
  }

  #pay(peer: Peer, bytes: number, nowMs: number): void {
    this.#freeMs += bytes * 1_000 / this.#bytesPerSecond;
    peer.hadBytes += bytes;
    if (nowMs - this.#use.atMs > 2 * limits.rateUseMs) {
      this.#use.bytes = 0;
      this.#use.sinceMs = nowMs;
    }
    this.#use.bytes = this.#used(nowMs) + bytes;
    this.#use.atMs = nowMs;
  }

  #used(nowMs: number): number {
    return this.#use.bytes === 0
      ? 0
      : this.#use.bytes * Math.exp((this.#use.atMs - nowMs) / limits.rateUseMs);
  }

  #noteHeld(nowMs: number): void {
    for (const { waiting } of this.#peers.values()) {
      for (const flow of waiting) flow.heldMs = nowMs;
    }
  }

  #nextPeer(): Peer | undefined {
    let next: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.waiting.length === 0) continue;
      if (next === undefined || peer.hadBytes < next.hadBytes) next = peer;
    }
    return next;
  }

  /** Rule 5. */
  #turnBytes(): number {
    const turnMs = Math.min(limits.rateTurnMs, limits.rateRoundMs / this.#waiting);
    const bytes = Math.floor(this.#bytesPerSecond * turnMs / 1_000);
    return Math.min(limits.rateTurnBytesMax, Math.max(limits.rateTurnBytesMin, bytes));
  }
}
