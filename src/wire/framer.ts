/**
 * Bytes to frames, in place: the reader fills the framer's own buffer, frames are views into it.
 *
 * Every length is held against the cap of its kind, and the kind against what the connection may
 * receive in its present state, before a single byte of payload is waited for. The buffer grows
 * to the frame that is announced, never beyond the largest cap. Gates say which frames a connection takes
 * in its present state; they look at the header alone.
 */

import { PeerFault } from "../base/errors.ts";
import { payloadBytesMax } from "./codec.ts";
import { CHUNKS_CODE, DATA_CODE, type MessageKind, MESSAGES } from "./messages.ts";
import { limits } from "../base/limits.ts";

/** A frame, or the part of one that has arrived. */
export interface Frame {
  /** The kind byte. */
  readonly code: number;
  /** A view into the framer's buffer, valid until its next `writable` or `reserve`. */
  readonly payload: Uint8Array;
  /** Payload bytes that the whole frame has. */
  readonly payloadBytes: number;
}

/** Decides whether a frame of this kind and size may come now; throws if not. */
export type FrameGate = (code: number, payloadBytes: number) => void;

const HEADER = limits.frameHeaderBytes;

/** Incremental parser of one connection's incoming bytes. */
export class Framer {
  #buffer: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;
  /** Payload length of the frame at `#start`, once its header has passed; -1 before. */
  #payloadBytes = -1;
  /** Decides which frames may come. */
  gate: FrameGate;

  constructor(options: { readonly bufferBytes?: number; readonly gate?: FrameGate } = {}) {
    this.#buffer = new Uint8Array(options.bufferBytes ?? limits.idleReadBytes);
    this.gate = options.gate ?? (() => {});
  }

  /** Bytes of memory held. */
  get bufferBytes(): number {
    return this.#buffer.length;
  }

  /** Bytes that arrived and are not consumed. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /**
   * Makes the buffer at least `bytes` long: a transfer holds all that is in flight, so that a
   * read is never cut short by its end.
   */
  reserve(bytes: number): void {
    if (this.#buffer.length < bytes) this.#moveTo(new Uint8Array(bytes));
  }

  /** Where the next bytes go: never empty. Views of earlier frames become invalid. */
  writable(): Uint8Array<ArrayBuffer> {
    const needed = Math.max(HEADER, HEADER + this.#payloadBytes);
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
    } else if (
      this.#start + needed > this.#buffer.length || this.#end === this.#buffer.length
    ) {
      if (needed > this.#buffer.length) this.#moveTo(new Uint8Array(needed));
      else {
        this.#buffer.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
    }
    if (needed > this.#buffer.length) this.#moveTo(new Uint8Array(needed));
    return this.#buffer.subarray(this.#end);
  }

  /** Says that `length` bytes were put at the start of the last `writable` view. */
  commit(length: number): void {
    this.#end += length;
  }

  /**
   * The next whole frame, consumed; null when more bytes are needed.
   *
   * @throws {PeerFault} when a header breaks a cap or the gate refuses it.
   */
  next(): Frame | null {
    const frame = this.peek();
    if (frame === null || frame.payload.length < frame.payloadBytes) return null;
    this.#start += HEADER + frame.payloadBytes;
    this.#payloadBytes = -1;
    return frame;
  }

  /** The frame at the front as far as it has arrived, not consumed; null before its header. */
  peek(): Frame | null {
    const available = this.#end - this.#start;
    if (available < HEADER) return null;
    const code = this.#buffer[this.#start + 4]!;
    if (this.#payloadBytes < 0) this.#payloadBytes = this.#checkHeader(code);
    const from = this.#start + HEADER;
    const arrived = Math.min(available - HEADER, this.#payloadBytes);
    return {
      code,
      payload: this.#buffer.subarray(from, from + arrived),
      payloadBytes: this.#payloadBytes,
    };
  }

  #checkHeader(code: number): number {
    const b = this.#buffer, s = this.#start;
    const length = (b[s]! << 24 | b[s + 1]! << 16 | b[s + 2]! << 8 | b[s + 3]!) >>> 0;
    // Four printable characters are a length far over every cap: said in words that help.
    if (b.subarray(s, s + 4).every((byte) => byte >= 0x20 && byte < 0x7f)) {
      throw new PeerFault(
        "malformed",
        "Cannot read frame: the other side sends text, as HTTP does, and is no pacsrv",
      );
    }
    const lengthMax = payloadBytesMax(code);
    if (length > lengthMax) {
      throw new PeerFault(
        "oversized",
        `Cannot read frame of kind ${code}: length ${length} exceeds ${lengthMax}`,
      );
    }
    this.gate(code, length);
    return length;
  }

  #moveTo(buffer: Uint8Array<ArrayBuffer>): void {
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = buffer;
  }
}

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
