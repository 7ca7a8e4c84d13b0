/**
 * Databases that no mirror (origin) vouches for now: whether the copy that is here may be given all the
 * same. As a rule it may not, for pacman would say that there is nothing to do, and ask no other
 * server. Where a person allows it, it is told in the log, and kept for `status` and `doctor`.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import type { StaleDatabaseReport } from "../../wire/reports.ts";
import type { CachedDatabase } from "./database_cache.ts";

interface StaleDatabasesOptions {
  /** How old a copy may be, since a mirror last vouched for it, to be given; 0: none is. */
  readonly staleMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly throttle: LogThrottle;
}

/** One that is given, with its times in ms since 1970. */
interface GivenDatabase {
  readonly path: string;
  readonly vouchedMs: number;
  readonly givenMs: number;
}

/** What is given though no mirror vouches for it. */
export class StaleDatabases {
  readonly #options: StaleDatabasesOptions;
  /** Those that were, by key, until a mirror vouches for them again. */
  readonly #given = new BoundedMap<string, GivenDatabase>(limits.databasesMax);

  constructor(options: StaleDatabasesOptions) {
    this.#options = options;
  }

  /** Since when no mirror has vouched for a copy, in ms. */
  ageMs({ checkedMs }: CachedDatabase): number {
    return this.#ago(checkedMs);
  }

  /** Whether a copy may be given. */
  mayGive(copy: CachedDatabase): boolean {
    const { staleMs } = this.#options;
    return staleMs > 0 && this.ageMs(copy) <= staleMs;
  }

  /** A copy is given for the path of a request. */
  given(copy: CachedDatabase, path: string): void {
    const { log, clock } = this.#options;
    const known = this.#given.get(copy.key);
    const givenMs = known?.givenMs ?? clock.unixMs();
    this.#given.set(copy.key, { path, vouchedMs: copy.checkedMs, givenMs });
    if (known !== undefined) return;
    const age = `${Math.round(this.ageMs(copy) / 1_000)} s`;
    log.warn("no mirror vouches for a database: the last good copy is given", { path, age });
  }

  /** A copy is here, and is not given. */
  refused(copy: CachedDatabase, path: string): void {
    const { log, throttle, staleMs } = this.#options;
    if (!throttle.isFirst(`stale ${copy.key}`)) return;
    const why = staleMs === 0 ? "see --stale-databases" : "it is older than --stale-databases";
    log.warn("no mirror vouches for a database: it is refused", { path, why });
  }

  /** A mirror vouched for what is known by `key`, or gave it anew. */
  vouched(key: string): void {
    this.#given.delete(key);
  }

  /** Those that are given, the one asked for last at the end. */
  reports(): StaleDatabaseReport[] {
    return Array.from(this.#given.values(), ({ path, vouchedMs, givenMs }) => ({
      path,
      ageMs: this.#ago(vouchedMs),
      sinceMs: this.#ago(givenMs),
    }));
  }

  #ago(unixMs: number): number {
    return Math.max(0, this.#options.clock.unixMs() - unixMs);
  }
}
