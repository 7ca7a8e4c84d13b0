/**
 * Reads a run of chunks of a file from its mirrors for a crowd, to share them or to compare them: each
 * chunk is given away as soon as it is whole, and the reading can be cut short while it goes on.
 */

import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import type { MirrorBody, MirrorFile } from "../../http/mirrors.ts";
import { type Piece, ResumableRead } from "../../http/resumable_read.ts";

/** How a run is read. */
interface MirrorReadingOptions {
  readonly range: ChunkRange;
  readonly sizeBytes: number;
  /** Whether an answer with all of the file will do: what is not wanted of it is passed over. */
  readonly takesWhole: boolean;
  /** Chunks came, whole ones from `firstChunk`, valid until this returns. */
  readonly take: (firstChunk: number, bytes: Uint8Array, mirror: string) => void;
  /** Whoever reads wants it no more. */
  readonly signal?: AbortSignal;
}

/** One reading. */
export class MirrorReading {
  readonly #mirror: MirrorFile;
  readonly #options: MirrorReadingOptions;
  readonly #stop = new AbortController();
  /** The next byte to come, and the one behind the last that is wanted. */
  #position: number;
  #end: number;
  /** What is here of a chunk that is not whole. */
  readonly #rest = new Uint8Array(CHUNK_BYTES);
  #restBytes = 0;

  constructor(mirror: MirrorFile, options: MirrorReadingOptions) {
    this.#mirror = mirror;
    this.#options = options;
    const { offset, length } = rangeBytes(options.sizeBytes, options.range);
    this.#position = offset;
    this.#end = offset + length;
  }

  /** Chunks that are still to come. */
  get left(): ChunkRange {
    const first = Math.floor((this.#position - this.#restBytes) / CHUNK_BYTES);
    return { first, count: Math.max(0, Math.ceil(this.#end / CHUNK_BYTES) - first) };
  }

  /** Reads no further than to the beginning of this chunk; ends at once where it is past that. */
  cutTo(chunk: number): void {
    this.#end = Math.min(this.#end, chunk * CHUNK_BYTES);
    if (this.#position - this.#restBytes >= this.#end) this.stop();
  }

  stop(): void {
    this.#stop.abort();
  }

  /**
   * Reads; resolves at the end, or when it is stopped.
   *
   * @throws {MirrorError} when no mirror gives it.
   * @throws the reason of the signal that it was given, when that is aborted.
   */
  async run(): Promise<void> {
    const { signal: given } = this.#options;
    const stop = this.#stop.signal;
    const signal = given === undefined ? stop : AbortSignal.any([stop, given]);
    try {
      using read = new ResumableRead<MirrorBody>(this.#mirror, {
        next: () => this.#next(),
        mayReread: this.#options.takesWhole,
        signal,
      });
      while (this.#position < this.#end) {
        const piece = await read.read();
        signal.throwIfAborted();
        if (piece !== null) this.#take(piece);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  #next() {
    if (this.#position >= this.#end) return null;
    const { sizeBytes, takesWhole } = this.#options;
    const end = this.#end === sizeBytes ? {} : { end: this.#end };
    // What comes before and after is what other fellows read.
    return { offset: this.#position, ...end, needsRange: !takesWhole };
  }

  #take({ bytes, mirror }: Piece): void {
    let left = bytes.subarray(0, Math.max(0, this.#end - this.#position));
    if (this.#restBytes > 0) {
      const part = left.subarray(0, this.#chunkBytes - this.#restBytes);
      this.#rest.set(part, this.#restBytes);
      this.#restBytes += part.length;
      this.#position += part.length;
      left = left.subarray(part.length);
      if (!this.#isChunkWhole(this.#restBytes)) return;
      const whole = this.#rest.subarray(0, this.#restBytes);
      this.#restBytes = 0;
      this.#give(whole, mirror);
    }
    const isLast = this.#position + left.length === this.#options.sizeBytes;
    const wholeBytes = isLast ? left.length : left.length - left.length % CHUNK_BYTES;
    this.#position += wholeBytes;
    if (wholeBytes > 0) this.#give(left.subarray(0, wholeBytes), mirror);
    const rest = left.subarray(wholeBytes);
    this.#rest.set(rest);
    this.#restBytes = rest.length;
    this.#position += rest.length;
  }

  /** Bytes of the chunk of which the beginning is here. */
  get #chunkBytes(): number {
    return Math.min(CHUNK_BYTES, this.#options.sizeBytes - (this.#position - this.#restBytes));
  }

  #isChunkWhole(bytes: number): boolean {
    return bytes === CHUNK_BYTES || this.#position === this.#options.sizeBytes;
  }

  /** Gives chunks that end at the position. */
  #give(bytes: Uint8Array, mirror: string): void {
    this.#options.take(Math.floor((this.#position - bytes.length) / CHUNK_BYTES), bytes, mirror);
  }
}
