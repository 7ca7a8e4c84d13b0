/** A read that is left open for a while for who may want more of it. */

import { assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { PausedRead } from "../../../src/http/paused_read.ts";
import { type RangeBody, ResumableRead } from "../../../src/http/resumable_read.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A read that has begun, and whether its answer was given up. */
async function begun(signal: AbortSignal) {
  const state = { isLeft: false };
  const body: RangeBody = {
    mirror: "m",
    offset: 0,
    sizeBytes: 9,
    read: () => Promise.resolve(new Uint8Array(3)),
    [Symbol.dispose]: () => void (state.isLeft = true),
  };
  const read = new ResumableRead({ open: () => Promise.resolve(body) }, {
    next: () => ({ offset: 0 }),
    signal,
  });
  await read.read();
  return { read, state };
}

Deno.test("PausedRead gives back what it was given, for the same signal, once", async () => {
  const { signal } = new AbortController();
  const paused = new PausedRead(new ManualClock());
  const { read, state } = await begun(signal);
  paused.pause(read, signal);
  assertEquals([paused.goOn(signal) === read, paused.goOn(signal)], [true, null]);
  paused.end();
  assertEquals(state.isLeft, false);
});

Deno.test("PausedRead gives up what waits too long, has another signal, or is replaced", async () => {
  const { signal } = new AbortController();
  const clock = new ManualClock();
  const paused = new PausedRead(clock);
  const [late, replaced, other] = [await begun(signal), await begun(signal), await begun(signal)];
  paused.pause(late.read, signal);
  await clock.advance(limits.mirrorPausedMs - 1);
  assertEquals(late.state.isLeft, false);
  await clock.advance(1);
  assertEquals([late.state.isLeft, paused.goOn(signal)], [true, null]);
  paused.pause(replaced.read, signal);
  paused.pause(other.read, signal);
  assertEquals([replaced.state.isLeft, other.state.isLeft], [true, false]);
  assertEquals(paused.goOn(new AbortController().signal), null);
  assertEquals(other.state.isLeft, true);
});
