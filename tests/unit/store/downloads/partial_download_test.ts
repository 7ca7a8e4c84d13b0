import { Bitfield } from "../../../../src/base/bitfield.ts";
import { Catalogue } from "../../../../src/store/catalogue/catalogue.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { EnvironmentError, PeerFault, UsageError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { limits } from "../../../../src/base/limits.ts";
import { damage } from "../../../support/rot.ts";
import { EMPTY_ROOT } from "../../../../src/store/hashing/merkle.ts";
import type { StoreChange } from "../../../../src/store/files/stored_file.ts";
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

const SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 3];

Deno.test("finish() leaves each file whole under its name, for all sizes around a chunk", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  for (const size of SIZES) {
    const bytes = content(size, size + 1);
    const root = await addDownloaded(store, `file-${size}`, bytes);
    assertEquals(Deno.readFileSync(`${store.dataDir}/files/${root}/file-${size}`), bytes);
    assertEquals(readAll(store, root), bytes);
    assertEquals(store.definition(root)?.origin, "downloaded");
    assertEquals(store.availableChunks(root)?.count, Math.ceil(size / CHUNK_BYTES));
    assert(store.isComplete(root));
  }
  assertEquals([...Deno.readDirSync(`${store.dataDir}/partial`)], []);
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.fileDefinitions().length, SIZES.length);
  for (const size of SIZES) {
    const bytes = content(size, size + 1);
    assertEquals(readAll(again, rootOf(bytes)), bytes);
  }
  assertEquals(warnings, []);
});

Deno.test("writeRun() makes chunks servable at once, in any order, and counts them once", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(10 * CHUNK_BYTES + 77);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  const changes: StoreChange[] = [];
  store.onChange((change) => changes.push(change));
  giveChunks(download, bytes, { first: 8, count: 3 });
  giveChunks(download, bytes, { first: 2, count: 2 });
  giveChunks(download, bytes, { first: 2, count: 2 });
  assertEquals(download.have.count, 5);
  assertEquals(changes.map(({ kind }) => kind), ["gained", "gained"]);
  assertEquals(store.availableChunks(root)?.has(9), true);
  const target = new Uint8Array(4 * CHUNK_BYTES);
  assertEquals(store.readRun(root, { first: 9, count: 2 }, target, 100), CHUNK_BYTES + 77);
  assertEquals(target.subarray(100, 100 + CHUNK_BYTES + 77), bytes.subarray(9 * CHUNK_BYTES));
  const error = assertThrows(
    () => store.readRun(root, { first: 3, count: 2 }, target),
    EnvironmentError,
  );
  assertEquals(error.code, "not-found");
});

Deno.test("writeRun() refuses bytes that are not whole chunks of the file", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES + 5);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  const cases: [number, number][] = [
    [0, 100],
    [3, CHUNK_BYTES],
    [4, 5],
    [2, 2 * CHUNK_BYTES],
    [
      0,
      0,
    ],
    [-1, CHUNK_BYTES],
    [0.5, CHUNK_BYTES],
    [NaN, CHUNK_BYTES],
  ];
  for (const [first, length] of cases) {
    assertThrows(() => download.writeRun(first, new Uint8Array(length)), RangeError);
  }
  assertEquals(download.have.count, 0);
});

Deno.test("leaf() checks each chunk of a run by one string", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  assertThrows(() => download.leaf(), RangeError, "not here yet");
  download.addLeaves(0, leavesOf(bytes).subarray(0, 320));
  assertEquals(download.nextLeaf, 10);
  download.addLeaves(10, leavesOf(bytes).subarray(320));
  download.finishLeaves();
  assertThrows(() => download.addLeaves(0, leavesOf(bytes)), PeerFault, "all are here");
  assertEquals(
    download.leaf().hexOf({ first: 4, count: 32 }),
    leavesOf(bytes).subarray(4 * 32, 36 * 32).toHex(),
  );
});

