/**
 * Compares what a mirror (origin) gave to one fetch with the leaves that peers gave, and feeds what
 * is right into their swarm. What follows from a wrong chunk is decided in `core/fetch`.
 */

import { CHUNK_BYTES, rangeBytes } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { nextTurn } from "../../base/clock.ts";
import type { FetchPolicyEvent } from "../../core/fetch/fetch_events.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { MirrorTrack } from "./mirror_track.ts";

/** Brings a mirror's chunks into the swarm. */
export class MirrorImport {
  readonly #track: MirrorTrack;
  /** The swarm whose leaves they are compared with; null while there is none. */
  readonly #into: () => Swarm | null;
  readonly #tell: (event: FetchPolicyEvent) => void;
  #importedTo: number;
  #isImporting = false;
  /** Whether it is to look again when it is through. */
  #isWanted = false;

  constructor(
    track: MirrorTrack,
    options: {
      readonly into: () => Swarm | null;
      readonly tell: (event: FetchPolicyEvent) => void;
    },
  ) {
    this.#track = track;
    this.#into = options.into;
    this.#tell = options.tell;
    this.#importedTo = track.firstChunk;
  }

  /** Chunks before this one were compared with the leaves. */
  get importedTo(): number {
    return this.#importedTo;
  }

  /** What came is thrown away. */
  restarted(): void {
    this.#importedTo = this.#track.firstChunk;
  }

  /** Goes on as far as chunks and leaves are here; from the first chunk where those are others. */
  goOn({ isFromFirst }: { readonly isFromFirst: boolean }): void {
    if (isFromFirst) this.#importedTo = this.#track.firstChunk;
    this.#isWanted = true;
    if (this.#isImporting) return;
    this.#isImporting = true;
    this.#importAll().catch((error) => this.#tell({ kind: "failed", error: error as Error }));
  }

  /** What is asked for while it works is not lost. */
  async #importAll(): Promise<void> {
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        await this.#import();
      }
    } finally {
      this.#isImporting = false;
    }
  }

  async #import(): Promise<void> {
    let buffer: Uint8Array | null = null;
    for (;;) {
      const { unverified, sizeBytes } = this.#track;
      const swarm = this.#into();
      const { nextChunk, received } = this.#track;
      if (
        swarm === null || unverified === null || this.#importedTo >= nextChunk ||
        !swarm.hasBegun || sizeBytes !== swarm.file.sizeBytes
      ) return;
      // Of one provider at a time, so that a wrong chunk has one culprit.
      const run = received.runOf(this.#importedTo, sizeBytes)!;
      const end = Math.min(run.endChunk, nextChunk);
      const count = Math.min(limits.requestChunksMax, end - this.#importedTo);
      const range = { first: this.#importedTo, count };
      buffer ??= new Uint8Array(limits.requestChunksMax * CHUNK_BYTES);
      unverified.reader(sizeBytes).readRun(range, buffer, 0);
      const data = buffer.subarray(0, rangeBytes(sizeBytes, range).length);
      const wrong = swarm.feed(run.provider, range, data);
      if (wrong.length > 0) {
        const index = wrong[0]!;
        const why = `chunk ${index} of mirror ${run.provider.label} is not in the leaves`;
        const culprit = received.mirrorOf(index, sizeBytes) ?? undefined;
        // It may still be giving ranges to the swarm.
        return this.#tell({ kind: "mirror-differs", why, culprit, hasLeftSwarm: false });
      }
      this.#importedTo = range.first + count;
      this.#tell({ kind: "imported", range });
      await nextTurn();
    }
  }
}
