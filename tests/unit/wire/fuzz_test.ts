/**
 * Bytes from a hostile peer: whatever comes, the only thing thrown is PeerFault, and memory stays
 * within the cap. The seed is printed when a run fails; PACSRV_FUZZ_SEED repeats it.
 */

import { assert } from "@std/assert";
import { concatBytes } from "../../../src/base/bytes.ts";
import { PeerFault } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Random, randomBelow, seededRandom } from "../../../src/base/random.ts";
import { decodePayload, payloadBytesMax } from "../../../src/wire/codec.ts";
import { Framer } from "../../../src/wire/framer.ts";
import { CHUNKS_CODE, DATA_CODE } from "../../../src/wire/messages.ts";
import { wireVectors } from "./vectors.ts";

const RUNS = 4_000;
const codes = wireVectors.map(({ frame }) => frame[4]!);
const FRAME_BYTES_MAX = limits.frameHeaderBytes + Math.max(...codes.map(payloadBytesMax));

/** Takes a stream as a connection does; returns how many messages could be read. */
function take(stream: Uint8Array, random: Random): number {
  const framer = new Framer();
  let count = 0;
  try {
    for (let at = 0; at < stream.length;) {
      const room = framer.writable();
      const part = stream.subarray(at, at + Math.min(room.length, 1 + randomBelow(random, 5_000)));
      room.set(part);
      framer.commit(part.length);
      at += part.length;
      assert(part.length > 0);
      for (let frame = framer.next(); frame !== null; frame = framer.next()) {
        if (frame.code !== CHUNKS_CODE && frame.code !== DATA_CODE) {
          decodePayload(frame.code, frame.payload);
        }
        count++;
      }
      assert(framer.bufferBytes <= FRAME_BYTES_MAX, `holds ${framer.bufferBytes} bytes`);
    }
  } catch (error) {
    if (!(error instanceof PeerFault)) throw error;
    assert(framer.bufferBytes <= FRAME_BYTES_MAX, `holds ${framer.bufferBytes} bytes`);
  }
  return count;
}

function mutated(random: Random): Uint8Array {
  const stream = concatBytes(
    Array.from({ length: 1 + randomBelow(random, 4) }, () => {
      return wireVectors[randomBelow(random, wireVectors.length)]!.frame;
    }),
  );
  for (let i = randomBelow(random, 6); i > 0; i--) {
    const at = randomBelow(random, stream.length);
    const how = random.unit();
    if (how < 0.4) stream[at] = randomBelow(random, 256);
    else if (how < 0.6) stream[at]! ^= 1 << randomBelow(random, 8);
    else if (how < 0.8) stream[at] = random.unit() < 0.5 ? 0xff : 0;
    else stream.copyWithin(at, randomBelow(random, stream.length));
  }
  return random.unit() < 0.2 ? stream.subarray(0, randomBelow(random, stream.length)) : stream;
}

/** Random bytes behind a header that is right, so that they reach the fields. */
function framed(random: Random): Uint8Array {
  const code = codes[randomBelow(random, codes.length)]!;
  const cap = Math.min(payloadBytesMax(code), 600);
  const payload = random.bytes(randomBelow(random, cap + 1));
  // Small numbers make lengths and counts that nearly fit.
  if (random.unit() < 0.7) { for (const [i, byte] of payload.entries()) payload[i] = byte & 3; }
  const header = new Uint8Array(limits.frameHeaderBytes);
  new DataView(header.buffer).setUint32(0, payload.length);
  header[4] = code;
  return concatBytes([header, payload]);
}

function fuzz(make: (random: Random) => Uint8Array): number {
  const seed = Number(
    Deno.env.get("PACSRV_FUZZ_SEED") ?? randomBelow({
      bytes: () => new Uint8Array(),
      unit: Math.random,
    }, 2 ** 31),
  );
  let read = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = seededRandom(seed + run);
    const stream = make(random);
    try {
      read += take(stream, random);
    } catch (cause) {
      throw new Error(`PACSRV_FUZZ_SEED=${seed + run}: ${stream.toHex()}`, { cause });
    }
  }
  return read;
}

Deno.test("Framer and decodePayload() throw only PeerFault when the bytes are random", () => {
  fuzz((random) => random.bytes(randomBelow(random, 400)));
});

Deno.test("Framer and decodePayload() throw only PeerFault when frames are mutated", () => {
  const read = fuzz(mutated);
  assert(read > RUNS / 2, `only ${read} frames were still good: the mutations are too coarse`);
});

Deno.test("Framer and decodePayload() throw only PeerFault when payloads are random", () => {
  const read = fuzz(framed);
  assert(read > RUNS / 20, `only ${read} payloads were good: the fields were never reached`);
});
