import { assertEquals } from "@std/assert";
import { Seldom } from "../../../src/base/log_throttle.ts";

Deno.test("Seldom.isFirst() is true once for a line, until a minute has gone by", () => {
  const seldom = new Seldom();
  const startMs = performance.now();
  assertEquals([seldom.isFirst("a"), seldom.isFirst("b"), seldom.isFirst("a")], [
    true,
    true,
    false,
  ]);
  seldom.tick(startMs + 59_000);
  assertEquals(seldom.isFirst("a"), false);
  seldom.tick(performance.now() + 60_000);
  assertEquals([seldom.isFirst("a"), seldom.isFirst("b")], [true, true]);
});

Deno.test("Seldom remembers a bounded number of lines", () => {
  const seldom = new Seldom();
  for (let i = 0; i < 1_024; i++) assertEquals(seldom.isFirst(`line ${i}`), true);
  assertEquals(seldom.isFirst("line 0"), false);
  assertEquals(seldom.isFirst("one too many"), true);
  assertEquals(seldom.isFirst("line 0"), true);
});
