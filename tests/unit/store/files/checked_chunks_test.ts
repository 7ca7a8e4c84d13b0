import { assertEquals } from "@std/assert";
import { limits } from "../../../../src/base/limits.ts";
import { CheckedChunks } from "../../../../src/store/files/checked_chunks.ts";
import type { Fingerprint } from "../../../../src/store/files/stored_file.ts";

const PRINT: Fingerprint = { sizeBytes: 9, mtimeMs: 1_500, ctimeMs: 2_000, ino: 7 };
const LATER_MS = 2_000 + limits.changeTimeRestMs;
const RANGE = { first: 3, count: 4 };

Deno.test("CheckedChunks.stands() while size, times and inode are the same, and not else", () => {
  const checked = new CheckedChunks(10);
  checked.checked(RANGE, PRINT, LATER_MS);
  assertEquals([checked.has(RANGE), checked.stands(PRINT)], [true, true]);
  assertEquals(checked.has({ first: 3, count: 5 }), false);
  const changes = [{ sizeBytes: 8 }, { mtimeMs: 1_501 }, { ctimeMs: 3_000 }, { ino: 8 }];
  for (const change of changes) assertEquals(checked.stands({ ...PRINT, ...change }), false);
});

Deno.test("CheckedChunks.checked() notes nothing of a file that may still change unseen", () => {
  const checked = new CheckedChunks(10);
  checked.checked(RANGE, PRINT, LATER_MS - 1);
  // A clock that was set back, and a system that has no such time.
  checked.checked(RANGE, PRINT, 0);
  checked.checked(RANGE, { ...PRINT, ctimeMs: 0 }, LATER_MS);
  assertEquals(checked.has(RANGE), false);
});

Deno.test("CheckedChunks.checked() forgets what was checked of the file as it was before", () => {
  const checked = new CheckedChunks(10);
  checked.checked(RANGE, PRINT, LATER_MS);
  checked.checked({ first: 0, count: 1 }, { ...PRINT, ctimeMs: 9_000 }, 9_000_000);
  assertEquals([checked.has(RANGE), checked.has({ first: 0, count: 1 })], [false, true]);
});

Deno.test("CheckedChunks.wrote() keeps the rest unless somebody else wrote in between", () => {
  const checked = new CheckedChunks(10);
  const one = { ...PRINT, mtimeMs: 2_000 }, two = { ...PRINT, mtimeMs: 3_000 };
  checked.wrote({ first: 0, count: 1 }, PRINT, one);
  checked.wrote({ first: 1, count: 1 }, one, two);
  assertEquals([checked.has({ first: 0, count: 2 }), checked.stands(two)], [true, true]);
  checked.wrote({ first: 2, count: 1 }, one, two);
  assertEquals([checked.has({ first: 0, count: 1 }), checked.has({ first: 2, count: 1 })], [
    false,
    true,
  ]);
});
