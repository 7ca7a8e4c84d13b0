/**
 * In which order holders of a file are named, so that work spreads over them. Pure.
 *
 * Rules
 * - Who can be dialled comes before who cannot.
 * - Less loaded ones come first, in steps of an eighth of full load; who has but a part of the file
 *   counts as up to a step more loaded.
 * - Among equals, who was named less often lately; among those, at random.
 * - Load is what a client reports, but not less than what its namings should have brought it: over
 *   all clients so many uploads are reported for so many namings. So a client that reports too
 *   little is named as often as others, not more.
 * - With balancing off the order is random.
 */

import { limits } from "../../base/limits.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Load } from "../../wire/structures.ts";
import { MovingAverage } from "../../base/counts.ts";

/** What a client says of its load, within what can be true. */
export interface Loaded {
  load: Load;
  readonly isReachable: boolean;
  /** How often it was named to others lately. */
  readonly named: MovingAverage;
}

/** A holder that may be named; `share` of the file is there, from 0 to 1. */
export interface Nameable<C extends Loaded> {
  readonly client: C;
  readonly share: number;
}

const STEPS = 8;
const PERMILLE = 1000;

/** The order of holders at one directory. */
export class Balance {
  readonly #random: Random;
  readonly #isOn: boolean;
  readonly #named: MovingAverage;
  readonly #halfLifeMs: number;
  /** Uploads that all clients report together. */
  #uploads = 0;

  constructor(
    options: { readonly random: Random; readonly isOn: boolean; readonly refreshMs: number },
  ) {
    this.#random = options.random;
    this.#isOn = options.isOn;
    // A report is at most about this old; namings count for as long.
    this.#halfLifeMs = options.refreshMs;
    this.#named = new MovingAverage(this.#halfLifeMs);
  }

  /** The count of namings for a new client. */
  newCount(): MovingAverage {
    return new MovingAverage(this.#halfLifeMs);
  }

  /** A client reports `after`; `before` is what it reported until now. Either may be none. */
  reported(before: Load | undefined, after: Load | undefined): void {
    this.#uploads += (after?.uploads ?? 0) - (before?.uploads ?? 0);
  }

  /** A client is forgotten: its namings and uploads no longer count. */
  forgotten(client: Loaded, nowMs: number): void {
    this.reported(client.load, undefined);
    this.#named.add(-client.named.at(nowMs), nowMs);
  }

  /** A client was named to somebody who looks for a holder. */
  named(client: Loaded, nowMs: number): void {
    client.named.add(1, nowMs);
    this.#named.add(1, nowMs);
  }

  /** `holders` in the order in which to name them. */
  order<H extends Nameable<Loaded>>(holders: readonly H[], nowMs: number): H[] {
    const mixed = shuffled(this.#random, holders);
    if (mixed.length < 2) return mixed;
    if (!this.#isOn) {
      return mixed.sort((a, b) => Number(b.client.isReachable) - Number(a.client.isReachable));
    }
    const uploadsPerNaming = this.#uploadsPerNaming(nowMs);
    return mixed
      .map((holder) => {
        const named = holder.client.named.at(nowMs);
        const load = loadOf(holder.client, named * uploadsPerNaming);
        return {
          holder,
          isReachable: Number(holder.client.isReachable),
          step: Math.floor(Math.min(1, load) * STEPS + 1 - holder.share),
          // Differences of less than one naming are none.
          named: named + this.#random.unit(),
        };
      })
      .sort((a, b) => b.isReachable - a.isReachable || a.step - b.step || a.named - b.named)
      .map(({ holder }) => holder);
  }

  /** How loaded a client is, from 0 to 1 and more, by its report and by what it was given to do. */
  loadOf(client: Loaded, nowMs: number): number {
    return loadOf(client, client.named.at(nowMs) * this.#uploadsPerNaming(nowMs));
  }

  #uploadsPerNaming(nowMs: number): number {
    const named = this.#named.at(nowMs);
    return named < 1 ? 0 : Math.min(1, this.#uploads / named);
  }
}

/** What a client reports, cut to what can be true. */
export function clampLoad({ uploads, uploadsMax, bytesPerSecond, acceptBytes }: Load): Load {
  const placesMax = Math.min(limits.uploadsMax, Math.max(1, uploadsMax));
  return {
    uploads: Math.min(uploads, placesMax),
    uploadsMax: placesMax,
    bytesPerSecond,
    acceptBytes: Math.min(acceptBytes, limits.fetchBytesMax),
  };
}

/** 0 idle, 1,000 fully loaded, as it reports. */
export function permilleOf({ uploads, uploadsMax }: Load): number {
  return Math.min(PERMILLE, Math.round(uploads / uploadsMax * PERMILLE));
}

function loadOf({ load }: Loaded, uploadsExpected: number): number {
  return Math.max(load.uploads, uploadsExpected) / load.uploadsMax;
}
