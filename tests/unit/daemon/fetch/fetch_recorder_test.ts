// What a fetch writes down, and what is kept of it.

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId, Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { isFetchRecord } from "../../../../src/base/fetch_record.ts";
import {
  FetchRecorder,
  keepRecord,
  type RecordFacts,
} from "../../../../src/daemon/fetch/fetch_recorder.ts";
import { HERE, mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";
import { openStore, TempDir } from "../../store/store_fixture.ts";

const root = "ab".repeat(32) as Root;
const SIZE = 9 * CHUNK_BYTES + 100;

function peer(n: number): Provider {
  const nodeId = n.toString(16).padStart(32, "0") as NodeId;
  return { kind: "peer", label: `10.0.0.${n}:8048`, nodeId };
}

const mirror = mirrorProvider("m.test");

function facts(extras: Partial<RecordFacts> = {}): RecordFacts {
  return {
    name: "a",
    root,
    sizeBytes: SIZE,
    trust: "sha256",
    hasMirror: true,
    bytesMirrors: 0,
    nowMs: 1_500,
    unixMs: 1_700_000_000_000,
    ...extras,
  };
}

Deno.test("FetchRecorder.received() counts each chunk once, for who gave it first", () => {
  const journal = new FetchRecorder(1_000);
  journal.received(HERE, { first: 0, count: 2 }, { sizeBytes: SIZE });
  journal.received(peer(1), { first: 1, count: 3 }, { sizeBytes: SIZE });
  journal.received(mirrorProvider("m.test"), { first: 0, count: 10 }, { sizeBytes: SIZE });
  journal.received(peer(1), { first: 9, count: 1 }, { sizeBytes: SIZE });
  journal.releasedFirst(1_040.4);
  journal.releasedFirst(1_200);
  const record = journal.record("done", facts());
  assert(isFetchRecord(record));
  const { bytesLocal, bytesPeers, bytesMirror, bytesSaved, firstByteMs, elapsedMs } = record;
  assertEquals([bytesLocal, bytesPeers, bytesMirror], [
    2 * CHUNK_BYTES,
    2 * CHUNK_BYTES,
    5 * CHUNK_BYTES + 100,
  ]);
  assertEquals(bytesSaved, 2 * CHUNK_BYTES);
  assertEquals([firstByteMs, elapsedMs], [40, 500]);
  assertEquals(record.givers.map(({ kind, giver, chunks }) => [kind, giver, chunks]), [
    ["mirror", "m.test", "4-9"],
    ["here", "", "0-1"],
    ["peer", "10.0.0.1:8048", "2-3"],
  ]);
});

Deno.test("FetchRecorder.record() saves nothing without a mirror, nor when the fetch failed", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 10 }, { sizeBytes: SIZE });
  assertEquals(journal.record("done", facts({ hasMirror: false })).bytesSaved, 0);
  assertEquals(journal.record("The disk is full", facts()).bytesSaved, 0);
  assertEquals(journal.record("done", facts()).bytesSaved, SIZE);
});

Deno.test("FetchRecorder.fellows() has each chunk once, where nodes gave any in flight", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 3 }, { sizeBytes: SIZE });
  journal.received(mirror, { first: 3, count: 1 }, { sizeBytes: SIZE, track: "mirror" });
  assertEquals(journal.fellows(), null);
  journal.received(peer(2), { first: 4, count: 1 }, { sizeBytes: SIZE, track: "mirror" });
  journal.received(peer(3), { first: 0, count: 10 }, { sizeBytes: SIZE, track: "mirror" });
  assertEquals(journal.fellows()?.map(({ peer, bytes }) => [peer, bytes]), [
    ["10.0.0.3:8048", 4 * CHUNK_BYTES + 100],
    ["10.0.0.1:8048", 3 * CHUNK_BYTES],
    ["10.0.0.2:8048", CHUNK_BYTES],
  ]);
});

Deno.test("FetchRecorder.threwAway() counts what was not the file for nobody but as thrown away", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 10 }, { sizeBytes: SIZE });
  journal.strikes(peer(1).nodeId!, 3);
  journal.threwAway("peers");
  journal.received(peer(2), { first: 0, count: 10 }, { sizeBytes: SIZE });
  const { givers, bytesPeers, bytesThrownAway } = journal.record("done", facts());
  assertEquals([bytesPeers, bytesThrownAway], [SIZE, SIZE]);
  assertEquals(
    givers.map(({ giver, bytes, bytesThrownAway, strikes }) => [
      giver,
      bytes,
      bytesThrownAway,
      strikes,
    ]),
    [["10.0.0.2:8048", SIZE, 0, 0], ["10.0.0.1:8048", 0, SIZE, 3]],
  );
});

Deno.test("FetchRecorder.threwAway() leaves what the mirror gave of chunks that peers gave wrongly", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 10 }, { sizeBytes: SIZE });
  journal.received(mirror, { first: 0, count: 10 }, { sizeBytes: SIZE, track: "mirror" });
  journal.threwAway("peers");
  const record = journal.record("done", facts());
  const { bytesPeers, bytesMirror, bytesThrownAway, bytesSaved } = record;
  assertEquals([bytesPeers, bytesMirror, bytesThrownAway, bytesSaved], [0, SIZE, SIZE, 0]);
  assertEquals(record.givers.map(({ giver, bytes }) => [giver, bytes]), [
    ["m.test", SIZE],
    ["10.0.0.1:8048", 0],
  ]);
});

