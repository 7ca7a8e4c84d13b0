import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { provenance, waitForIdle } from "../../../../src/daemon/discovery/network_query.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const HOUR_MS = 3_600_000;

/** Waits for answers, of which the last came at `answeredMs`. */
function waiting(timeoutMs: number) {
  const clock = new ManualClock();
  const ending = new AbortController();
  const answers = { answeredMs: 0 };
  const state = { isOver: false };
  const over = waitForIdle(answers, { clock, timeoutMs, signal: ending.signal })
    .then(() => state.isOver = true);
  return { clock, answers, state, over, ending };
}

Deno.test("waitForIdle() waits as long as there are answers, and no longer", async () => {
  const { clock, answers, state, over } = waiting(HOUR_MS);
  for (let i = 0; i < 10; i++) {
    await clock.advance(limits.queryIdleMs - 1);
    answers.answeredMs = clock.nowMs();
  }
  await clock.advance(limits.queryIdleMs - 1);
  assertEquals(state.isOver, false);
  await clock.advance(1);
  assertEquals(state.isOver, true);
  await over;
});

Deno.test("waitForIdle() ends by time although there are answers all the time", async () => {
  const { clock, answers, state, over } = waiting(limits.queryIdleMs + 100);
  await clock.advance(limits.queryIdleMs - 1);
  answers.answeredMs = clock.nowMs();
  await clock.advance(100);
  assertEquals(state.isOver, false);
  await clock.advance(1);
  assertEquals(state.isOver, true);
  await over;
});

Deno.test("waitForIdle() ends by its signal", async () => {
  const { clock, over, ending } = waiting(HOUR_MS);
  await clock.advance(1);
  ending.abort();
  await over;
  assertEquals(clock.nowMs(), 1);
});

Deno.test("provenance() has this node first, then the flood, then the directories in order", () => {
  const from = new Set(["h:2", "flood", "h:1", "here"]);
  assertEquals(provenance(from), ["here", "flood", "h:1", "h:2"]);
});
