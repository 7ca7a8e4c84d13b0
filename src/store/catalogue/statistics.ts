/** Counters that outlive the daemon: added up in memory, written now and then. */

import type { Catalogue } from "./catalogue.ts";

/** Named whole numbers that only grow. */
export class Statistics {
  readonly #values: Map<string, number>;
  #isDirty = false;

  constructor(values: ReadonlyMap<string, number> = new Map()) {
    this.#values = new Map(values);
  }

  add(name: string, delta: number): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + delta);
    if (delta !== 0) this.#isDirty = true;
  }

  /** A copy of all counters. */
  values(): Map<string, number> {
    return new Map(this.#values);
  }

  /** Writes them if any has changed. @throws {EnvironmentError} */
  flush(catalogue: Catalogue): void {
    if (!this.#isDirty) return;
    catalogue.putStatistics(this.#values);
    this.#isDirty = false;
  }
}
