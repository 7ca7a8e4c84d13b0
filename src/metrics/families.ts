/**
 * Families of figures for Prometheus: how one is described, and how those of a service are written.
 * A service gives what it knows at one moment; each family says what it takes from there, so that
 * nothing is counted twice and all figures of a scrape belong together.
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** Values by that of the one label that a family may have; the label has few values, ever. */
type Values = Readonly<Record<string, number>>;

/** One family of figures of a service that knows `F`. */
export interface Family<F> {
  readonly kind: "counter" | "gauge";
  /** As Prometheus wants it: the unit last, `_total` after that of a counter. */
  readonly name: string;
  readonly help: string;
  /** What its values differ by; without it there is one value. */
  readonly label?: string;
  /** Undefined: there is nothing of the kind here, and the family has no value. */
  readonly read: (figures: F) => number | Values | undefined;
}

/**
 * Has `registry` write `families` of what `figures` gives; it gives undefined while the service does
 * not run, and they have no values then.
 */
export function register<F>(
  registry: Registry,
  families: readonly Family<F>[],
  figures: () => F | undefined,
): void {
  for (const family of families) {
    const { name, help, label } = family;
    const labelNames = label === undefined ? [] : [label];
    const values = () => labelled(family, figures());
    const options = { name, help, labelNames, registers: [registry] };
    if (family.kind === "gauge") {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          // Without a label, what is reset has the value 0.
          if (labelNames.length === 0) this.remove();
          for (const [labels, value] of values()) this.set(labels, value);
        },
      });
      continue;
    }
    const most = new Map<string, number>();
    new Counter({
      ...options,
      collect() {
        this.reset();
        if (labelNames.length === 0) this.remove();
        for (const [labels, value] of values()) {
          // What is still under way may turn out to be less; a counter that falls means a restart.
          const key = Object.values(labels).join();
          const total = Math.max(most.get(key) ?? 0, value);
          most.set(key, total);
          this.inc(labels, total);
        }
      },
    });
  }
}

function labelled<F>(
  { label, read }: Family<F>,
  figures: F | undefined,
): (readonly [Record<string, string>, number])[] {
  const value = figures === undefined ? undefined : read(figures);
  if (value === undefined) return [];
  if (typeof value === "number") return [[{}, value]];
  return Object.entries(value).map(([key, one]) => [{ [label!]: key }, one]);
}
