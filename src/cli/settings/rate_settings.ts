/** The settings that say how fast files may go: over the line, in a network, in a part of the week. */

import { networkAround, parsePlain } from "../../base/address.ts";
import { UsageError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import {
  type Rate,
  RATE_KINDS,
  type RateKind,
  type RateNetwork,
  type Rates,
  type RateSettings,
  type ScheduledRates,
} from "../../base/rates/rate_settings.ts";
import { overlapOf } from "../../base/rates/week.ts";
import type { Arguments } from "../arguments/arguments.ts";
import { about } from "../arguments/setting_faults.ts";

/** The keys of rates of the line, in the file and in a part of its schedule. */
const KIND_KEYS: ReadonlyMap<string, RateKind> = new Map(
  RATE_KINDS.map((kind) => [`${kind}-rate`, kind]),
);

/** All keys that say how fast files may go. */
export const RATE_KEYS: readonly string[] = [...KIND_KEYS.keys(), "rate", "schedule"];

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const ALL_DAYS: readonly number[] = DAYS.map((_, day) => day);
const DAY_MINUTES = 24 * 60;

const SCHEDULE_HINT =
  "Write for instance: from=11:30 to=13:30 days=mon-fri upload-rate=100K (as keys of a [[schedule]] " +
  "in the file).";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };

/**
 * Reads `--upload-rate`, `--download-rate`, `--mirror-rate`, `--rate` and `--schedule`.
 *
 * @throws {UsageError} when one cannot be read, or two do not go together.
 */
export function readRates(args: Arguments): RateSettings {
  const rates: Record<RateKind, Rate> = { upload: null, download: null, mirror: null };
  for (const [key, kind] of KIND_KEYS) rates[kind] = args.value(key, parseRate);
  return { rates, networks: readNetworks(args), schedule: readSchedule(args) };
}

function readNetworks(args: Arguments): readonly RateNetwork[] {
  const networks = args.values("rate", parseRateNetwork);
  checkCount("rate", networks.length, limits.rateNetworksMax);
  const texts = args.list("rate");
  for (const [i, { network }] of networks.entries()) {
    const first = networks.findIndex((other) =>
      other.network.prefixBits === network.prefixBits &&
      other.network.bytes.join() === network.bytes.join()
    );
    if (first === i) continue;
    throw about(
      { key: "rate", text: texts[i]!, line: args.lineOf("rate", texts[i]!) },
      new UsageError(
        `Cannot use ${args.origin("rate", texts[i])} ${
          JSON.stringify(texts[i])
        }: the same network ` +
          `stands there as ${JSON.stringify(texts[first])}`,
      ),
    );
  }
  return networks;
}

function readSchedule(args: Arguments): readonly ScheduledRates[] {
  const texts = args.list("schedule");
  checkCount("schedule", texts.length, limits.scheduledRatesMax);
  const parts = args.values(
    "schedule",
    (text, what) => ({ given: text, ...parseSchedule(text, what) }),
  );
  const [first, second] = overlapOf(parts) ?? [];
  if (first === undefined || second === undefined) return parts;
  const line = args.lineOf("schedule", first.given);
  throw about(
    { key: "schedule", text: second.given, line: args.lineOf("schedule", second.given) },
    new UsageError(
      `Cannot use ${args.origin("schedule", second.given)} ${JSON.stringify(second.text)}: it ` +
        `overlaps ${JSON.stringify(first.text)}${line === undefined ? "" : ` of line ${line}`}`,
      { hint: "At each moment one part of the schedule holds, or none." },
    ),
  );
}

function checkCount(key: string, count: number, max: number): void {
  if (count <= max) return;
  throw about({ key }, new UsageError(`Cannot use ${count} of ${key}: at most ${max}`));
}

/** Bytes a second, as `500K`, `2M` or `1.5MB/s`; null for `unlimited`. */
export function parseRate(text: string, what: string): Rate {
  if (text.toLowerCase() === "unlimited") return null;
  const fault = (reason: string, hint: string) =>
    new UsageError(`Cannot use ${what} ${JSON.stringify(text.slice(0, 80))}: ${reason}`, { hint });
  const units = "Rates are bytes a second, as in 500K, 2M or 1.5M (8 Mbit/s are 1M), or unlimited.";
  const match = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)([KMG]?)(?:B)?(?:\/s)?$/i.exec(text);
  if (match === null) throw fault("it is not a rate", units);
  const bytes = Math.round(Number(match[1]) * UNITS[match[2]!.toUpperCase()]!);
  const { rateBytesPerSecondMin: min, rateBytesPerSecondMax: max } = limits;
  if (bytes === 0) {
    throw fault("nothing would ever go", `The lowest rate is ${min / 1_000}K; unlimited is none.`);
  }
  if (bytes < min || bytes > max) {
    throw fault(`it is not from ${min / 1_000}K to ${max / 1e9}G`, units);
  }
  return bytes;
}

