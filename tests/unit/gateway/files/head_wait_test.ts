// How long a client of the gateway waits for the head of its answer.

import { assertEquals } from "@std/assert";
import { Changes } from "../../../../src/base/changes.ts";
import { type Clock, type Timer, timer } from "../../../../src/base/clock.ts";
import { HeadWait } from "../../../../src/gateway/files/head_wait.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const BOUNDS = { searchMs: 500, holdMs: 8_000 };
const SOUGHT = { hasFound: false, mayBeHere: false };

function waitOf(clock: Clock, { mirrors = [] as string[], beganMs = clock.nowMs() } = {}) {
  const { signal } = new AbortController();
  return new HeadWait({ clock, mirrors, signal, beganMs }, BOUNDS);
}

/** Waits to its end; gives how long that took. */
async function waitedMs(
  clock: ManualClock,
  wait: HeadWait,
  sharedFetch = SOUGHT as { hasFound: boolean; mayBeHere: boolean },
): Promise<number> {
  const beganMs = clock.nowMs();
  const ended = (async () => {
    while (await wait.next({ ...sharedFetch, changes: new Changes() }));
    return clock.nowMs() - beganMs;
  })();
  await clock.advance(2 * BOUNDS.holdMs);
  return await ended;
}

Deno.test("HeadWait looks a short while for what nobody seems to have, and holds what can be had", async () => {
  const clock = new ManualClock();
  assertEquals(await waitedMs(clock, waitOf(clock)), 500);
  assertEquals(await waitedMs(clock, waitOf(clock), { ...SOUGHT, hasFound: true }), 8_000);
  assertEquals(await waitedMs(clock, waitOf(clock), { ...SOUGHT, mayBeHere: true }), 8_000);
  assertEquals(await waitedMs(clock, waitOf(clock, { mirrors: ["http://m/"] })), 8_000);
});

Deno.test("HeadWait counts from when a client's turn came, up to the bound for all", async () => {
  const clock = new ManualClock();
  await clock.advance(10_000);
  assertEquals(await waitedMs(clock, waitOf(clock, { beganMs: clock.nowMs() - 3_000 })), 500);
  assertEquals(await waitedMs(clock, waitOf(clock, { beganMs: clock.nowMs() - 7_900 })), 100);
});

/** A clock of a process that is busy: its first timers go off late. */
class LateClock implements Clock {
  readonly #clock: ManualClock;
  readonly #lateMs: number[];

  constructor(clock: ManualClock, lateMs: number[]) {
    this.#clock = clock;
    this.#lateMs = lateMs;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  unixMs(): number {
    return this.#clock.unixMs();
  }

  after(waitMs: number, run: () => void): Timer {
    return this.#clock.after(waitMs + (this.#lateMs.shift() ?? 0), run);
  }

  every(): Timer {
    return timer(() => {});
  }
}

Deno.test("HeadWait does not count by how much the process was late", async () => {
  const clock = new ManualClock();
  // It was to end after 500 ms: 300 ms later it begins to look for as long again, and then for 100 ms.
  const late = new LateClock(clock, [300, 100]);
  assertEquals(await waitedMs(clock, waitOf(late)), 500 + 2 * 300 + 2 * 100);
  // Each timer of a real clock is late by a little.
  const real = new LateClock(clock, Array.from({ length: 100 }, () => 3));
  assertEquals(await waitedMs(clock, waitOf(real)), 503);
  const never = new LateClock(clock, Array.from({ length: 100 }, () => 1_000));
  assertEquals(await waitedMs(clock, waitOf(never)) < BOUNDS.holdMs + 1_001, true);
});
