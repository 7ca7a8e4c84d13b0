/**
 * Where the bytes of fetches came from, hour by hour, for as long as a chart of days goes back: in
 * memory, and in the catalogue, so that a restart forgets no more than what a crash loses of the
 * statistics.
 */

import { limits } from "../../base/limits.ts";
import type { Catalogue, SavingsSpan } from "./catalogue.ts";

type SavingsBytes = Omit<SavingsSpan, "startUnixMs">;

const MS_PER_HOUR = 3_600_000;

/** The hours of the last days in which a fetch ended. */
export class SavingsLog {
  /** By their beginnings, in no particular order: a clock may be set back. */
  readonly #hours = new Map<number, SavingsSpan>();
  /** Hours that the catalogue does not know as they are. */
  readonly #unwritten = new Set<number>();

  constructor(known: Iterable<SavingsSpan> = []) {
    for (const span of known) this.#hours.set(span.startUnixMs, span);
  }

  /** A fetch ended at `unixMs`, for which these bytes came. */
  add(unixMs: number, { bytesPeers, bytesMirror, bytesSaved }: SavingsBytes): void {
    const startUnixMs = Math.floor(unixMs / MS_PER_HOUR) * MS_PER_HOUR;
    const before = this.#hours.get(startUnixMs);
    this.#hours.set(startUnixMs, {
      startUnixMs,
      bytesPeers: (before?.bytesPeers ?? 0) + bytesPeers,
      bytesMirror: (before?.bytesMirror ?? 0) + bytesMirror,
      bytesSaved: (before?.bytesSaved ?? 0) + bytesSaved,
    });
    this.#unwritten.add(startUnixMs);
    this.#forgetOld(unixMs);
  }

  /** The last hours before `unixMs` in which something came, the first one first. */
  hours(unixMs: number): SavingsSpan[] {
    const fromMs = Math.floor(unixMs / MS_PER_HOUR - limits.savingsHours + 1) * MS_PER_HOUR;
    return this.#between(fromMs, unixMs);
  }

  /** The same of days, as this machine's time zone has them. */
  days(unixMs: number): SavingsSpan[] {
    const from = new Date(unixMs);
    from.setHours(0, 0, 0, 0);
    from.setDate(from.getDate() - limits.savingsDays + 1);
    const days = new Map<number, SavingsSpan>();
    for (const hour of this.#between(from.getTime(), unixMs)) {
      const startUnixMs = new Date(hour.startUnixMs).setHours(0, 0, 0, 0);
      const before = days.get(startUnixMs);
      days.set(startUnixMs, {
        startUnixMs,
        bytesPeers: (before?.bytesPeers ?? 0) + hour.bytesPeers,
        bytesMirror: (before?.bytesMirror ?? 0) + hour.bytesMirror,
        bytesSaved: (before?.bytesSaved ?? 0) + hour.bytesSaved,
      });
    }
    return [...days.values()];
  }

  /** Writes what has changed. @throws {EnvironmentError} */
  flush(catalogue: Catalogue): void {
    if (this.#unwritten.size === 0) return;
    const spans = [...this.#unwritten].flatMap((startUnixMs) => this.#hours.get(startUnixMs) ?? []);
    catalogue.putSavings(spans, { keptMax: limits.savingsHoursKept });
    this.#unwritten.clear();
  }

  #between(fromUnixMs: number, toUnixMs: number): SavingsSpan[] {
    return [...this.#hours.values()]
      .filter(({ startUnixMs }) => startUnixMs >= fromUnixMs && startUnixMs <= toUnixMs)
      .sort((a, b) => a.startUnixMs - b.startUnixMs);
  }

  #forgetOld(unixMs: number): void {
    const fromMs = unixMs - limits.savingsHoursKept * MS_PER_HOUR;
    for (const startUnixMs of this.#hours.keys()) {
      // What lies ahead is of a clock that was wrong.
      if (startUnixMs < fromMs || startUnixMs > unixMs) this.#hours.delete(startUnixMs);
    }
  }
}
