// Frames that the codec refuses to write: for peers that do not keep to it.

import { concatBytes, utf8 } from "../../../src/base/bytes.ts";
import { limits } from "../../../src/base/limits.ts";
import { encodeFrame } from "../../../src/wire/codec.ts";
import type { Message } from "../../../src/wire/messages.ts";

/**
 * The frame of `message` with other bytes in place of one text (u16 length, then UTF-8), which
 * must be `standIn` in the message and occur once.
 */
export function frameWithText(message: Message, standIn: string, bytes: Uint8Array): Uint8Array {
  const frame = encodeFrame(message);
  const at = indexOf(frame, textField(utf8(standIn)));
  if (at < 0) throw new Error(`No text ${JSON.stringify(standIn)} in ${message.kind}`);
  const rest = frame.subarray(at + 2 + utf8(standIn).length);
  const changed = concatBytes([frame.subarray(0, at), textField(bytes), rest]);
  new DataView(changed.buffer).setUint32(0, changed.length - limits.frameHeaderBytes);
  return changed;
}

function textField(bytes: Uint8Array): Uint8Array {
  return concatBytes([new Uint8Array([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