Deno.test("beginDownload() goes on from the checkpoint after the store was opened again", async () => {
  using dir = new TempDir();
  const bytes = content(100 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    const download = store.beginDownload(request);
    giveLeaves(download, bytes);
    giveChunks(download, bytes, { first: 10, count: 30 });
    await download.suspend();
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.definition(request.root)?.origin, "partial");
  assertEquals(store.availableChunks(request.root)?.count, 30);
  const download = store.beginDownload(request);
  assertEquals([...download.have.ranges()], [{ first: 10, count: 30 }]);
  assert(download.hasLeaves);
  giveChunks(download, bytes, { first: 0, count: 10 });
  giveChunks(download, bytes, { first: 40, count: 60 });
  await download.finish();
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("close() makes a checkpoint of what is under way", async () => {
  using dir = new TempDir();
  const bytes = content(10 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const { store } = await openStore(dir.join("data"));
  giveChunks(store.beginDownload(request), bytes, { first: 3, count: 4 });
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals([...again.availableChunks(request.root)!.ranges()], [{ first: 3, count: 4 }]);
});

Deno.test("checkpointDue() waits for enough bytes or enough time, and for something to write", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(limits.checkpointBytes + CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  assertEquals(download.checkpointDue(1e9), false);
  giveChunks(download, bytes, { first: 0, count: 1 });
  assertEquals(download.checkpointDue(0), false);
  assertEquals(download.checkpointDue(limits.checkpointMs - 1), false);
  assertEquals(download.checkpointDue(limits.checkpointMs), true);
  await download.checkpoint();
  assertEquals(download.checkpointDue(limits.checkpointMs), false);
  giveChunks(download, bytes, { first: 1, count: limits.checkpointBytes / CHUNK_BYTES });
  assertEquals(download.checkpointDue(limits.checkpointMs), true);
});

Deno.test("checkpoint() remembers only what was written before it began", async () => {
  using dir = new TempDir();
  using copy = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(20 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveChunks(download, bytes, { first: 0, count: 5 });
  const running = download.checkpoint();
  giveChunks(download, bytes, { first: 5, count: 5 });
  assertEquals(download.checkpoint(), running);
  await running;
  // As after a crash: what is on the disk now, without a clean end.
  await copyTree(store.dataDir, copy.join("data"));
  using catalogue = await Catalogue.open(copy.join("data/catalogue.sqlite"), "");
  const [row] = catalogue.partials();
  assertEquals([...Bitfield.fromBytes(20, row!.have).ranges()], [{ first: 0, count: 5 }]);
  assertEquals(download.have.count, 10);
});

Deno.test("scrub() finds the good chunks of a file that was begun elsewhere", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const bytes = content(50 * CHUNK_BYTES + 9);
  const begun = bytes.slice(0, 40 * CHUNK_BYTES + 100);
  begun[7 * CHUNK_BYTES]! ^= 1;
  const path = dir.write("out/f.part", begun);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length, path };
  const download = store.beginDownload(request);
  assertEquals(download.unverifiedBytes, begun.length);
  assertEquals(download.have.count, 0);
  giveLeaves(download, bytes);
  assertEquals(await download.scrub(), 39);
  assertEquals([...download.have.ranges()], [{ first: 0, count: 7 }, { first: 8, count: 32 }]);
  giveChunks(download, bytes, { first: 7, count: 1 });
  giveChunks(download, bytes, { first: 40, count: 11 });
  await download.finish();
  assertEquals(Deno.readFileSync(path), bytes);
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("finish() cuts what lay behind the end of a file with a path of its own", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const bytes = content(2 * CHUNK_BYTES + 1);
  const path = dir.write("f.part", content(10 * CHUNK_BYTES, 9));
  const download = store.beginDownload({
    root: rootOf(bytes),
    name: "f",
    sizeBytes: bytes.length,
    path,
  });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 3 });
  await download.finish();
  assertEquals(Deno.readFileSync(path), bytes);
});

Deno.test("suspend() with cutToPrefix leaves only bytes without a gap", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const bytes = content(10 * CHUNK_BYTES);
  const path = dir.join("f.part");
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length, path };
  const download = store.beginDownload(request);
  giveChunks(download, bytes, { first: 0, count: 2 });
  giveChunks(download, bytes, { first: 6, count: 2 });
  await download.suspend({ cutToPrefix: true });
  assertEquals(Deno.readFileSync(path), bytes.subarray(0, 2 * CHUNK_BYTES));
  assertEquals(store.download(request.root), undefined);
});

Deno.test("discard() removes data, leaves and memory of the download", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  const bytes = content(10 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 2 });
  await download.checkpoint();
  download.discard();
  assert(download.isEnded);
  assertThrows(() => giveChunks(download, bytes, { first: 0, count: 1 }), RangeError, "ended");
  assertEquals(store.availableChunks(request.root), undefined);
  assertThrows(() => Deno.statSync(download.path), Deno.errors.NotFound);
  assertThrows(() => Deno.statSync(download.leafPath), Deno.errors.NotFound);
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.fileDefinitions(), []);
});

Deno.test("discard() during a checkpoint is not undone by it", async () => {
  using dir = new TempDir();
  const bytes = content(10 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const { store } = await openStore(dir.join("data"));
  const download = store.beginDownload(request);
  giveChunks(download, bytes, { first: 0, count: 2 });
  const running = download.checkpoint();
  download.discard();
  await running;
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.fileDefinitions(), []);
});

