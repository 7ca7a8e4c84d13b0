/**
 * Send buffers of one frame of chunks each. A connection holds one while it has data to send and
 * gives it back when it has none, so that a thousand idle requesters cost no buffers.
 */

import { CHUNK_BYTES } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import { DATA_HEADER_BYTES } from "../wire/codec.ts";

/** Bytes of a send buffer: the larger header and a full run of chunks. */
export const SEND_BUFFER_BYTES = DATA_HEADER_BYTES + limits.requestChunksMax * CHUNK_BYTES;

const idle: Uint8Array<ArrayBuffer>[] = [];

/** A buffer of {@linkcode SEND_BUFFER_BYTES}; its content is whatever was there. */
export function takeSendBuffer(): Uint8Array<ArrayBuffer> {
  return idle.pop() ?? new Uint8Array(SEND_BUFFER_BYTES);
}

/** Gives a buffer back; it must not be used any more. */
export function giveSendBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (idle.length < limits.sendBuffersKept) idle.push(buffer);
}
