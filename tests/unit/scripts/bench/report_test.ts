// The benchmark's arithmetic and its tables: a wrong median would be a wrong claim.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { writeMarkdown } from "../../../../scripts/bench/markdown.ts";
import {
  isMet,
  markdownTable,
  plainTable,
  type Row,
  verdict,
} from "../../../../scripts/bench/report.ts";
import { median, percentile, ratios } from "../../../../scripts/bench/statistics.ts";

Deno.test("median() gives the middle, and the mean of two when the count is even", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([10, 9, 1, 5]), 7);
  assertEquals(median([100, 20, 3]), 20, "as numbers, not as text");
  assertThrows(() => median([]), RangeError);
});

Deno.test("percentile() gives the nearest rank when the share falls between two values", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assertEquals(percentile(values, 0.99), 198);
  assertEquals(percentile(values, 1), 200);
  assertEquals(percentile([7], 0.99), 7);
});

Deno.test("ratios() pairs the rounds", () => {
  assertEquals(ratios([4, 9], [2, 3]), [2, 3]);
});

const ROW: Row = { what: "speed", unit: "x", values: [1, 2, 9] };

Deno.test("isMet() holds the median to the bar when the spread is on both sides of it", () => {
  assertEquals(isMet(ROW), undefined);
  assertEquals(isMet({ ...ROW, bar: { kind: "at-least", value: 2 } }), true);
  assertEquals(isMet({ ...ROW, bar: { kind: "at-least", value: 2.1 } }), false);
  assertEquals(isMet({ ...ROW, bar: { kind: "at-most", value: 2 } }), true);
  assertEquals(isMet({ ...ROW, bar: { kind: "below", value: 2 } }), false);
});

Deno.test("plainTable() shows median, spread and bar", () => {
  const table = { title: "T", rows: [{ ...ROW, bar: { kind: "at-least", value: 2.5 } as const }] };
  const line = plainTable(table).split("\n")[2]!;
  assertEquals(line.trim().split(/ {2,}/), [
    "speed",
    "2.00x",
    "1.00 .. 9.00",
    "3",
    "≥ 2.5x",
    "MISSED",
  ]);
  assertStringIncludes(
    markdownTable(table),
    "| speed | 2.00x | 1.00 .. 9.00 | 3 | ≥ 2.5x | MISSED |",
  );
});

Deno.test("verdict() names what was missed, and counts only rows that have a bar", () => {
  const bar = { kind: "at-most", value: 1 } as const;
  const lines = verdict([{
    title: "T",
    rows: [ROW, { ...ROW, bar }, { ...ROW, values: [1], bar }],
  }]);
  assertEquals(lines, ["Bars: 1 met, 1 missed.", "Missed: T: speed: 2.00x, bar ≤ 1x"]);
});

Deno.test("writeMarkdown() replaces what is between the marks when a file has them", async () => {
  const path = await Deno.makeTempFile();
  try {
    const before = "# Head\n<!-- results -->\nold\n<!-- end of results -->\ntail\n";
    await Deno.writeTextFile(path, before);
    const results = {
      machine: ["a machine"],
      tables: [{ title: "T", rows: [ROW] }],
      lines: ["end"],
    };
    await writeMarkdown(path, results);
    await writeMarkdown(path, results);
    const text = await Deno.readTextFile(path);
    assertEquals(text.includes("old"), false);
    assertEquals(text.startsWith("# Head\n<!-- results -->\n"), true);
    assertEquals(text.endsWith("<!-- end of results -->\ntail\n"), true);
    assertEquals(text.split("### T").length, 2, "once, however often it is written");
  } finally {
    await Deno.remove(path);
  }
});
