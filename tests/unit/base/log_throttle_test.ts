import { assertEquals } from "@std/assert";
import { LogThrottle } from "../../../src/base/log.ts";

Deno.test("LogThrottle.isFirst() is true once for a line, until a minute has gone by", () => {
  const throttle = new LogThrottle();
  const startMs = performance.now();
  assertEquals([throttle.isFirst("a"), throttle.isFirst("b"), throttle.isFirst("a")], [
    true,
    true,
    false,
  ]);
  throttle.tick(startMs + 59_000);
  assertEquals(throttle.isFirst("a"), false);
  throttle.tick(performance.now() + 60_000);
  assertEquals([throttle.isFirst("a"), throttle.isFirst("b")], [true, true]);
});

Deno.test("LogThrottle remembers a bounded number of lines", () => {
  const throttle = new LogThrottle();
  for (let i = 0; i < 1_024; i++) assertEquals(throttle.isFirst(`line ${i}`), true);
  assertEquals(throttle.isFirst("line 0"), false);
  assertEquals(throttle.isFirst("one too many"), true);
  assertEquals(throttle.isFirst("line 0"), true);
});
