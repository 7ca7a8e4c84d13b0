// Machines at two sites that get one file over a thin line: how often it crosses that, and how long it
// takes, held against machines that do not know who is near.

import { assert, assertLess } from "@std/assert";
import { type Machine, runSites, type SitesOptions } from "./two_sites.ts";

const SEEDS = [1, 2, 3, 4, 5];
const LINE = { sizeBytes: 40e6, lineBytesPerSecond: 20e6, lineDelayMs: 10 };
const HOLDER: Machine = { site: "a", isHolder: true };

function four(site: "a" | "b", beginsMs: (index: number) => number): Machine[] {
  return Array.from({ length: 4 }, (_, i) => ({ site, beginsMs: beginsMs(i) }));
}

/** Runs a case, with what is known of who is near and without it, with each seed. */
function each(
  options: Omit<SitesOptions, "seed" | "lineBytesPerSecond" | "lineDelayMs" | "sizeBytes"> & {
    readonly sizeBytes?: number;
    readonly lineBytesPerSecond?: number;
  },
  check: (run: {
    readonly copies: number;
    readonly copiesBefore: number;
    readonly endMs: number;
    readonly endBeforeMs: number;
    readonly text: string;
  }) => void,
): void {
  for (const seed of SEEDS) {
    const now = runSites({ ...LINE, ...options, seed });
    const before = runSites({ ...LINE, ...options, seed, areAllAlike: true });
    const last = (ends: readonly number[]) =>
      Math.max(...ends.filter((_, i) => {
        const { beginsMs, isParked, stopsMs } = options.machines[i]!;
        return beginsMs !== undefined && !isParked && stopsMs === undefined;
      }));
    const [copies, endMs] = [now.copies, last(now.endsMs)];
    const [copiesBefore, endBeforeMs] = [before.copies, last(before.endsMs)];
    const text =
      `seed ${seed}: ${copies} copies, ${endMs} ms; before ${copiesBefore}, ${endBeforeMs}`;
    check({ copies, copiesBefore, endMs, endBeforeMs, text });
  }
}

Deno.test("Download has a file cross the line once when eight at two sites want it at once", () => {
  const machines = [HOLDER, ...four("a", () => 0), ...four("b", () => 0)];
  each({ machines }, ({ copies, copiesBefore, endMs, endBeforeMs, text }) => {
    assertLess(copies, 1.02, text);
    assert(copiesBefore > 2.5, text);
    assertLess(endMs, endBeforeMs / 2, text);
  });
});

Deno.test("Download has a file cross the line once when they want it one after another, or overlapping", () => {
  for (const pauseMs of [5_000, 700]) {
    const machines = [
      HOLDER,
      ...four("a", (i) => i * pauseMs),
      ...four("b", (i) => 4 * pauseMs + i * pauseMs),
    ];
    each({ machines }, ({ copies, text }) => assertLess(copies, 1.1, text));
  }
});

Deno.test("Download divides a small file, and a file on a line of 200 kB/s", () => {
  const machines = [HOLDER, ...four("b", () => 0)];
  each({ machines, sizeBytes: 300e3 }, ({ copies, text }) => assertLess(copies, 1.1, text));
  const thin = { machines, sizeBytes: 4e6, lineBytesPerSecond: 200e3 };
  each(thin, ({ copies, endMs, endBeforeMs, text }) => {
    assertLess(copies, 1.5, text);
    assertLess(endMs, endBeforeMs / 2, text);
  });
});

Deno.test("Download asks far holders after half a second beside near ones that are slow, or give nothing", () => {
  for (const trouble of [{ givesBytesPerSecond: 200e3 }, { stopsMs: 1 }]) {
    const machines: Machine[] = [
      HOLDER,
      { site: "b", isHolder: true, ...trouble },
      { site: "b", beginsMs: 0 },
    ];
    each(
      { machines },
      ({ endMs, endBeforeMs, text }) => assertLess(endMs, endBeforeMs + 900, text),
    );
  }
});

Deno.test("Download takes over from a near one that dies, is on a thin line of its own, or never began", () => {
  const [first, second, ...others] = four("b", () => 0) as [Machine, Machine, ...Machine[]];
  for (const trouble of [{ stopsMs: 500 }, { takesBytesPerSecond: 500e3 }]) {
    const machines = [HOLDER, first, { ...second, ...trouble }, ...others];
    each({ machines }, ({ copies, endMs, endBeforeMs, text }) => {
      assertLess(copies, 1.6, text);
      assertLess(endMs, endBeforeMs, text);
    });
  }
  const parked: Machine = { site: "b", isParked: true, has: { first: 0, count: 100 } };
  each({ machines: [HOLDER, parked, first] }, ({ copies, endMs, endBeforeMs, text }) => {
    assertLess(copies, 1, text);
    assertLess(endMs, endBeforeMs + 900, text);
  });
});
