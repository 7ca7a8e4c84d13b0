/** The parts of a week of a schedule, in minutes from Sunday 00:00 on. Pure: the time is an argument. */

import type { ScheduledRates } from "./rate_settings.ts";

const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** A moment as the clock on the wall shows it. */
export interface WallTime {
  /** 0 is Sunday. */
  readonly day: number;
  readonly minute: number;
}

/** The part that holds at a moment, and for how many minutes more; undefined when none does. */
export function partAt<P extends ScheduledRates>(
  parts: readonly P[],
  { day, minute }: WallTime,
): { readonly part: P; readonly minutesLeft: number } | undefined {
  const now = day * DAY_MINUTES + minute;
  for (const part of parts) {
    for (const { from, minutes } of spans(part)) {
      const gone = (now - from + WEEK_MINUTES) % WEEK_MINUTES;
      if (gone < minutes) return { part, minutesLeft: minutes - gone };
    }
  }
  return undefined;
}

/** Two parts that hold at one moment, the earlier of the list first; undefined where none do. */
export function overlapOf<P extends ScheduledRates>(
  parts: readonly P[],
): readonly [P, P] | undefined {
  for (const [i, one] of parts.entries()) {
    const other = parts.slice(0, i).find((other) => overlap(one, other));
    if (other !== undefined) return [other, one];
  }
  return undefined;
}

function overlap(one: ScheduledRates, other: ScheduledRates): boolean {
  return spans(one).some((a) =>
    spans(other).some((b) =>
      (b.from - a.from + WEEK_MINUTES) % WEEK_MINUTES < a.minutes ||
      (a.from - b.from + WEEK_MINUTES) % WEEK_MINUTES < b.minutes
    )
  );
}

/** When a part begins in a week, and for how long it holds; it may end in the week that follows. */
function spans({ days, fromMinute, toMinute }: ScheduledRates) {
  const minutes = toMinute > fromMinute
    ? toMinute - fromMinute
    : toMinute + DAY_MINUTES - fromMinute;
  return days.map((day) => ({ from: day * DAY_MINUTES + fromMinute, minutes }));
}
