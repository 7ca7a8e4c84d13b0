import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { randomBelow, seededRandom, shuffled, systemRandom } from "../../../src/base/random.ts";

Deno.test("seededRandom() repeats itself for a seed, and differs for another", () => {
  const run = (seed: number) => {
    const random = seededRandom(seed);
    return [...random.bytes(16), random.unit(), random.unit()];
  };
  assertEquals(run(7), run(7));
  for (const seed of [0, 8, -7, 2 ** 31]) assertNotEquals(run(7), run(seed));
});

Deno.test("seededRandom() spreads its values evenly", () => {
  const random = seededRandom(1);
  const counts = new Uint32Array(16);
  for (let i = 0; i < 16_000; i++) counts[Math.floor(random.unit() * 16)]!++;
  for (const byte of random.bytes(16_000)) counts[byte >> 4]!++;
  // Expected 2,000 each with a deviation of about 43: six of them are enough for ever.
  for (const count of counts) assert(Math.abs(count - 2_000) < 260, `${counts}`);
});

Deno.test("randomBelow() stays below its bound, and reaches both ends", () => {
  for (const random of [seededRandom(3), systemRandom]) {
    const seen = new Set(Array.from({ length: 500 }, () => randomBelow(random, 5)));
    assertEquals([...seen].sort(), [0, 1, 2, 3, 4]);
  }
  const highest = { bytes: () => new Uint8Array(), unit: () => 1 - 2 ** -32 };
  assertEquals(randomBelow(highest, 10), 9);
});

Deno.test("shuffled() has the same items, leaves the given ones alone, and uses every order", () => {
  fc.assert(fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
    const before = [...items];
    const result = shuffled(seededRandom(seed), items);
    assertEquals(items, before);
    assertEquals(result.toSorted((a, b) => a - b), items.toSorted((a, b) => a - b));
  }));
  const random = seededRandom(5);
  const orders = new Set(Array.from({ length: 400 }, () => shuffled(random, [1, 2, 3]).join()));
  assertEquals(orders.size, 6);
});
