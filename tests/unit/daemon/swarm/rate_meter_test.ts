import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { RateMeter } from "../../../../src/daemon/swarm/rate_meter.ts";

/** Readings of a count that grows by so many bytes a second, four times a second. */
function run(
  meter: RateMeter,
  state: { bytes: number; ms: number },
  rate: number,
  seconds: number,
) {
  for (let i = 0; i < seconds * 4; i++) {
    state.ms += 250;
    state.bytes += rate / 4;
    meter.add(state.bytes, state.ms);
  }
}

Deno.test("RateMeter shows nothing before the second reading, then the rate", () => {
  const meter = new RateMeter();
  meter.add(5_000_000, 1_000);
  assertEquals(meter.bytesPerSecond, 0);
  meter.add(5_001_000, 1_500);
  assertAlmostEquals(meter.bytesPerSecond, 2_000);
});

Deno.test("RateMeter goes to the new rate within seconds, without a jump", () => {
  const meter = new RateMeter(), state = { bytes: 0, ms: 0 };
  run(meter, state, 1_000, 10);
  assertAlmostEquals(meter.bytesPerSecond, 1_000);
  run(meter, state, 0, 1);
  assert(meter.bytesPerSecond > 400 && meter.bytesPerSecond < 800, `${meter.bytesPerSecond}`);
  run(meter, state, 0, 20);
  assert(meter.bytesPerSecond < 1, `${meter.bytesPerSecond}`);
});

Deno.test("RateMeter takes two readings in one moment as one", () => {
  const meter = new RateMeter();
  meter.add(0, 0);
  meter.add(100, 1_000);
  meter.add(200, 1_000);
  assertEquals(meter.bytesPerSecond, 100);
  meter.add(300, 2_000);
  assertAlmostEquals(meter.bytesPerSecond, 100);
});
