/**
 * A stream under a network key: after a Noise handshake (`noise.ts`) all bytes go in sealed records.
 *
 *     record   length u16, of what follows; then sealed: dataLength u16, data, padding of zeros
 *
 * What is sealed has a multiple of `recordPadBytes`, so that the length of a name cannot be read off
 * the wire. Records are sealed and opened in runs: one write, and as many opened as one read brought.
 */

import { createHmac } from "node:crypto";
import type { HostPort } from "../base/address.ts";
import { utf8 } from "../base/bytes.ts";
import { EnvironmentError, PeerFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { MESSAGES, NODE_MAGIC } from "../wire/messages.ts";
import { BufferPool } from "./buffer_pool.ts";
import {
  freeBytes,
  KEY_BYTES,
  NoiseHandshake,
  type NoiseKeys,
  type NoiseRole,
  TAG_BYTES,
} from "./noise.ts";
import { type Duplex, readExactly, writeAll } from "./transport.ts";

/** What both sides must agree on before all else. */
const PROLOGUE = utf8("pacsrv 1");
/** Bytes of each of the two messages of the handshake: a public key, and the tag of nothing. */
const GREETING_BYTES = KEY_BYTES + TAG_BYTES;
const LENGTH_BYTES = 2;
const PAD_BYTES = limits.recordPadBytes;
const PADDING = new Uint8Array(PAD_BYTES);
/** What is sealed in the biggest record, and how much of it can be data. */
const RECORD_SEALED_BYTES = Math.floor((limits.noiseMessageBytesMax - TAG_BYTES) / PAD_BYTES) *
  PAD_BYTES;
const RECORD_DATA_BYTES = RECORD_SEALED_BYTES - LENGTH_BYTES;
const RECORD_BYTES = LENGTH_BYTES + RECORD_SEALED_BYTES + TAG_BYTES;
/** Data that is sealed for one write. */
const WRITE_BYTES = limits.recordsPerWrite * RECORD_DATA_BYTES;
/** Buffers for the records of one write. */
const buffers = new BufferPool(limits.recordsPerWrite * RECORD_BYTES);

/** A stream whose bytes are sealed, and the network key that both sides know. */
export interface Secured {
  readonly duplex: Duplex;
  readonly key: Uint8Array;
}

/**
 * Opens a stream with who accepted it, under the first of `keys`.
 *
 * @throws {EnvironmentError} when the other side closes it: it has another key, or none.
 * @throws {PeerFault} when what it answers was not made with the key.
 */
export async function secureAsInitiator(
  duplex: Duplex,
  keys: readonly Uint8Array[],
  random: Random,
): Promise<Secured> {
  const key = keys[0]!;
  const noise = handshake("initiator", key, random);
  await writeAll(duplex, noise.write());
  noise.read(await readExactly(duplex, GREETING_BYTES));
  return { duplex: new SecureDuplex(duplex, noise.split()), key };
}

/**
 * Answers who opened a stream, under whichever of `keys` it used. Who used none gets no byte.
 *
 * @throws {EnvironmentError} when the other side closes it.
 * @throws {PeerFault} "wrong-key" when it knows none of the keys.
 */
export async function secureAsResponder(
  duplex: Duplex,
  keys: readonly Uint8Array[],
  random: Random,
): Promise<Secured> {
  const greeting = await readExactly(duplex, GREETING_BYTES);
  for (const key of keys) {
    const noise = handshake("responder", key, random);
    try {
      noise.read(greeting);
    } catch (error) {
      if (error instanceof PeerFault) continue;
      throw error;
    }
    await writeAll(duplex, noise.write());
    return { duplex: new SecureDuplex(duplex, noise.split()), key };
  }
  throw new PeerFault(
    "wrong-key",
    isOpenHello(greeting)
      ? "Cannot shake hands: the other side does not encrypt: it has no network key, or is too old"
      : "Cannot shake hands: the other side has another network key, or none",
  );
}

/** Whether it begins as a HELLO that nobody sealed. */
function isOpenHello(greeting: Uint8Array): boolean {
  const { buffer, byteOffset } = greeting;
  return greeting[limits.frameHeaderBytes - 1] === MESSAGES.hello.code &&
    new DataView(buffer, byteOffset).getUint32(limits.frameHeaderBytes) === NODE_MAGIC;
}

function handshake(role: NoiseRole, key: Uint8Array, random: Random): NoiseHandshake {
  // A key file has any length; the framework wants 32 bytes.
  const psk = createHmac("sha256", key).update("noise psk").digest();
  const ephemeral = random.bytes(KEY_BYTES);
  return new NoiseHandshake(role, { psk, prologue: PROLOGUE, ephemeral });
}

/** Seals what is written, opens what is read. */
class SecureDuplex implements Duplex {
  readonly remote: HostPort;
  readonly #inner: Duplex;
  readonly #keys: NoiseKeys;
  /** What came and is not opened: from `#start` to `#end`. */
  #sealed: Uint8Array<ArrayBuffer> = new Uint8Array(limits.idleReadBytes);
  #start = 0;
  #end = 0;
  /** What was opened and found no room at the reader. */
  #opened: Uint8Array | null = null;

  constructor(inner: Duplex, keys: NoiseKeys) {
    this.#inner = inner;
    this.#keys = keys;
    this.remote = inner.remote;
  }

  async read(target: Uint8Array): Promise<number | null> {
    for (;;) {
      const count = this.#give(target);
      if (count > 0) return count;
      const came = await this.#inner.read(this.#writable());
      if (came === null) return this.#atEnd();
      this.#end += came;
    }
  }

  async write(source: Uint8Array): Promise<number> {
    const data = source.subarray(0, WRITE_BYTES);
    const isBig = data.length > RECORD_DATA_BYTES;
    const buffer = isBig ? buffers.take() : new Uint8Array(sealedBytes(data.length));
    try {
      await writeAll(this.#inner, this.#seal(data, buffer));
    } finally {
      if (isBig) buffers.give(buffer);
    }
    return data.length;
  }

  close(): void {
    this.#inner.close();
  }

  /** As many records as `data` fills, one behind the other at the beginning of `out`. */
  #seal(data: Uint8Array, out: Uint8Array): Uint8Array {
    const view = new DataView(out.buffer, out.byteOffset);
    let at = 0;
    for (let from = 0; from < data.length; from += RECORD_DATA_BYTES) {
      const part = data.subarray(from, from + RECORD_DATA_BYTES);
      const length = padded(part.length);
      const dataLength = Uint8Array.of(part.length >> 8, part.length);
      const padding = PADDING.subarray(0, length - LENGTH_BYTES - part.length);
      view.setUint16(at, length + TAG_BYTES);
      at += LENGTH_BYTES;
      at += this.#keys.send.seal([dataLength, part, padding], out, at);
    }
    return out.subarray(0, at);
  }

  /** Opens as many records as are whole and find room; gives the bytes that were put in `target`. */
  #give(target: Uint8Array): number {
    let given = 0;
    while (given < target.length) {
      const opened = this.#opened ?? this.#openNext();
      if (opened === null) break;
      const part = opened.subarray(0, target.length - given);
      target.set(part, given);
      given += part.length;
      this.#opened = part.length < opened.length ? opened.subarray(part.length) : null;
      if (this.#opened === null) freeBytes(opened);
    }
    return given;
  }

  /** The data of the record at the front; null when that is not whole. */
  #openNext(): Uint8Array | null {
    const length = this.#lengthOfNext();
    if (length === null || this.#end - this.#start < LENGTH_BYTES + length) return null;
    const from = this.#start + LENGTH_BYTES;
    const plain = this.#keys.receive.open(this.#sealed.subarray(from, from + length));
    this.#start = from + length;
    const bytes = plain[0]! << 8 | plain[1]!;
    if (bytes > plain.length - LENGTH_BYTES) {
      throw new PeerFault("malformed", `Cannot read record: ${bytes} bytes do not fit into it`);
    }
    return plain.subarray(LENGTH_BYTES, LENGTH_BYTES + bytes);
  }

  /** Bytes of the record at the front after its length; null before that is here. */
  #lengthOfNext(): number | null {
    if (this.#end - this.#start < LENGTH_BYTES) return null;
    const length = this.#sealed[this.#start]! << 8 | this.#sealed[this.#start + 1]!;
    if (length >= PAD_BYTES + TAG_BYTES && (length - TAG_BYTES) % PAD_BYTES === 0) return length;
    throw new PeerFault("malformed", `Cannot read record: no record has ${length} bytes`);
  }

  /** Where the next bytes go, with room for the record at the front. */
  #writable(): Uint8Array {
    const there = this.#end - this.#start;
    const needed = LENGTH_BYTES + (this.#lengthOfNext() ?? 0);
    // Big records come in rows: then several are read at once.
    const wanted = needed > limits.idleReadBytes ? limits.recordsPerRead * RECORD_BYTES : needed;
    if (wanted > this.#sealed.length) {
      const bigger = new Uint8Array(wanted);
      bigger.set(this.#sealed.subarray(this.#start, this.#end));
      this.#sealed = bigger;
    } else if (this.#start > 0) {
      this.#sealed.copyWithin(0, this.#start, this.#end);
    }
    [this.#start, this.#end] = [0, there];
    return this.#sealed.subarray(there);
  }

  /** The other side ended the stream: in order only behind a whole record. */
  #atEnd(): null {
    if (this.#end === this.#start) return null;
    throw new EnvironmentError("unreachable", "The other side closed the connection in a record");
  }
}

/** Bytes that so much data has in one record before it is sealed. */
function padded(dataBytes: number): number {
  return Math.ceil((LENGTH_BYTES + dataBytes) / PAD_BYTES) * PAD_BYTES;
}

/** Bytes on the wire of so much data. */
function sealedBytes(dataBytes: number): number {
  const whole = Math.floor(dataBytes / RECORD_DATA_BYTES), rest = dataBytes % RECORD_DATA_BYTES;
  return whole * RECORD_BYTES + (rest > 0 ? LENGTH_BYTES + padded(rest) + TAG_BYTES : 0);
}
