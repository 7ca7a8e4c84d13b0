import { assertEquals } from "@std/assert";
import { RateLimit } from "../../../src/base/rate_limit.ts";

function taken(limit: RateLimit, times: number, nowMs: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) if (limit.take(nowMs)) count++;
  return count;
}

Deno.test("RateLimit.take() allows the burst at once, then the rate", () => {
  const limit = new RateLimit(100, 200);
  assertEquals(taken(limit, 500, 5_000), 200);
  assertEquals(taken(limit, 500, 5_010), 1);
  assertEquals(taken(limit, 500, 6_010), 100);
});

Deno.test("RateLimit.take() saves up no more than the burst when nothing comes for long", () => {
  const limit = new RateLimit(100, 200);
  assertEquals(taken(limit, 200, 0), 200);
  assertEquals(taken(limit, 1_000, 3_600_000), 200);
});

Deno.test("RateLimit.waitMs() is how long until the next event is within the bound", () => {
  const limit = new RateLimit(100, 200);
  assertEquals(limit.waitMs(0), 0);
  assertEquals(taken(limit, 200, 0), 200);
  assertEquals(limit.waitMs(0), 10);
  assertEquals(limit.waitMs(4), 6);
  assertEquals(limit.waitMs(50), 0);
});
