import { assert } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { Patience } from "../../../../src/daemon/fetch/fetch_timeouts.ts";

const NEVER = { sourceCount: 0, hadSources: false, needsSources: true };
const LOST = { sourceCount: 0, hadSources: true, needsSources: true };
const STALLING = { sourceCount: 1, hadSources: true, needsSources: true };
const GIVING = { sourceCount: 1, hadSources: true, needsSources: false };

Deno.test("Patience.tick() is true when a search brought nobody in time", () => {
  const patience = new Patience(0);
  assert(!patience.tick(undefined, limits.searchMs));
  assert(patience.tick(undefined, limits.searchMs + 1));
});

Deno.test("Patience.tick() waits longer for sources that were lost than for the first one", () => {
  const patience = new Patience(0);
  assert(!patience.tick(GIVING, 1_000));
  assert(!patience.tick(LOST, 1_000 + limits.sourcesLostMs));
  assert(patience.tick(LOST, 1_001 + limits.sourcesLostMs));
});

Deno.test("Patience.renew() lets all time begin anew", () => {
  const patience = new Patience(0);
  assert(!patience.tick(NEVER, limits.searchMs));
  patience.renew(limits.searchMs);
  assert(!patience.tick(NEVER, 2 * limits.searchMs));
  assert(patience.tick(NEVER, 2 * limits.searchMs + 1));
});

Deno.test("Patience.tick() is true when sources stall for long, unless chunks came", () => {
  const boundMs = limits.sourceSilentMs + limits.searchMs;
  const patience = new Patience(0);
  assert(!patience.tick(STALLING, 0));
  assert(!patience.tick(STALLING, boundMs));
  patience.fed();
  assert(!patience.tick(STALLING, boundMs + 1));
  assert(!patience.tick(STALLING, 2 * boundMs + 1));
  assert(patience.tick(STALLING, 2 * boundMs + 2));
});

Deno.test("Patience.tick() does not take a source that has just joined for one that gives", () => {
  const boundMs = limits.sourceSilentMs + limits.searchMs;
  const patience = new Patience(0);
  for (let nowMs = 0; nowMs <= boundMs; nowMs += 1_000) {
    assert(!patience.tick(nowMs % 3_000 === 0 ? GIVING : STALLING, nowMs), `at ${nowMs}`);
  }
  assert(patience.tick(STALLING, boundMs + 1_001));
});
