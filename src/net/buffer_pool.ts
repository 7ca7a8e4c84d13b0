/**
 * Send buffers, above all of one frame of chunks each. A connection holds one while it has data to send
 * and gives it back when it has none, so that a thousand idle requesters cost no buffers.
 */

import { CHUNK_BYTES } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import { DATA_HEADER_BYTES } from "../wire/codec.ts";

/** Bytes of a send buffer: the larger header and a full run of chunks. */
export const SEND_BUFFER_BYTES = DATA_HEADER_BYTES + limits.requestChunksMax * CHUNK_BYTES;

/** Buffers of one size that are used again; the content of one is whatever was there. */
export class BufferPool {
  readonly #bytes: number;
  readonly #idle: Uint8Array<ArrayBuffer>[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#idle.pop() ?? new Uint8Array(this.#bytes);
  }

  /** Gives a buffer back; it must not be used any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#idle.length < limits.sendBuffersKept) this.#idle.push(buffer);
  }
}

/** The send buffers of all connections. */
export const sendBuffers = new BufferPool(SEND_BUFFER_BYTES);
