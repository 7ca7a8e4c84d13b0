import { assert, assertEquals } from "@std/assert";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import {
  bytesOverHigh,
  bytesOverLow,
  isBounded,
  KEEP_ALL,
  minFreeBytes,
} from "../../../../src/core/keeping/disk_marks.ts";
import { HolderBook } from "../../../../src/core/keeping/holder_book.ts";
import { type KeptFile, outdated, roomPlan } from "../../../../src/core/keeping/keeping_policy.ts";

function file(key: string, fields: Partial<KeptFile> = {}): KeptFile {
  return {
    key,
    bytes: 10,
    usedUnixMs: 1_000,
    hold: null,
    isPartial: false,
    others: 0,
    isKeeper: true,
    newerVersions: 0,
    isCurrent: false,
    ...fields,
  };
}

const keysOf = (removals: readonly { readonly file: KeptFile }[]) =>
  removals.map(({ file: { key } }) => key);

Deno.test("roomPlan() takes what was used longest ago first, and no more than it takes", () => {
  const files = [
    file("new", { usedUnixMs: 3 }),
    file("old", { usedUnixMs: 1 }),
    file("middle", { usedUnixMs: 2 }),
  ];
  assertEquals(keysOf(roomPlan(files, 1)), ["old"]);
  assertEquals(keysOf(roomPlan(files, 11)), ["old", "middle"]);
  assertEquals(keysOf(roomPlan(files, 1_000)), ["old", "middle", "new"]);
  assertEquals([roomPlan(files, 0), roomPlan(files, -5)], [[], []]);
});

Deno.test("roomPlan() takes what others have before what nobody else is known to have", () => {
  const files = [
    file("rare", { usedUnixMs: 1 }),
    file("mine to keep", { usedUnixMs: 2, others: 3, isKeeper: true }),
    file("common", { usedUnixMs: 9, others: 1, isKeeper: false }),
    file("common and old", { usedUnixMs: 8, others: 1, isKeeper: false }),
  ];
  const plan = roomPlan(files, 1_000);
  assertEquals(keysOf(plan), ["common and old", "common", "mine to keep", "rare"]);
  assertEquals(plan.map(({ why }) => why), [
    "held-by-others",
    "held-by-others",
    "held-by-others",
    "least-used",
  ]);
});

Deno.test("roomPlan() spares what is pinned or in use, and what takes no room", () => {
  const files = [
    file("pinned", { hold: "pinned" }),
    file("in use", { hold: "in-use", others: 5 }),
    file("empty", { bytes: 0 }),
    file("free"),
  ];
  assertEquals(keysOf(roomPlan(files, 1_000)), ["free"]);
});

Deno.test("roomPlan() has few files go where all were used at the same time, in one order", () => {
  const files = [file("b"), file("a"), file("big", { bytes: 100 })];
  assertEquals(keysOf(roomPlan(files, 101)), ["big", "a"]);
  assertEquals(keysOf(roomPlan([...files].reverse(), 101)), ["big", "a"]);
});

Deno.test("outdated() names old versions but current ones, and parts that nobody went on with", () => {
  const nowUnixMs = limits.partialKeptMs + 500;
  const files = [
    file("newest"),
    file("second", { newerVersions: 1 }),
    file("third", { newerVersions: 2 }),
    file("third but current", { newerVersions: 2, isCurrent: true }),
    file("third but pinned", { newerVersions: 2, hold: "pinned" }),
    file("third but read", { newerVersions: 2, hold: "in-use" }),
    file("old part", { isPartial: true, usedUnixMs: 500 }),
    file("younger part", { isPartial: true, usedUnixMs: 501 }),
    file("pinned part", { isPartial: true, usedUnixMs: 0, hold: "pinned" }),
  ];
  const two = outdated(files, { versions: 2, nowUnixMs });
  assertEquals(two.map(({ file: { key }, why }) => [key, why]), [
    ["third", "old-version"],
    ["old part", "old-part"],
  ]);
  assertEquals(keysOf(outdated(files, { versions: 1, nowUnixMs })), [
    "second",
    "third",
    "old part",
  ]);
  assertEquals(keysOf(outdated(files, { versions: null, nowUnixMs })), ["old part"]);
});

Deno.test("disk marks: a fetch may come up to the high mark, and cleaning goes down to the low one", () => {
  const settings = { ...KEEP_ALL, keepBytes: 1_000 };
  const disk = { keptBytes: 700, comingBytes: 200, freeBytes: 10_000, diskBytes: 100_000 };
  assertEquals(bytesOverHigh(settings, disk, 100), 0);
  assertEquals(bytesOverHigh(settings, disk, 101), 1);
  assertEquals(bytesOverLow(settings, disk), 0);
  assertEquals(bytesOverLow(settings, { ...disk, keptBytes: 701 }), 1);
  assertEquals([isBounded(settings), isBounded(KEEP_ALL)], [true, false]);
  assertEquals(isBounded({ ...KEEP_ALL, versions: 1 }), false);
});

