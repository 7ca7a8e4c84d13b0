import { assert, assertEquals, assertFalse } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { Askers } from "../../../../src/core/directory/askers.ts";

Deno.test("Askers.take() bounds each address alone, with twice the rate as a burst", () => {
  const askers = new Askers(10);
  for (let i = 0; i < 20; i++) assert(askers.take("a", 1, 0));
  assertFalse(askers.take("a", 1, 0));
  assert(askers.take("b", 20, 0));
  assertFalse(askers.take("a", 2, 100));
  assert(askers.take("a", 1, 100));
});

Deno.test("Askers.take() lets a search through at the smallest rate", () => {
  assert(new Askers(1).take("a", limits.directorySearchCost, 0));
});

Deno.test("Askers.take() forgets the address that asked longest ago when there are too many", () => {
  const askers = new Askers(1);
  for (let i = 0; i <= limits.directoryAskersMax; i++) askers.take(`${i}`, 1, 0);
  assertEquals(askers.size, limits.directoryAskersMax);
  // The last one is remembered with what it asked, the first one is new again.
  assertFalse(askers.take(`${limits.directoryAskersMax}`, 10, 0));
  assert(askers.take("0", 10, 0));
});
