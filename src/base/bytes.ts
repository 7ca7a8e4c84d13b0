/**
 * Cursors over byte arrays: big-endian reading and writing with every bound checked.
 *
 * They know nothing of messages; `src/wire/fields.ts` builds the codec on them.
 */

import { PeerFault } from "./errors.ts";
import { limits } from "./limits.ts";

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Codes below are ASCII, in UTF-8 one byte each. */
const ASCII_END = 0x80;

/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * Bytes of a hexadecimal string of even length.
 *
 * @throws {RangeError} when a character is not a hexadecimal digit or the length is odd.
 */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromHex(hex);
  } catch (cause) {
    throw badHex(hex, cause);
  }
}

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return utf8Encoder.encode(text);
}

/** What takes the place of the end of a text that was too long. */
const ELLIPSIS = "…";
const ELLIPSIS_BYTES = utf8(ELLIPSIS).length;

/** A text of at most `bytesMax` bytes of UTF-8, its end replaced by "…" if need be. */
export function clippedText(text: string, bytesMax: number): string {
  const wellFormed = text.toWellFormed();
  const { read } = utf8Encoder.encodeInto(wellFormed, new Uint8Array(bytesMax));
  if (read === wellFormed.length) return wellFormed;
  const room = new Uint8Array(bytesMax - ELLIPSIS_BYTES);
  return wellFormed.slice(0, utf8Encoder.encodeInto(wellFormed, room).read) + ELLIPSIS;
}

/** One array holding `parts` end to end. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Reads big-endian values from one payload; a read past its end is the sender's fault. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** An unsigned 64-bit value; one above 2^53 - 1 is refused, for it would lose digits. */
  u64(): number {
    const offset = this.#take(8);
    const high = this.#view.getUint32(offset);
    if (high > 0x1fffff) {
      throw new PeerFault("malformed", "Cannot read u64: value exceeds 2^53 - 1");
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(offset + 4);
  }

  /** A view of the next `length` bytes: valid only as long as the payload is. */
  view(length: number): Uint8Array {
    const offset = this.#take(length);
    return this.#bytes.subarray(offset, offset + length);
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const offset = this.#take(length);
    return this.#bytes.slice(offset, offset + length) as Uint8Array<ArrayBuffer>;
  }

  /** The next `length` bytes as UTF-8 text; bytes that are not UTF-8 are refused. */
  text(length: number): string {
    const bytes = this.view(length);
    // Names and hosts are short and ASCII: the decoder takes longer to be called than this.
    if (length <= limits.shortTextBytesMax && isAscii(bytes)) {
      return String.fromCharCode.apply(null, bytes as unknown as number[]);
    }
    try {
      return utf8Decoder.decode(bytes);
    } catch (cause) {
      if (cause instanceof PeerFault) throw cause;
      throw new PeerFault("malformed", "Cannot read text: not valid UTF-8", { cause });
    }
  }

  /** @throws {PeerFault} when bytes are left: a message has no tail. */
  end(): void {
    if (this.left > 0) {
      throw new PeerFault("malformed", `Cannot read message: ${this.left} trailing bytes`);
    }
  }

  #take(length: number): number {
    const offset = this.#offset;
    if (length > this.#bytes.length - offset) {
      throw new PeerFault(
        "malformed",
        `Cannot read message: needs ${length} bytes at ${offset}, has ${this.left}`,
      );
    }
    this.#offset = offset + length;
    return offset;
  }
}

/** Writes big-endian values into a growing array. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    // Growing replaces the view: it must come first.
    const offset = this.#grow(1);
    this.#view.setUint8(offset, checked(value, 0xff));
  }

  u16(value: number): void {
    const offset = this.#grow(2);
    this.#view.setUint16(offset, checked(value, 0xffff));
  }

  u32(value: number): void {
    const offset = this.#grow(4);
    this.#view.setUint32(offset, checked(value, 0xffff_ffff));
  }

  u64(value: number): void {
    checked(value, Number.MAX_SAFE_INTEGER);
    const offset = this.#grow(8);
    this.#view.setUint32(offset, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(offset + 4, value % 0x1_0000_0000);
  }

  bytes(value: Uint8Array): void {
    const offset = this.#grow(value.length);
    this.#bytes.set(value, offset);
  }

  /**
   * The bytes that `hex` stands for.
   *
   * @throws {RangeError} as `fromHex` does.
   */
  hex(hex: string): void {
    const offset = this.#grow(hex.length >> 1);
    try {
      this.#bytes.subarray(offset, this.#length).setFromHex(hex);
    } catch (cause) {
      throw badHex(hex, cause);
    }
  }

  /** `value` as UTF-8; gives how many bytes that were. */
  text(value: string): number {
    const offset = this.#grow(value.length);
    const bytes = this.#bytes;
    let bits = 0;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      bits |= code;
      bytes[offset + i] = code;
    }
    if (bits < ASCII_END) return value.length;
    this.#length = offset;
    const encoded = utf8(value);
    this.bytes(encoded);
    return encoded.length;
  }

  /** Overwrites the u16 at `offset`, which must have been written before. */
  setU16(offset: number, value: number): void {
    this.#view.setUint16(offset, checked(value, 0xffff));
  }

  /** Overwrites the u32 at `offset`, which must have been written before. */
  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, checked(value, 0xffff_ffff));
  }

  /** A view of what was written; writing more may detach it from the writer. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room; `#bytes` and `#view` may be others afterwards, so it must come first. */
  #grow(length: number): number {
    const offset = this.#length;
    const needed = offset + length;
    if (needed > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      bigger.set(this.#bytes.subarray(0, offset));
      this.#bytes = bigger;
      this.#view = new DataView(bigger.buffer);
    }
    this.#length = needed;
    return offset;
  }
}

function checked(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`Cannot write integer: ${value} is not between 0 and ${max}`);
  }
  return value;
}

function isAscii(bytes: Uint8Array): boolean {
  let bits = 0;
  for (let i = 0; i < bytes.length; i++) bits |= bytes[i]!;
  return bits < ASCII_END;
}

function badHex(hex: string, cause: unknown): RangeError {
  return new RangeError(`Cannot read hexadecimal: ${JSON.stringify(hex.slice(0, 80))}`, { cause });
}
