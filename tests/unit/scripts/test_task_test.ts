// How the task `test` reads deno's summaries, adds them up, and splits its arguments.

import { assertEquals } from "@std/assert";
import { addCounts, countRun, parseSummary } from "../../../scripts/test_summary.ts";
import { planRuns, splitArgs } from "../../../scripts/test_task.ts";

Deno.test("parseSummary() reads the counts of each form of the line", () => {
  const lines: [line: string, passed: number, failed: number][] = [
    ["ok | 12 passed | 0 failed (3s)", 12, 0],
    ["ok | 1 passed (2 steps) | 0 failed (7ms)", 1, 0],
    ["FAILED | 3 passed (1 step) | 2 failed (4 steps) (1m2s)", 3, 2],
    ["ok | 5 passed | 0 failed | 2 ignored (10ms)", 5, 0],
    ["ok | 5 passed | 0 failed | 1 ignored (2 steps) | 7 filtered out (10ms)", 5, 0],
    ["\x1b[0m\x1b[32mok\x1b[0m | 4 passed | 0 failed \x1b[0m\x1b[38;5;245m(7ms)\x1b[0m\r", 4, 0],
  ];
  for (const [line, passed, failed] of lines) {
    assertEquals(parseSummary(line), { passed, failed }, line);
  }
});

Deno.test("parseSummary() gives nothing for any other line", () => {
  for (
    const line of [
      "",
      "x() y ... ok (1ms)",
      "ok | 12 passed",
      "12 passed, 0 failed",
      "note: ok | 1 passed | 0 failed (3s)",
    ]
  ) {
    assertEquals(parseSummary(line), undefined, line);
  }
});

Deno.test("countRun() counts a run that broke without a failed test as a failure", () => {
  assertEquals(countRun({ passed: 3, failed: 0 }, 0), { passed: 3, failed: 0 });
  assertEquals(countRun({ passed: 3, failed: 2 }, 1), { passed: 3, failed: 2 });
  assertEquals(countRun({ passed: 3, failed: 0 }, 1), { passed: 3, failed: 1 });
  assertEquals(countRun(undefined, 1), { passed: 0, failed: 1 });
});

Deno.test("addCounts() sums several runs", () => {
  const runs = [{ passed: 3, failed: 0 }, { passed: 4, failed: 2 }];
  assertEquals(addCounts(runs), { passed: 7, failed: 2 });
  assertEquals(addCounts([]), { passed: 0, failed: 0 });
});

Deno.test("planRuns() runs side by side first, and one by one what has to be alone", () => {
  const folders = ["tests/unit", "tests/integration", "tests/alone", "tests/copies", "tests/cli"];
  assertEquals(planRuns([], folders), [
    { paths: ["tests/cli", "tests/integration", "tests/unit"], pace: "side by side" },
    { paths: ["tests/copies"], pace: "a processor each" },
    { paths: ["tests/alone"], pace: "alone" },
  ]);
  assertEquals(planRuns(["tests/unit/base/ids_test.ts"], folders), [
    { paths: ["tests/unit/base/ids_test.ts"], pace: "side by side" },
  ]);
  assertEquals(planRuns(["tests/alone/x_test.ts", "tests/copies/y_test.ts"], folders), [
    { paths: ["tests/copies/y_test.ts"], pace: "a processor each" },
    { paths: ["tests/alone/x_test.ts"], pace: "alone" },
  ]);
  assertEquals(planRuns(["tests/aloneness/x_test.ts"], folders), [
    { paths: ["tests/aloneness/x_test.ts"], pace: "side by side" },
  ]);
});

Deno.test("splitArgs() keeps a filter with its value and tells paths from flags", () => {
  assertEquals(splitArgs(["tests/unit", "--filter", "codec", "--fail-fast", "tests/cli"]), {
    paths: ["tests/unit", "tests/cli"],
    flags: ["--filter", "codec", "--fail-fast"],
  });
  assertEquals(splitArgs(["--filter=codec"]), { paths: [], flags: ["--filter=codec"] });
});
