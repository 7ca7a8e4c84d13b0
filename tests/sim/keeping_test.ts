// The policy of keeping in small fleets, in virtual time, against plain least recently used. The table of
// ARCHITECTURE.md is of bigger ones: `deno run -A tests/sim/keeping_table.ts`.

import { assert, assertEquals } from "@std/assert";
import { type KeepingCase, runKeeping } from "./keeping_world.ts";

const FLEET: Omit<KeepingCase, "seed" | "way"> = {
  nodes: 8,
  files: 200,
  roomFiles: 30,
  requests: 2_500,
  skew: 0.9,
};
const SEEDS = [1, 2, 3];

Deno.test("keeping: copies of rare files survive that plain LRU removes, and mirrors give less", () => {
  for (const seed of SEEDS) {
    const lru = runKeeping({ ...FLEET, seed, way: "lru" });
    for (const way of ["searches", "directory"] as const) {
      const kept = runKeeping({ ...FLEET, seed, way });
      const what = `seed ${seed}, ${way}: ${JSON.stringify({ lru, kept })}`;
      assert(kept.filesAlive > 0.95, what);
      assert(kept.filesAlive > lru.filesAlive + 0.2, what);
      assert(kept.lastCopiesRemoved < lru.lastCopiesRemoved / 10, what);
      assert(kept.mirrorShare < lru.mirrorShare / 4, what);
    }
  }
});

Deno.test("keeping: no node has more than its quota, whatever is known, and nodes may die", () => {
  for (const way of ["lru", "searches", "directory"] as const) {
    const { fullestShare } = runKeeping({ ...FLEET, seed: 4, way, nodesDie: true });
    assert(fullestShare > 0.9 && fullestShare <= 1, `${way}: ${fullestShare}`);
  }
});

Deno.test("keeping: where all together have no room for all, no more last copies go than with LRU", () => {
  for (const seed of SEEDS) {
    const scarce = { ...FLEET, seed, roomFiles: 12 };
    const lru = runKeeping({ ...scarce, way: "lru" });
    const kept = runKeeping({ ...scarce, way: "directory" });
    assert(kept.lastCopiesRemoved < lru.lastCopiesRemoved, JSON.stringify({ lru, kept }));
    assert(kept.filesAlive > lru.filesAlive, JSON.stringify({ lru, kept }));
  }
});

Deno.test("keeping: a seed reproduces a run", () => {
  const one = { ...FLEET, seed: 9, way: "searches" } as const;
  assertEquals(runKeeping(one), runKeeping(one));
});
