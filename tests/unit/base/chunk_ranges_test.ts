import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Bitfield, formatRanges, mergedRanges } from "../../../src/base/bitfield.ts";

function field(length: number, chunks: readonly number[]): Bitfield {
  const have = new Bitfield(length);
  for (const chunk of chunks) have.add(chunk);
  return have;
}

Deno.test("formatRanges() writes runs with both ends, and words for all and nothing", () => {
  assertEquals(formatRanges(field(10, [0, 1, 2, 5, 8, 9])), "0-2,5,8-9");
  assertEquals(formatRanges(field(10, [])), "none");
  assertEquals(formatRanges(Bitfield.full(10)), "all");
  assertEquals(formatRanges(Bitfield.full(0)), "all");
});

Deno.test("formatRanges() sums up what would be too long", () => {
  const many = field(2_000, Array.from({ length: 1_000 }, (_, i) => 2 * i));
  const text = formatRanges(many);
  assert(text.endsWith(",124,126,..."), text.slice(-40));
  assertEquals(text.split(",").length, 65);
});

Deno.test("mergedRanges() has the same chunks, in order, in runs that do not touch", () => {
  const range = fc.record({ first: fc.nat(100), count: fc.integer({ min: 1, max: 20 }) });
  fc.assert(fc.property(fc.array(range, { maxLength: 30 }), (ranges) => {
    const before = structuredClone(ranges);
    const expected = new Bitfield(200), merged = new Bitfield(200);
    for (const one of ranges) expected.addRange(one);
    let end = -1;
    for (const one of mergedRanges(ranges)) {
      assert(one.first > end, "in order, with a gap");
      end = one.first + one.count;
      assertEquals(merged.addRange(one), one.count);
    }
    assertEquals(merged.toBytes(), expected.toBytes());
    assertEquals(ranges, before);
  }));
});
