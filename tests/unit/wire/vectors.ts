/**
 * The golden vectors of tests/vectors/wire_frames.json: one frame a message, made by the encoder in
 * Python beside them. Raw bytes stand there as `{ "hex": "..." }`.
 */

import frames from "../../vectors/wire_frames.json" with { type: "json" };
import { concatBytes, fromHex } from "../../../src/base/bytes.ts";
import {
  CHUNKS_HEADER_BYTES,
  DATA_HEADER_BYTES,
  encodeFrame,
  writeChunksHeader,
  writeDataHeader,
} from "../../../src/wire/codec.ts";
import type { FrameKind } from "../../../src/wire/framer.ts";
import type { Message } from "../../../src/wire/messages.ts";

/** A frame that carries file bytes: no message of the codec. */
export type FileFrame =
  | { readonly kind: "chunks"; readonly first: number; readonly data: Uint8Array }
  | { readonly kind: "data"; readonly offset: number; readonly data: Uint8Array };

/** One golden frame and what it says. */
export interface WireVector {
  readonly kind: FrameKind;
  readonly message: Message | FileFrame;
  readonly frame: Uint8Array<ArrayBuffer>;
}

/** All golden frames. */
export const wireVectors: readonly WireVector[] = frames.map(({ message, hex }) => ({
  kind: message.kind as FrameKind,
  message: revive(message) as Message | FileFrame,
  frame: fromHex(hex),
}));

/** Whether a vector is for the codec, and not for the data path. */
export function isMessage(message: Message | FileFrame): message is Message {
  return message.kind !== "chunks" && message.kind !== "data";
}

/** The frame that this program makes of what a vector says. */
export function frameOf(message: Message | FileFrame): Uint8Array {
  if (isMessage(message)) return encodeFrame(message);
  if (message.kind === "chunks") {
    const header = new Uint8Array(CHUNKS_HEADER_BYTES);
    writeChunksHeader(header, message.first, message.data.length);
    return concatBytes([header, message.data]);
  }
  const header = new Uint8Array(DATA_HEADER_BYTES);
  writeDataHeader(header, message.offset, message.data.length);
  return concatBytes([header, message.data]);
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "hex") return fromHex(entries[0]![1]);
  return Object.fromEntries(entries.map(([key, one]) => [key, revive(one)]));
}
