// Downloads of files whose root is not known before they are whole, and what becomes of them.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { damage } from "../../../support/rot.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import type { StoreChange } from "../../../../src/store/files/stored_file.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  leavesOf,
  openStore,
  readAll,
  rootOf,
  TempDir,
} from "../store_fixture.ts";

const KEY = "http://mirror.test/a.pkg";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function open(store: ChunkStore, sizeBytes: number | null = null, name = "a.pkg") {
  return store.openUnverified({ name, sizeBytes, key: KEY });
}

/** The files that lie in the folder of unverified downloads. */
function incoming(dir: TempDir): string[] {
  return [...Deno.readDirSync(dir.join("data/incoming"))].map(({ name }) => name);
}

/** Takes `bytes` in, in pieces of `pieceBytes`. */
function fill(unverified: ReturnType<typeof open>, bytes: Uint8Array, pieceBytes = 10_000): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    unverified.write(at, bytes.subarray(at, at + pieceBytes));
  }
}

for (const ephemeral of [false, true]) {
  const which = ephemeral ? "an ephemeral store" : "a store";
  for (const length of [0, 1, CHUNK_BYTES, 5 * CHUNK_BYTES + 77, 3 * 1024 * 1024 + 5]) {
    Deno.test(`UnverifiedDownload.promote() makes ${length} bytes a file of ${which}`, async () => {
      using dir = new TempDir();
      const { store, warnings } = await openStore(dir.join("data"), { ephemeral });
      await using _ = store;
      const changes: StoreChange[] = [];
      store.onChange((change) => changes.push(change));
      const bytes = content(length);
      const unverified = open(store);
      fill(unverified, bytes);
      assert(!unverified.isWhole, "its size is not known yet");
      unverified.sizeBytes = length;
      assert(unverified.isWhole);
      assertEquals(await unverified.sha256(), sha256(bytes));
      const reader = unverified.reader(length);
      const file = await unverified.promote();
      const root = rootOf(bytes);
      assertEquals(file, {
        root,
        name: "a.pkg",
        type: "pkg",
        sizeBytes: length,
        chunks: Math.ceil(length / CHUNK_BYTES),
        chunksHave: Math.ceil(length / CHUNK_BYTES),
        origin: "downloaded",
        path: `${store.dataDir}/files/${root}/a.pkg`,
      });
      assertEquals(readAll(store, root), bytes);
      const leaves = new Uint8Array(file.chunks * 32);
      if (file.chunks > 0) store.readLeaves(root, { first: 0, count: file.chunks }, leaves);
      assertEquals(leaves, leavesOf(bytes));
      assertEquals(store.sha256(root), sha256(bytes));
      assertEquals(changes, [{ kind: "added", root, name: "a.pkg" }]);
      assertEquals(incoming(dir), []);
      // Its readers go on reading.
      if (length > 0) {
        const last = new Uint8Array(CHUNK_BYTES);
        const read = reader.readRun({ first: file.chunks - 1, count: 1 }, last, 0);
        assertEquals(last.subarray(0, read), bytes.subarray((file.chunks - 1) * CHUNK_BYTES));
      }
      assert(unverified.isEnded);
      assertEquals(warnings, []);
    });
  }
}

Deno.test("UnverifiedDownload.promote() keeps the file over a restart", async () => {
  using dir = new TempDir();
  const bytes = content(3 * CHUNK_BYTES + 1);
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    const unverified = open(store, bytes.length);
    fill(unverified, bytes);
    await unverified.promote();
  }
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(readAll(store, rootOf(bytes)), bytes);
  assertEquals(store.sha256(rootOf(bytes)), sha256(bytes));
  assertEquals(warnings, []);
});

