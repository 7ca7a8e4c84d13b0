import { assertEquals } from "@std/assert";
import { AwakeClock, type Clock, type Timer } from "../../../src/base/clock.ts";
import { limits } from "../../../src/base/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A clock below that goes on while the process sleeps, and then sets all timers off at once. */
class SleepyClock implements Clock {
  readonly manual = new ManualClock();
  #aheadMs = 0;
  #late: (() => void)[] = [];

  nowMs = () => this.manual.nowMs() + this.#aheadMs;
  unixMs = () => this.manual.unixMs() + this.#aheadMs;
  every = (periodMs: number, run: () => void): Timer => this.manual.every(periodMs, run);

  after(waitMs: number, run: () => void): Timer {
    let isOver = false;
    const once = () => {
      if (!isOver) run();
      isOver = true;
    };
    this.#late.push(once);
    const timer = this.manual.after(waitMs, once);
    return { cancel: () => (isOver = true, timer.cancel()), [Symbol.dispose]: timer.cancel };
  }

  sleep(forMs: number): void {
    this.#aheadMs += forMs;
    const late = this.#late;
    this.#late = [];
    for (const run of late) run();
  }
}

Deno.test("AwakeClock.nowMs() goes with the clock below, but not while the process sleeps", async () => {
  const below = new SleepyClock();
  using clock = new AwakeClock(below);
  await below.manual.advance(10_000);
  assertEquals(clock.nowMs(), 10_000);
  below.sleep(limits.asleepMs - 1);
  assertEquals(clock.nowMs(), 10_000 + limits.asleepMs - 1, "a short pause is no sleep");
  const beforeMs = clock.nowMs();
  below.sleep(20_000);
  assertEquals(clock.nowMs(), beforeMs);
  await below.manual.advance(1_000);
  below.sleep(3_600_000);
  assertEquals(clock.nowMs(), beforeMs + 1_000);
  assertEquals(clock.unixMs(), below.unixMs());
});

Deno.test("AwakeClock.after() leaves who waits all of the time, whatever was slept of it", async () => {
  const below = new SleepyClock();
  using clock = new AwakeClock(below);
  const ran: string[] = [];
  clock.after(15_000, () => ran.push("late"));
  clock.after(15_000, () => ran.push("never")).cancel();
  await below.manual.advance(5_000);
  below.sleep(20_000);
  assertEquals(ran, []);
  await below.manual.advance(9_999);
  assertEquals(ran, []);
  await below.manual.advance(1);
  assertEquals(ran, ["late"]);
});
