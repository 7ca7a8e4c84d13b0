/** What a field refuses, by itself and inside the messages that strangers send. */

import { assertEquals, assertThrows } from "@std/assert";
import { ByteReader, ByteWriter, fromHex, utf8 } from "../../../src/base/bytes.ts";
import { type OfKind, PeerFault } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { decodePayload, encodeFrame } from "../../../src/wire/codec.ts";
import {
  bytes,
  type Field,
  fixedBytes,
  flag,
  hex,
  list,
  longText,
  nullable,
  oneOf,
  text,
  u16,
  u64,
  u8,
} from "../../../src/wire/fields.ts";
import { type Message, MESSAGES, type Query } from "../../../src/wire/messages.ts";
import { isMessage, wireVectors } from "./vectors.ts";

function read<T>(field: Field<T>, hexadecimal: string): T {
  const reader = new ByteReader(fromHex(hexadecimal));
  const value = field.read(reader);
  reader.end();
  return value;
}

function write<T>(field: Field<T>, value: T): string {
  const writer = new ByteWriter();
  field.write(writer, value);
  return writer.done().toHex();
}

function refuses<T>(field: Field<T>, hexadecimal: string, code: string): void {
  assertEquals(assertThrows(() => read(field, hexadecimal), PeerFault).code, code);
}

/** The golden message of a kind, with some fields changed. */
function changed(kind: Message["kind"], values: Record<string, unknown>): Message {
  const { message } = wireVectors.find((vector) => vector.kind === kind)!;
  if (!isMessage(message)) throw new TypeError(`${kind} is no message`);
  return { ...message, ...values } as unknown as Message;
}

/** What comes of a message that a careless or hostile node encoded. */
function sent(message: Message): Message {
  const frame = encodeFrame(message);
  return decodePayload(frame[4]!, frame.subarray(limits.frameHeaderBytes));
}

Deno.test("u64 goes up to 2^53 - 1 and no further", () => {
  assertEquals(read(u64, "001fffffffffffff"), Number.MAX_SAFE_INTEGER);
  assertEquals(write(u64, Number.MAX_SAFE_INTEGER), "001fffffffffffff");
  assertEquals(read(u64, "0000000100000000"), 2 ** 32);
  for (const big of ["0020000000000000", "8000000000000000", "ffffffffffffffff"]) {
    refuses(u64, big, "malformed");
  }
  assertThrows(() => write(u64, 2 ** 53), RangeError);
  assertThrows(() => write(u64, -1), RangeError);
  assertThrows(() => write(u64, 0.5), RangeError);
  assertThrows(() => write(u64, NaN), RangeError);
});

Deno.test("flag is 0 or 1", () => {
  assertEquals([read(flag, "00"), read(flag, "01")], [false, true]);
  for (const other of ["02", "80", "ff"]) refuses(flag, other, "malformed");
});

Deno.test("oneOf() counts from 1 and knows no other code", () => {
  const field = oneOf(["a", "b"]);
  assertEquals([read(field, "01"), read(field, "02")], ["a", "b"]);
  for (const other of ["00", "03", "ff"]) refuses(field, other, "malformed");
  assertThrows(() => write<string>(field as Field<string>, "c"), RangeError);
});

Deno.test("text() refuses what is not UTF-8, and what is longer than its bound", () => {
  const field = text(4);
  assertEquals(read(field, "0003" + "e282ac"), "€");
  assertEquals(read(field, "0003" + "efbbbf"), "\ufeff");
  // A stray continuation, a cut sequence, an overlong slash, a surrogate, beyond U+10FFFF.
  for (const bad of ["000180", "0002e282", "0002c0af", "0003eda080", "0004f4908080"]) {
    refuses(field, bad, "malformed");
  }
  refuses(field, "0005" + "6161616161", "oversized");
  assertThrows(() => write(field, "aaaaa"), RangeError, "5 exceeds 4");
  assertThrows(() => write(field, "€€"), RangeError, "6 exceeds 4");
});

Deno.test("bytes(), longText() and list() hold the length against the bound before they read", () => {
  // The payload ends right after the length: the bound is what refuses it.
  refuses(bytes(8), "ffffffff", "oversized");
  refuses(longText(8), "00000009", "oversized");
  refuses(list(u8, 8), "0009", "oversized");
  refuses(bytes(8), "00000008", "malformed");
  refuses(list(u8, 8), "0008", "malformed");
  assertThrows(() => write(list(u8, 2), [1, 2, 3]), RangeError);
  assertThrows(() => write(bytes(2), new Uint8Array(3)), RangeError);
});

