/**
 * What of a file is wanted of its mirrors, and how far that has come. It is read in order: from its
 * first byte or from the chunk that somebody waits for, up to its end or to that of the range that
 * is wanted. Who gives it is not known here.
 */

import { CHUNK_BYTES, chunkCount, type ChunkRange, failureOutside } from "../../base/geometry.ts";
import type { ByteRange } from "../../http/resumable_read.ts";

/** The way through one file. */
export class MirrorSpan {
  readonly #chunks: ChunkRange | null;
  /** The first byte that is wanted. */
  readonly start: number;
  /** How many bytes from there on are to be read for now. */
  readTo = 0;
  #sizeBytes: number | null = null;
  /** Whether the size was told since it began. */
  #isOpen = false;
  #isWhole = false;
  /** The next byte to write. */
  #position: number;
  /** Chunks before this one were told. */
  #nextChunk: number;

  /** `chunks` are those that are wanted; null: all, of which `from` is the first byte awaited. */
  constructor(chunks: ChunkRange | null, from: number) {
    this.#chunks = chunks;
    this.#nextChunk = chunks?.first ?? Math.floor(from / CHUNK_BYTES);
    this.#position = this.start = this.#nextChunk * CHUNK_BYTES;
  }

  /** Bytes of the file, once a mirror said it. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether all that is wanted is here. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get position(): number {
    return this.#position;
  }

  /** Bytes from the first that is wanted on that are here. */
  get bytes(): number {
    return this.#position - this.start;
  }

  /** Bytes that are still to come; null while that is not known. */
  get bytesLeft(): number | null {
    const end = this.#lastByte;
    return end === null ? null : end - this.#position;
  }

  /** The byte behind the last that is wanted at all; null while that is not known. */
  get end(): number | null {
    return this.#lastByte ?? this.#endOfChunks;
  }

  /** The byte behind the last that is to be read for now. */
  get wantedTo(): number {
    return this.start + this.readTo;
  }

  /** Whether more is to be read for now. */
  get isWanting(): boolean {
    return !this.#isWhole && this.bytes < this.readTo;
  }

  /** The first chunk that is wanted. */
  get firstChunk(): number {
    return this.start / CHUNK_BYTES;
  }

  /** The chunk behind the last one that was told. */
  get nextChunk(): number {
    return this.#nextChunk;
  }

  /** The chunk behind the last one that came whole, whether that was told or not. */
  get wholeTo(): number {
    return this.#position === this.#sizeBytes
      ? chunkCount(this.#position)
      : Math.floor(this.#position / CHUNK_BYTES);
  }

  /** Whether it is the end of a file of which the beginning is not wanted. */
  get isTail(): boolean {
    return this.start > 0 && this.#chunks === null;
  }

  /**
   * The file is known to be so long.
   *
   * @throws {FetchFailure} when it has not the chunks that are wanted.
   */
  open(sizeBytes: number): void {
    const outside = this.#chunks === null ? undefined : failureOutside(this.#chunks, sizeBytes);
    if (outside !== undefined) throw outside;
    this.#sizeBytes = sizeBytes;
    this.#position = Math.max(this.start, Math.min(this.#position, sizeBytes));
    this.#isOpen = true;
  }

  /** All before `position` is here. */
  reach(position: number): void {
    this.#position = position;
  }

  /** The chunks that are whole and were not told yet; they are now. Undefined when there are none. */
  newChunks(): ChunkRange | undefined {
    const end = this.wholeTo;
    const first = this.#nextChunk;
    if (end <= first) return undefined;
    this.#nextChunk = end;
    return { first, count: end - first };
  }

  /** Whether its end is reached, and was not before. */
  endsNow(): boolean {
    const lastByte = this.#lastByte;
    if (this.#isWhole || lastByte === null || this.#position < lastByte) return false;
    this.#isWhole = true;
    return true;
  }

  /** What to ask for next, up to where it is wanted. */
  nextRange(): ByteRange {
    const offset = this.#position;
    const last = this.end;
    const end = last === null || this.wantedTo < last ? this.wantedTo : last;
    return end === Infinity || end === this.#sizeBytes ? { offset } : { offset, end };
  }

  /** Begins again, with the same file. */
  restart(): void {
    this.#isOpen = false;
    this.#position = this.start;
    this.#nextChunk = this.firstChunk;
  }

  /** Begins again, with a file of which nothing is known. */
  forget(): void {
    this.#isWhole = false;
    this.#sizeBytes = null;
    this.restart();
  }

  /** The byte behind the last that is wanted; null while that is not known. */
  get #lastByte(): number | null {
    if (this.#sizeBytes === null) return null;
    return Math.min(this.#endOfChunks ?? this.#sizeBytes, this.#sizeBytes);
  }

  get #endOfChunks(): number | null {
    const chunks = this.#chunks;
    return chunks === null ? null : (chunks.first + chunks.count) * CHUNK_BYTES;
  }
}
