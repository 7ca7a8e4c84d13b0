/** The SHA-256 of a whole file, wherever its bytes lie: read at the end, or as they come. */

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers";
import { CHUNK_BYTES, chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { nextTurn } from "../../base/clock.ts";
import type { FileReader } from "../../wire/fetching.ts";

const RUN_CHUNKS = limits.requestChunksMax;

/**
 * The SHA-256 of a file that is still coming, in any order: what is here without a gap from the
 * first byte on is hashed as it comes, 512 KiB in a turn, so that little is left to do at the end.
 *
 * A chunk that is lost meanwhile, and comes again, is the same as before: its leaf says so.
 */
export class RunningSha256 {
  readonly #reader: FileReader;
  readonly #chunks: number;
  #digest = createHash("sha256");
  /** Chunks that are hashed: all before this one. */
  #next = 0;
  #buffer: Uint8Array | null = null;
  #isScheduled = false;
  #isStopped = false;

  constructor(reader: FileReader) {
    this.#reader = reader;
    this.#chunks = chunkCount(reader.sizeBytes);
  }

  /** Chunks came; `have` says of each whether it is here. */
  gained(have: { has(index: number): boolean }): void {
    if (this.#isScheduled || this.#isStopped || !this.#hasRun(have)) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#isStopped || !this.#hasRun(have)) return;
      try {
        this.#hashRun();
      } catch {
        // The read at the end says why.
        return this.#startOver();
      }
      this.gained(have);
    });
  }

  /** Hashes nothing more before {@linkcode finish}. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * All of it is here: hashes the rest, other work going on between runs. In hexadecimal.
   *
   * @throws {EnvironmentError} when the file cannot be read.
   * @throws the signal's reason when it is aborted.
   */
  async finish(options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    this.stop();
    while (this.#next < this.#chunks) {
      this.#hashRun();
      await nextTurn();
      options.signal?.throwIfAborted();
    }
    this.#buffer = null;
    return this.#digest.copy().digest("hex");
  }

  /** Whether the next run is here, or all that is left. */
  #hasRun(have: { has(index: number): boolean }): boolean {
    const end = Math.min(this.#next + RUN_CHUNKS, this.#chunks);
    for (let index = this.#next; index < end; index++) if (!have.has(index)) return false;
    return end > this.#next;
  }

  #hashRun(): void {
    const buffer = this.#buffer ??= new Uint8Array(RUN_CHUNKS * CHUNK_BYTES);
    const count = Math.min(RUN_CHUNKS, this.#chunks - this.#next);
    const bytes = this.#reader.readRun({ first: this.#next, count }, buffer, 0);
    this.#digest.update(buffer.subarray(0, bytes));
    this.#next += count;
  }

  #startOver(): void {
    this.stop();
    this.#digest = createHash("sha256");
    this.#next = 0;
  }
}
