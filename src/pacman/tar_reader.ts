/**
 * Reads a tar archive as it comes, piece by piece: ustar, with the headers of pax and GNU that give
 * longer names and sizes. For databases of repositories, so it knows files and nothing else: no
 * links, no sparse files, and it writes nothing.
 *
 * Own code, because what there is brings a dozen packages along for another runtime, and does not
 * say whether an archive ended or was cut off.
 */

import { limits } from "../base/limits.ts";

const BLOCK_BYTES = 512;

/** Takes what an archive holds. */
interface TarSink {
  /**
   * An entry begins: whether its content is to be kept together for {@linkcode content}.
   *
   * @throws {Error} when it must not be taken.
   */
  wants(name: string, sizeBytes: number): boolean;
  /** All of an entry that was wanted; valid until it returns. */
  content(name: string, bytes: Uint8Array): void;
}

/** What the bytes that come next are. */
type State =
  | { readonly kind: "header" }
  | { readonly kind: "skip"; left: number }
  | { readonly kind: "content"; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: "extension"; readonly type: string; readonly sizeBytes: number };

const HEADER: State = { kind: "header" };

/** A push parser of one archive. */
export class TarReader {
  readonly #sink: TarSink;
  #state: State = HEADER;
  #hasEnded = false;
  /** What is gathered of a header, an extension or an entry that is wanted. */
  #held = new Uint8Array(BLOCK_BYTES);
  #heldBytes = 0;
  #longName: string | undefined;
  #longSize: number | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /**
   * Takes the next bytes of the archive. What comes after its end is not looked at.
   *
   * @throws {Error} in words for people, when they are no part of an archive.
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#hasEnded) {
      const state = this.#state;
      if (state.kind === "skip") {
        const count = Math.min(state.left, bytes.length - at);
        state.left -= count;
        at += count;
        if (state.left === 0) this.#state = HEADER;
        continue;
      }
      const needed = state.kind === "header" ? BLOCK_BYTES : padded(state.sizeBytes);
      const count = Math.min(needed - this.#heldBytes, bytes.length - at);
      this.#hold(bytes.subarray(at, at + count), needed);
      at += count;
      if (this.#heldBytes < needed) return;
      this.#heldBytes = 0;
      this.#take(state);
    }
  }

  /**
   * Says that there are no more bytes.
   *
   * @throws {Error} when the archive has not ended: the rest of it is missing.
   */
  end(): void {
    if (!this.#hasEnded) throw new Error("it is cut off: the archive has no end");
  }

  #hold(bytes: Uint8Array, needed: number): void {
    if (this.#held.length < needed) {
      const held = new Uint8Array(needed);
      held.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = held;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes += bytes.length;
  }

  #take(state: Exclude<State, { kind: "skip" }>): void {
    this.#state = HEADER;
    if (state.kind === "header") return this.#header(this.#held.subarray(0, BLOCK_BYTES));
    const bytes = this.#held.subarray(0, state.sizeBytes);
    if (state.kind === "extension") this.#extension(state.type, bytes);
    else this.#sink.content(state.name, bytes);
  }

  #header(block: Uint8Array): void {
    if (block.every((byte) => byte === 0)) {
      this.#hasEnded = true;
      return;
    }
    checkSum(block);
    const type = String.fromCharCode(block[156]!);
    const ownSize = numberField(block.subarray(124, 136));
    if (type === "x" || type === "L") return this.#beginExtension(type, ownSize);
    // Links, directories and devices have no content, whatever their size says.
    const isFile = type === "0" || type === "\0" || type === "7";
    const hasContent = isFile || !"123456".includes(type);
    const name = this.#longName ?? shortName(block);
    const sizeBytes = hasContent ? this.#longSize ?? ownSize : 0;
    // What a global header says (g), or the long name of a link's target (K), is for the next one.
    if (type !== "g" && type !== "K") this.#longName = this.#longSize = undefined;
    if (isFile && this.#sink.wants(name, sizeBytes)) {
      this.#state = { kind: "content", name, sizeBytes };
      if (sizeBytes === 0) this.#take(this.#state);
    } else if (sizeBytes > 0) this.#state = { kind: "skip", left: padded(sizeBytes) };
  }

  #beginExtension(type: string, sizeBytes: number): void {
    if (sizeBytes > limits.syncHeaderBytesMax) {
      throw new Error(`a header has ${sizeBytes} bytes, at most ${limits.syncHeaderBytesMax}`);
    }
    if (sizeBytes > 0) this.#state = { kind: "extension", type, sizeBytes };
  }

  #extension(type: string, bytes: Uint8Array): void {
    if (type === "L") {
      this.#longName = textField(bytes);
      return;
    }
    for (const [key, value] of paxRecords(bytes)) {
      if (key === "path") this.#longName = value;
      else if (key === "size") this.#longSize = decimal(value);
    }
  }
}

/** The content of an entry with what fills up its last block. */
function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** The sum of a header's bytes, with blanks in the place of the sum itself. */
function checkSum(block: Uint8Array): void {
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 0x20 : block[i]!;
  const digits = textField(block.subarray(148, 156)).trim();
  if (!/^[0-7]+$/.test(digits) || sum !== Number.parseInt(digits, 8)) {
    throw new Error("it is no tar archive, or a damaged one: the checksum of a header is wrong");
  }
}

/** Octal digits, or with the first bit set a big-endian number, as GNU writes big ones. */
function numberField(field: Uint8Array): number {
  let value = 0;
  if ((field[0]! & 0x80) !== 0) {
    value = field[0]! & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const digits = textField(field).trim();
    if (!/^[0-7]*$/.test(digits)) throw new Error("a header is damaged: a number is none");
    value = Number.parseInt(digits || "0", 8);
  }
  if (!Number.isSafeInteger(value)) throw new Error("a header is damaged: a number is too big");
  return value;
}

function shortName(block: Uint8Array): string {
  const name = textField(block.subarray(0, 100));
  // Old GNU archives have other things where ustar has the first part of a long name.
  const isUstar = textField(block.subarray(257, 263)) === "ustar";
  const prefix = isUstar ? textField(block.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function textField(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** The records of a pax header: "LENGTH KEY=VALUE\n", the length in bytes and including itself. */
function* paxRecords(bytes: Uint8Array): Generator<[key: string, value: string]> {
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at);
    const length = blank < 0 ? 0 : decimal(new TextDecoder().decode(bytes.subarray(at, blank)));
    const end = at + length;
    if (end <= blank + 1 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw new Error("a header is damaged: a pax record has a wrong length");
    }
    const record = new TextDecoder().decode(bytes.subarray(blank + 1, end - 1));
    const equals = record.indexOf("=");
    if (equals > 0) yield [record.slice(0, equals), record.slice(equals + 1)];
    at = end;
  }
}

function decimal(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw new Error("a header is damaged: a number is none");
  return value;
}
