// What a person and a program hear of what is left of a fetch.

import { assertEquals } from "@std/assert";
import { keptOf, type Seen } from "../../../../src/cli/fetch/kept.ts";

const seen: Seen = { source: "daemon", isFound: true, bytesDone: 12e6, bytesTotal: 40e6 };
const onlyName = { url: null };
/** An output that keeps so much of what came. */
const keeping = (bytes: number | null) => ({ keptBytes: () => bytes });

Deno.test("keptOf() says what the daemon or a .part keeps, and when it is nothing", () => {
  const keptBy = (some: Partial<Seen>, output?: { keptBytes(): number | null }) => {
    const { bytesKept, kept } = keptOf(onlyName, { output, seen: { ...seen, ...some } });
    return [bytesKept, kept];
  };
  const goesOn = "the same command goes on from there";
  const all = [12e6, `12 MB of 40 MB are kept; ${goesOn}`];
  // The daemon has it, whatever becomes of the output.
  assertEquals(keptBy({}), all);
  assertEquals(keptBy({}, keeping(null)), all);
  assertEquals(keptBy({ bytesDone: 0 }), [0, `what came is kept; ${goesOn}`]);
  assertEquals(keptBy({ source: null, isFound: false, bytesDone: 0 }), [0, undefined]);
  for (const source of ["node", "direct"] as const) {
    assertEquals(keptBy({ source }, keeping(12e6)), all);
    assertEquals(keptBy({ source }, keeping(null)), [0, "nothing is kept"]);
  }
  const unknown = { source: "direct", bytesTotal: null } as const;
  assertEquals(keptBy(unknown, keeping(3e6)), [3e6, `3 MB are kept; ${goesOn}`]);
});

Deno.test("keptOf() counts nothing of a database, which changes under its name", () => {
  const url = { url: new URL("http://a/core.db"), host: "a", isFile: false, isDatabase: true };
  const ended = { output: keeping(5), seen: { ...seen, source: "direct" as const } };
  assertEquals(keptOf({ url }, ended).kept, "nothing is kept");
});
