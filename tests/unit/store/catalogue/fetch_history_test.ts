// What is remembered of fetches, over restarts and within bounds.

import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { FetchRecord } from "../../../../src/base/fetch_record.ts";
import { openStore, TempDir } from "../store_fixture.ts";

function rootOfNumber(n: number): Root {
  return n.toString(16).padStart(64, "0") as Root;
}

function record(name: string, extras: Partial<FetchRecord> = {}): FetchRecord {
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
    bytesMirrors: 4_000,
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

Deno.test("FetchHistory.of() gives a record of before mirrors were counted, with what counted then", async () => {
  using dir = new TempDir();
  const { bytesMirrors: _, ...before } = record("a");
  const { store } = await openStore(dir.join("data"));
  await using __ = store;
  store.history.add(before as FetchRecord);
  assertEquals(store.history.of("a"), [{ ...before, bytesMirrors: before.bytesMirror }]);
});

Deno.test("FetchHistory.of() gives those of a name or root, the last first, after a restart too", async () => {
  using dir = new TempDir();
  const history = [
    record("a"),
    record("b", { root: rootOfNumber(2) }),
    record("a", { root: rootOfNumber(2), trust: "mirror", elapsedMs: 99 }),
  ];
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    for (const one of history) store.history.add(one);
    assertEquals(store.history.of("a"), [history[2]!, history[0]!]);
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.history.of("a"), [history[2]!, history[0]!]);
  assertEquals(store.history.of(rootOfNumber(2)), [history[2]!, history[1]!]);
  assertEquals(store.history.of("c"), []);
  assertEquals(store.history.trustOf(rootOfNumber(1)), "sync-db");
  assertEquals(store.history.trustOf(rootOfNumber(2)), "mirror");
  assertEquals(store.history.trustOf(rootOfNumber(3)), undefined);
});

Deno.test("FetchHistory.add() keeps so many, and no more of fetches that failed than fit beside", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const { history } = store;
  history.add(record("first"));
  for (let i = 0; i < limits.fetchRecordsMax; i++) {
    const nothing = { bytesPeers: 0, bytesMirror: 0 };
    history.add(record(`no-${i}`, { root: null, outcome: "Nobody has it", ...nothing }));
  }
  // What was got is still known: however much was asked for in vain, it fills a part only.
  assertEquals(history.of("first").length, 1);
  const kept = (prefix: string) =>
    Array.from({ length: limits.fetchRecordsMax }, (_, i) => history.of(`${prefix}-${i}`).length)
      .reduce((sum, n) => sum + n, 0);
  assertEquals(kept("no"), limits.fetchRecordsMax / 4);
  assertEquals(history.of(`no-${limits.fetchRecordsMax - 1}`).length, 1);
  for (let i = 0; i < limits.fetchRecordsMax; i++) {
    history.add(record(`yes-${i}`, { root: rootOfNumber(i + 10) }));
  }
  assertEquals([kept("no"), kept("yes")], [0, limits.fetchRecordsMax]);
  assertEquals(history.of("first"), []);
  assertEquals(history.trustOf(rootOfNumber(1)), undefined);
  assertEquals(warnings, []);
});

Deno.test("FetchHistory.add() keeps only the last of the same fetch that fails again and again", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const nothing = { bytesPeers: 0, bytesMirror: 0 };
  for (const elapsedMs of [1, 2, 3]) {
    store.history.add(record("a", { root: null, outcome: "no", ...nothing, elapsedMs }));
    store.history.add(record("a", { outcome: "broken off", elapsedMs }));
  }
  store.history.add(record("a"));
  assertEquals(store.history.of("a").map(({ outcome, elapsedMs }) => [outcome, elapsedMs]), [
    ["done", 12],
    ["broken off", 3],
    ["no", 3],
  ]);
});

Deno.test("FetchHistory.add() keeps a fetch that failed after bytes had come beside one that asked in vain", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const wrong = record("a", {
    root: null,
    rootsRejected: [rootOfNumber(7)],
    outcome: "what peers offer failed its check",
    bytesPeers: 0,
    bytesMirror: 0,
    bytesThrownAway: 20_000,
  });
  const empty = { ...wrong, rootsRejected: [], bytesThrownAway: 0, outcome: "nobody has it" };
  store.history.add(wrong);
  store.history.add(empty);
  store.history.add(empty);
  assertEquals(store.history.of("a"), [empty, wrong]);
  assertEquals(store.history.of(rootOfNumber(7).toUpperCase()), [wrong]);
});

Deno.test("FetchHistory.of() finds no record by a root that it only mentions", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.history.add(record("a", { steps: [{ atMs: 0, what: `Offer: ${rootOfNumber(5)}` }] }));
  assertEquals(store.history.of(rootOfNumber(5)), []);
});

Deno.test("FetchHistory.add() keeps how a file came, however often it is found here afterwards", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const came = record("a");
  store.history.add(came);
  const here = { trust: "local", bytesLocal: 20_000, bytesPeers: 0, bytesMirror: 0 } as const;
  for (const elapsedMs of [1, 2, 3]) store.history.add(record("a", { ...here, elapsedMs }));
  assertEquals(store.history.of("a"), [record("a", { ...here, elapsedMs: 3 }), came]);
  assertEquals(store.history.trustOf(rootOfNumber(1)), "sync-db");
  for (let i = 0; i < limits.fetchRecordsMax; i++) store.history.add(record(`${i}`, here));
  assertEquals(store.history.of("a"), [came]);
});

Deno.test("FetchHistory.of() leaves out what is damaged", async () => {
  using dir = new TempDir();
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    for (let i = 0; i < 6; i++) store.history.add(record("a", { elapsedMs: i }));
  }
  {
    using db = new DatabaseSync(dir.join("data/catalogue.sqlite"));
    const put = db.prepare("UPDATE stories SET json = ? WHERE id = ?");
    put.run("{", 1);
    put.run("null", 2);
    put.run(JSON.stringify({ ...record("a"), givers: [{}] }), 3);
    put.run(JSON.stringify({ ...record("a"), trust: "me" }), 4);
    put.run(JSON.stringify({ ...record("a"), steps: [{ atMs: "1", what: 2 }] }), 5);
    db.exec("UPDATE stories SET trust = 'me'");
  }
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.history.of("a"), [record("a", { elapsedMs: 5 })]);
  assertEquals(store.history.trustOf(rootOfNumber(1)), undefined);
  assertEquals(warnings, []);
});

Deno.test("FetchHistory.add() keeps nothing in an ephemeral store", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  store.history.add(record("a"));
  assertEquals(store.history.of("a"), []);
});