Deno.test("disk marks: what others are to have free counts, as bytes or as a part of the disk", () => {
  const disk = { keptBytes: 700, comingBytes: 50, freeBytes: 1_000, diskBytes: 10_000 };
  const bytes = { ...KEEP_ALL, minFree: { kind: "bytes", bytes: 800 } } as const;
  assertEquals(bytesOverHigh(bytes, disk, 150), 0);
  assertEquals(bytesOverHigh(bytes, disk, 151), 1);
  // A tenth more than has to be free.
  assertEquals(bytesOverLow(bytes, { ...disk, freeBytes: 929 }), 1);
  assertEquals(bytesOverLow(bytes, { ...disk, freeBytes: 930 }), 0);
  const percent = { ...KEEP_ALL, minFree: { kind: "percent", percent: 8 } } as const;
  assertEquals(minFreeBytes(percent, 10_000), 800);
  assertEquals(bytesOverHigh(percent, disk, 151), 1);
  // Where nobody can say how big the disk is, nothing can be a part of it.
  const unknown = { ...disk, freeBytes: Infinity, diskBytes: Infinity };
  assertEquals(bytesOverHigh(percent, unknown, 1e15), -Infinity);
  // The stricter of the two bounds counts.
  assertEquals(bytesOverHigh({ ...bytes, keepBytes: 760 }, disk, 100), 90);
});

Deno.test("disk marks: with a quota alone a full disk has room made too", () => {
  const settings = { ...KEEP_ALL, keepBytes: 1_000_000 };
  const disk = { keptBytes: 700, comingBytes: 0, freeBytes: 30, diskBytes: 10_000 };
  assertEquals(bytesOverHigh(settings, disk, 100), 70);
});

const ROOT = "a".repeat(64) as Root;
const OTHER_ROOT = "c".repeat(64) as Root;
const idOf = (n: number) => n.toString(16).padStart(8, "0").repeat(4) as NodeId;
const WHOLE = { isWhole: true, nowMs: 0 };

Deno.test("HolderBook counts the nodes that are known to have a file whole, for a day", () => {
  const book = new HolderBook(idOf(1));
  assertEquals(book.of(ROOT, 0), { others: 0, isKeeper: true });
  book.heard(ROOT, idOf(1), WHOLE);
  book.heard(ROOT, idOf(2), WHOLE);
  book.heard(ROOT, idOf(2), WHOLE);
  book.heard(ROOT, idOf(3), { isWhole: true, nowMs: 5_000 });
  book.heard(ROOT, idOf(4), { isWhole: false, nowMs: 0 });
  assertEquals(book.of(ROOT, 0).others, 2);
  assertEquals(book.of(OTHER_ROOT, 0).others, 0);
  assertEquals(book.of(ROOT, limits.holderKnownMs + 1).others, 1);
  book.heard(ROOT, idOf(3), { isWhole: false, nowMs: 6_000 });
  assertEquals(book.of(ROOT, limits.holderKnownMs + 1).others, 0);
});

Deno.test("HolderBook forgets what it knew before a directory answered, and what went", () => {
  const book = new HolderBook(idOf(1));
  book.heard(ROOT, idOf(2), WHOLE);
  book.heard(ROOT, idOf(3), { isWhole: true, nowMs: 10 });
  book.asked(ROOT, { sinceMs: 10 });
  assertEquals(book.of(ROOT, 10).others, 1);
  book.forget(ROOT);
  assertEquals(book.of(ROOT, 10).others, 0);
  book.asked(OTHER_ROOT, { sinceMs: 0 });
});

Deno.test("HolderBook bounds the holders of a file, the newest ones stay", () => {
  const book = new HolderBook(idOf(1));
  for (let n = 2; n < 100; n++) book.heard(ROOT, idOf(n), { isWhole: true, nowMs: n });
  assertEquals(book.of(ROOT, 100).others, limits.holdersKnownMax);
});

Deno.test("HolderBook makes one of all holders the keeper of each file, and each of some", () => {
  const ids = Array.from({ length: 6 }, (_, n) => idOf(1 + n * 0x1234567));
  const kept = new Map(ids.map((id) => [id, 0]));
  for (let n = 0; n < 600; n++) {
    const root = (n * 0x9abcdef1 % 2 ** 32).toString(16).padStart(8, "0").repeat(8) as Root;
    const keepers = ids.filter((own) => {
      const book = new HolderBook(own);
      for (const id of ids) book.heard(root, id, WHOLE);
      return book.of(root, 0).isKeeper;
    });
    assertEquals(keepers.length, 1);
    kept.set(keepers[0]!, kept.get(keepers[0]!)! + 1);
  }
  for (const count of kept.values()) assert(count > 50 && count < 160, `${count} of 600`);
});