Deno.test("UnverifiedDownload.reader() reads before, while and after promote() moves the data", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(CHUNK_BYTES + 100);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  const reader = unverified.reader(bytes.length);
  const target = new Uint8Array(bytes.length);
  const read = () => {
    target.fill(0);
    assertEquals(reader.readRun({ first: 0, count: 2 }, target, 0), bytes.length);
    assertEquals(target, bytes);
  };
  const moved = Promise.withResolvers<void>();
  store.onChange(({ kind }) => {
    if (kind !== "added") return;
    // It is where it belongs now; its readers go on in any turn until promote() has returned.
    const readOn = async () => {
      for (let turn = 0; turn < 20; turn++) {
        read();
        await Promise.resolve();
      }
    };
    readOn().then(moved.resolve, moved.reject);
  });
  read();
  await Promise.all([unverified.promote(), moved.promise]);
  read();
  assertEquals(incoming(dir), []);
});

Deno.test("UnverifiedDownload.has() and reader() know whole chunks in any order of writing", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(4 * CHUNK_BYTES + 9);
  const unverified = open(store);
  const put = (start: number, end: number) => unverified.write(start, bytes.subarray(start, end));
  put(2 * CHUNK_BYTES, 4 * CHUNK_BYTES + 9);
  assert(unverified.has({ first: 2, count: 2 }));
  assert(!unverified.has({ first: 4, count: 1 }), "the last chunk may be longer");
  unverified.sizeBytes = bytes.length;
  assert(unverified.has({ first: 2, count: 3 }));
  assert(!unverified.has({ first: 1, count: 2 }));
  assertEquals(unverified.nextMissing(0), 0);
  put(10, CHUNK_BYTES);
  put(0, 20);
  assert(unverified.has({ first: 0, count: 1 }));
  assertEquals(unverified.nextMissing(5), CHUNK_BYTES);
  assertEquals(unverified.have.map(({ start, end }) => [start, end]), [
    [0, CHUNK_BYTES],
    [2 * CHUNK_BYTES, bytes.length],
  ]);
  assertEquals(unverified.bytesHad, bytes.length - CHUNK_BYTES);
  const reader = unverified.reader(bytes.length);
  const target = new Uint8Array(2 * CHUNK_BYTES);
  assertEquals(reader.readRun({ first: 3, count: 2 }, target, 1), CHUNK_BYTES + 9);
  assertEquals(target.subarray(1, CHUNK_BYTES + 10), bytes.subarray(3 * CHUNK_BYTES));
  assertThrows(() => reader.readRun({ first: 0, count: 2 }, target, 0), EnvironmentError, "all");
  await assertRejects(() => unverified.sha256(), RangeError, "bytes are here");
  await assertRejects(() => unverified.promote(), RangeError, "bytes are here");
  assertThrows(() => unverified.write(bytes.length, new Uint8Array(1)), RangeError, "past its end");
  put(CHUNK_BYTES, 2 * CHUNK_BYTES);
  assertEquals(await unverified.sha256(), sha256(bytes));
  assertEquals((await unverified.promote()).root, rootOf(bytes));
});

Deno.test("UnverifiedDownload.sha256() is that of what lies there when bytes are written again", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const wrong = content(900_000, 1), right = content(900_000, 2);
  const unverified = open(store, right.length);
  fill(unverified, wrong);
  assertEquals(await unverified.sha256(), sha256(wrong));
  fill(unverified, right);
  assertEquals(await unverified.sha256(), sha256(right));
});

Deno.test("UnverifiedDownload.suspend() keeps the bytes for who comes with the same name, key and size", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(2 * CHUNK_BYTES + 1);
  const first = open(store, bytes.length);
  first.write(0, bytes.subarray(0, 20_000));
  first.validators = { mirror: "mirror.test", etag: '"1"', lastModified: null };
  first.suspend();
  assertThrows(() => first.write(20_000, bytes.subarray(20_000)), RangeError, "suspended");
  const other = open(store, bytes.length, "b.pkg");
  assertEquals(other.bytesHad, 0);
  const again = open(store);
  assertEquals(again.bytesHad, 20_000);
  assertEquals(again.sizeBytes, bytes.length);
  assertEquals(again.validators, { mirror: "mirror.test", etag: '"1"', lastModified: null });
  const meanwhile = open(store);
  assertEquals(meanwhile.bytesHad, 0, "one that is under way is nobody else's");
  again.write(20_000, bytes.subarray(20_000));
  assertEquals(await again.sha256(), sha256(bytes));
  assertEquals((await again.promote()).root, rootOf(bytes));
  for (const unverified of [other, meanwhile]) unverified.discard();
  assertEquals(incoming(dir), []);
});

