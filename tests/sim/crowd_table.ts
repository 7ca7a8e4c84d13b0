/**
 * Prints what the policy of a crowd costs, as a table for `src/ARCHITECTURE.md`: the medians of several
 * seeds of how often the file crosses the line to the mirror, and how long it takes over the least that
 * it could. Not a test: `deno run -A tests/sim/crowd_table.ts [MACHINES] [SEEDS]`.
 */

import { faultOptions, FAULTS } from "./crowd_cases.ts";
import { type CrowdRunResult, runCrowd } from "./crowd_run.ts";
import { crowdWorldOf } from "./crowd_world.ts";

const ARRIVALS = [[0, "at once"], [10_000, "over 10 s"], [600_000, "over 10 min"]] as const;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function cell(results: readonly CrowdRunResult[]): string {
  const copies = median(results.map((result) => result.copies));
  const overIdeal = median(results.map(({ tookMs, idealMs }) => tookMs / idealMs));
  return `${copies.toFixed(2)}, ${overIdeal.toFixed(2)}`;
}

const nodes = Number(Deno.args[0] ?? 8);
const seeds = Number(Deno.args[1] ?? 5);
for (const [arrivalMs, arrival] of ARRIVALS) {
  const cells = FAULTS.map((fault) =>
    cell(Array.from({ length: seeds }, (_, i) =>
      runCrowd(crowdWorldOf({
        seed: i + 1,
        nodes,
        // Many do the same with a small file, and it takes less long to find out.
        stripes: nodes > 50 ? 12 : 40,
        aloneMs: 20_000,
        arrivalMs,
        ...faultOptions(fault),
      }))))
  );
  console.log(`| ${nodes} | ${arrival} | ${cells.join(" | ")} |`);
}
