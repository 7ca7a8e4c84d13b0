/** Which rates hold at a moment, by the clock on the wall of this machine. */

import { partAt, type WallTime } from "../../base/rates/week.ts";
import {
  RATE_KINDS,
  type RateKind,
  type Rates,
  type RateSettings,
} from "../../base/rates/rate_settings.ts";
import type { RatesReport } from "../../wire/reports.ts";

/** What holds, and why. */
interface RatesInForce {
  readonly rates: Rates;
  /** The part of the schedule; null while none holds. */
  readonly part: string | null;
  /** For how many minutes it holds from the one on that has begun; null likewise. */
  readonly minutesLeft: number | null;
}

/** The rates of the line at a moment, given in milliseconds since 1970. */
export function ratesAt({ rates, schedule }: RateSettings, unixMs: number): RatesInForce {
  const found = schedule.length === 0 ? undefined : partAt(schedule, wallTimeOf(unixMs));
  if (found === undefined) return { rates, part: null, minutesLeft: null };
  const { part, minutesLeft } = found;
  return { rates: { ...rates, ...part.rates }, part: part.text, minutesLeft };
}

/** What holds at a moment, for people. */
export function ratesReport(settings: RateSettings, unixMs: number): RatesReport {
  const { rates, part, minutesLeft } = ratesAt(settings, unixMs);
  return {
    ...rates,
    schedule: part === null ? null : { part, until: timeText(unixMs, minutesLeft!) },
    networks: settings.networks.map(({ text, rule }) => ({ network: text, rate: rule })),
  };
}

/** Whether two are the same. */
export function areSameRates(one: Rates, other: Rates): boolean {
  return RATE_KINDS.every((kind: RateKind) => one[kind] === other[kind]);
}

function wallTimeOf(unixMs: number): WallTime {
  const date = new Date(unixMs);
  return { day: date.getDay(), minute: date.getHours() * 60 + date.getMinutes() };
}

/** The clock so many minutes later, as HH:MM. */
function timeText(unixMs: number, minutes: number): string {
  const { minute } = wallTimeOf(unixMs);
  const at = (minute + minutes) % (24 * 60);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(at / 60))}:${two(at % 60)}`;
}