Deno.test("UnverifiedDownload.suspend() keeps nothing for who comes with another size", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const first = open(store, 100);
  first.write(0, content(50));
  first.suspend();
  const other = open(store, 99);
  assertEquals(other.bytesHad, 0);
  other.write(0, content(9));
  assertEquals(incoming(dir).length, 1);
  assert(first.isEnded);
});

Deno.test("UnverifiedDownload.suspend() gives up after a while what nobody comes for", async () => {
  using dir = new TempDir();
  const clock = new ManualClock();
  const { store } = await openStore(dir.join("data"), { clock });
  await using _ = store;
  const unverified = open(store, 100);
  unverified.write(0, content(50));
  unverified.suspend();
  await clock.advance(limits.unverifiedKeptMs - 1);
  assertEquals([unverified.isEnded, incoming(dir).length], [false, 1]);
  await clock.advance(1);
  assertEquals([unverified.isEnded, incoming(dir)], [true, []]);
});

Deno.test("UnverifiedDownload.restart() begins again", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(30_000, 2);
  const unverified = open(store, 100_000);
  fill(unverified, content(100_000));
  unverified.restart();
  assertEquals([unverified.bytesHad, unverified.sizeBytes, unverified.validators], [0, null, null]);
  fill(unverified, bytes);
  unverified.sizeBytes = bytes.length;
  assertEquals(await unverified.sha256(), sha256(bytes));
  assertEquals((await unverified.promote()).root, rootOf(bytes));
});

Deno.test("ChunkStore.openUnverified() makes room for new ones among those that wait", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const all = Array.from(
    { length: limits.unverifiedMax },
    (_, i) => store.openUnverified({ name: `${i}`, sizeBytes: null, key: KEY }),
  );
  for (const unverified of all) unverified.write(0, content(10));
  assertThrows(() => open(store), EnvironmentError, `${limits.unverifiedMax} files`);
  all[5]!.suspend();
  all[3]!.suspend();
  const next = open(store);
  assert(all[5]!.isEnded, "the one that waited longest");
  assert(!all[3]!.isEnded);
  next.discard();
});

Deno.test("ChunkStore.open() removes what unverified downloads of a run before left", async () => {
  using dir = new TempDir();
  Deno.mkdirSync(dir.join("data/incoming"), { recursive: true });
  Deno.writeFileSync(dir.join("data/incoming/7"), content(10));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(incoming(dir), []);
});

Deno.test("ChunkStore.close() removes what unverified downloads have", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  const [active, waiting] = [open(store), open(store)];
  for (const unverified of [active, waiting]) unverified.write(0, content(10));
  waiting.suspend();
  await store.close();
  assertEquals(incoming(dir), []);
  assert(active.isEnded && waiting.isEnded);
});

Deno.test("UnverifiedDownload.promote() keeps nothing twice where the file is shared or downloaded", async () => {
  for (const how of ["shared", "downloaded"] as const) {
    using dir = new TempDir();
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    const bytes = content(700_000);
    if (how === "shared") {
      store.shares.add(dir.write("pkg/a.pkg", bytes).replace("/a.pkg", ""));
      store.shares.start();
      await store.shares.settled();
    } else await addDownloaded(store, "a.pkg", bytes);
    const before = store.fileDefinitions();
    const unverified = open(store, bytes.length);
    fill(unverified, bytes);
    const reader = unverified.reader(bytes.length);
    assertEquals(await unverified.promote(), before[0]);
    assertEquals(store.fileDefinitions(), before);
    assertEquals(incoming(dir), []);
    const target = new Uint8Array(CHUNK_BYTES);
    reader.readRun({ first: 1, count: 1 }, target, 0);
    assertEquals(target, bytes.slice(CHUNK_BYTES, 2 * CHUNK_BYTES));
  }
});

