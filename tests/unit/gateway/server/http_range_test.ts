import { assertEquals } from "@std/assert";
import { parseRange, resolveRange } from "../../../../src/gateway/server/http_range.ts";

const SIZE = 1_000;

/** START-END of a part, END not in it; or how else the header is taken. */
function taken(header: string | null, sizeBytes = SIZE): string {
  const range = resolveRange(parseRange(header), sizeBytes);
  return range.kind === "part" ? `${range.start}-${range.end}` : range.kind;
}

Deno.test("resolveRange() gives single, open and suffix ranges", () => {
  for (
    const [header, expected] of [
      [null, "whole"],
      ["bytes=0-0", "0-1"],
      ["bytes=0-", "0-1000"],
      ["bytes=500-", "500-1000"],
      ["bytes=500-599", "500-600"],
      ["bytes=500-5000", "500-1000"],
      ["bytes=999-999", "999-1000"],
      ["bytes=-1", "999-1000"],
      ["bytes=-5000", "0-1000"],
      ["BYTES=1-2", "1-3"],
      ["  bytes=1-2  ", "1-3"],
    ] as const
  ) assertEquals(taken(header), expected, `${header}`);
});

Deno.test("resolveRange() refuses what lies past the end", () => {
  for (const header of ["bytes=1000-", "bytes=1000-1001", "bytes=-0", `bytes=${"9".repeat(40)}-`]) {
    assertEquals(taken(header), "unsatisfiable", header);
  }
  assertEquals(taken("bytes=0-", 0), "unsatisfiable");
  assertEquals(taken("bytes=-5", 0), "unsatisfiable");
});

Deno.test("parseRange() ignores what is malformed, in other units, or several ranges", () => {
  for (
    const header of [
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=5-4",
      "bytes=a-b",
      "bytes=1-2,4-5",
      "bytes=1-2,",
      "bytes=-1-2",
      "bytes=+1-2",
      "bytes=1.5-2",
      "items=1-2",
      "1-2",
    ]
  ) assertEquals(taken(header), "whole", header);
});
