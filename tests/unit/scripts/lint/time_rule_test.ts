import { assertEquals } from "@std/assert";
import { timeIsAnArgument } from "../../../../scripts/lint/time_rule.ts";

/** What the rule finds in a file of that name. */
function found(fileName: string, source: string): string[] {
  const plugin = { name: "test", rules: { time: timeIsAnArgument } };
  return Deno.lint.runPlugin(plugin, fileName, source).map((finding) => finding.message);
}

const READS: readonly string[] = [
  "performance.now();",
  "const now = Date.now;",
  'Date["now"]();',
  "setTimeout(() => {}, 5);",
  "setInterval(() => {}, 5);",
  "new Date();",
];

Deno.test("timeIsAnArgument finds what reads the system's time or sets a timer", () => {
  for (const layer of ["daemon", "directory", "gateway", "http"]) {
    for (const source of READS) {
      assertEquals(found(`src/${layer}/folder/x.ts`, source).length, 1, `${layer}: ${source}`);
    }
  }
});

Deno.test("timeIsAnArgument lets clocks, given times and other layers be", () => {
  const sources = ["clock.nowMs();", "new Date(atMs);", "Date.parse(text);", "sleep(clock, 5);"];
  for (const source of sources) assertEquals(found("src/daemon/x.ts", source), [], source);
  for (const file of ["src/base/clock.ts", "src/cli/x.ts", "tests/x.ts", "scripts/x.ts"]) {
    for (const source of READS) assertEquals(found(file, source), [], `${file}: ${source}`);
  }
});