Deno.test("UnverifiedDownload.promote() gives way when the same file is shared afterwards", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(100_000);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  const { path, root } = await unverified.promote();
  const shared = dir.write("pkg/a.pkg", bytes);
  store.shares.add(dir.join("pkg"));
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ path }) => path), [shared]);
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  assertEquals(readAll(store, root), bytes);
});

Deno.test("UnverifiedDownload.promote() keeps its data when the shared copy changed unnoticed", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(100_000);
  await addDownloaded(store, "a.pkg", bytes);
  const { path } = store.fileDefinitions()[0]!;
  Deno.writeFileSync(path, content(50));
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  const { root } = await unverified.promote();
  assertEquals(readAll(store, root), bytes);
  const leaves = new Uint8Array(7 * 32);
  store.readLeaves(root, { first: 0, count: 7 }, leaves);
  assertEquals(leaves, leavesOf(bytes));
});

Deno.test("UnverifiedDownload.promote() replaces a partial download that waits", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(5 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "a.pkg", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 1, count: 2 });
  await download.suspend();
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  await unverified.promote();
  assertEquals(store.download(root), undefined);
  assertEquals(store.fileDefinitions().map(({ origin }) => origin), ["downloaded"]);
  assertEquals(readAll(store, root), bytes);
  const leaves = new Uint8Array(5 * 32);
  store.readLeaves(root, { first: 0, count: 5 }, leaves);
  assertEquals(leaves, leavesOf(bytes));
  assertEquals([...Deno.readDirSync(dir.join("data/partial"))], []);
  assertEquals(warnings, []);
});

Deno.test("UnverifiedDownload.promote() lets a download of the same root that is under way end by itself", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(5 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "a.pkg", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  await unverified.promote();
  giveChunks(download, bytes, { first: 0, count: 5 });
  await download.finish();
  assertEquals(store.fileDefinitions().map(({ origin }) => origin), ["downloaded"]);
  assertEquals(readAll(store, root), bytes);
  assertEquals(warnings, []);
});

Deno.test("UnverifiedDownload.promote() stops when it is aborted, and can be tried again", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(2_000_000);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  const abort = new AbortController();
  const promoted = unverified.promote({ signal: abort.signal });
  abort.abort(new Error("no more"));
  await assertRejects(() => promoted, Error, "no more");
  assertEquals(store.fileDefinitions(), []);
  unverified.suspend();
  const again = open(store);
  assertEquals(again.bytesHad, bytes.length);
  assertEquals((await again.promote()).root, rootOf(bytes));
});

Deno.test("UnverifiedDownload.promote() fails when its data was cut off behind its back", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(100_000);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  Deno.truncateSync(unverified.path, 50_000);
  const error = await assertRejects(() => unverified.promote(), EnvironmentError, "cut off");
  assertEquals(error.code, "changed");
  assertEquals(store.fileDefinitions(), []);
  unverified.discard();
});

Deno.test("ChunkStore.openUnverified() with a path writes there, goes on with what lies there, and leaves it", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const bytes = content(300_000);
  const path = dir.join("a.pkg.part");
  Deno.writeFileSync(path, bytes.subarray(0, 99_999));
  const request = { name: "a.pkg", sizeBytes: bytes.length, key: KEY, path };
  const first = store.openUnverified(request);
  assertEquals(first.nextMissing(0), 99_999);
  first.write(99_999, bytes.subarray(99_999, 200_000));
  first.suspend();
  const second = store.openUnverified(request);
  assertEquals(second.nextMissing(0), 200_000);
  second.discard();
  assertEquals(Deno.readFileSync(path), bytes.slice(0, 200_000));
  const third = store.openUnverified(request);
  third.write(200_000, bytes.subarray(200_000));
  assertEquals(await third.sha256(), sha256(bytes));
  const { root } = await third.promote();
  assertEquals(root, rootOf(bytes));
  assertEquals(Deno.readFileSync(path), bytes);
  assertEquals(readAll(store, root), bytes);
});

