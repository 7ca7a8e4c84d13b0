/** How fast files may go: what a person says of it, once that is read and checked. Types only. */

import type { IpNetwork } from "../address.ts";

/** Bytes a second; null: as fast as it goes. */
export type Rate = number | null;

/** What is limited: files given to nodes, files taken from nodes, and what mirrors (origins) give. */
export const RATE_KINDS = ["upload", "download", "mirror"] as const;

export type RateKind = typeof RATE_KINDS[number];

export type Rates = Readonly<Record<RateKind, Rate>>;

/** A network that does not go by what the machine's own networks say. */
export interface RateNetwork {
  readonly network: IpNetwork;
  /** As it was written: `10.0.0.0/8`. */
  readonly text: string;
  /** What holds for each kind there, apart from all else; "line": it is reached over the line. */
  readonly rule: Rate | "line";
}

/** Rates of the line for a part of some days, in the time of this machine. */
export interface ScheduledRates {
  /** The days on which it begins; 0 is Sunday. */
  readonly days: readonly number[];
  /** Minutes of the day. An end that is not behind the beginning is on the next day. */
  readonly fromMinute: number;
  readonly toMinute: number;
  /** What is not named stays as it is otherwise. */
  readonly rates: Partial<Rates>;
  /** As people read it: `mon-fri 11:30-13:30`. */
  readonly text: string;
}

/** All that was said. */
export interface RateSettings {
  /** Of the line, when no part of the schedule says otherwise. */
  readonly rates: Rates;
  readonly networks: readonly RateNetwork[];
  /** No two at the same time. */
  readonly schedule: readonly ScheduledRates[];
}

/** Nothing is limited. */
export const NO_RATES: RateSettings = {
  rates: { upload: null, download: null, mirror: null },
  networks: [],
  schedule: [],
};
