/**
 * Which chunks of a download are here, and which of them are known to survive a crash: the order of
 * flushing data and remembering chunks. The download knows where the data lies.
 */

import { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

/** What progress has done, by the download that it is of. */
export interface DownloadProgressEffects {
  /** Flushes all data written until now to the disk. */
  flush(isDataDirty: boolean): Promise<void>;
  /** Remembers these chunks; they are on the disk. */
  save(have: Uint8Array): void;
  gained(range: ChunkRange): void;
  lost(range: ChunkRange): void;
}

/** The chunks of one download, and their checkpoints. */
export class DownloadProgress {
  /** Chunks that are written and checked. */
  readonly have: Bitfield;
  readonly #effects: DownloadProgressEffects;
  /** The chunks of the last checkpoint. */
  #durable: Bitfield;
  #dirtyBytes = 0;
  #dirtySinceMs: number | undefined;
  #drops = 0;
  #running: Promise<void> | undefined;
  #isEnded = false;

  /** @param known The chunks of the last checkpoint; none when it is missing. */
  constructor(chunks: number, effects: DownloadProgressEffects, known?: Bitfield) {
    this.have = known ?? new Bitfield(chunks);
    // Copying an empty bitfield would take memory for a size that nothing proves so far.
    this.#durable = known?.clone() ?? new Bitfield(chunks);
    this.#effects = effects;
  }

  /** Counts chunks as had that were written, `bytes` in all. */
  add(range: ChunkRange, bytes: number): void {
    this.#dirtyBytes += bytes;
    if (this.have.addRange(range) > 0) this.#effects.gained(range);
  }

  /** Takes chunks back; that they were had must be forgotten before anything else can fail. */
  drop(range: ChunkRange): void {
    this.#drops++;
    const lost = this.have.removeRange(range);
    const lostDurable = this.#durable.removeRange(range);
    try {
      if (lostDurable > 0) this.#effects.save(this.#durable.toBytes());
    } finally {
      if (lost > 0) this.#effects.lost(range);
    }
  }

  /** Has no chunk count before it was checked; what is remembered stays as it is. */
  doubt(): void {
    this.#drops++;
    const all = { first: 0, count: this.have.length };
    const lost = this.have.removeRange(all);
    this.#durable.removeRange(all);
    if (lost > 0) this.#effects.lost(all);
  }

  /** Whether enough was written, or long enough ago, that a checkpoint should be made. */
  isDue(nowMs: number): boolean {
    if (this.#dirtyBytes === 0 || this.#running !== undefined) return false;
    this.#dirtySinceMs ??= nowMs;
    return this.#dirtyBytes >= limits.checkpointBytes ||
      nowMs - this.#dirtySinceMs >= limits.checkpointMs;
  }

  /** Flushes, then remembers. While one runs, a second call gives the same promise. */
  checkpoint(): Promise<void> {
    this.#running ??= this.#checkpoint().finally(() => this.#running = undefined);
    return this.#running;
  }

  /** A checkpoint of all that was written before this call. */
  async settle(): Promise<void> {
    // One that runs already may have begun before the last write, so a second one follows.
    await this.#running;
    await this.checkpoint();
  }

  /** Whether {@linkcode end} was called. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Nothing more is to come: a checkpoint that still runs remembers nothing from now on. */
  end(): void {
    this.#isEnded = true;
  }

  async #checkpoint(): Promise<void> {
    const have = this.have.clone();
    const bytes = this.#dirtyBytes;
    const drops = this.#drops;
    this.#dirtySinceMs = undefined;
    try {
      await this.#effects.flush(bytes > 0);
    } catch (error) {
      // After a failed flush the system may have thrown the data away, and a second flush would
      // not say so: only the last checkpoint can be relied on.
      this.#dirtyBytes = 0;
      for (const range of difference(this.have, this.#durable)) this.drop(range);
      throw error;
    }
    if (this.#isEnded) return;
    if (this.#drops !== drops) {
      // A chunk dropped during the flush must not come back.
      for (const range of difference(have, this.have)) have.removeRange(range);
    }
    this.#effects.save(have.toBytes());
    this.#durable = have;
    this.#dirtyBytes -= bytes;
  }
}

/** Chunks that are in `field` and not in `other`. */
function difference(field: Bitfield, other: Bitfield): ChunkRange[] {
  const rest = field.clone();
  for (const range of other.ranges()) rest.removeRange(range);
  return [...rest.ranges()];
}
