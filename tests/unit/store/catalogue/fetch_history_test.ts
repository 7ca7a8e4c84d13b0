// What is remembered of fetches, over restarts and within bounds.

import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { Story } from "../../../../src/base/fetch_record.ts";
import { openStore, TempDir } from "../store_fixture.ts";

function rootOfNumber(n: number): Root {
  return n.toString(16).padStart(64, "0") as Root;
}

function story(name: string, extras: Partial<Story> = {}): Story {
  return {
    name,
    root: rootOfNumber(1),
    rootsRejected: [],
    sizeBytes: 20_000,
    endedAt: "2026-01-02T03:04:05.678Z",
    outcome: "done",
    trust: "sync-db",
    elapsedMs: 12,
    firstByteMs: 3,
    bytesLocal: 0,
    bytesPeers: 16_384,
    bytesMirror: 3_616,
    bytesThrownAway: 0,
    bytesSaved: 16_384,
    givers: [{
      kind: "peer",
      giver: "h:1",
      nodeId: null,
      bytes: 16_384,
      chunks: "0",
      bytesThrownAway: 0,
      strikes: 0,
    }],
    steps: [{ atMs: 1, what: "asked" }],
    ...extras,
  };
}

Deno.test("Stories.of() gives those of a name or root, the last first, after a restart too", async () => {
  using dir = new TempDir();
  const stories = [
    story("a"),
    story("b", { root: rootOfNumber(2) }),
    story("a", { root: rootOfNumber(2), trust: "mirror", elapsedMs: 99 }),
  ];
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    for (const one of stories) store.stories.add(one);
    assertEquals(store.stories.of("a"), [stories[2]!, stories[0]!]);
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.stories.of("a"), [stories[2]!, stories[0]!]);
  assertEquals(store.stories.of(rootOfNumber(2)), [stories[2]!, stories[1]!]);
  assertEquals(store.stories.of("c"), []);
  assertEquals(store.stories.trustOf(rootOfNumber(1)), "sync-db");
  assertEquals(store.stories.trustOf(rootOfNumber(2)), "mirror");
  assertEquals(store.stories.trustOf(rootOfNumber(3)), undefined);
});

Deno.test("Stories.add() keeps so many, and no more of fetches that failed than fit beside", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const { stories } = store;
  stories.add(story("first"));
  for (let i = 0; i < limits.storiesMax; i++) {
    const nothing = { bytesPeers: 0, bytesMirror: 0 };
    stories.add(story(`no-${i}`, { root: null, outcome: "Nobody has it", ...nothing }));
  }
  // What was got is still known: however much was asked for in vain, it fills a part only.
  assertEquals(stories.of("first").length, 1);
  const kept = (prefix: string) =>
    Array.from({ length: limits.storiesMax }, (_, i) => stories.of(`${prefix}-${i}`).length)
      .reduce((sum, n) => sum + n, 0);
  assertEquals(kept("no"), limits.storiesMax / 4);
  assertEquals(stories.of(`no-${limits.storiesMax - 1}`).length, 1);
  for (let i = 0; i < limits.storiesMax; i++) {
    stories.add(story(`yes-${i}`, { root: rootOfNumber(i + 10) }));
  }
  assertEquals([kept("no"), kept("yes")], [0, limits.storiesMax]);
  assertEquals(stories.of("first"), []);
  assertEquals(stories.trustOf(rootOfNumber(1)), undefined);
  assertEquals(warnings, []);
});

Deno.test("Stories.add() keeps only the last of the same fetch that fails again and again", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const nothing = { bytesPeers: 0, bytesMirror: 0 };
  for (const elapsedMs of [1, 2, 3]) {
    store.stories.add(story("a", { root: null, outcome: "no", ...nothing, elapsedMs }));
    store.stories.add(story("a", { outcome: "broken off", elapsedMs }));
  }
  store.stories.add(story("a"));
  assertEquals(store.stories.of("a").map(({ outcome, elapsedMs }) => [outcome, elapsedMs]), [
    ["done", 12],
    ["broken off", 3],
    ["no", 3],
  ]);
});

Deno.test("Stories.add() keeps a fetch that failed after bytes had come beside one that asked in vain", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const wrong = story("a", {
    root: null,
    rootsRejected: [rootOfNumber(7)],
    outcome: "what peers offer failed its check",
    bytesPeers: 0,
    bytesMirror: 0,
    bytesThrownAway: 20_000,
  });
  const empty = { ...wrong, rootsRejected: [], bytesThrownAway: 0, outcome: "nobody has it" };
  store.stories.add(wrong);
  store.stories.add(empty);
  store.stories.add(empty);
  assertEquals(store.stories.of("a"), [empty, wrong]);
  assertEquals(store.stories.of(rootOfNumber(7).toUpperCase()), [wrong]);
});

Deno.test("Stories.of() finds no story by a root that it only mentions", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.stories.add(story("a", { steps: [{ atMs: 0, what: `Offer: ${rootOfNumber(5)}` }] }));
  assertEquals(store.stories.of(rootOfNumber(5)), []);
});

Deno.test("Stories.add() keeps how a file came, however often it is found here afterwards", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const came = story("a");
  store.stories.add(came);
  const here = { trust: "local", bytesLocal: 20_000, bytesPeers: 0, bytesMirror: 0 } as const;
  for (const elapsedMs of [1, 2, 3]) store.stories.add(story("a", { ...here, elapsedMs }));
  assertEquals(store.stories.of("a"), [story("a", { ...here, elapsedMs: 3 }), came]);
  assertEquals(store.stories.trustOf(rootOfNumber(1)), "sync-db");
  for (let i = 0; i < limits.storiesMax; i++) store.stories.add(story(`${i}`, here));
  assertEquals(store.stories.of("a"), [came]);
});

Deno.test("Stories.of() leaves out what is damaged", async () => {
  using dir = new TempDir();
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    for (let i = 0; i < 6; i++) store.stories.add(story("a", { elapsedMs: i }));
  }
  {
    using db = new DatabaseSync(dir.join("data/catalogue.sqlite"));
    const put = db.prepare("UPDATE stories SET json = ? WHERE id = ?");
    put.run("{", 1);
    put.run("null", 2);
    put.run(JSON.stringify({ ...story("a"), givers: [{}] }), 3);
    put.run(JSON.stringify({ ...story("a"), trust: "me" }), 4);
    put.run(JSON.stringify({ ...story("a"), steps: [{ atMs: "1", what: 2 }] }), 5);
    db.exec("UPDATE stories SET trust = 'me'");
  }
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.stories.of("a"), [story("a", { elapsedMs: 5 })]);
  assertEquals(store.stories.trustOf(rootOfNumber(1)), undefined);
  assertEquals(warnings, []);
});

Deno.test("Stories.add() keeps nothing in an ephemeral store", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  store.stories.add(story("a"));
  assertEquals(store.stories.of("a"), []);
});
