/**
 * Which bytes of a file under way may be shown to somebody who can never take them back: chunks that
 * the fetch released, read where it has them now. It counts up when what was shown before turned out
 * not to be the file.
 */

import { Bitfield } from "../../base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { FileReader } from "../../wire/fetching.ts";

/** The bytes of one file that are released. */
export class ReleasedBytes {
  #reader: FileReader | null = null;
  #chunks: Bitfield | null = null;
  #little: Uint8Array<ArrayBuffer> | null = null;
  #round = 0;

  /** Counts up with each {@linkcode restart}. */
  get round(): number {
    return this.#round;
  }

  /** Bytes of the file as the fetch reads it; undefined before it does. */
  get sizeBytes(): number | undefined {
    return this.#reader?.sizeBytes;
  }

  /** Whether there are any. */
  get hasAny(): boolean {
    return (this.#chunks?.count ?? 0) > 0;
  }

  /** Whether they are all of the file. */
  get areAll(): boolean {
    return this.#chunks?.isFull ?? false;
  }

  /** From now on they are read by `reader`. */
  readBy(reader: FileReader): void {
    const chunks = chunkCount(reader.sizeBytes);
    if (this.#chunks?.length !== chunks) this.#chunks = new Bitfield(chunks);
    this.#reader = reader;
  }

  /** Releases chunks; whether one of them was not before. */
  release(range: ChunkRange): boolean {
    return this.#chunks !== null && this.#chunks.addRange(range) > 0;
  }

  /** Bytes that were released cannot be read any more: they wait until they are released again. */
  takeBack(offset: number, length: number): void {
    this.#chunks?.removeRange(runOf(offset, length));
  }

  releaseAll(): void {
    if (this.#chunks !== null) this.release({ first: 0, count: this.#chunks.length });
  }

  /** What was released was not the file. */
  restart(): void {
    this.#round++;
    this.#reader = null;
    this.#chunks = null;
  }

  /** Where the run of released bytes ends that begins at `offset`; `offset` for none. */
  endOf(offset: number, { max }: { readonly max: number }): number {
    const size = this.sizeBytes;
    if (this.#chunks === null || size === undefined || offset >= size) return offset;
    const last = Math.min(chunkCount(size), Math.ceil((offset + max) / CHUNK_BYTES));
    let chunk = Math.floor(offset / CHUNK_BYTES);
    while (chunk < last && this.#chunks.has(chunk)) chunk++;
    return Math.max(offset, Math.min(chunk * CHUNK_BYTES, size, offset + max));
  }

  /**
   * Released bytes from `offset`: so many of the `length` as one read gives.
   *
   * @throws {EnvironmentError} when they cannot be read any more.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    if (this.#reader === null) throw new RangeError("Cannot read: nothing is here yet");
    const { first, count } = runOf(offset, length);
    const skip = offset - first * CHUNK_BYTES;
    const isLittle = length <= CHUNK_BYTES / 2;
    const buffer = isLittle ? this.#littleBuffer : new Uint8Array(count * CHUNK_BYTES);
    const bytes = this.#reader.readRun({ first, count }, buffer, 0);
    const end = Math.min(bytes, skip + length);
    return isLittle ? buffer.slice(skip, end) : buffer.subarray(skip, end);
  }

  /** For reads of so little that whole chunks are not to be kept for it: two of them at most. */
  get #littleBuffer(): Uint8Array<ArrayBuffer> {
    return this.#little ??= new Uint8Array(2 * CHUNK_BYTES);
  }
}

/** The chunks of one read. */
function runOf(offset: number, length: number): ChunkRange {
  const first = Math.floor(offset / CHUNK_BYTES);
  const count = Math.ceil((offset + length) / CHUNK_BYTES) - first;
  return { first, count: Math.min(limits.requestChunksMax, count) };
}
