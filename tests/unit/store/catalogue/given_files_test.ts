// Who was given what nothing proves: over restarts, and within bounds.

import { assertEquals } from "@std/assert";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { openStore, TempDir } from "../store_fixture.ts";

const ROOT = "ab".repeat(32) as Root;

Deno.test("GivenFiles keeps who was given what, and who came back, over a restart", async () => {
  using dir = new TempDir();
  {
    await using opened = (await openStore(dir.path)).store;
    const { givenFiles } = opened;
    for (const client of ["a", "b", "c"]) {
      givenFiles.put({ client, name: "x", root: ROOT, doubtedUnixMs: null });
    }
    givenFiles.put({ client: "a", name: "x", root: ROOT, doubtedUnixMs: 1_700_000_000_123 });
    givenFiles.delete({ client: "c", name: "x" });
  }
  await using store = (await openStore(dir.path)).store;
  const { givenFiles } = store;
  const a = { client: "a", name: "x", root: ROOT, doubtedUnixMs: 1_700_000_000_123 };
  assertEquals([...givenFiles.doubted("x")], [a]);
  assertEquals(givenFiles.get({ client: "a", name: "x" }), a);
  assertEquals(givenFiles.get({ client: "b", name: "x" })?.doubtedUnixMs, null);
  assertEquals(givenFiles.get({ client: "c", name: "x" }), undefined);
  // Given again, it is not doubted any more.
  givenFiles.put({ ...a, doubtedUnixMs: null });
  assertEquals([...givenFiles.doubted("x")], []);
});

Deno.test("GivenFiles keeps so many and no more: the one that changed longest ago goes", async () => {
  using dir = new TempDir();
  const max = limits.unprovenGivenMax;
  {
    await using opened = (await openStore(dir.path)).store;
    const { givenFiles } = opened;
    for (let i = 0; i < max; i++) {
      givenFiles.put({ client: "a", name: `${i}`, root: ROOT, doubtedUnixMs: 1 });
    }
    givenFiles.put({ client: "a", name: "0", root: ROOT, doubtedUnixMs: 2 });
    givenFiles.put({ client: "a", name: `${max}`, root: ROOT, doubtedUnixMs: 1 });
    assertEquals([...givenFiles.doubted("1")], []);
  }
  await using store = (await openStore(dir.path)).store;
  const { givenFiles } = store;
  const isThere = (name: string) => givenFiles.get({ client: "a", name }) !== undefined;
  assertEquals(["0", "1", "2", `${max}`].map(isThere), [true, false, true, true]);
});
