import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../../src/base/clock.ts";
import { limits } from "../../../src/base/limits.ts";
import { EventLoopWatch } from "../../../src/metrics/event_loop.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("EventLoopWatch looks at its beat, and sees no delay where there is none", async () => {
  const clock = new ManualClock();
  const delays: number[] = [];
  using _ = new EventLoopWatch((seconds) => delays.push(seconds), clock);
  await clock.advance(limits.eventLoopBeatMs * 5);
  assertEquals(delays, [0, 0, 0, 0, 0]);
});

Deno.test("EventLoopWatch sees what holds the event loop up", async () => {
  const heldUpMs = limits.eventLoopBeatMs * 2;
  const seen = Promise.withResolvers<number>();
  using _ = new EventLoopWatch(seen.resolve);
  const endMs = systemClock.nowMs() + heldUpMs;
  while (systemClock.nowMs() < endMs);
  assert(await seen.promise >= (heldUpMs - limits.eventLoopBeatMs) / 1000);
});