Deno.test("ChunkStore.downloadedBytes() counts what is taken in", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const unverified = open(store);
  unverified.write(0, content(1_000));
  assertEquals(store.downloadedBytes(), 1_000);
  unverified.suspend();
  assertEquals(store.downloadedBytes(), 1_000);
  open(store).discard();
  assertEquals(store.downloadedBytes(), 0);
});

Deno.test("ChunkStore.sha256Of() computes and remembers, one file after the other", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const files = [content(3_000_000, 1), content(10, 2), content(CHUNK_BYTES, 3)];
  for (const [i, bytes] of files.entries()) dir.write(`pkg/${i}.pkg`, bytes);
  store.shares.add(dir.join("pkg"));
  store.shares.start();
  await store.shares.settled();
  const checked: string[] = [];
  store.onChange((change) => {
    if (change.kind === "checked") checked.push(change.name);
  });
  const found = await Promise.all(files.map((bytes) => store.sha256Of(rootOf(bytes))));
  assertEquals(found, files.map(sha256));
  assertEquals(checked, ["0.pkg", "1.pkg", "2.pkg"]);
  assertEquals(store.sha256(rootOf(files[0]!)), sha256(files[0]!));
  await assertRejects(() => store.sha256Of(rootOf(content(9, 9))), EnvironmentError, "not here");
  const stop = AbortSignal.abort(new Error("enough"));
  Deno.writeFileSync(dir.join("other"), content(20, 5));
  await addDownloaded(store, "d", content(20, 5));
  await assertRejects(
    () => store.sha256Of(rootOf(content(20, 5)), { signal: stop }),
    Error,
    "enough",
  );
});

Deno.test("ChunkStore.sha256Of() withdraws a file that is not what it was", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(50_000);
  await addDownloaded(store, "a", bytes);
  Deno.writeFileSync(store.fileDefinitions()[0]!.path, content(50_001));
  await assertRejects(() => store.sha256Of(rootOf(bytes)), EnvironmentError, "not here");
  assertEquals(store.fileDefinitions(), []);
  assertEquals(store.sha256(rootOf(bytes)), undefined);
});

Deno.test("ChunkStore.sha256Of() remembers nothing of a file that rotted, and makes it a part", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(50_000);
  const root = await addDownloaded(store, "a", bytes);
  damage(store.definition(root)!.path, { kind: "byte", at: 20_000 });
  await assertRejects(() => store.sha256Of(root), EnvironmentError, "not what they were");
  await store.ready(root);
  assertEquals([store.sha256(root), store.isComplete(root)], [undefined, false]);
  assertEquals(store.availableChunks(root)!.count, 3);
});

Deno.test("UnverifiedDownload.promote() keeps nothing whose bytes changed after they were written", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(50_000);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  assertEquals(await unverified.sha256(), sha256(bytes));
  damage(unverified.path, { kind: "byte", at: 20_000 });
  await assertRejects(() => unverified.promote(), EnvironmentError, "its data changed");
  assertEquals(store.fileDefinitions(), []);
});

for (const length of [1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 77, 3 * 1024 * 1024 + 5]) {
  Deno.test(`UnverifiedDownload.wantLeaves() has the leaves of ${length} bytes computed on the way`, async () => {
    using dir = new TempDir();
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    const bytes = content(length);
    const unverified = open(store, length);
    // They are wanted when some came already, and the rest comes from its end.
    const beginBytes = Math.min(length, 700);
    fill(unverified, bytes.subarray(0, beginBytes), 100);
    unverified.wantLeaves();
    unverified.wantLeaves();
    fillFromEnd(unverified, bytes, beginBytes);
    const file = await unverified.promote();
    assertEquals(file.root, rootOf(bytes));
    const leaves = new Uint8Array(file.chunks * 32);
    store.readLeaves(file.root, { first: 0, count: file.chunks }, leaves);
    assertEquals(leaves, leavesOf(bytes));
    assertEquals(readAll(store, file.root), bytes);
    assertEquals(store.sha256(file.root), sha256(bytes));
    assertEquals(warnings, []);
  });
}

