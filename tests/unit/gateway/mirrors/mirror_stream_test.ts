/** How slow a client of what passes through may be. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../../../src/base/clock.ts";
import { limits } from "../../../../src/base/limits.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { MirrorStream } from "../../../../src/gateway/mirrors/mirror_stream.ts";
import { Mirrors } from "../../../../src/http/mirrors.ts";
import { content } from "../../store/store_fixture.ts";
import { CountingMirror } from "../counting_mirror.ts";

const BYTES = content(2_000_000, 1);
const STEP_MS = 1_000;

/** A client that takes what comes once every so many ms; how it ended and what it got. */
async function take(everyMs: number): Promise<{ ended: Error | undefined; bytes: number }> {
  await using mirror = new CountingMirror();
  mirror.files.set("/a.iso", { bytes: BYTES });
  using mirrors = new Mirrors({ log: silentLogger });
  const file = mirrors.file([`${mirror.url}/a.iso`]);
  const abort = new AbortController();
  const body = await file.open({ offset: 0 }, { signal: abort.signal });
  let nowMs = 0;
  const ends: (Error | undefined)[] = [];
  const stream = new MirrorStream({
    file,
    body,
    end: BYTES.length,
    abort,
    ended: (error) => void ends.push(error),
    sent: () => {},
    clock: { ...systemClock, nowMs: () => nowMs },
  });
  const reader = stream.stream.getReader();
  let bytes = 0;
  for (;;) {
    for (const untilMs = nowMs + everyMs; nowMs < untilMs && ends.length === 0;) {
      nowMs += STEP_MS;
      stream.tick(nowMs);
    }
    if (ends[0] !== undefined) {
      await assertRejects(() => reader.read(), Error, "bytes a second");
      break;
    }
    const { value, done } = await reader.read();
    bytes += value?.length ?? 0;
    if (done) break;
  }
  assertEquals([ends.length, abort.signal.aborted], [1, true]);
  return { ended: ends[0], bytes };
}

Deno.test("MirrorStream.tick() sends a client away that takes a little now and then", async () => {
  const { ended, bytes } = await take(limits.gatewayPassStalledMs - STEP_MS);
  assert(ended instanceof Error);
  assert(bytes > 0 && bytes < BYTES.length);
});

Deno.test("MirrorStream.tick() lets a client be that is slow, but not too slow", async () => {
  assertEquals(await take(STEP_MS), { ended: undefined, bytes: BYTES.length });
});
