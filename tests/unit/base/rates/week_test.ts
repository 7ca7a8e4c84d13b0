/** Which part of a schedule holds when. */

import { assertEquals } from "@std/assert";
import type { ScheduledRates } from "../../../../src/base/rates/rate_settings.ts";
import { overlapOf, partAt } from "../../../../src/base/rates/week.ts";

const WORK = [1, 2, 3, 4, 5];

function part(days: readonly number[], from: number, to: number): ScheduledRates {
  return { days, fromMinute: from, toMinute: to, rates: { upload: 1_000 }, text: `${from}-${to}` };
}

function at(parts: readonly ScheduledRates[], day: number, minute: number) {
  const found = partAt(parts, { day, minute });
  return found === undefined ? undefined : [found.part.text, found.minutesLeft];
}

Deno.test("partAt() finds the part of the day, its end not included", () => {
  const noon = [part(WORK, 690, 810)];
  assertEquals(at(noon, 1, 689), undefined);
  assertEquals(at(noon, 1, 690), ["690-810", 120]);
  assertEquals(at(noon, 5, 809), ["690-810", 1]);
  assertEquals(at(noon, 5, 810), undefined);
  assertEquals(at(noon, 6, 700), undefined);
});

Deno.test("partAt() goes on over midnight, and over the end of the week", () => {
  const night = [part([6], 1_320, 360)];
  assertEquals(at(night, 6, 1_319), undefined);
  assertEquals(at(night, 6, 1_320), ["1320-360", 480]);
  assertEquals(at(night, 0, 0), ["1320-360", 360]);
  assertEquals(at(night, 0, 359), ["1320-360", 1]);
  assertEquals(at(night, 0, 360), undefined);
  assertEquals(at(night, 1, 100), undefined);
});

Deno.test("partAt() takes 24:00 for the end of the day", () => {
  const day = [part([3], 0, 1_440)];
  assertEquals(at(day, 3, 0), ["0-1440", 1_440]);
  assertEquals(at(day, 3, 1_439), ["0-1440", 1]);
  assertEquals(at(day, 4, 0), undefined);
});

Deno.test("overlapOf() finds two parts that hold at one moment", () => {
  const noon = part(WORK, 690, 810);
  const after = part(WORK, 810, 900);
  const night = part([5], 1_320, 360);
  const early = part([6], 300, 600);
  const sunday = part([6], 1_400, 100), monday = part([0], 50, 60);
  assertEquals(overlapOf([noon, after, night]), undefined);
  assertEquals(overlapOf([noon, night, early]), [night, early]);
  assertEquals(overlapOf([early, night]), [early, night]);
  assertEquals(overlapOf([sunday, monday]), [sunday, monday]);
  assertEquals(overlapOf([noon, part([2], 600, 700)])?.[0], noon);
  assertEquals(overlapOf([part([2], 0, 1_440), part([2], 700, 701)])?.length, 2);
});
