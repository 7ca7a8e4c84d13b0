import { assertEquals } from "@std/assert";
import { Counts } from "../../../src/base/counts.ts";

Deno.test("Counts.add() counts each key by itself, and never below none", () => {
  const counts = new Counts<string>();
  assertEquals(counts.of("a"), 0);
  counts.add("a", 1);
  counts.add("a", 1);
  counts.add("b", 1);
  counts.add("a", -1);
  assertEquals([counts.of("a"), counts.of("b")], [1, 1]);
  counts.add("b", -1);
  counts.add("b", -1);
  counts.add("b", 1);
  assertEquals(counts.of("b"), 1);
});
