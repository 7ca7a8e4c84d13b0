import { assertEquals, assertRejects } from "@std/assert";
import { sleep, systemClock } from "../../../src/base/clock.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("ManualClock runs timers in the order of their times, and none that was cancelled", async () => {
  const clock = new ManualClock();
  const ran: string[] = [];
  const note = (what: string) => () => ran.push(`${what} at ${clock.nowMs()}`);
  clock.after(20, note("twenty"));
  clock.after(10, note("ten"));
  clock.after(15, note("never")).cancel();
  const every = clock.every(8, note("eight"));
  await clock.advance(20);
  every.cancel();
  await clock.advance(100);
  assertEquals(ran, ["eight at 8", "ten at 10", "eight at 16", "twenty at 20"]);
  assertEquals(clock.nowMs(), 120);
});

Deno.test("sleep() resolves when its time is over, and rejects when its signal says so", async () => {
  const clock = new ManualClock();
  let isOver = false;
  const slept = sleep(clock, 50).then(() => isOver = true);
  await clock.advance(49);
  assertEquals(isOver, false);
  await clock.advance(1);
  await slept;
  const stop = new AbortController();
  const stopped = sleep(clock, 50, { signal: stop.signal });
  stop.abort(new Error("no more"));
  await assertRejects(() => stopped, Error, "no more");
  await assertRejects(() => sleep(clock, 1, { signal: stop.signal }), Error, "no more");
});

Deno.test("systemClock.after() bears a time that no timer of the runtime can be set to", async () => {
  let hasRun = false;
  using _timer = systemClock.after(2 ** 40, () => hasRun = true);
  await sleep(systemClock, 1);
  assertEquals(hasRun, false);
});
