import { assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { Garbage } from "../../../src/gateway/garbage.ts";

Deno.test("Garbage.quiet() collects after many requests, when none comes, and seldom", () => {
  let collected = 0;
  const garbage = new Garbage(() => collected++);
  const ask = (nowMs: number) => {
    for (let i = 0; i < limits.gatewayCollectRequests; i++) garbage.asked(nowMs);
  };
  garbage.asked(0);
  garbage.quiet(limits.gatewayQuietMs);
  assertEquals(collected, 0, "one request is no burst");
  ask(1_000);
  garbage.quiet(1_000 + limits.gatewayQuietMs - 1);
  assertEquals(collected, 0, "it may go on");
  garbage.quiet(1_000 + limits.gatewayQuietMs);
  garbage.quiet(60_000);
  assertEquals(collected, 1);
  ask(2_500);
  garbage.quiet(2_500 + limits.gatewayQuietMs);
  assertEquals(collected, 1, "it was done just now");
  garbage.quiet(2_000 + limits.gatewayCollectMs);
  assertEquals(collected, 2);
});

Deno.test("Garbage.quiet() gives memory back that nothing uses", () => {
  const garbage = new Garbage();
  let kept: { readonly i: number }[] | null = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
  const before = Deno.memoryUsage().heapUsed;
  assertEquals(kept.length, 1_000_000);
  kept = null;
  for (let i = 0; i < limits.gatewayCollectRequests; i++) garbage.asked(0);
  garbage.quiet(limits.gatewayQuietMs);
  assertEquals(Deno.memoryUsage().heapUsed < before - 10_000_000, true);
});
