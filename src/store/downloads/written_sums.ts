/**
 * A checksum of each chunk that was written of a file whose leaves nobody knows yet, so that nobody is
 * given what rotted on the disk meanwhile. Against rot, not against liars: CRC-32 finds it and costs
 * 0.4 µs a chunk. Once the file is one of the store, its leaves take over.
 */

import { crc32 } from "node:zlib";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

/** Chunks for which there is room at first: 1 MiB of data. */
const CHUNKS_AT_FIRST = 64;

/** The checksums of one file. */
export class WrittenSums {
  #sums = new Uint32Array(CHUNKS_AT_FIRST);
  /** By chunk, how many bytes from its beginning the sum is of; 0 where there is none. */
  #bytes = new Uint16Array(CHUNKS_AT_FIRST);

  /** Takes bytes that were written. A chunk of which parts came out of order has no sum. */
  written(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const chunk = Math.floor((offset + at) / CHUNK_BYTES);
      const from = (offset + at) % CHUNK_BYTES;
      const part = bytes.subarray(at, at + CHUNK_BYTES - from);
      at += part.length;
      if (!this.#hasRoom(chunk)) return;
      if (from === 0) this.#set(chunk, crc32(part), part.length);
      else if (this.#bytes[chunk] === from) {
        this.#set(chunk, crc32(part, this.#sums[chunk]!), from + part.length);
      } else this.#bytes[chunk] = 0;
    }
  }

  /** The first of the chunks from `first` on in `data` that is not what was written. */
  wrongChunk(first: number, data: Uint8Array): number | undefined {
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      const chunk = first + at / CHUNK_BYTES;
      const part = data.subarray(at, at + CHUNK_BYTES);
      if (this.#bytes[chunk] === part.length && crc32(part) !== this.#sums[chunk]) return chunk;
    }
    return undefined;
  }

  /** What comes from now on is another file. */
  restart(): void {
    this.#bytes.fill(0);
  }

  #set(chunk: number, sum: number, bytes: number): void {
    this.#sums[chunk] = sum;
    this.#bytes[chunk] = bytes;
  }

  #hasRoom(chunk: number): boolean {
    if (chunk >= limits.summedChunksMax) return false;
    if (chunk < this.#sums.length) return true;
    const length = Math.min(limits.summedChunksMax, Math.max(chunk + 1, 2 * this.#sums.length));
    const sums = new Uint32Array(length), bytes = new Uint16Array(length);
    sums.set(this.#sums);
    bytes.set(this.#bytes);
    this.#sums = sums;
    this.#bytes = bytes;
    return true;
  }
}
