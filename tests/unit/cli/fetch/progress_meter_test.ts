// When a fetch is shown, and when it is said to stall, in virtual time.

import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { ProgressMeter } from "../../../../src/cli/fetch/progress_meter.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const NO_URL = { origin: null, isDirect: false, silentMs: () => 0 };

function progress(bytesDone: number, { bytesPerSecond = 1e6, sources = 2 } = {}) {
  return { kind: "progress", bytesDone, bytesTotal: 1e9, bytesPerSecond, sources } as const;
}

/** A meter, and how it takes the same progress again after a while. */
function meterAt(options: ConstructorParameters<typeof ProgressMeter>[1] = NO_URL) {
  const clock = new ManualClock();
  const meter = new ProgressMeter(clock, options);
  meter.begin(0);
  const after = async (waitMs: number, what: ReturnType<typeof progress>) => {
    await clock.advance(waitMs);
    return meter.progressed(what)?.stalled;
  };
  return { clock, meter, after };
}

Deno.test("ProgressMeter says after two seconds that nothing comes, and takes it back", async () => {
  const { after } = meterAt();
  assertEquals(await after(0, progress(1e6)), null);
  assertEquals(await after(limits.fetchStalledMs - 1, progress(1e6)), null);
  const waitingFor = "2 sources";
  assertEquals(await after(200, progress(1e6)), {
    sinceMs: limits.fetchStalledMs + 199,
    waitingFor,
    daemonSilent: false,
  });
  assertEquals(await after(3_000, progress(1e6)), {
    sinceMs: limits.fetchStalledMs + 3_199,
    waitingFor,
    daemonSilent: false,
  });
  assertEquals(await after(100, progress(1e6 + 1)), null);
  assertEquals(await after(1_000, progress(1e6 + 1)), null);
});

Deno.test("ProgressMeter counts from the beginning where nothing comes at all", async () => {
  const { after } = meterAt();
  const sinceMs = limits.fetchStalledMs;
  assertEquals(await after(sinceMs, progress(0)), {
    sinceMs,
    waitingFor: "2 sources",
    daemonSilent: false,
  });
});

Deno.test("ProgressMeter waits on a slow line for as long as two chunks take there", async () => {
  const { after } = meterAt();
  const slow = { bytesPerSecond: 1_024 };
  const chunkMs = CHUNK_BYTES / 1_024 * 1000;
  await after(chunkMs, progress(CHUNK_BYTES, slow));
  // The rate fades meanwhile; that of the last chunk counts.
  assertEquals(await after(2 * chunkMs - 1, progress(CHUNK_BYTES, { bytesPerSecond: 10 })), null);
  const sinceMs = 2 * chunkMs + 199;
  assertEquals(await after(200, progress(CHUNK_BYTES, slow)), {
    sinceMs,
    waitingFor: "2 sources",
    daemonSilent: false,
  });
});

Deno.test("ProgressMeter names who has to give something", async () => {
  const origin = "mirror.example.org";
  const waitsFor = async (sources: number, options = {}) => {
    const { after } = meterAt({ ...NO_URL, ...options });
    assertEquals(await after(5_000, progress(1, { sources })), null);
    return (await after(5_000, progress(1, { sources })))?.waitingFor;
  };
  assertEquals(await waitsFor(1), "1 source");
  assertEquals(await waitsFor(0), "a node that has the rest");
  assertEquals(await waitsFor(0, { origin }), origin);
  assertEquals(await waitsFor(3, { origin }), "3 sources");
  const direct = meterAt({ ...NO_URL, origin, isDirect: true });
  await direct.after(0, progress(1, { sources: 1 }));
  assertEquals((await direct.after(5_000, progress(1, { sources: 1 })))?.waitingFor, origin);
});

Deno.test("ProgressMeter shows by itself what nobody tells, once there is something", async () => {
  const { clock, meter, after } = meterAt();
  await clock.advance(10_000);
  assertEquals(meter.beat(), undefined);
  await after(0, progress(5));
  await clock.advance(limits.fetchBeatMs - 1);
  assertEquals(meter.beat(), undefined);
  await clock.advance(1_001);
  const waitingFor = "2 sources";
  assertEquals(meter.beat(), {
    ...progress(5),
    bytesPerSecond: 0,
    stalled: { sinceMs: 2_000, waitingFor, daemonSilent: false },
  });
});

Deno.test("ProgressMeter says nothing of a stall once all is here, and shows not too often", async () => {
  const { clock, meter } = meterAt();
  const all = { ...progress(1e9), bytesPerSecond: 0 };
  assertEquals(meter.progressed(all)?.stalled, null);
  await clock.advance(60_000);
  assertEquals(meter.progressed(all)?.stalled, null);
  await clock.advance(limits.fetchProgressMs - 1);
  assertEquals(meter.progressed(all), undefined);
});

Deno.test("ProgressMeter says that the daemon is silent once not even its beat comes", async () => {
  let silentMs = 0;
  const { clock, meter, after } = meterAt({ ...NO_URL, silentMs: () => silentMs });
  await after(0, progress(5));
  const stallAt = async (ms: number) => {
    await clock.advance(limits.fetchStalledMs);
    silentMs = ms;
    const { daemonSilent, waitingFor } = meter.beat()!.stalled!;
    return [daemonSilent, waitingFor];
  };
  assertEquals(await stallAt(limits.daemonSilentMs - 1), [false, "2 sources"]);
  assertEquals(await stallAt(limits.daemonSilentMs), [true, "the daemon"]);
  assertEquals(await stallAt(0), [false, "2 sources"]);
});
