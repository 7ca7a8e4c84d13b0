/** How slowly a file that is given may go before it is given up. */

import { assert } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { MinimumRate } from "../../../../src/daemon/upload/minimum_rate.ts";

const { pushMsMin, pushBytesPerSecondMin } = limits;

Deno.test("MinimumRate.tick() is true when nothing comes in the first time", () => {
  const rate = new MinimumRate(1_000);
  assert(!rate.tick(0, 1_000 + pushMsMin));
  assert(rate.tick(0, 1_001 + pushMsMin));
});

Deno.test("MinimumRate.tick() is false for as long as the least rate is kept", () => {
  const rate = new MinimumRate(0);
  for (let second = 1; second <= 100_000; second += 7) {
    assert(!rate.tick(second * pushBytesPerSecondMin, second * 1_000), `${second}`);
  }
});

Deno.test("MinimumRate.tick() is true when little comes after much came fast", () => {
  const rate = new MinimumRate(0);
  assert(!rate.tick(1e9, 1_000));
  let bytes = 1e9, nowMs = 1_000;
  while (!rate.tick(bytes, nowMs)) {
    assert(nowMs < 3 * pushMsMin, "it goes on for ever");
    // A quarter of the least rate.
    nowMs += 4_000;
    bytes += pushBytesPerSecondMin;
  }
  assert(nowMs > pushMsMin);
});

Deno.test("MinimumRate.excuse() takes no time for slow in which this node held the file back", () => {
  const rate = new MinimumRate(0);
  for (let second = 1; second <= 1_000; second++) assert(!rate.excuse(second * 1_000));
  assert(!rate.tick(0, 1_000_000 + pushMsMin));
  assert(rate.tick(0, 1_000_001 + pushMsMin));
});
