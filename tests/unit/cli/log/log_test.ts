// Log lines: readable, one a line, and out of a peer's hands.

import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { formatJson, formatText } from "../../../../src/cli/log/log_format.ts";
import { openLog } from "../../../../src/cli/log/log_sink.ts";

const timeMs = Date.UTC(2025, 10, 20, 23, 25, 1, 123);
// Ends the line and forges one, moves the cursor, sets the title (C1 too), turns text around.
const HOSTILE =
  "x\n2025-11-20T23:25:01.123Z ERROR forged\r\u001b[2J\u009b2J\u202eevil\u2028end\u007f";

// deno-lint-ignore no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/;

Deno.test("formatText() writes time, level, message and fields", () => {
  assertEquals(
    formatText({
      timeMs,
      level: "warn",
      message: "peer dropped",
      fields: { peer: "10.0.0.2:8048", bytes: 12, why: "two words", none: undefined, ok: true },
    }),
    `2025-11-20T23:25:01.123Z WARN  peer dropped peer=10.0.0.2:8048 bytes=12 why="two words" ok=true`,
  );
});

Deno.test("formatText() keeps a hostile value inside its quotes and its line", () => {
  const line = formatText({ timeMs, level: "info", message: "m", fields: { name: HOSTILE } });
  assertFalse(UNSAFE.test(line), line);
  assertStringIncludes(line, String.raw`name="x\n2025`);
  const forged = formatText({ timeMs, level: "info", message: "m", fields: { a: 'x" b="y' } });
  assertStringIncludes(forged, String.raw`a="x\" b=\"y"`);
  const equals = formatText({ timeMs, level: "info", message: "m", fields: { a: "x b=y" } });
  assertStringIncludes(equals, 'a="x b=y"');
});

Deno.test("formatText() and formatJson() escape hostile messages and names of fields", () => {
  for (const format of [formatText, formatJson]) {
    const line = format({ timeMs, level: "info", message: HOSTILE, fields: { [HOSTILE]: 1 } });
    assertFalse(UNSAFE.test(line), line);
  }
});

Deno.test("formatJson() gives one object that reads back, with its own fields unforged", () => {
  const line = formatJson({
    timeMs,
    level: "error",
    message: "m",
    fields: { name: HOSTILE, level: "debug", message: "forged", time: "never", n: 3 },
  });
  assertFalse(UNSAFE.test(line), line);
  assertEquals(JSON.parse(line), {
    name: HOSTILE,
    level: "error",
    message: "m",
    time: "2025-11-20T23:25:01.123Z",
    n: 3,
  });
});

Deno.test("formatText() bounds each value and copes with every kind", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const line = formatText({
    timeMs,
    level: "info",
    message: "m",
    fields: {
      long: "y".repeat(100_000),
      error: new Error("it broke"),
      bytes: new Uint8Array([1, 255]),
      big: 10n,
      circle,
      nothing: null,
      nan: NaN,
      list: [1, 2],
    },
  });
  assert(line.length < 2_000, `${line.length} characters`);
  assertStringIncludes(line, 'error="it broke"');
  assertStringIncludes(line, "bytes=01ff");
  assertStringIncludes(line, "big=10");
  assertStringIncludes(line, "nothing=null nan=NaN list=[1,2]");
});

Deno.test("openLog() filters by level and takes braces as braces", () => {
  const lines: string[] = [];
  const log = openLog({ level: "warn", format: "text", write: (line) => lines.push(line) });
  log.debug("no");
  log.info("no");
  log.warn("a {name} b", { name: "n" });
  log.error("it");
  assertEquals(lines.map((line) => line.slice(25)), ["WARN  a {name} b name=n", "ERROR it"]);
});

Deno.test("openLog() replaces an earlier log, in another format", () => {
  const old: string[] = [], fresh: string[] = [];
  openLog({ level: "debug", format: "text", write: (line) => old.push(line) });
  const log = openLog({ level: "debug", format: "json", write: (line) => fresh.push(line) });
  log.debug("hello", { n: 1 });
  assertEquals(old, []);
  const { level, message, n } = JSON.parse(fresh[0] ?? "");
  assertEquals({ level, message, n }, { level: "debug", message: "hello", n: 1 });
});

Deno.test("openLog() changes its level while it is open", () => {
  const lines: string[] = [];
  const log = openLog({ level: "warn", format: "text", write: (line) => lines.push(line) });
  log.info("before");
  log.level = "debug";
  log.debug("during");
  log.level = "error";
  log.warn("after");
  assertEquals([lines.length, log.level], [1, "error"]);
  assertStringIncludes(lines[0]!, "during");
});