Deno.test("drop() takes chunks back for good", async () => {
  using dir = new TempDir();
  const bytes = content(10 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const { store } = await openStore(dir.join("data"));
  const download = store.beginDownload(request);
  giveChunks(download, bytes, { first: 0, count: 10 });
  await download.checkpoint();
  giveChunks(download, bytes, { first: 0, count: 10 });
  const running = download.checkpoint();
  download.drop({ first: 4, count: 2 });
  await running;
  assertEquals(download.have.count, 8);
  await assertRejects(() => download.finish(), EnvironmentError, "8 of 10");
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.availableChunks(request.root)?.count, 8);
});

Deno.test("beginDownload() refuses bad names, sizes and roots", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = rootOf(content(5));
  for (const name of ["", "..", "a/b", "a\0b", "x".repeat(256)]) {
    assertThrows(() => store.beginDownload({ root, name, sizeBytes: 5 }), UsageError);
  }
  for (const sizeBytes of [-1, 0.5, NaN, limits.fetchBytesMax + 1]) {
    assertThrows(() => store.beginDownload({ root, name: "f", sizeBytes }), UsageError);
  }
  assertThrows(() => store.beginDownload({ root, name: "f", sizeBytes: 0 }), PeerFault);
  const notRoot = "../../etc" as typeof root;
  assertThrows(() => store.beginDownload({ root: notRoot, name: "f", sizeBytes: 1 }), UsageError);
  store.beginDownload({ root: EMPTY_ROOT, name: "empty", sizeBytes: 0 });
  assertEquals(store.fileDefinitions().length, 1);
});

Deno.test("beginDownload() refuses a file that is here or under way", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(100);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: 100 };
  const download = store.beginDownload(request);
  assertThrows(() => store.beginDownload(request), UsageError, "under way");
  giveChunks(download, bytes, { first: 0, count: 1 });
  await download.suspend();
  assertEquals(store.beginDownload(request), download);
  await download.finish();
  assertThrows(() => store.beginDownload(request), UsageError, "here already");
});

Deno.test("suspend() of a download without a chunk leaves nothing of it, nor does a restart", async () => {
  using dir = new TempDir();
  const bytes = content(3 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  {
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    const download = store.beginDownload(request);
    giveLeaves(download, bytes);
    await download.suspend();
    assertEquals(store.fileDefinitions(), []);
    assertEquals([...Deno.readDirSync(dir.join("data/partial"))], []);
    assertThrows(() => Deno.statSync(download.leafPath), Deno.errors.NotFound);
    assertEquals(warnings, []);
    const old = store.beginDownload({ ...request, root: rootOf(content(9)), sizeBytes: 9 });
    await old.suspend();
    const again = store.beginDownload({ ...request, root: old.root, sizeBytes: 9 });
    giveChunks(again, content(9), { first: 0, count: 1 });
    await old.suspend();
    assertEquals(store.download(old.root), again);
  }
  {
    // As a crash before the first chunk leaves it.
    using db = new DatabaseSync(dir.join("data/catalogue.sqlite"));
    db.prepare("INSERT INTO partials (root, name, size, have, leaves) VALUES (?, 'f', ?, ?, 0)")
      .run(request.root, request.sizeBytes, new Uint8Array(1));
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.fileDefinitions().map(({ sizeBytes }) => sizeBytes), [9]);
});

Deno.test("beginDownload() tries another size unless the last chunk proves the first", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const wrong = store.beginDownload({ ...request, sizeBytes: bytes.length + 1 });
  await wrong.suspend();
  const right = store.beginDownload(request);
  giveLeaves(right, bytes);
  giveChunks(right, bytes, { first: 2, count: 1 });
  await right.suspend();
  const lie = { ...request, sizeBytes: bytes.length - 1 };
  assertThrows(() => store.beginDownload(lie), PeerFault, "proves");
  assertEquals(store.availableChunks(request.root)?.count, 1);
});

Deno.test("beginDownload() keeps chunks when their leaves disprove the new number of chunks", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(64 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 32 });
  await download.suspend();
  for (const sizeBytes of [1, 63 * CHUNK_BYTES, bytes.length + 1]) {
    const lie = { ...request, sizeBytes };
    const fault = assertThrows(() => store.beginDownload(lie), PeerFault, "prove 64");
    assertEquals(fault.code, "bad-data");
  }
  assertEquals(store.beginDownload(request), download);
  assertEquals([...download.have.ranges()], [{ first: 0, count: 32 }]);
});

