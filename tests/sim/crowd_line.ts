/**
 * A line to a mirror, of a fixed rate, that all who read at a moment share evenly. What it gives comes
 * in chunks; all that goes over it is counted, and so is the part of a chunk that is broken off.
 */

import type { ChunkRange } from "../../src/base/geometry.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** One who reads. */
export interface SimReading {
  readonly range: ChunkRange;
  /** The chunk that comes next. */
  next: number;
  /** The chunk before which it ends. */
  end: number;
  /** Whether it was broken off. */
  isOver: boolean;
  readonly got: (chunk: number) => void;
  readonly ended: () => void;
}

/** The line. */
export class SimLine {
  readonly #time: VirtualTime;
  readonly #chunksPerMs: number;
  /** Of each reading, what each reader has to have been given when its next chunk is there. */
  readonly #dueAt = new Map<SimReading, number>();
  /** Of those that are paused, what its chunk still lacks. */
  readonly #paused = new Map<SimReading, number>();
  /** What each reader was given since the start, in chunks. */
  #givenEach = 0;
  #givenAll = 0;
  #sinceMs = 0;
  #turn = 0;
  #busyMs = 0;

  constructor(time: VirtualTime, chunksPerMs: number) {
    this.#time = time;
    this.#chunksPerMs = chunksPerMs;
  }

  /** Chunks that went over it, parts included. */
  get chunks(): number {
    this.#settle();
    return this.#givenAll;
  }

  get readers(): number {
    return this.#dueAt.size;
  }

  /** How long anything went over it. */
  get busyMs(): number {
    this.#settle();
    return this.#busyMs;
  }

  begin(reading: SimReading): void {
    this.#settle();
    this.#dueAt.set(reading, this.#givenEach + 1);
    this.#wake();
  }

  /** Breaks it off; says nothing. */
  drop(reading: SimReading): void {
    this.#settle();
    reading.isOver = true;
    this.#paused.delete(reading);
    if (this.#dueAt.delete(reading)) this.#wake();
  }

  pause(reading: SimReading): void {
    this.#settle();
    const dueAt = this.#dueAt.get(reading);
    if (dueAt === undefined) return;
    this.#dueAt.delete(reading);
    this.#paused.set(reading, dueAt - this.#givenEach);
    this.#wake();
  }

  resume(reading: SimReading): void {
    const lacks = this.#paused.get(reading);
    if (lacks === undefined) return;
    this.#settle();
    this.#paused.delete(reading);
    this.#dueAt.set(reading, this.#givenEach + lacks);
    this.#wake();
  }

  #settle(): void {
    const { nowMs } = this.#time;
    const passedMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (this.#dueAt.size === 0) return;
    this.#busyMs += passedMs;
    this.#givenAll += passedMs * this.#chunksPerMs;
    this.#givenEach += passedMs * this.#chunksPerMs / this.#dueAt.size;
  }

  /** Sees to it that the next chunk comes when it is due. */
  #wake(): void {
    const turn = ++this.#turn;
    const dueAt = Math.min(...this.#dueAt.values());
    if (dueAt === Infinity) return;
    const waitMs = Math.max(0, dueAt - this.#givenEach) * this.#dueAt.size / this.#chunksPerMs;
    this.#time.later(waitMs, () => {
      if (turn === this.#turn) this.#give();
    });
  }

  #give(): void {
    this.#settle();
    for (const [reading, dueAt] of [...this.#dueAt]) {
      if (reading.isOver || dueAt > this.#givenEach + 1e-9) continue;
      const chunk = reading.next++;
      if (reading.next < reading.end) this.#dueAt.set(reading, dueAt + 1);
      else this.#dueAt.delete(reading);
      reading.got(chunk);
      if (reading.next >= reading.end && !reading.isOver) reading.ended();
    }
    this.#wake();
  }
}
