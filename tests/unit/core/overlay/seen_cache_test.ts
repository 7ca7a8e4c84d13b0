import { assert, assertEquals, assertFalse } from "@std/assert";
import type { QueryId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { SeenCache } from "../../../../src/core/overlay/seen_cache.ts";

const id = (number: number) => number.toString(16).padStart(32, "0") as QueryId;

Deno.test("SeenCache.add() forgets the oldest when it is full", () => {
  const cache = new SeenCache(3);
  for (let i = 0; i < 5; i++) cache.add(id(i), 10 + i);
  assertEquals([0, 1, 2, 3, 4].map((i) => cache.linkOf(id(i))), [undefined, undefined, 12, 13, 14]);
  assertEquals(cache.size, 3);
});

Deno.test("SeenCache.add() keeps the first link, and the age, when an id comes again", () => {
  const cache = new SeenCache(2);
  cache.add(id(1), 1);
  cache.add(id(2), 1);
  cache.add(id(1), 2);
  assertEquals(cache.linkOf(id(1)), 1);
  cache.add(id(3), 1);
  assertFalse(cache.has(id(1)), "it is still the oldest");
  assert(cache.has(id(2)));
});

Deno.test("SeenCache stays at its bound when three times as many ids come", () => {
  const cache = new SeenCache();
  for (let i = 0; i < 3 * limits.seenQueriesMax; i++) cache.add(id(i), 1);
  assertEquals(cache.size, limits.seenQueriesMax);
  assert(cache.has(id(3 * limits.seenQueriesMax - 1)));
  assert(cache.has(id(2 * limits.seenQueriesMax)));
  assertFalse(cache.has(id(2 * limits.seenQueriesMax - 1)));
});
