import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Bitfield, mergedRanges, splitRanges } from "../../../src/base/bitfield.ts";
import { PeerFault } from "../../../src/base/errors.ts";

Deno.test("a Bitfield behaves as a set of indices under any changes", () => {
  const event = fc.record({
    kind: fc.constantFrom("add", "remove", "addRange", "removeRange"),
    at: fc.nat(),
    count: fc.nat({ max: 40 }),
  });
  const run = fc.property(fc.integer({ min: 1, max: 100 }), fc.array(event), (length, events) => {
    const field = new Bitfield(length);
    const model = new Set<number>();
    for (const { kind, at, count } of events) {
      const index = at % length;
      if (kind === "add") assertEquals(field.add(index), !model.has(index));
      if (kind === "remove") assertEquals(field.remove(index), model.has(index));
      if (kind === "add") model.add(index);
      if (kind === "remove") model.delete(index);
      if (kind === "addRange") {
        const range = { first: index, count: Math.min(count, length - index) };
        const before = model.size;
        for (let i = 0; i < range.count; i++) model.add(index + i);
        assertEquals(field.addRange(range), model.size - before);
        assert(field.hasRange(range));
      }
      if (kind === "removeRange") {
        const before = model.size;
        for (let i = 0; i < count; i++) model.delete(index + i);
        assertEquals(field.removeRange({ first: index, count }), before - model.size);
      }
    }
    const indices = [...Array(length).keys()];
    assertEquals(indices.filter((i) => field.has(i)), [...model].sort((a, b) => a - b));
    assertEquals(field.count, model.size);
    assertEquals(field.isFull, model.size === length);
    const ranges = [...field.ranges()];
    assertEquals(ranges.reduce((sum, { count }) => sum + count, 0), model.size);
    assert(ranges.every(({ first, count }) => field.hasRange({ first, count })));
    assert(ranges.every(({ first, count }) => !model.has(first - 1) && !model.has(first + count)));
    const copy = Bitfield.fromBytes(length, field.toBytes());
    assertEquals([copy.count, copy.toBytes()], [field.count, field.toBytes()]);
    const clone = field.clone();
    clone.add(0);
    assertEquals(field.has(0), model.has(0));
  });
  fc.assert(run);
});

Deno.test("addBytes() adds pages anywhere and equals fromBytes() of the whole", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(fc.property(bytes, fc.nat(), (whole, at) => {
    const field = new Bitfield(whole.length * 8);
    const split = at % (whole.length + 1);
    field.addBytes(split, whole.subarray(split));
    field.addBytes(0, whole.subarray(0, split));
    field.addBytes(0, whole);
    assertEquals(field.toBytes(), whole);
    assertEquals(field.count, Bitfield.fromBytes(whole.length * 8, whole).count);
  }));
});

Deno.test("fromBytes() refuses a wrong length and spare bits that are set", () => {
  assertThrows(() => Bitfield.fromBytes(9, new Uint8Array(1)), PeerFault);
  assertThrows(() => Bitfield.fromBytes(9, new Uint8Array(3)), PeerFault);
  assertThrows(() => Bitfield.fromBytes(9, new Uint8Array([0, 0x40])), PeerFault, "spare");
  assertEquals(Bitfield.fromBytes(9, new Uint8Array([0x80, 0x80])).count, 2);
  assertThrows(() => new Bitfield(9).addBytes(1, new Uint8Array(2)), PeerFault);
});

Deno.test("full() has every chunk and nothing beyond, for lengths around whole bytes", () => {
  for (const length of [0, 1, 7, 8, 9, 16, 1000]) {
    const field = Bitfield.full(length);
    assertEquals([field.count, field.isFull], [length, true]);
    assertEquals(Bitfield.fromBytes(length, field.toBytes()).count, length);
  }
});

Deno.test("add() refuses an index past the end", () => {
  const field = new Bitfield(8);
  assertThrows(() => field.add(8), RangeError);
  assertThrows(() => field.add(-1), RangeError);
  assertThrows(() => field.addRange({ first: 6, count: 3 }), RangeError);
  assertEquals(field.remove(8), false);
});

Deno.test("splitRanges() cuts runs to a length, and mergedRanges() joins what touches or overlaps", () => {
  const parts = [
    { first: 3, count: 2 },
    { first: 5, count: 1 },
    { first: 9, count: 2 },
    { first: 11, count: 2 },
  ];
  const whole = [{ first: 3, count: 3 }, { first: 9, count: 4 }];
  assertEquals([...splitRanges(whole, 2)], parts);
  assertEquals(mergedRanges([...parts.reverse(), { first: 4, count: 1 }]), whole);
  assertEquals([...splitRanges([{ first: 7, count: 0 }], 2)], []);
});
