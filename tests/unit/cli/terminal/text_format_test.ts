// What people read: numbers, tables, ranges, and text that a terminal must not obey.

import { assert, assertEquals, assertFalse } from "@std/assert";
import { escapeText, jsonLine } from "../../../../src/cli/terminal/terminal.ts";
import {
  count,
  displayWidth,
  fitText,
  formatBytes,
  formatDuration,
  formatRate,
  shortRanges,
} from "../../../../src/cli/terminal/text_format.ts";

Deno.test("escapeText() leaves text alone and writes out what a terminal obeys", () => {
  assertEquals(escapeText("héllo 日本 😀.iso"), "héllo 日本 😀.iso");
  assertEquals(escapeText("a\x1b[31m\nb\x7f\x9b"), "a\\x1b[31m\\x0ab\\x7f\\x9b");
  assertEquals(escapeText("x\u202egnp.exe"), "x\\u{202e}gnp.exe");
  assertEquals(escapeText("a\u200bb\u00ad\u2060\u{e0041}"), "a\\u{200b}b\\xad\\u{2060}\\u{e0041}");
  assertEquals(JSON.parse(jsonLine("a\u200b\u{e0041}\u3164")), "a\u200b\u{e0041}\u3164");
  assertEquals(jsonLine("\u200b\u{e0041}"), '"\\u200b\\udb40\\udc41"');
});

Deno.test("jsonLine() is valid JSON that reads back, without a raw control", () => {
  const value = { name: 'a\u009b\u2028\u202e\u0000\n"' };
  assertEquals(JSON.parse(jsonLine(value)), value);
  // deno-lint-ignore no-control-regex
  assertFalse(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/.test(jsonLine(value)));
});

Deno.test("formatDuration() takes the two units that matter", () => {
  const cases: [ms: number, text: string][] = [
    [0, "0.00 s"],
    [420, "0.42 s"],
    [12_340, "12.3 s"],
    [59_949, "59.9 s"],
    [59_960, "1 min"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [90_000_000, "1 d 1 h"],
  ];
  for (const [ms, text] of cases) assertEquals(formatDuration(ms), text, String(ms));
});

Deno.test("formatBytes(), formatRate() and count() read well", () => {
  assertEquals(formatBytes(94_200_000), "94.2 MB");
  assertEquals(formatRate(1234.5), "1.24 kB/s");
  assertEquals([count(1, "file"), count(0, "file")], ["1 file", "0 files"]);
});

Deno.test("shortRanges() shows the first ranges and counts the rest", () => {
  assertEquals(shortRanges("all"), "all");
  assertEquals(shortRanges(""), "none");
  assertEquals(shortRanges("0-3,5,7-9"), "0-3,5,7-9");
  assertEquals(shortRanges("0-3,5,7-9,11"), "0-3,5,7-9 and 1 range more");
  assertEquals(shortRanges("1,3,5,7,9,11", 2), "1,3 and 4 ranges more");
});

Deno.test("fitText() keeps both ends and never takes more columns than it may", () => {
  assertEquals(fitText("short.iso", 20), "short.iso");
  assertEquals(fitText("a-very-long-name-of-a-file.iso", 16), "a-very-...le.iso");
  for (let columns = 4; columns < 24; columns++) {
    const fitted = fitText("日本語の長い長い名前のファイル.iso", columns);
    assert(displayWidth(fitted) <= columns, `${fitted} in ${columns}`);
  }
});
