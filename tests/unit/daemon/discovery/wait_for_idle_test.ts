import { assert, assertEquals } from "@std/assert";
import { waitForIdle } from "../../../../src/daemon/discovery/wait_for_idle.ts";

const HOUR_MS = 3_600_000;

Deno.test("untilQuiet() waits as long as there is news, and no longer", async () => {
  let looks = 0;
  const { signal } = new AbortController();
  await waitForIdle({ isIdle: () => ++looks === 3 }, { timeoutMs: HOUR_MS, signal });
  assertEquals(looks, 3);
});

Deno.test("untilQuiet() ends by time or by signal although there is news all the time", async () => {
  const noisy = { isIdle: () => false };
  const startMs = performance.now();
  await waitForIdle(noisy, { timeoutMs: 120, signal: new AbortController().signal });
  assert(performance.now() - startMs >= 120);
  const ending = new AbortController();
  const ended = waitForIdle(noisy, { timeoutMs: HOUR_MS, signal: ending.signal });
  ending.abort();
  await ended;
});
