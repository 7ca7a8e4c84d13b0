import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Bitfield, pageRanges } from "../../../src/base/bitfield.ts";
import { PeerFault } from "../../../src/base/errors.ts";

Deno.test("pageRanges() of all pages name the chunks of the bitfield, whatever the page size", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 300 }).chain((length) =>
      fc.tuple(
        fc.array(fc.boolean(), { minLength: length, maxLength: length }),
        fc.integer({ min: 1, max: 40 }),
      )
    ),
    ([bits, pageBytes]) => {
      const field = new Bitfield(bits.length);
      for (const [index, isThere] of bits.entries()) if (isThere) field.add(index);
      const bytes = field.toBytes();
      const again = new Bitfield(bits.length);
      for (let first = 0; first < bytes.length; first += pageBytes) {
        const ranges = pageRanges(bits.length, first, bytes.subarray(first, first + pageBytes));
        for (const range of ranges) assertEquals(again.addRange(range), range.count);
      }
      assertEquals(again.toBytes(), bytes);
      assertEquals([...again.ranges()], pageRanges(bits.length, 0, bytes));
    },
  );
  fc.assert(property);
});

Deno.test("pageRanges() joins runs over bytes and parts those that do not touch", () => {
  assertEquals(pageRanges(40, 1, Uint8Array.of(0x01, 0xff, 0xff, 0x81)), [
    { first: 15, count: 18 },
    { first: 39, count: 1 },
  ]);
  assertEquals(pageRanges(40, 0, new Uint8Array()), []);
  assertEquals(pageRanges(16, 0, Uint8Array.of(0xff, 0xff)), [{ first: 0, count: 16 }]);
});

Deno.test("pageRanges() refuses a page past the end, and spare bits", () => {
  assertThrows(() => pageRanges(8, 0, new Uint8Array(2)), PeerFault, "bytes 0 to 2 of 1");
  assertThrows(() => pageRanges(8, 0xffff_ffff, new Uint8Array(1)), PeerFault);
  assertThrows(() => pageRanges(9, 1, Uint8Array.of(0x40)), PeerFault, "spare bit");
  assertEquals(pageRanges(9, 1, Uint8Array.of(0x80)), [{ first: 8, count: 1 }]);
});
