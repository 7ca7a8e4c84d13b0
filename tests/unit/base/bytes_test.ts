import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  clippedText,
  concatBytes,
  fromHex,
  toHex,
  utf8,
} from "../../../src/base/bytes.ts";
import { PeerFault } from "../../../src/base/errors.ts";

const value = fc.oneof(
  fc.record({ as: fc.constant("u8" as const), n: fc.nat(0xff) }),
  fc.record({ as: fc.constant("u16" as const), n: fc.nat(0xffff) }),
  fc.record({ as: fc.constant("u32" as const), n: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ as: fc.constant("u64" as const), n: fc.maxSafeNat() }),
);

Deno.test("ByteReader reads what ByteWriter wrote, whatever the order and the first capacity", () => {
  const property = fc.property(fc.array(value), fc.nat(16), (values, capacityBytes) => {
    const writer = new ByteWriter(capacityBytes);
    for (const { as, n } of values) writer[as](n);
    const reader = new ByteReader(writer.done());
    assertEquals(values.map(({ as }) => reader[as]()), values.map(({ n }) => n));
    assertEquals(reader.left, 0);
    reader.end();
  });
  fc.assert(property);
});

Deno.test("ByteWriter is big-endian", () => {
  const writer = new ByteWriter();
  writer.u16(0x0102);
  writer.u32(0x03040506);
  writer.u64(0x1f_0708_090a_0b0c);
  assertEquals(toHex(writer.done()), "010203040506001f0708090a0b0c");
  writer.setU32(2, 0xffff_fffe);
  assertEquals(toHex(writer.done()).slice(4, 12), "fffffffe");
});

Deno.test("ByteWriter refuses numbers that are not whole, or out of bounds", () => {
  const writer = new ByteWriter();
  for (const n of [-1, 256, 0.5, NaN, Infinity]) assertThrows(() => writer.u8(n), RangeError);
  for (const n of [-1, 2 ** 53, 1.5]) assertThrows(() => writer.u64(n), RangeError);
  assertThrows(() => writer.setU32(0, 2 ** 32), RangeError);
});

Deno.test("ByteReader blames the peer when a read goes past the end, and stays where it is", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3));
  assertThrows(() => reader.u32(), PeerFault, "needs 4 bytes at 0, has 3");
  assertEquals(reader.u8(), 1);
  assertThrows(() => reader.bytes(3), PeerFault);
  assertThrows(() => reader.view(2 ** 31), PeerFault);
  assertEquals(reader.left, 2);
  assertThrows(() => reader.end(), PeerFault, "2 trailing bytes");
});

Deno.test("ByteReader reads from a view that does not begin at its buffer's start", () => {
  const reader = new ByteReader(fromHex("ffff0102030405").subarray(2));
  assertEquals([reader.u8(), reader.u32(), reader.left], [1, 0x02030405, 0]);
});

Deno.test("ByteReader.view() shows the payload, bytes() copies it", () => {
  const payload = Uint8Array.of(1, 2, 3, 4);
  const reader = new ByteReader(payload);
  const view = reader.view(2), copy = reader.bytes(2);
  payload.fill(9);
  assertEquals([view, copy], [Uint8Array.of(9, 9), Uint8Array.of(3, 4)]);
});

Deno.test("ByteReader.text() gives back what utf8() encoded, and keeps a byte order mark", () => {
  const property = fc.property(fc.string({ unit: "binary" }), (text) => {
    const bytes = utf8(text);
    assertEquals(new ByteReader(bytes).text(bytes.length), text.toWellFormed());
  });
  fc.assert(property);
  assertEquals(new ByteReader(utf8("\ufeffa")).text(4), "\ufeffa");
});

Deno.test("toHex() and fromHex() are each other's way back", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assertEquals(fromHex(toHex(bytes)), bytes);
    assertEquals(fromHex(toHex(bytes).toUpperCase()), bytes);
    assertEquals(toHex(bytes), bytes.toHex());
  }));
});

Deno.test("fromHex() refuses odd lengths and other characters", () => {
  for (const bad of ["0", "0g", " 00", "0x00", "00\n", "००"]) {
    assertThrows(() => fromHex(bad), RangeError, "Cannot read hexadecimal");
  }
  const error = assertThrows(() => fromHex("z".repeat(10_000)), RangeError);
  assert(error.message.length < 200, "a message for a person is short");
});

Deno.test("concatBytes() puts its parts end to end", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (parts) => {
    assertEquals([...concatBytes(parts)], parts.flatMap((part) => [...part]));
  }));
});

Deno.test("clippedText() keeps as many whole characters as have room", () => {
  for (
    const [text, bytesMax, expected] of [
      ["abcdef", 6, "abcdef"],
      ["abcdefg", 6, "abc…"],
      ["ééé", 6, "ééé"],
      ["éééé", 6, "é…"],
      ["a😀😀", 8, "a😀…"],
      ["a\ud800", 8, "a\ufffd"],
    ] as const
  ) assertEquals(clippedText(text, bytesMax), expected);
  const property = fc.property(
    fc.string({ unit: "binary" }),
    fc.integer({ min: 3, max: 40 }),
    (text, max) => {
      const clipped = clippedText(text, max);
      assert(utf8(clipped).length <= max && clipped.isWellFormed());
      assertEquals(clipped === text.toWellFormed(), utf8(text).length <= max);
    },
  );
  fc.assert(property);
});
