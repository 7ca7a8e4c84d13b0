/** The Noise handshake, held to published vectors. */

import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import vectors from "../../vectors/noise_nnpsk0.json" with { type: "json" };
import { fromHex, toHex, utf8 } from "../../../src/base/bytes.ts";
import { PeerFault } from "../../../src/base/errors.ts";
import { systemRandom } from "../../../src/base/random.ts";
import {
  KEY_BYTES,
  NoiseHandshake,
  type NoiseKeys,
  type NoiseRole,
  TAG_BYTES,
} from "../../../src/net/noise.ts";

const PSK = fromHex("07".repeat(32));
const PROLOGUE = utf8("test");

Deno.test("NoiseHandshake says what the published vectors say", () => {
  const { psk, prologue, messages } = vectors;
  const both = { psk: fromHex(psk), prologue: fromHex(prologue) };
  const initiator = new NoiseHandshake("initiator", {
    ...both,
    ephemeral: fromHex(vectors.initiatorEphemeral),
  });
  const responder = new NoiseHandshake("responder", {
    ...both,
    ephemeral: fromHex(vectors.responderEphemeral),
  });
  const [first, second, ...rest] = messages;
  const said = initiator.write(fromHex(first!.payload));
  assertEquals(toHex(said), first!.ciphertext);
  assertEquals(toHex(responder.read(said)), first!.payload);
  const answered = responder.write(fromHex(second!.payload));
  assertEquals(toHex(answered), second!.ciphertext);
  assertEquals(toHex(initiator.read(answered)), second!.payload);
  for (const { hash } of [initiator, responder]) assertEquals(toHex(hash), vectors.handshakeHash);
  // Who sent the first message sends the third, and so on in turn.
  const sides: NoiseKeys[] = [initiator.split(), responder.split()];
  rest.forEach(({ payload, ciphertext }, i) => {
    const from = sides[i % 2]!, to = sides[(i + 1) % 2]!;
    assertEquals(toHex(sealed(from, fromHex(payload))), ciphertext);
    assertEquals(toHex(to.receive.open(fromHex(ciphertext))), payload);
  });
});

Deno.test("NoiseHandshake gives each connection other keys", () => {
  const [a] = shaken(), [b] = shaken();
  const text = utf8("the same text");
  assertNotEquals(toHex(sealed(a, text)), toHex(sealed(b, text)));
});

Deno.test("NoiseHandshake fails between two secrets, and two prologues", () => {
  for (
    const other of [{ psk: fromHex("08".repeat(32)), prologue: PROLOGUE }, {
      psk: PSK,
      prologue: utf8("tess"),
    }]
  ) {
    const message = sideOf("initiator").write();
    assertThrows(() => sideOf("responder", other).read(message), PeerFault, "sealed");
  }
});

Deno.test("NoiseHandshake and CipherState take nothing in which one bit is another", () => {
  const initiator = sideOf("initiator");
  const first = initiator.write(utf8("hello"));
  const responderOf = () => sideOf("responder");
  for (let i = 0; i < first.length; i++) {
    assertThrows(() => responderOf().read(flipped(first, i)), PeerFault);
  }
  const responder = responderOf();
  responder.read(first);
  const second = responder.write();
  assertThrows(() => initiator.read(flipped(second, 3)), PeerFault);

  const text = utf8("a record of some bytes");
  for (let i = 0; i < text.length + TAG_BYTES; i++) {
    const [a, b] = shaken();
    const record = sealed(a, text);
    assertThrows(() => b.receive.open(flipped(record, i)), PeerFault);
  }
});

Deno.test("CipherState.open() takes records in their order, each once", () => {
  const [a, b] = shaken();
  const one = sealed(a, utf8("one")), two = sealed(a, utf8("two"));
  assertThrows(() => b.receive.open(two), PeerFault);
  const [c, d] = shaken();
  const only = sealed(c, utf8("only"));
  assertEquals(toHex(d.receive.open(only)), toHex(utf8("only")));
  assertThrows(() => d.receive.open(only), PeerFault);
  assertNotEquals(toHex(one), toHex(two));
});

/** One side, with a private key of its own. */
function sideOf(role: NoiseRole, agreed = { psk: PSK, prologue: PROLOGUE }): NoiseHandshake {
  return new NoiseHandshake(role, { ...agreed, ephemeral: systemRandom.bytes(KEY_BYTES) });
}

/** Both sides after a handshake. */
function shaken(): [NoiseKeys, NoiseKeys] {
  const initiator = sideOf("initiator"), responder = sideOf("responder");
  responder.read(initiator.write());
  initiator.read(responder.write());
  return [initiator.split(), responder.split()];
}

function sealed({ send }: NoiseKeys, text: Uint8Array): Uint8Array {
  const target = new Uint8Array(text.length + TAG_BYTES);
  send.seal([text.subarray(0, 2), text.subarray(2)], target, 0);
  return target;
}

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  const copy = bytes.slice();
  copy[index]! ^= 1 << (index % 8);
  return copy;
}
