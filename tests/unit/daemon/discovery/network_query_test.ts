import { assertEquals } from "@std/assert";
import { Changes } from "../../../../src/base/changes.ts";
import { limits } from "../../../../src/base/limits.ts";
import { provenance, waitForIdle } from "../../../../src/daemon/discovery/network_query.ts";
import type { OpenSearch } from "../../../../src/daemon/discovery/searches.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const HOUR_MS = 3_600_000;

/** Waits for answers, of which the last came at `answeredMs`. */
function waiting(timeoutMs: number) {
  const clock = new ManualClock();
  const ending = new AbortController();
  const answers = { answeredMs: 0, isUnderWay: false, ends: new Changes() };
  const state = { isOver: false };
  const search: { outcome: OpenSearch["outcome"] } = { outcome: null };
  const over = waitForIdle(answers, { clock, timeoutMs, signal: ending.signal, search })
    .then(() => state.isOver = true);
  return { clock, answers, state, over, ending, search };
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

Deno.test("waitForIdle() gives what is under way the time of a list, and ends with it", async () => {
  for (const isEnded of [true, false]) {
    const { clock, answers, state, over } = waiting(limits.queryIdleMs);
    answers.isUnderWay = true;
    answers.ends.tell();
    await clock.advance(limits.listingMs - 1);
    assertEquals(state.isOver, false);
    answers.isUnderWay = !isEnded;
    answers.ends.tell();
    await clock.advance(isEnded ? 0 : 1);
    assertEquals(state.isOver, true);
    await over;
  }
});

Deno.test("waitForIdle() ends at once when all have answered, but for what is under way", async () => {
  const { clock, answers, state, over, search } = waiting(HOUR_MS);
  answers.isUnderWay = true;
  search.outcome = "answered";
  answers.ends.tell();
  await clock.advance(0);
  assertEquals(state.isOver, false);
  answers.isUnderWay = false;
  answers.ends.tell();
  await over;
  assertEquals(clock.nowMs(), 0);
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
