/**
 * How a swarm gets the leaf layer: all of it from one source at a time, so that a wrong one has
 * one culprit. A source that fails, leaves or falls silent is followed by the next.
 */

import { PeerFault } from "../base/errors.ts";
import type { ChunkRange } from "../base/geometry.ts";
import { HASH_BYTES } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Download as StoreDownload } from "../store/download.ts";

/** Frames of leaves asked for ahead: 256 KiB in flight. */
const FRAMES_AHEAD = 4;

/** What is asked for leaves. */
export interface LeafSource {
  requestLeaves(range: ChunkRange): void;
}

/** The leaf layer of one download, on its way. */
export class LeafFetch {
  readonly #chunks: number;
  readonly #download: StoreDownload;
  readonly #waiting: LeafSource[] = [];
  #current: LeafSource | null = null;
  #asked = 0;
  #taken = 0;
  #heardMs = 0;

  constructor(chunks: number, download: StoreDownload) {
    this.#chunks = chunks;
    this.#download = download;
  }

  /** Says that `source` can be asked. */
  offer(source: LeafSource): void {
    this.#waiting.push(source);
    if (this.#current === null) this.#next();
  }

  /** Says that `source` is gone or cannot give leaves. */
  leave(source: LeafSource): void {
    const at = this.#waiting.indexOf(source);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (source === this.#current) this.#next();
  }

  /**
   * Takes a frame of leaves; true when the layer is whole and right.
   *
   * @throws {PeerFault} when it was not asked for, or the layer does not make the root.
   * @throws {EnvironmentError} when the disk refuses.
   */
  take(source: LeafSource, first: number, hashes: Uint8Array, nowMs: number): boolean {
    // A source that was left behind may still send what it was asked.
    if (source !== this.#current) return false;
    const count = hashes.length / HASH_BYTES;
    if (first !== this.#taken || count === 0 || first + count > this.#asked) {
      throw new PeerFault("unexpected", `Cannot take leaves: ${count} from ${first} not asked for`);
    }
    this.#heardMs = nowMs;
    this.#download.addLeaves(first, hashes);
    this.#taken += count;
    if (this.#taken < this.#chunks) {
      this.#ask();
      return false;
    }
    this.#download.finishLeaves();
    return true;
  }

  /** Leaves a silent source for another one, if there is any. */
  tick(nowMs: number): void {
    if (this.#heardMs === 0) this.#heardMs = nowMs;
    if (nowMs - this.#heardMs < limits.snubMs || this.#waiting.length === 0) return;
    const silent = this.#current;
    this.#heardMs = nowMs;
    this.#next();
    if (silent !== null) this.#waiting.push(silent);
  }

  #next(): void {
    this.#current = this.#waiting.shift() ?? null;
    this.#asked = 0;
    this.#taken = 0;
    this.#heardMs = 0;
    this.#download.restartLeaves();
    if (this.#current !== null) this.#ask();
  }

  #ask(): void {
    const ahead = this.#taken + FRAMES_AHEAD * limits.leavesPerFrameMax;
    while (this.#asked < this.#chunks && this.#asked < ahead) {
      const count = Math.min(limits.leavesPerFrameMax, this.#chunks - this.#asked);
      const first = this.#asked;
      this.#asked += count;
      this.#current?.requestLeaves({ first, count });
    }
  }
}
