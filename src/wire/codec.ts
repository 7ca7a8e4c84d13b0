/**
 * Messages to frames and back. A frame is a u32 length (of what follows the kind byte), a u8 kind
 * and the payload, all big-endian. The incremental side is in `framer.ts`.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { PeerFault } from "../base/errors.ts";
import { CHUNK_BYTES } from "../base/geometry.ts";
import { limits } from "../base/limits.ts";
import type { Field } from "./fields.ts";
import { CHUNKS_CODE, DATA_CODE, type Message, type MessageKind, MESSAGES } from "./messages.ts";

const byCode = new Map<number, { readonly kind: MessageKind; readonly fields: Field<unknown> }>();
const caps = new Uint32Array(256);
for (const [kind, { code, fields }] of Object.entries(MESSAGES)) {
  byCode.set(code, { kind: kind as MessageKind, fields: fields as Field<unknown> });
  caps[code] = fields.bytesMax;
}
caps[CHUNKS_CODE] = 4 + limits.requestChunksMax * CHUNK_BYTES;
caps[DATA_CODE] = 8 + limits.dataBytesMax;

/**
 * The most payload bytes that a frame of this kind may have.
 *
 * @throws {PeerFault} when no message has this kind.
 */
export function payloadBytesMax(code: number): number {
  if (!byCode.has(code) && code !== CHUNKS_CODE && code !== DATA_CODE) {
    throw new PeerFault("malformed", `Cannot read frame: no message has kind ${code}`);
  }
  return caps[code]!;
}

/** The whole frame of a message, header included. */
export function encodeFrame(message: Message): Uint8Array<ArrayBuffer> {
  const { code, fields } = MESSAGES[message.kind];
  const writer = new ByteWriter();
  writer.u32(0);
  writer.u8(code);
  (fields as Field<unknown>).write(writer, message);
  writer.setU32(0, writer.length - limits.frameHeaderBytes);
  return writer.done();
}

/**
 * The message of one payload.
 *
 * @throws {PeerFault} when the kind is not known, a field is out of its bounds, or bytes are left.
 */
export function decodePayload(code: number, payload: Uint8Array): Message {
  const definition = byCode.get(code);
  if (definition === undefined) {
    throw new PeerFault("malformed", `Cannot read frame: no message has kind ${code}`);
  }
  const reader = new ByteReader(payload);
  const values = definition.fields.read(reader) as Record<string, unknown>;
  reader.end();
  values["kind"] = definition.kind;
  return values as unknown as Message;
}

/** Writes the header of a CHUNKS frame for `byteLength` bytes of chunks from chunk `first`. */
export function writeChunksHeader(frame: Uint8Array, first: number, byteLength: number): void {
  writeHeader(frame, CHUNKS_CODE, 4 + byteLength);
  new DataView(frame.buffer, frame.byteOffset).setUint32(limits.frameHeaderBytes, first);
}

/** Bytes before the file data of a CHUNKS frame. */
export const CHUNKS_HEADER_BYTES = limits.frameHeaderBytes + 4;

/** Writes the header of a DATA frame for `byteLength` bytes at `offset` of the file. */
export function writeDataHeader(frame: Uint8Array, offset: number, byteLength: number): void {
  writeHeader(frame, DATA_CODE, 8 + byteLength);
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint32(limits.frameHeaderBytes, Math.floor(offset / 0x1_0000_0000));
  view.setUint32(limits.frameHeaderBytes + 4, offset % 0x1_0000_0000);
}

/** Bytes before the file data of a DATA frame. */
export const DATA_HEADER_BYTES = limits.frameHeaderBytes + 8;

function writeHeader(frame: Uint8Array, code: number, payloadBytes: number): void {
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, payloadBytes);
  frame[4] = code;
}
