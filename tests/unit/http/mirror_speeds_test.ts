/** What is known of mirrors' speeds, in time that the test gives. */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { type BodyMeter, MirrorMeter, MirrorSpeeds } from "../../../src/http/mirror_speeds.ts";

const KIB = 1024;

Deno.test("MirrorSpeeds.of() gives the mean of what was measured lately, by mirror", () => {
  const speeds = new MirrorSpeeds();
  assertEquals(speeds.of("a", 0), undefined);
  speeds.note("a", 1_000, 100, 0);
  assertEquals(speeds.of("a", 0), 10_000);
  speeds.note("a", 3_000, 100, 50);
  assertEquals([speeds.of("a", 50), speeds.of("b", 50)], [20_000, undefined]);
  assertEquals(speeds.of("a", 50 + limits.hedgeSpeedMs), 20_000);
  assertEquals(speeds.of("a", 51 + limits.hedgeSpeedMs), undefined);
  // What is forgotten does not count any more.
  speeds.note("a", 1_000, 100, 51 + limits.hedgeSpeedMs);
  assertEquals(speeds.of("a", 51 + limits.hedgeSpeedMs), 10_000);
});

Deno.test("MirrorSpeeds.note() forgets the mirror that was measured longest ago", () => {
  const speeds = new MirrorSpeeds();
  speeds.note("first", 1, 1, 0);
  speeds.note("second", 1, 1, 0);
  speeds.note("first", 1, 1, 1);
  for (let i = 1; i < limits.mirrorHostsMax; i++) speeds.note(`other ${i}`, 1, 1, 2);
  assertEquals([speeds.of("first", 2), speeds.of("second", 2)], [1_000, undefined]);
});

/** Has a body bring so many bytes every `everyMs` for `forMs`; returns when that was over. */
function bring(
  body: BodyMeter,
  { fromMs, everyMs, forMs, bytes }: {
    readonly fromMs: number;
    readonly everyMs: number;
    readonly forMs: number;
    readonly bytes: number;
  },
): number {
  let nowMs = fromMs;
  for (; nowMs <= fromMs + forMs; nowMs += everyMs) {
    body.reading(nowMs - everyMs);
    body.add(bytes, nowMs);
  }
  return nowMs - everyMs;
}

Deno.test("MirrorMeter measures a body from its first bytes on", () => {
  const speeds = new MirrorSpeeds();
  const body = new MirrorMeter("a", speeds).body();
  const endMs = bring(body, { fromMs: 500, everyMs: 10, forMs: 500, bytes: 4 * KIB });
  body.end(endMs);
  assertAlmostEquals(speeds.of("a", endMs)!, 400 * KIB, 1);
});

Deno.test("MirrorMeter measures all bodies of a mirror together", () => {
  const speeds = new MirrorSpeeds();
  const meter = new MirrorMeter("a", speeds);
  const bodies = Array.from({ length: 4 }, () => meter.body());
  for (let nowMs = 0; nowMs <= 3_000; nowMs += 20) {
    for (const body of bodies) {
      body.reading(nowMs);
      body.add(KIB, nowMs);
    }
  }
  assertAlmostEquals(speeds.of("a", 3_000)!, 200 * KIB, 2 * KIB);
});

Deno.test("MirrorMeter takes nothing from what is too little, or came while nobody read", () => {
  const speeds = new MirrorSpeeds();
  const meter = new MirrorMeter("a", speeds);
  const little = meter.body();
  little.add(limits.mirrorSampleBytes, 0);
  little.add(limits.mirrorSampleBytes - 1, 1);
  little.end(2);
  assertEquals(speeds.of("a", 2), undefined);
  const paused = new MirrorMeter("b", speeds).body();
  paused.reading(0);
  paused.add(KIB, 1);
  paused.reading(5_000);
  paused.add(limits.mirrorSampleBytes, 5_001);
  paused.end(5_002);
  assertEquals(speeds.of("b", 5_002), undefined);
});
