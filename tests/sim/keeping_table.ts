// The table of ARCHITECTURE.md on what is kept:
//
//     deno run -A tests/sim/keeping_table.ts [SEEDS]

import { KEEPING_FLEETS } from "./keeping_fleets.ts";
import { KEEPING_WAYS, type KeepingResult, runKeeping } from "./keeping_world.ts";

const seeds = Number(Deno.args[0] ?? 5);
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

for (const { what, fleet } of KEEPING_FLEETS) {
  for (const way of KEEPING_WAYS) {
    const results = Array.from({ length: seeds }, (_, seed) => runKeeping({ ...fleet, way, seed }));
    const of = (key: keyof KeepingResult) => median(results.map((result) => result[key]));
    const percent = (key: keyof KeepingResult) => `${(100 * of(key)).toFixed(1)} %`;
    const cells = [percent("filesAlive"), String(of("lastCopiesRemoved"))];
    console.log(
      `| ${[what, way, ...cells, percent("mirrorShare"), percent("hereShare")].join(" | ")} |`,
    );
  }
}
