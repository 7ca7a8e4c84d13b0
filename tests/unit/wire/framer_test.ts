import { assert, assertEquals, assertThrows } from "@std/assert";
import { PeerFault } from "../../../src/base/errors.ts";
import { codeOf, type Frame, Framer, onlyKinds } from "../../../src/wire/framer.ts";
import { CHUNKS_CODE, DATA_CODE, MESSAGES } from "../../../src/wire/messages.ts";
import fc from "fast-check";
import { concatBytes } from "../../../src/base/bytes.ts";
import { limits } from "../../../src/base/limits.ts";
import { encodeFrame, payloadBytesMax } from "../../../src/wire/codec.ts";
import { messageOfKind } from "./arbitraries.ts";
import { wireVectors } from "./vectors.ts";

const HEADER = limits.frameHeaderBytes;

/** A frame that was taken out, copied: its view dies with the next `writable`. */
interface Taken {
  readonly code: number;
  readonly payload: Uint8Array;
}

/** Puts bytes in as a connection does, in reads as big as the framer has room for. */
function feed(framer: Framer, bytes: Uint8Array): Taken[] {
  const taken = drain(framer);
  for (let at = 0; at < bytes.length;) {
    const room = framer.writable();
    assert(room.length > 0, "a read always has room");
    const part = bytes.subarray(at, at + room.length);
    room.set(part);
    framer.commit(part.length);
    at += part.length;
    taken.push(...drain(framer));
  }
  return taken;
}

function drain(framer: Framer): Taken[] {
  const taken: Taken[] = [];
  for (let frame = framer.next(); frame !== null; frame = framer.next()) {
    assertEquals(frame.payload.length, frame.payloadBytes);
    taken.push(copyOf(frame));
  }
  return taken;
}

function copyOf({ code, payload }: Frame): Taken {
  return { code, payload: payload.slice() };
}

function takenOf(frames: readonly Uint8Array[]): Taken[] {
  return frames.map((frame) => ({ code: frame[4]!, payload: frame.slice(HEADER) }));
}

function chunksHeader(payloadBytes: number): Uint8Array {
  const header = new Uint8Array(HEADER);
  new DataView(header.buffer).setUint32(0, payloadBytes);
  header[4] = CHUNKS_CODE;
  return header;
}

const someFrames = wireVectors.map(({ frame }) => frame);

Deno.test("Framer has one state after every byte when frames come byte by byte", () => {
  const framer = new Framer({ bufferBytes: 8 });
  for (const frame of someFrames) {
    assertEquals(framer.pendingBytes, 0);
    for (let arrived = 1; arrived <= frame.length; arrived++) {
      framer.writable()[0] = frame[arrived - 1]!;
      framer.commit(1);
      assertEquals(framer.pendingBytes, arrived);
      const front = framer.peek();
      if (arrived < HEADER) assertEquals(front, null);
      else {
        assertEquals(front!.code, frame[4]);
        assertEquals(front!.payloadBytes, frame.length - HEADER);
        assertEquals(front!.payload, frame.subarray(HEADER, arrived));
      }
      const whole = framer.next();
      assertEquals(whole !== null, arrived === frame.length);
      if (whole !== null) assertEquals(whole.payload, frame.subarray(HEADER));
    }
    assertEquals(framer.peek(), null);
    assertEquals(framer.next(), null);
  }
});

Deno.test("Framer gives the same frames wherever the stream is split in two", () => {
  const stream = concatBytes(someFrames);
  const expected = takenOf(someFrames);
  for (let split = 0; split <= stream.length; split++) {
    const framer = new Framer({ bufferBytes: 64 });
    const taken = feed(framer, stream.subarray(0, split));
    taken.push(...feed(framer, stream.subarray(split)));
    assertEquals(taken, expected);
    assertEquals(framer.pendingBytes, 0);
  }
});

Deno.test("Framer gives the same frames however the stream is split into reads", () => {
  const frames = fc.array(
    fc.oneof(messageOfKind("query"), messageOfKind("ping"), messageOfKind("leaves")),
    { maxLength: 8 },
  );
  const property = fc.property(
    frames,
    fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
    fc.integer({ min: 1, max: 64 }),
    (messages, sizes, bufferBytes) => {
      const encoded = messages.map((message) => encodeFrame(message));
      const stream = concatBytes(encoded);
      const framer = new Framer({ bufferBytes });
      const taken: Taken[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length]!;
        taken.push(...feed(framer, stream.subarray(at, at + size)));
        at += size;
      }
      assertEquals(taken, takenOf(encoded));
    },
  );
  fc.assert(property, { numRuns: 200 });
});

Deno.test("Framer.peek() shows a frame as it grows, in place", () => {
  const framer = new Framer();
  const payload = Uint8Array.from({ length: 40_000 }, (_, i) => i % 251);
  const frame = concatBytes([chunksHeader(payload.length), payload]);
  let seen = 0;
  for (let at = 0; at < frame.length; at += 1_000) {
    assertEquals(
      feed(framer, frame.subarray(at, at + 1_000)).length,
      at + 1_000 < frame.length ? 0 : 1,
    );
    const front = framer.peek();
    if (front === null) break;
    assert(front.payload.length >= seen);
    assertEquals(front.payload, payload.subarray(0, front.payload.length));
    seen = front.payload.length;
  }
  assert(seen > 30_000);
});