/** `NETWORK=RATE`, where the rate may be `line` as well. */
function parseRateNetwork(text: string, what: string): RateNetwork {
  const fault = (reason: string, hint = "Write NETWORK=RATE: 10.0.0.0/8=unlimited") =>
    new UsageError(`Cannot use ${what} ${JSON.stringify(text.slice(0, 120))}: ${reason}`, { hint });
  const at = text.lastIndexOf("=");
  if (at < 0) throw fault("it has no rate");
  const networkText = text.slice(0, at).trim();
  const rateText = text.slice(at + 1).trim();
  const [host = "", bitsText, ...more] = networkText.split("/");
  const address = parsePlain(host);
  if (address === undefined || more.length > 0) {
    throw fault(`${JSON.stringify(networkText)} is no network`);
  }
  const bitsMax = 8 * address.length;
  const bits = bitsText === undefined
    ? bitsMax
    : /^[0-9]{1,3}$/.test(bitsText)
    ? Number(bitsText)
    : NaN;
  if (!(bits <= bitsMax)) {
    throw fault(`the length of its prefix is not a number from 0 to ${bitsMax}`);
  }
  const network = networkAround(address, bits);
  if (network.bytes.join() !== address.join()) {
    throw fault(
      `${host} is an address in a network of ${bits} bits, not the first one`,
      address.length === 4
        ? `Write ${network.bytes.join(".")}/${bits}.`
        : "Write the bits behind the prefix as zeros.",
    );
  }
  const rule = rateText.toLowerCase() === "line"
    ? "line"
    : parseRate(rateText, `${what}, ${networkText}:`);
  return { network, text: networkText, rule };
}

/** `from=HH:MM to=HH:MM days=mon-fri upload-rate=RATE ...`. */
function parseSchedule(text: string, what: string): ScheduledRates {
  const fault = (reason: string) =>
    new UsageError(`Cannot use ${what} ${JSON.stringify(text.slice(0, 160))}: ${reason}`, {
      hint: SCHEDULE_HINT,
    });
  const given = new Map<string, string>();
  for (const word of text.trim().split(/\s+/)) {
    const [, key, value] = /^([a-z-]+)=(.*)$/.exec(word) ?? [];
    if (key === undefined) throw fault(`${JSON.stringify(word)} is no KEY=VALUE`);
    if (given.has(key)) throw fault(`it has ${key} twice`);
    given.set(key, value!);
  }
  const rates: { -readonly [kind in keyof Rates]?: Rate } = {};
  for (const [key, value] of given) {
    const kind = KIND_KEYS.get(key);
    if (kind !== undefined) rates[kind] = parseRate(value, `${what}, ${key}`);
    else if (!["from", "to", "days"].includes(key)) {
      throw fault(
        `there is no key ${JSON.stringify(key)}: they are from, to, days, ` +
          [...KIND_KEYS.keys()].join(", "),
      );
    }
  }
  if (Object.keys(rates).length === 0) throw fault("it has no rate");
  const fromMinute = minuteOf(given.get("from"), "from", fault);
  const toMinute = minuteOf(given.get("to"), "to", fault);
  if (fromMinute === DAY_MINUTES) throw fault("it begins at 24:00: write 00:00");
  if (fromMinute === toMinute) throw fault("it ends when it begins: a whole day is 00:00 to 24:00");
  const days = given.has("days") ? daysOf(given.get("days")!, fault) : ALL_DAYS;
  const when = `${given.get("from")}-${given.get("to")}`;
  return {
    days,
    fromMinute,
    toMinute,
    rates,
    text: given.has("days") ? `${given.get("days")} ${when}` : when,
  };
}

function minuteOf(
  text: string | undefined,
  key: string,
  fault: (reason: string) => UsageError,
): number {
  if (text === undefined) throw fault(`it has no ${key}`);
  const [, hours, minutes] = /^([0-9]{2}):([0-9]{2})$/.exec(text) ?? [];
  const minute = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) <= 59 && minute <= DAY_MINUTES) return minute;
  throw fault(`${key} ${JSON.stringify(text)} is no time from 00:00 to 24:00`);
}

/** `mon-fri`, `sat,sun`, or both kinds: each day once, in order. */
function daysOf(text: string, fault: (reason: string) => UsageError): readonly number[] {
  const dayOf = (name: string): number => {
    const day = DAYS.findIndex((day) => day === name.toLowerCase());
    if (day >= 0) return day;
    throw fault(`there is no day ${JSON.stringify(name)}: they are ${DAYS.join(", ")}`);
  };
  const days = new Set<number>();
  for (const part of text.split(",")) {
    const [first = "", last = first, ...more] = part.trim().split("-");
    if (more.length > 0) throw fault(`${JSON.stringify(part)} is no day and no FIRST-LAST`);
    const end = dayOf(last);
    for (let day = dayOf(first);; day = (day + 1) % DAYS.length) {
      days.add(day);
      if (day === end) break;
    }
  }
  return [...days].sort();
}
