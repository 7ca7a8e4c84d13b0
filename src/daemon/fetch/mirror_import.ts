/**
 * Holds what a mirror brought of one fetch against the leaves that peers gave, and has what is right
 * taken into their download. What follows from a wrong chunk is judged elsewhere.
 */

import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { nextTurn } from "../../store/files/io.ts";
import type { MirrorTrack } from "./mirror_track.ts";
import type { Followed } from "./peer_track.ts";

/** Where the chunks go, and who hears of it. */
export interface FeedingOwner {
  /** The candidate that they are held against; null while that is none. */
  into(): Followed | null;
  /** These chunks are what the leaves say. */
  fed(range: ChunkRange): void;
  /** They are not; `culprit` is the mirror that gave the first that is not, if it was only one. */
  wrong(why: string, culprit: string | undefined): void;
  failed(error: Error): void;
}

/** The way of a mirror's chunks into the download of what peers give. */
export class Feeding {
  readonly #track: MirrorTrack;
  readonly #owner: FeedingOwner;
  #fedTo: number;
  #isFeeding = false;

  constructor(track: MirrorTrack, owner: FeedingOwner) {
    this.#track = track;
    this.#owner = owner;
    this.#fedTo = track.firstChunk;
  }

  /** Chunks before this one were held against the leaves. */
  get fedTo(): number {
    return this.#fedTo;
  }

  /** Whether chunks are here that were not. */
  get hasMore(): boolean {
    return this.#fedTo < this.#track.nextChunk;
  }

  /** What came is thrown away, or is to be held against other leaves. */
  startOver(): void {
    this.#fedTo = this.#track.firstChunk;
  }

  /** Goes on as far as chunks and leaves are here. */
  goOn(): void {
    if (this.#isFeeding) return;
    this.#isFeeding = true;
    this.#feed()
      .catch((error) => this.#owner.failed(error as Error))
      .finally(() => this.#isFeeding = false);
  }

  async #feed(): Promise<void> {
    let buffer: Uint8Array | null = null;
    for (;;) {
      const { unverified, sizeBytes } = this.#track;
      const swarm = this.#owner.into()?.swarm;
      if (
        swarm === undefined || unverified === null || !this.hasMore || !swarm.hasBegun ||
        sizeBytes !== swarm.file.sizeBytes
      ) return;
      // Of one provider at a time, whose doing it is.
      const run = this.#track.received.runOf(this.#fedTo, sizeBytes)!;
      const end = Math.min(run.endChunk, this.#track.nextChunk);
      const count = Math.min(limits.requestChunksMax, end - this.#fedTo);
      const range = { first: this.#fedTo, count };
      buffer ??= new Uint8Array(limits.requestChunksMax * CHUNK_BYTES);
      unverified.reader(sizeBytes).readRun(range, buffer, 0);
      const data = buffer.subarray(0, rangeBytes(sizeBytes, range).length);
      const wrong = swarm.feed(run.provider, range, data);
      if (wrong.length > 0) {
        const index = wrong[0]!;
        const why = `chunk ${index} of mirror ${run.provider.label} is not in the leaves`;
        return this.#owner.wrong(why, this.#track.received.mirrorOf(index, sizeBytes) ?? undefined);
      }
      this.#fedTo = range.first + count;
      this.#owner.fed(range);
      await nextTurn();
    }
  }
}