Deno.test("Framer refuses a length over the cap of its kind when only the header is there", () => {
  const kinds = wireVectors.map(({ frame }) => frame[4]!);
  for (const code of kinds) {
    const framer = new Framer();
    const before = framer.bufferBytes;
    const header = new Uint8Array(HEADER);
    new DataView(header.buffer).setUint32(0, payloadBytesMax(code) + 1);
    header[4] = code;
    const error = assertThrows(() => feed(framer, header), PeerFault);
    assertEquals(error.code, "oversized");
    assertEquals(framer.bufferBytes, before);
  }
});

Deno.test("Framer refuses lengths that would be negative as signed numbers", () => {
  for (const length of [0x8000_0000, 0xffff_ffff]) {
    const header = new Uint8Array(HEADER);
    new DataView(header.buffer).setUint32(0, length);
    header[4] = MESSAGES.ping.code;
    assertThrows(() => feed(new Framer(), header), PeerFault, `length ${length}`);
  }
});

Deno.test("Framer refuses an unknown kind when only the header is there", () => {
  const unknown = assertThrows(() => feed(new Framer(), Uint8Array.of(0, 0, 0, 1, 127)), PeerFault);
  assertEquals(unknown.code, "malformed");
  assert(unknown.message.includes("kind 127"), unknown.message);
  const http = new TextEncoder().encode("GET / HTTP/1.1\r\n");
  const foreign = assertThrows(() => feed(new Framer(), http), PeerFault, "HTTP");
  assertEquals(foreign.code, "malformed");
});

Deno.test("Framer asks its gate once a frame, before any payload", () => {
  const asked: [number, number][] = [];
  const framer = new Framer({ gate: (code, bytes) => asked.push([code, bytes]) });
  const frame = encodeFrame({ kind: "bye", reason: "x" });
  feed(framer, frame.subarray(0, HEADER));
  assertEquals(asked, [[MESSAGES.bye.code, 3]]);
  feed(framer, frame.subarray(HEADER, HEADER + 1));
  assertEquals(feed(framer, frame.subarray(HEADER + 1)).length, 1);
  assertEquals(asked.length, 1);
  feed(framer, frame);
  assertEquals(asked.length, 2);
});

Deno.test("Framer makes no room for a frame that its gate refuses", () => {
  const framer = new Framer({ gate: onlyKinds("Cannot test", ["ping"]) });
  assertThrows(() => feed(framer, chunksHeader(500_000)), PeerFault, "has no place here");
  assertEquals(framer.bufferBytes, limits.idleReadBytes);
});

Deno.test("Framer grows to the frame that is announced and not beyond", () => {
  const framer = new Framer();
  assertEquals(framer.bufferBytes, limits.idleReadBytes);
  feed(framer, chunksHeader(100_000));
  framer.writable();
  assertEquals(framer.bufferBytes, HEADER + 100_000);
  // The whole frame goes in, and after it the framer has the same memory for what follows.
  assertEquals(feed(framer, new Uint8Array(100_000)).length, 1);
  feed(framer, concatBytes([chunksHeader(50_000), new Uint8Array(50_000)]));
  assertEquals(framer.bufferBytes, HEADER + 100_000);
});

Deno.test("Framer.reserve() keeps what is pending and never shrinks", () => {
  const framer = new Framer({ bufferBytes: 16 });
  const frame = encodeFrame({ kind: "bye", reason: "a long goodbye" });
  feed(framer, frame.subarray(0, 9));
  framer.reserve(1_000);
  assertEquals([framer.bufferBytes, framer.pendingBytes], [1_000, 9]);
  framer.reserve(10);
  assertEquals(framer.bufferBytes, 1_000);
  assertEquals(feed(framer, frame.subarray(9)), takenOf([frame]));
});

Deno.test("codeOf() knows the two kinds that carry file bytes", () => {
  assertEquals(codeOf("chunks"), CHUNKS_CODE);
  assertEquals(codeOf("data"), DATA_CODE);
  assertEquals(codeOf("ping"), MESSAGES.ping.code);
});

Deno.test("onlyKinds() takes its kinds up to their caps and refuses the rest by name", () => {
  const gate = onlyKinds("Cannot talk", ["ping", "chunks"]);
  gate(MESSAGES.ping.code, 4);
  gate(CHUNKS_CODE, 4 + 32 * 16_384);
  const over = assertThrows(() => gate(MESSAGES.ping.code, 5), PeerFault, "Cannot talk: length 5");
  assertEquals(over.code, "oversized");
  const other = assertThrows(() => gate(MESSAGES.pong.code, 4), PeerFault, "Cannot talk: a frame");
  assertEquals(other.code, "unexpected");
});

Deno.test("onlyKinds() takes less than the cap of a kind when it is told so", () => {
  const gate = onlyKinds("Cannot talk", ["bye", "ping"], { bytesMax: 10 });
  gate(MESSAGES.bye.code, 10);
  assertThrows(() => gate(MESSAGES.bye.code, 11), PeerFault, "length 11 exceeds 10");
  assertThrows(() => gate(MESSAGES.ping.code, 5), PeerFault, "length 5 exceeds 4");
});