Deno.test("fixedBytes() and hex() take exactly their length", () => {
  assertEquals(read(hex(2), "AbCd"), "abcd");
  refuses(hex(2), "ab", "malformed");
  refuses(hex(2), "abcdef", "malformed");
  assertThrows(() => write(hex(2), "abc"), RangeError);
  assertThrows(() => write(hex(2), "wxyz"), RangeError);
  assertThrows(() => write(fixedBytes(2), new Uint8Array(1)), RangeError);
});

Deno.test("nullable() is a flag, then the value if there is one", () => {
  const field = nullable(u16);
  assertEquals([write(field, null), write(field, 7)], ["00", "010007"]);
  assertEquals([read(field, "00"), read(field, "010007")], [null, 7]);
  refuses(field, "020007", "malformed");
  refuses(field, "000007", "malformed");
});

Deno.test("u8, u16 and u32 are refused by the writer when they do not fit", () => {
  assertThrows(() => write(u8, 256), RangeError);
  assertThrows(() => write(u16, -1), RangeError);
});

Deno.test("decodePayload() refuses names that could leave a directory or a terminal's line", () => {
  const offer = changed("offer", {}) as OfKind<Message, "offer">;
  for (
    const name of ["", ".", "..", "a/b", "../etc/passwd", "a\0b", "a\nb", "\u001b[31m", "\u0085"]
  ) {
    const error = assertThrows(
      () => sent({ ...offer, file: { ...offer.file, name } }),
      PeerFault,
    );
    assertEquals(error.code, "malformed");
  }
  for (const name of ["a", ".hidden", "a b", "größe.bin", "x".repeat(255), "...", "a\\b"]) {
    assertEquals(sent({ ...offer, file: { ...offer.file, name } }).kind, "offer");
  }
  assertThrows(
    () => encodeFrame({ ...offer, file: { ...offer.file, name: "x".repeat(256) } }),
    RangeError,
  );
});

Deno.test("decodePayload() refuses hosts that are not IP addresses", () => {
  const query = changed("query", {}) as Query;
  for (const callbackHost of ["localhost", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "a:b", " "]) {
    assertThrows(() => sent({ ...query, callbackHost }), PeerFault, "not an IP address");
  }
  for (const callbackHost of ["", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]) {
    assertEquals((sent({ ...query, callbackHost }) as Query).callbackHost, callbackHost);
  }
  // In a list of addresses none may be empty.
  const peers = { kind: "peers", addresses: [{ host: "", port: 1 }] } as const;
  assertThrows(() => sent(peers), PeerFault, "not an IP address");
});

Deno.test("decodePayload() refuses more items than a list may have", () => {
  const ranges = Array.from({ length: limits.haveRangesMax + 1 }, (_, i) => ({
    first: 2 * i,
    count: 1,
  }));
  const most = encodeFrame({ kind: "have", ranges: ranges.slice(1) });
  assertEquals(decodePayload(MESSAGES.have.code, most.subarray(5)).kind, "have");
  const payload = new Uint8Array(2 + 8 * ranges.length);
  new DataView(payload.buffer).setUint16(0, ranges.length);
  const error = assertThrows(() => decodePayload(MESSAGES.have.code, payload), PeerFault);
  assertEquals(error.code, "oversized");
});

Deno.test("decodePayload() refuses unknown codes of what is sought, of refusals and of purposes", () => {
  for (const code of [0, 8, 255]) {
    assertThrows(() => decodePayload(MESSAGES.refused.code, Uint8Array.of(code)), PeerFault);
  }
  const query = encodeFrame(changed("query", {})).slice(limits.frameHeaderBytes);
  for (const by of [0, 4, 255]) {
    query[18] = by;
    assertThrows(() => decodePayload(MESSAGES.query.code, query), PeerFault, "not one of");
  }
  const hello = encodeFrame(changed("hello", {})).slice(limits.frameHeaderBytes);
  for (const purpose of [0, 6, 255]) {
    hello[6] = purpose;
    assertThrows(() => decodePayload(MESSAGES.hello.code, hello), PeerFault, "not one of");
  }
});

Deno.test("encodeFrame() sends text that is not well-formed as well-formed UTF-8", () => {
  const bye = sent({ kind: "bye", reason: "a\ud800b" });
  assertEquals(bye, { kind: "bye", reason: "a\ufffdb" });
  assertEquals(utf8("\ufffd").length, 3);
});
