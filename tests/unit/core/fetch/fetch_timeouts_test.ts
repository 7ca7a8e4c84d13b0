import { assert } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { FetchTimeouts } from "../../../../src/core/fetch/fetch_timeouts.ts";

const NEVER = { sourceCount: 0, hadSources: false, needsSources: true };
const LOST = { sourceCount: 0, hadSources: true, needsSources: true };
const STALLING = { sourceCount: 1, hadSources: true, needsSources: true };
const GIVING = { sourceCount: 1, hadSources: true, needsSources: false };

Deno.test("FetchTimeouts.tick() is true when a search brought nobody in time", () => {
  const timeouts = new FetchTimeouts(0);
  assert(!timeouts.tick(undefined, limits.searchMs));
  assert(timeouts.tick(undefined, limits.searchMs + 1));
});

Deno.test("FetchTimeouts.tick() waits longer for sources that were lost than for the first one", () => {
  const timeouts = new FetchTimeouts(0);
  assert(!timeouts.tick(GIVING, 1_000));
  assert(!timeouts.tick(LOST, 1_000 + limits.sourcesLostMs));
  assert(timeouts.tick(LOST, 1_001 + limits.sourcesLostMs));
});

Deno.test("FetchTimeouts.renew() restarts all of its waits", () => {
  const timeouts = new FetchTimeouts(0);
  assert(!timeouts.tick(NEVER, limits.searchMs));
  timeouts.renew(limits.searchMs);
  assert(!timeouts.tick(NEVER, 2 * limits.searchMs));
  assert(timeouts.tick(NEVER, 2 * limits.searchMs + 1));
});

Deno.test("FetchTimeouts.tick() is true when sources stall for long, unless chunks came", () => {
  const boundMs = limits.sourceSilentMs + limits.searchMs;
  const timeouts = new FetchTimeouts(0);
  assert(!timeouts.tick(STALLING, 0));
  assert(!timeouts.tick(STALLING, boundMs));
  timeouts.fed();
  assert(!timeouts.tick(STALLING, boundMs + 1));
  assert(!timeouts.tick(STALLING, 2 * boundMs + 1));
  assert(timeouts.tick(STALLING, 2 * boundMs + 2));
});

Deno.test("FetchTimeouts.tick() does not take a source that has just joined for one that gives", () => {
  const boundMs = limits.sourceSilentMs + limits.searchMs;
  const timeouts = new FetchTimeouts(0);
  for (let nowMs = 0; nowMs <= boundMs; nowMs += 1_000) {
    assert(!timeouts.tick(nowMs % 3_000 === 0 ? GIVING : STALLING, nowMs), `at ${nowMs}`);
  }
  assert(timeouts.tick(STALLING, boundMs + 1_001));
});