Deno.test("beginDownload() keeps chunks when only the length of the last one is said to differ", async () => {
  using dir = new TempDir();
  const bytes = content(9 * CHUNK_BYTES + 100);
  const root = rootOf(bytes);
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length + 50 });
    giveLeaves(download, bytes);
    giveChunks(download, bytes, { first: 0, count: 9 });
    await download.suspend();
    store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
    assertEquals(store.definition(root)?.sizeBytes, bytes.length);
    assertEquals(store.availableChunks(root)?.count, 9);
    giveChunks(download, bytes, { first: 9, count: 1 });
    assertThrows(() => download.changeSize(bytes.length + 50), RangeError, "disproved");
    await download.suspend();
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  assert(download.have.isFull);
  await download.finish();
  assertEquals(readAll(store, root), bytes);
});

Deno.test("finish() leaves the download suspended when the file cannot be put where it belongs", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 3 });
  const files = `${store.dataDir}/files`;
  Deno.removeSync(files);
  Deno.writeTextFileSync(files, "");
  const error = await assertRejects(() => download.finish(), EnvironmentError);
  assertEquals(error.code, "not-found");
  Deno.removeSync(files);
  assertEquals(store.beginDownload(request), download);
  assertEquals(download.have.count, 3);
  await download.finish();
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("finish() puts no zeros where data was that was cut off", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(6 * CHUNK_BYTES + 7);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 7 });
  Deno.truncateSync(download.path, 4 * CHUNK_BYTES + 1);
  const error = await assertRejects(() => download.finish(), EnvironmentError);
  assertEquals(error.code, "changed");
  assertEquals(store.beginDownload(request), download);
  assertEquals([...download.have.ranges()], [{ first: 0, count: 4 }]);
  giveChunks(download, bytes, { first: 4, count: 3 });
  await download.finish();
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("suspend() lets the file be fetched again when the data cannot be cut", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload({ ...request, path: dir.join("missing/f") });
  const error = await assertRejects(
    () => download.suspend({ cutToPrefix: true }),
    EnvironmentError,
  );
  assertEquals(error.code, "not-found");
  assertEquals(store.download(request.root), undefined);
  const again = store.beginDownload({ ...request, path: dir.join("f") });
  giveLeaves(again, bytes);
  giveChunks(again, bytes, { first: 0, count: 3 });
  await again.finish();
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("discard() forgets a download whose data cannot be removed", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  Deno.mkdirSync(`${download.path}/occupied`, { recursive: true });
  assertThrows(() => download.discard(), EnvironmentError, "remove");
  assertEquals(store.download(request.root), undefined);
  Deno.removeSync(download.path, { recursive: true });
  const again = store.beginDownload(request);
  giveLeaves(again, bytes);
  giveChunks(again, bytes, { first: 0, count: 3 });
  await again.finish();
  assertEquals(readAll(store, request.root), bytes);
});

Deno.test("restartLeaves() and suspend() only warn when leaves cannot be removed", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(8 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  download.addLeaves(0, leavesOf(bytes).subarray(0, 96));
  const newPath = `${download.leafPath}.new`;
  Deno.removeSync(newPath);
  Deno.mkdirSync(`${newPath}/occupied`, { recursive: true });
  download.restartLeaves();
  assertEquals(download.nextLeaf, 0);
  await download.suspend();
  assertEquals(warnings.length, 2);
  assert(warnings[0]!.message.includes(newPath), warnings[0]!.message);
  Deno.removeSync(newPath, { recursive: true });
  const again = store.beginDownload(request);
  giveLeaves(again, bytes);
  assert(again.hasLeaves);
});

Deno.test("finish() of a download keeps no second copy of what is shared meanwhile", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(5 * CHUNK_BYTES);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 5 });
  store.shares.add(dir.write("shared/g", bytes));
  store.shares.start();
  await store.shares.settled();
  await download.finish();
  assertEquals(store.fileDefinitions().map(({ origin }) => origin), ["shared"]);
  assertEquals([...Deno.readDirSync(`${store.dataDir}/partial`)], []);
  assertEquals([...Deno.readDirSync(`${store.dataDir}/files`)], []);
  assertEquals(readAll(store, request.root), bytes);
});

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (entry.isDirectory) await copyTree(source, target);
    else await Deno.copyFile(source, target);
  }
}

Deno.test("readChecked() sees that a download was changed right after it was put away", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(4 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 3 });
  const target = new Uint8Array(CHUNK_BYTES);
  for (let index = 0; index < 3; index++) {
    assertEquals(store.readChecked(root, { first: index, count: 1 }, target), CHUNK_BYTES);
  }
  await download.suspend();
  damage(download.path, { kind: "page", at: CHUNK_BYTES });
  assertEquals(store.readChecked(root, { first: 0, count: 1 }, target), CHUNK_BYTES);
  const read = () => store.readChecked(root, { first: 1, count: 1 }, target);
  assertThrows(read, EnvironmentError, "changed since they were checked");
  await store.ready(root);
  assertEquals([...download.have.ranges()], [{ first: 0, count: 1 }, { first: 2, count: 1 }]);
});