Deno.test("UnverifiedDownload.promote() does not read again what it has the leaves of; who reads it sees that it changed", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * 1024 * 1024);
  const unverified = open(store, bytes.length);
  unverified.wantLeaves();
  fill(unverified, bytes);
  damage(unverified.path, { kind: "byte", at: 20_000 });
  const { root } = await unverified.promote();
  assertEquals([root, store.sha256(root)], [rootOf(bytes), sha256(bytes)]);
  const target = new Uint8Array(CHUNK_BYTES);
  store.readChecked(root, { first: 0, count: 1 }, target, 0);
  assertEquals(target, bytes.subarray(0, CHUNK_BYTES));
  assertThrows(() => store.readChecked(root, { first: 1, count: 1 }, target, 0), EnvironmentError);
  await store.ready(root);
  assertEquals(store.availableChunks(root)!.count, bytes.length / CHUNK_BYTES - 1);
});

Deno.test("UnverifiedDownload.wantLeaves() is for the size that it has at the end", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(100_000);
  const unverified = open(store, 50_000);
  unverified.wantLeaves();
  fill(unverified, content(50_000, 2));
  unverified.restart();
  unverified.sizeBytes = bytes.length;
  fill(unverified, bytes);
  assertEquals((await unverified.promote()).root, rootOf(bytes));
});

Deno.test("UnverifiedDownload.reader() gives nothing that rotted after it was written, and it is kept no more", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(5 * CHUNK_BYTES + 77);
  const unverified = open(store, bytes.length);
  fill(unverified, bytes);
  const reader = unverified.reader(bytes.length), target = new Uint8Array(6 * CHUNK_BYTES);
  assertEquals(reader.readRun({ first: 0, count: 6 }, target, 0), bytes.length);
  for (const at of [2 * CHUNK_BYTES + 9, bytes.length - 1]) {
    damage(unverified.path, { kind: "byte", at });
    const first = Math.floor(at / CHUNK_BYTES);
    assertEquals(reader.readRun({ first: first - 1, count: 1 }, target, 0), CHUNK_BYTES);
    const read = () => reader.readRun({ first: first - 1, count: 2 }, target, 0);
    assertThrows(read, EnvironmentError, "its data changed on the disk");
  }
  await assertRejects(() => unverified.promote(), EnvironmentError, "its data changed on the disk");
  unverified.suspend();
  assertEquals([unverified.isEnded, incoming(dir), store.fileDefinitions()], [true, [], []]);
});

for (const wantsLeaves of [false, true]) {
  const how = wantsLeaves ? "with its leaves" : "by a worker";
  Deno.test(`UnverifiedDownload.promote() keeps nothing that rotted before it was hashed ${how}`, async () => {
    using dir = new TempDir();
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    const bytes = content(3 * 1024 * 1024);
    const unverified = open(store, bytes.length);
    if (wantsLeaves) unverified.wantLeaves();
    // In whole chunks, the second half first, as fellows bring them.
    const half = 96 * CHUNK_BYTES;
    unverified.write(half, bytes.subarray(half));
    damage(unverified.path, { kind: "byte", at: half + 30_000 });
    unverified.write(0, bytes.subarray(0, half));
    unverified.hashOn(bytes.length);
    await assertRejects(() => unverified.sha256(), EnvironmentError, "its data changed");
    await assertRejects(() => unverified.promote(), EnvironmentError, "its data changed");
    assertEquals(store.fileDefinitions(), []);
    unverified.restart();
    unverified.sizeBytes = bytes.length;
    fill(unverified, bytes);
    assertEquals((await unverified.promote()).root, rootOf(bytes));
  });
}

/** Takes what follows `from` of `bytes` in, its last piece first, and hashes on after each. */
function fillFromEnd(unverified: ReturnType<typeof open>, bytes: Uint8Array, from: number): void {
  const pieceBytes = 33_333;
  const pieces = Math.ceil((bytes.length - from) / pieceBytes);
  for (let piece = pieces - 1; piece >= 0; piece--) {
    const start = from + piece * pieceBytes;
    unverified.write(start, bytes.subarray(start, start + pieceBytes));
    unverified.hashOn(20_000);
  }
}
