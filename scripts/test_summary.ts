// Reads the closing line of `deno test` and adds several of them up. It runs nothing.

/** How many tests passed and failed. */
export interface TestCounts {
  passed: number;
  failed: number;
}

// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[0-9;]*m/g;
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \||(?: \([^()]*\))?$)/;

/**
 * The counts in a line such as `ok | 12 passed (3 steps) | 0 failed (3s)`, coloured or not;
 * undefined for any other line.
 */
export function parseSummary(line: string): TestCounts | undefined {
  const match = SUMMARY.exec(line.replace(COLOUR, "").trimEnd());
  return match ? { passed: Number(match[1]), failed: Number(match[2]) } : undefined;
}

/**
 * The counts of one run of `deno test`. The last summary counts, because a test may print one of
 * its own. A run that went wrong without a failed test (a module that does not compile, a crash)
 * counts as one failure, so that no loss is silent.
 */
export function countRun(summary: TestCounts | undefined, exitCode: number): TestCounts {
  const counts = summary ?? { passed: 0, failed: 0 };
  if (exitCode === 0 || counts.failed > 0) return counts;
  return { passed: counts.passed, failed: 1 };
}

/** The sum of several runs. */
export function addCounts(runs: readonly TestCounts[]): TestCounts {
  return runs.reduce(
    (sum, run) => ({ passed: sum.passed + run.passed, failed: sum.failed + run.failed }),
    { passed: 0, failed: 0 },
  );
}
