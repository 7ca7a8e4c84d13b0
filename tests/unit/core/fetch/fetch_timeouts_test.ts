import { assert, assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import {
  FetchTimeouts,
  findUnchangedMs,
  mirrorDelayOf,
} from "../../../../src/core/fetch/fetch_timeouts.ts";
import { requestFor } from "../../../support/fetch_request.ts";

const NEVER = { sourceCount: 0, hadSources: false, needsSources: true, comesBackMs: null };
const LOST = { sourceCount: 0, hadSources: true, needsSources: true, comesBackMs: null };
const STALLING = { sourceCount: 1, hadSources: true, needsSources: true, comesBackMs: null };
const GIVING = { sourceCount: 1, hadSources: true, needsSources: false, comesBackMs: null };

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

Deno.test("FetchTimeouts.tick() waits for those who withdrew a file as long as they may hash it", () => {
  const comesBackMs = findUnchangedMs(0);
  assertEquals(comesBackMs, limits.withdrawnMs);
  assertEquals(findUnchangedMs(2 ** 40), limits.sourcesLostMs);
  const timeouts = new FetchTimeouts(0);
  assert(!timeouts.tick(GIVING, 1_000));
  assert(!timeouts.tick({ ...LOST, comesBackMs }, 1_000 + comesBackMs));
  assert(timeouts.tick({ ...LOST, comesBackMs }, 1_001 + comesBackMs));
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

Deno.test("mirrorDelayOf() is what the request says, else the node, and long when nobody waits", () => {
  const { backgroundDelayMs } = limits;
  const given = requestFor("a", { mirrorDelayMs: 0, background: true });
  assertEquals(mirrorDelayOf(given, 1_000), 0);
  assertEquals(mirrorDelayOf(requestFor("a"), 1_000), 1_000);
  assertEquals(mirrorDelayOf(requestFor("a"), null), null);
  const background = requestFor("a", { background: true });
  assertEquals(mirrorDelayOf(background, null), backgroundDelayMs);
  assertEquals(mirrorDelayOf(background, 2 * backgroundDelayMs), 2 * backgroundDelayMs);
});

Deno.test("FetchTimeouts.tick() seeks the rest of what is here as long as it would seek the whole", () => {
  const searchMs = 3 * limits.searchMs;
  const patient = new FetchTimeouts(0, { searchMs });
  const idle = { ...NEVER, needsSources: false };
  assert(!patient.tick(idle, searchMs));
  assert(patient.tick(idle, searchMs + 1));
  const hasty = new FetchTimeouts(0, { searchMs: 1 });
  assert(!hasty.tick(idle, limits.searchMs));
  assert(hasty.tick(idle, limits.searchMs + 1));
});
