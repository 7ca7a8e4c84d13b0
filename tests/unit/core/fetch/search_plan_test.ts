import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { SearchPlan, type SearchStep } from "../../../../src/core/fetch/search_plan.ts";

const BOTH = { fromFloodMs: limits.floodAgainMs, fromDirectories: true };

/** A plan that has begun. */
function begun(): SearchPlan {
  const plan = new SearchPlan();
  assertEquals(plan.flood(0), "flood");
  return plan;
}

Deno.test("SearchPlan.tick() floods every 5 s and asks the directories every second", () => {
  const plan = begun();
  const steps: SearchStep[] = [];
  for (let nowMs = 250; nowMs <= 5_250; nowMs += 250) steps.push(plan.tick(nowMs, BOTH));
  assertEquals(steps.filter((step) => step === "flood").length, 1);
  assertEquals(steps.filter((step) => step === "ask-directories").length, 4);
  assertEquals(plan.queries, 2);
});

Deno.test("SearchPlan.tick() asks only where more holders are wanted from", () => {
  const plan = begun();
  assertEquals(plan.tick(9_000, { fromFloodMs: Infinity, fromDirectories: false }), "nothing");
  assertEquals(
    plan.tick(9_000, { fromFloodMs: Infinity, fromDirectories: true }),
    "ask-directories",
  );
});

Deno.test("SearchPlan.tick() floods as often as that may find somebody", () => {
  const plan = begun();
  const wants = { fromFloodMs: limits.floodWhileDelayedMs, fromDirectories: false };
  assertEquals(plan.tick(limits.floodWhileDelayedMs, wants), "nothing");
  assertEquals(plan.tick(limits.floodWhileDelayedMs + 1, wants), "flood");
  assertEquals(plan.tick(limits.floodWhileDelayedMs + 2, wants), "nothing");
});

Deno.test("SearchPlan.inNeed() floods at most once a second", () => {
  const plan = begun();
  assertEquals(plan.inNeed(999), "nothing");
  assertEquals(plan.inNeed(1_000), "flood");
  assertEquals(plan.queries, 2);
});
