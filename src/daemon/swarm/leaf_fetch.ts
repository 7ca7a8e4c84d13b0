/**
 * How a swarm gets the leaf layer: all of it from one source at a time, so that a wrong one has
 * one culprit. A source that fails, leaves or falls silent is followed by the next; one that refuses
 * is asked again after a while, for it may have computed a damaged layer again by then.
 */

import { PeerFault } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { HASH_BYTES } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PartialDownload } from "../../store/downloads/partial_download.ts";

/** What is asked for leaves. */
export interface LeafSource {
  requestLeaves(range: ChunkRange): void;
}

/**
 * The leaf layer of one download, on its way. What changes it throws an {@linkcode EnvironmentError}
 * when the disk refuses.
 */
export class LeafFetch<S extends LeafSource> {
  readonly #chunks: number;
  readonly #download: PartialDownload;
  readonly #waiting: S[] = [];
  /** Those that refused. */
  readonly #refused: S[] = [];
  #current: S | null = null;
  #asked = 0;
  #taken = 0;
  /** When the current source was last heard of, or asked; without one, when the last one was left. */
  #heardMs = 0;
  /** When anybody gave leaves last, or, as the first to be asked, was asked. */
  #answeredMs = 0;
  /**
   * Answers that a source owes from before it was left for another: they come first when it is
   * asked again, in order, and count for nothing.
   */
  readonly #owed = new Map<S, number>();

  constructor(chunks: number, download: PartialDownload) {
    this.#chunks = chunks;
    this.#download = download;
  }

  /** Whether leaves may be expected from anybody. */
  isAnswering(nowMs: number): boolean {
    return this.#current !== null && nowMs - this.#answeredMs < limits.snubMs;
  }

  /** Says that `source` can be asked. */
  offer(source: S, nowMs: number): void {
    this.#waiting.push(source);
    if (this.#current !== null) return;
    this.#answeredMs = nowMs;
    this.#next(nowMs);
  }

  /** Says that `source` is gone. */
  leave(source: S, nowMs: number): void {
    const at = this.#refused.indexOf(source);
    if (at >= 0) this.#refused.splice(at, 1);
    this.#remove(source, nowMs);
    this.#owed.delete(source);
  }

  /** Says that `source` cannot give now what it was asked. */
  rejected(source: S, nowMs: number): void {
    if (this.#wasOwed(source) || source !== this.#current) return;
    this.#refused.push(source);
    this.#next(nowMs, { answers: 1 });
  }

  /** Says that a frame of leaves is coming in, however slowly. */
  arriving(source: S, nowMs: number): void {
    if (source === this.#current) this.#heardMs = this.#answeredMs = nowMs;
  }

  /**
   * Takes a frame of leaves; true when the layer is whole and right.
   *
   * @throws {PeerFault} when it was not asked for, or the layer does not make the root.
   */
  take(source: S, first: number, hashes: Uint8Array, nowMs: number): boolean {
    if (this.#wasOwed(source)) return false;
    const count = hashes.length / HASH_BYTES;
    const expected = Math.min(limits.leavesPerFrameMax, this.#chunks - this.#taken);
    const isAsked = source === this.#current && this.#asked > this.#taken;
    if (!isAsked || first !== this.#taken || count !== expected) {
      throw new PeerFault("unexpected", `Cannot take leaves: ${count} from ${first} not asked for`);
    }
    this.#heardMs = this.#answeredMs = nowMs;
    this.#download.addLeaves(first, hashes);
    this.#taken += count;
    if (this.#taken < this.#chunks) {
      this.#ask();
      return false;
    }
    this.#download.finishLeaves();
    return true;
  }

  /**
   * Leaves a silent source for another one, if there is any; where nobody is asked, those that
   * refused are asked again. Returns the source that has been silent for so long that it is to be
   * dropped, or null.
   */
  tick(nowMs: number): S | null {
    const silent = this.#current;
    const silentMs = nowMs - this.#heardMs;
    if (silentMs < limits.snubMs) return null;
    this.#waiting.push(...this.#refused.splice(0));
    if (this.#waiting.length > 0) {
      this.#next(nowMs);
      if (silent !== null) this.#waiting.push(silent);
      return null;
    }
    return silent !== null && silentMs >= limits.sourceSilentMs ? silent : null;
  }

  /** Whether an answer of `source` is one that it owed; then it is owed no more. */
  #wasOwed(source: S): boolean {
    const owed = this.#owed.get(source) ?? 0;
    if (owed > 1) this.#owed.set(source, owed - 1);
    else this.#owed.delete(source);
    return owed > 0;
  }

  #remove(source: S, nowMs: number): void {
    const at = this.#waiting.indexOf(source);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (source === this.#current) this.#next(nowMs);
  }

  /** Asks the next one. `answers`: what the current one just answered, besides leaves. */
  #next(nowMs: number, { answers = 0 } = {}): void {
    if (this.#current !== null) {
      const open = Math.ceil((this.#asked - this.#taken) / limits.leavesPerFrameMax);
      const unanswered = open - answers;
      const owed = (this.#owed.get(this.#current) ?? 0) + unanswered;
      if (owed > 0) this.#owed.set(this.#current, owed);
    }
    this.#current = this.#waiting.shift() ?? null;
    this.#asked = 0;
    this.#taken = 0;
    this.#heardMs = nowMs;
    this.#download.restartLeaves();
    if (this.#current !== null) this.#ask();
  }

  #ask(): void {
    const ahead = this.#taken + limits.leafFramesAheadMax * limits.leavesPerFrameMax;
    while (this.#asked < this.#chunks && this.#asked < ahead) {
      const count = Math.min(limits.leavesPerFrameMax, this.#chunks - this.#asked);
      const first = this.#asked;
      this.#asked += count;
      this.#current?.requestLeaves({ first, count });
    }
  }
}
