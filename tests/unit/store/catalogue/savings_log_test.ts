// What came in which hour: over restarts, in spans that a chart shows, and within bounds.

import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { SavingsLog } from "../../../../src/store/catalogue/savings_log.ts";
import { openStore, TempDir } from "../store_fixture.ts";

const MS_PER_HOUR = 3_600_000;
// Noon of a day, wherever this runs.
const NOW = new Date(2026, 2, 10, 12, 30).getTime();
const BYTES = { bytesPeers: 10, bytesMirror: 3, bytesSaved: 8 };
const TWICE = { bytesPeers: 20, bytesMirror: 6, bytesSaved: 16 };

function hourOf(unixMs: number): number {
  return Math.floor(unixMs / MS_PER_HOUR) * MS_PER_HOUR;
}

Deno.test("SavingsLog adds up what came by the hour and by the day", () => {
  const log = new SavingsLog();
  const yesterday = NOW - 24 * MS_PER_HOUR;
  for (const unixMs of [yesterday, NOW - 2 * MS_PER_HOUR, NOW, NOW + 1]) log.add(unixMs, BYTES);
  assertEquals(log.hours(NOW + 1), [
    { startUnixMs: hourOf(NOW - 2 * MS_PER_HOUR), ...BYTES },
    { startUnixMs: hourOf(NOW), ...TWICE },
  ]);
  const midnight = (unixMs: number) => new Date(unixMs).setHours(0, 0, 0, 0);
  assertEquals(log.days(NOW + 1), [
    { startUnixMs: midnight(yesterday), ...BYTES },
    { startUnixMs: midnight(NOW), bytesPeers: 30, bytesMirror: 9, bytesSaved: 24 },
  ]);
});

Deno.test("SavingsLog forgets what is older than all that is shown, and what lies ahead", () => {
  const log = new SavingsLog();
  for (let hour = 0; hour < 2 * limits.savingsHoursKept; hour++) {
    log.add(NOW + hour * MS_PER_HOUR, BYTES);
  }
  const end = NOW + 2 * limits.savingsHoursKept * MS_PER_HOUR;
  assertEquals(log.hours(end).length, limits.savingsHours - 1);
  assertEquals(log.days(end).length, limits.savingsDays);
  // The clock was wrong: it is set back.
  log.add(NOW, BYTES);
  assertEquals(log.hours(end), []);
  assertEquals(log.hours(NOW), [{ startUnixMs: hourOf(NOW), ...BYTES }]);
});

Deno.test("the store keeps the hours over a restart, and no more than so many", async () => {
  using dir = new TempDir();
  const hours = limits.savingsHoursKept + 10;
  {
    await using store = (await openStore(dir.path)).store;
    for (let hour = 0; hour < hours; hour++) store.savings.add(NOW + hour * MS_PER_HOUR, BYTES);
    store.flushStatistics();
    store.savings.add(NOW + (hours - 1) * MS_PER_HOUR, BYTES);
  }
  await using store = (await openStore(dir.path)).store;
  const last = NOW + (hours - 1) * MS_PER_HOUR;
  const kept = store.savings.hours(last);
  assertEquals(kept.length, limits.savingsHours);
  assertEquals(kept.at(-1), { startUnixMs: hourOf(last), ...TWICE });
  assertEquals(store.savings.hours(NOW), []);
});
