import { assert, assertEquals } from "@std/assert";
import { boundsInLimits, PENDING_FOLDERS } from "../../../../scripts/lint/bounds_rule.ts";

/** What the rule finds in a file of that name. */
function found(fileName: string, source: string, pending?: readonly string[]): string[] {
  const plugin = { name: "test", rules: { bounds: boundsInLimits(pending) } };
  return Deno.lint.runPlugin(plugin, fileName, source).map((finding) => finding.message);
}

Deno.test("boundsInLimits() finds numbers that are named as bounds, exported or not", () => {
  const sources = [
    "const WAIT_MS = 500;",
    "export const FILES_MAX = 4_096;",
    "const BYTES_MIN = 64 * 1024;",
    "const ROOM_LEAST = -1;",
    "const STALL_MS = limits.linkSilentMs;",
    "const HALF_MAX: number = limits.filesMax / 2;",
    "const QUERIES_AT_ONCE = 2;",
  ];
  for (const source of sources) assertEquals(found("src/net/x.ts", source).length, 1, source);
  assertEquals(found("src/net/x.ts", "const A_MS = 1, B_MS = 2;").length, 2);
});

Deno.test("boundsInLimits() leaves other constants, formats and local values alone", () => {
  const sources = [
    "const HEADER_BYTES = 5;",
    "const HASH_WORDS = 8;",
    "const PORT_MAX = 65_535;",
    'const TEXT_MAX = "many";',
    "const LIST_MAX = [1, 2];",
    "const f = () => { const WAIT_MS = 5; return WAIT_MS; };",
    "let LAST_MS = 5;",
  ];
  for (const source of sources) assertEquals(found("src/net/x.ts", source), [], source);
});

Deno.test("boundsInLimits() looks neither into limits, nor out of src/, nor into what waits", () => {
  const source = "const WAIT_MS = 500;";
  for (const file of ["src/base/limits/net.ts", "tests/x.ts", "scripts/x.ts", "src/http/x.ts"]) {
    assertEquals(found(file, source, ["src/http/"]), [], file);
  }
  assertEquals(found("src/http/x.ts", source, []).length, 1);
});

Deno.test("PENDING_FOLDERS holds no folder that is done", () => {
  const done = ["base", "wire", "net", "core/overlay", "daemon", "gateway", "http"];
  for (const folder of done.map((name) => `src/${name}/`)) {
    assert(!PENDING_FOLDERS.some((pending) => folder.startsWith(pending)), folder);
  }
});