Deno.test("FetchRecorder.threwAway() of the mirror keeps what peers took over from it", () => {
  const journal = new FetchRecorder(0);
  journal.received(mirror, { first: 0, count: 4 }, { sizeBytes: SIZE, track: "mirror" });
  journal.received(mirror, { first: 0, count: 2 }, { sizeBytes: SIZE });
  journal.received(peer(1), { first: 2, count: 8 }, { sizeBytes: SIZE });
  journal.threwAway("mirror");
  const record = journal.record("done", facts());
  assertEquals([record.bytesMirror, record.bytesPeers, record.bytesThrownAway], [
    2 * CHUNK_BYTES,
    SIZE - 2 * CHUNK_BYTES,
    2 * CHUNK_BYTES,
  ]);
});

Deno.test("FetchRecorder.record() saves no bytes that a mirror had to give as well", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 5 }, { sizeBytes: SIZE });
  journal.received(mirror, { first: 0, count: 10 }, { sizeBytes: SIZE, track: "mirror" });
  const { bytesPeers, bytesSaved } = journal.record("done", facts());
  assertEquals([bytesPeers, bytesSaved], [5 * CHUNK_BYTES, 0]);
});

Deno.test("FetchRecorder.record() names a bounded number of rejected roots, each once", () => {
  const journal = new FetchRecorder(0);
  journal.rejected(root);
  journal.rejected(root);
  assertEquals(journal.record("no", facts()).rootsRejected, [root]);
  for (let i = 0; i < 1_000; i++) journal.rejected(i.toString(16).padStart(64, "0") as Root);
  assertEquals(journal.record("no", facts()).rootsRejected.length, 16);
});

Deno.test("FetchRecorder.received() starts over by itself when the file has another number of chunks", () => {
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 2 }, { sizeBytes: 2 * CHUNK_BYTES });
  journal.received(peer(1), { first: 0, count: 10 }, { sizeBytes: SIZE });
  const { bytesPeers, bytesThrownAway } = journal.record("done", facts());
  assertEquals([bytesPeers, bytesThrownAway], [SIZE, 2 * CHUNK_BYTES]);
});

Deno.test("FetchRecorder.note() keeps the first and the last steps and counts the rest", () => {
  const journal = new FetchRecorder(0);
  for (let i = 0; i < limits.recordSteps; i++) journal.note(`step ${i}`, i);
  journal.note("x".repeat(10_000), 99);
  const { steps } = journal.record("done", facts());
  assertEquals(steps.length, limits.recordSteps);
  assertEquals(steps[0], { atMs: 0, what: "step 0" });
  const half = limits.recordSteps / 2;
  assertEquals(steps[half], { atMs: half - 1, what: "(2 steps left out)" });
  assertEquals(steps[half + 1], { atMs: half + 2, what: `step ${half + 2}` });
  assertEquals(steps.at(-1)!.what, `${"x".repeat(299)}…`);
});

Deno.test("FetchRecorder.record() names a bounded number of providers and sums up the rest", () => {
  const journal = new FetchRecorder(0);
  const chunks = 1_000;
  for (let i = 0; i < chunks; i++) {
    journal.received(peer(i), { first: i, count: 1 }, { sizeBytes: chunks * CHUNK_BYTES });
    journal.strikes(peer(i).nodeId!, 1);
  }
  const { givers, bytesPeers } = journal.record("done", facts());
  assertEquals(givers.length, 64);
  assertEquals(bytesPeers, chunks * CHUNK_BYTES);
  assertEquals(givers.reduce((sum, { bytes }) => sum + bytes, 0), bytesPeers);
  assertEquals(givers.reduce((sum, { strikes }) => sum + strikes, 0), chunks);
});

Deno.test("FetchRecorder.received() keeps a bounded number of runs, whatever their order", () => {
  const journal = new FetchRecorder(0);
  const chunks = 40_000;
  for (let i = 0; i < chunks; i += 2) {
    journal.received(peer(1), { first: i, count: 1 }, { sizeBytes: chunks * CHUNK_BYTES });
  }
  // Every second chunk of a run of 4,000, and then those in between: one run again.
  for (let i = 4_000; i > 0; i--) {
    journal.received(peer(2), { first: 2 * i - 1, count: 1 }, { sizeBytes: chunks * CHUNK_BYTES });
  }
  const { givers } = journal.record("done", facts());
  assertEquals(givers.map(({ bytes }) => bytes), [20_000 * CHUNK_BYTES, 4_000 * CHUNK_BYTES]);
  assertEquals(givers[0]!.chunks, "...");
  assert(JSON.stringify(givers).length < 2_000);
});

Deno.test("keepRecord() adds a finished fetch to the savings, and keeps one that failed", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const journal = new FetchRecorder(0);
  journal.received(peer(1), { first: 0, count: 9 }, { sizeBytes: SIZE });
  journal.received(mirrorProvider("m.test"), { first: 9, count: 1 }, { sizeBytes: SIZE });
  keepRecord(store, journal.record("done", facts({ bytesMirrors: 150 })));
  keepRecord(store, journal.record("It was stopped", facts({ bytesMirrors: 150 })));
  // Read again from here: nothing came, so nothing was saved anew.
  const again = new FetchRecorder(0);
  again.received(HERE, { first: 0, count: 10 }, { sizeBytes: SIZE });
  keepRecord(store, again.record("done", facts()));
  assertEquals(store.history.of("a").map(({ outcome }) => outcome), [
    "done",
    "It was stopped",
    "done",
  ]);
  const sums = store.statistics();
  assertEquals(
    ["savedFiles", "bytesLocal", "bytesPeers", "bytesMirror", "bytesSaved"]
      .map((name) => sums.get(name)),
    [1, 0, 9 * CHUNK_BYTES, 100, 9 * CHUNK_BYTES],
  );
  // What came of a fetch that failed came all the same.
  assertEquals([sums.get("bytesMirrors"), sums.get("bytesUnique")], [2 * 150, 2 * SIZE]);
});
