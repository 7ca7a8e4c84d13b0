/**
 * Which frames a connection takes in its present state. A gate looks at the header alone, so what
 * has no place there is refused before a byte of its payload is waited for, or room made for it.
 */

import { PeerFault } from "../base/errors.ts";
import { payloadBytesMax } from "./codec.ts";
import type { FrameGate } from "./framer.ts";
import { CHUNKS_CODE, DATA_CODE, type MessageKind, MESSAGES } from "./messages.ts";

/** What a frame can be: a message, or one of the two kinds that carry file bytes. */
export type FrameKind = MessageKind | "chunks" | "data";

/** The kind byte of frames of this kind. */
export function codeOf(kind: FrameKind): number {
  switch (kind) {
    case "chunks":
      return CHUNKS_CODE;
    case "data":
      return DATA_CODE;
    default:
      return MESSAGES[kind].code;
  }
}

/**
 * A gate for `kinds` alone, each up to its own cap, and up to `bytesMax` if that is less. `what`
 * begins the message of the fault that all else is: "Cannot shake hands".
 */
export function onlyKinds(
  what: string,
  kinds: readonly FrameKind[],
  options: { readonly bytesMax?: number } = {},
): FrameGate {
  const caps = new Map(kinds.map((kind) => {
    const code = codeOf(kind);
    return [code, Math.min(payloadBytesMax(code), options.bytesMax ?? Infinity)];
  }));
  return (code, payloadBytes) => {
    const cap = caps.get(code);
    if (cap === undefined) {
      throw new PeerFault("unexpected", `${what}: a frame of kind ${code} has no place here`);
    }
    if (payloadBytes > cap) {
      throw new PeerFault("oversized", `${what}: length ${payloadBytes} exceeds ${cap}`);
    }
  };
}
