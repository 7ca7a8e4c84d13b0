import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toHex } from "../../../src/base/bytes.ts";
import { PeerFault } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { decodePayload, encodeFrame, payloadBytesMax } from "../../../src/wire/codec.ts";
import { codeOf } from "../../../src/wire/framer.ts";
import {
  CHUNKS_CODE,
  DATA_CODE,
  type Message,
  type MessageKind,
  MESSAGES,
} from "../../../src/wire/messages.ts";
import { messageKinds, messageOfKind } from "./arbitraries.ts";
import { frameOf, isMessage, wireVectors } from "./vectors.ts";

const HEADER = limits.frameHeaderBytes;

function decode(frame: Uint8Array): Message {
  return decodePayload(frame[4]!, frame.subarray(HEADER));
}

Deno.test("every kind of frame has exactly one golden vector, and a code of its own", () => {
  const kinds = [...messageKinds, "chunks", "data"] as const;
  assertEquals(wireVectors.map(({ kind }) => kind).sort(), [...kinds].sort());
  assertEquals(new Set(kinds.map(codeOf)).size, kinds.length);
});

for (const { kind, message, frame } of wireVectors) {
  Deno.test(`encodeFrame() makes the golden frame when the message is ${kind}`, () => {
    assertEquals(toHex(frameOf(message)), toHex(frame));
    assertEquals(frame[4], codeOf(kind));
    assertEquals(new DataView(frame.buffer).getUint32(0), frame.length - HEADER);
    assert(frame.length - HEADER <= payloadBytesMax(frame[4]!));
  });
  if (isMessage(message)) {
    Deno.test(`decodePayload() reads the golden frame when it is ${kind}`, () => {
      assertEquals(decode(frame), message);
    });
  }
}

for (const kind of messageKinds) {
  Deno.test(`decodePayload() gives back what encodeFrame() took when the message is ${kind}`, () => {
    fc.assert(
      fc.property(messageOfKind(kind), (message) => {
        const frame = encodeFrame(message);
        assertEquals(decode(frame), message);
        assert(frame.length - HEADER <= payloadBytesMax(frame[4]!));
      }),
      { numRuns: 60 },
    );
  });

  Deno.test(`decodePayload() refuses every cut and every tail when the message is ${kind}`, () => {
    const { frame } = wireVectors.find((vector) => vector.kind === kind)!;
    const payload = frame.subarray(HEADER);
    for (let length = 0; length < payload.length; length++) {
      const error = assertThrows(
        () => decodePayload(frame[4]!, payload.subarray(0, length)),
        PeerFault,
      );
      assertEquals(error.code, "malformed");
    }
    const longer = new Uint8Array(payload.length + 1);
    longer.set(payload);
    const error = assertThrows(
      () => decodePayload(frame[4]!, longer),
      PeerFault,
      "1 trailing bytes",
    );
    assertEquals(error.code, "malformed");
  });
}

Deno.test("payloadBytesMax() is the sum of the bounds of the fields", () => {
  assertEquals(payloadBytesMax(MESSAGES.ping.code), 4);
  assertEquals(payloadBytesMax(MESSAGES.accepted.code), 0);
  assertEquals(payloadBytesMax(MESSAGES.leaves.code), 4 + 4 + 2048 * 32);
  assertEquals(payloadBytesMax(MESSAGES.have.code), 2 + 1024 * 8);
  assertEquals(payloadBytesMax(CHUNKS_CODE), 4 + 32 * 16_384);
  assertEquals(payloadBytesMax(DATA_CODE), 8 + 512 * 1024);
});

Deno.test("payloadBytesMax() lets every message of the handshake into its smaller cap", () => {
  for (const kind of ["hello", "proof", "refused", "accepted", "site"] satisfies MessageKind[]) {
    assert(payloadBytesMax(MESSAGES[kind].code) <= limits.handshakeFrameBytesMax, kind);
  }
});

Deno.test("payloadBytesMax() and decodePayload() refuse kinds that no message has", () => {
  const known = new Set<number>(wireVectors.map(({ frame }) => frame[4]!));
  for (let code = 0; code < 256; code++) {
    if (known.has(code)) continue;
    assertThrows(() => payloadBytesMax(code), PeerFault, `kind ${code}`);
    assertThrows(() => decodePayload(code, new Uint8Array()), PeerFault, `kind ${code}`);
  }
});

Deno.test("decodePayload() keeps nothing of the buffer that it read", () => {
  for (const { message, frame } of wireVectors) {
    if (!isMessage(message)) continue;
    const buffer = frame.slice();
    const decoded = decode(buffer);
    buffer.fill(0xee);
    assertEquals(decoded, message);
  }
});
