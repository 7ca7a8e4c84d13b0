import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
import type { ChunkStore } from "../../../src/store/chunk_store.ts";
import {
  addDownloaded,
  change,
  content,
  giveChunks,
  giveLeaves,
  leavesOf,
  openStore,
  readAll,
  rootOf,
  TempDir,
} from "./store_fixture.ts";

/** Flips a bit in a file and leaves its size and times as they were, as a failing disk does. */
function rot(path: string, position: number): void {
  const { mtime, atime } = Deno.statSync(path);
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(position, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 1;
  file.seekSync(position, Deno.SeekMode.Start);
  file.writeSync(byte);
  file.utimeSync(atime!, mtime!);
}

function leafPath(store: ChunkStore, root: Root): string {
  return `${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`;
}

async function shareDirectory(store: ChunkStore, path: string): Promise<void> {
  store.shares.add(path);
  store.shares.start();
  await store.shares.settled();
}

Deno.test("verify() finds every file good when nothing rotted", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  for (const size of [0, 1, CHUNK_BYTES, 40 * CHUNK_BYTES + 1]) {
    dir.write(`shared/s${size}`, content(size, 2));
    await addDownloaded(store, `d${size}`, content(size + 7, 3));
  }
  await shareDirectory(store, dir.join("shared"));
  const results = await Array.fromAsync(store.verify());
  assertEquals(results.length, 8);
  assertEquals(results.filter(({ outcome }) => outcome !== "good"), []);
  assertEquals(
    results.reduce((sum, { chunksChecked }) => sum + chunksChecked, 0),
    0 + 1 + 1 + 41 + 1 + 1 + 2 + 41,
  );
  assertEquals(warnings, []);
});

/** A shared file of 40 chunks that rotted, in a store that has found out. */
async function withRotten(dir: TempDir) {
  const bytes = content(40 * CHUNK_BYTES);
  const path = dir.write("shared/f", bytes);
  const opened = await openStore(dir.join("data"));
  await shareDirectory(opened.store, dir.join("shared"));
  rot(path, 35 * CHUNK_BYTES + 5);
  const [result] = await Array.fromAsync(opened.store.verify({ root: rootOf(bytes) }));
  assertEquals(result!.outcome, "withdrawn");
  await opened.store.shares.rescan();
  return { ...opened, bytes, path, root: rootOf(bytes) };
}

const NOW = () => new Date();

Deno.test("verify() has a rotten shared file withheld, until it is right again", async () => {
  using dir = new TempDir();
  const { store, warnings, bytes, path, root } = await withRotten(dir);
  assertEquals(store.fileDefinitions(), []);
  assertEquals(store.shares.damaged().map((file) => [file.path, file.root]), [[path, root]]);
  assert(warnings.some(({ message }) => message.includes("withheld")));
  await store.shares.rescan();
  assertEquals(store.fileDefinitions(), []);
  const [verified] = await Array.fromAsync(store.verify());
  assertEquals([verified!.outcome, verified!.chunksBad, verified!.path], ["withdrawn", 1, path]);
  await store.close();

  // After a restart as well.
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  again.shares.start();
  await again.shares.settled();
  assertEquals(again.fileDefinitions(), []);
  assertEquals(again.shares.damaged().length, 1);
  // That it was put right is found without being told.
  await untilNextSecond(path);
  const offered = change(again, ({ kind }) => kind === "added");
  rot(path, 35 * CHUNK_BYTES + 5);
  await offered;
  assertEquals(again.fileDefinitions().map((file) => file.root), [root]);
  assertEquals(again.shares.damaged(), []);
  assertEquals(readAll(again, root), bytes);
});

Deno.test("a withheld file is offered as it is once that is said, once it changes, or is shared anew", async () => {
  const ways: readonly ((store: ChunkStore, path: string) => void)[] = [
    (store, path) => assertEquals(store.shares.offerAgain(path), 1),
    (store, path) => assertEquals(store.shares.offerAgain(path.slice(0, -2)), 1),
    (_, path) => Deno.utimeSync(path, NOW(), 1_700_000_001),
    (store, path) => {
      store.shares.remove(path);
      store.shares.add(path);
    },
  ];
  for (const way of ways) {
    using dir = new TempDir();
    const { store, path } = await withRotten(dir);
    await using _ = store;
    way(store, path);
    await store.shares.rescan();
    const now = rootOf(Deno.readFileSync(path));
    assertEquals(store.fileDefinitions().map(({ root }) => root), [now]);
    assertEquals(store.shares.damaged(), []);
    assertEquals(store.shares.offerAgain(path), 0);
  }
});

Deno.test("a withheld file that is gone is forgotten", async () => {
  using dir = new TempDir();
  const { store, path } = await withRotten(dir);
  await using _ = store;
  Deno.removeSync(path);
  await store.shares.rescan();
  assertEquals(store.shares.damaged(), []);
});

/** Waits until what happens to a file next has another time of change: Deno gives whole seconds. */
async function untilNextSecond(path: string): Promise<void> {
  const { ctime } = Deno.statSync(path);
  // The clock of file systems may be some milliseconds behind.
  while (Math.floor((Date.now() - 50) / 1000) * 1000 <= ctime!.getTime()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const chunks of [1, 40]) {
  Deno.test(`a file of ${chunks} chunks that is another altogether, its time kept, is withheld`, async () => {
    using dir = new TempDir();
    const before = content(chunks * CHUNK_BYTES, 1), after = content(chunks * CHUNK_BYTES, 2);
    const path = dir.write("shared/f", before);
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    await shareDirectory(store, dir.join("shared"));
    await untilNextSecond(path);
    const { mtime, ino } = Deno.statSync(path);
    Deno.writeFileSync(path, after);
    Deno.utimeSync(path, NOW(), mtime!);
    assertEquals([Deno.statSync(path).mtime, Deno.statSync(path).ino], [mtime, ino]);
    // Not one byte of the new content goes out for the old one.
    const target = new Uint8Array(CHUNK_BYTES);
    assertThrows(
      () => store.readRun(rootOf(before), { first: 0, count: 1 }, target),
      EnvironmentError,
      "changed",
    );
    await store.shares.rescan();
    assertEquals(store.fileDefinitions(), []);
    assertEquals(store.shares.damaged().map(({ root }) => root), [rootOf(before)]);
    assertEquals(store.shares.offerAgain(path), 1);
    await store.shares.rescan();
    assertEquals(store.fileDefinitions().map(({ root }) => root), [rootOf(after)]);
  });
}

Deno.test("a file that is moved to the path of another, of its size and time, is offered at once", async () => {
  using dir = new TempDir();
  const before = content(40 * CHUNK_BYTES, 1), after = content(40 * CHUNK_BYTES, 2);
  const path = dir.write("shared/f", before);
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await shareDirectory(store, dir.join("shared"));
  // The fixture gives all files the same time.
  Deno.renameSync(dir.write("f", after), path);
  await store.shares.rescan();
  assertEquals(store.fileDefinitions().map(({ root }) => root), [rootOf(after)]);
  assertEquals(store.shares.damaged(), []);
});

Deno.test("a file whose mode changed is offered again once it was hashed", async () => {
  using dir = new TempDir();
  const bytes = content(40 * CHUNK_BYTES);
  const path = dir.write("shared/f", bytes);
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  await shareDirectory(store, dir.join("shared"));
  await untilNextSecond(path);
  Deno.chmodSync(path, 0o600);
  await store.shares.rescan();
  assertEquals(readAll(store, rootOf(bytes)), bytes);
  assertEquals(store.shares.damaged(), []);
  assertEquals(warnings, []);
  assertEquals([...Deno.readDirSync(dir.join("data/leaves"))].length, 1);
});

Deno.test("verify() makes a rotten downloaded file partial, to be completed again", async () => {
  using dir = new TempDir();
  const bytes = content(40 * CHUNK_BYTES + 9);
  const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
  const { store } = await openStore(dir.join("data"));
  await addDownloaded(store, "f", bytes);
  rot(store.definition(request.root)!.path, 0);
  rot(store.definition(request.root)!.path, 40 * CHUNK_BYTES + 1);
  const [result] = await Array.fromAsync(store.verify());
  assertEquals([result!.outcome, result!.chunksBad], ["partial", 2]);
  assertEquals([...store.availableChunks(request.root)!.ranges()], [{ first: 1, count: 39 }]);
  await store.close();

  const { store: again, warnings } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(warnings, []);
  const download = again.beginDownload(request);
  assertEquals(download.have.count, 39);
  assert(download.hasLeaves);
  giveChunks(download, bytes, { first: 0, count: 1 });
  giveChunks(download, bytes, { first: 40, count: 1 });
  await download.finish();
  assertEquals(readAll(again, request.root), bytes);
});

Deno.test("verify() takes rotten chunks out of a partial download", async () => {
  using dir = new TempDir();
  const bytes = content(40 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const { store } = await openStore(dir.join("data"));
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 20 });
  await download.suspend();
  rot(download.path, 3 * CHUNK_BYTES);
  const changes: unknown[] = [];
  store.onChange((change) => changes.push(change));
  const [result] = await Array.fromAsync(store.verify());
  assertEquals([result!.outcome, result!.chunksBad, result!.chunksChecked], ["partial", 1, 20]);
  assert(changes.some((change) => (change as { kind: string }).kind === "lost"));
  await store.close();
  const { store: again } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.availableChunks(root)?.count, 19);
});

Deno.test("verify() has a leaf layer that rotted computed again", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const root = await addDownloaded(store, "f", bytes);
  rot(leafPath(store, root), 100);
  const [result] = await Array.fromAsync(store.verify());
  assertEquals([result!.outcome, result!.chunksBad], ["good", 0]);
  assertStringIncludes(result!.reason!, "leaf layer was damaged");
  assertEquals(warnings.length, 1);
  assertEquals(Deno.readFileSync(leafPath(store, root)), leavesOf(bytes));
  assertEquals(readAll(store, root), bytes);
});

Deno.test("verify() keeps what is good of a file whose leaf layer rotted with it", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const root = await addDownloaded(store, "f", bytes);
  rot(leafPath(store, root), 100);
  rot(store.definition(root)!.path, 7 * CHUNK_BYTES);
  const [result] = await Array.fromAsync(store.verify());
  assertEquals(result!.outcome, "partial");
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  assertEquals([download.hasLeaves, download.have.count], [false, 0]);
  giveLeaves(download, bytes);
  await download.sortOut();
  assertEquals(download.have.count, 39);
});

Deno.test("verify() calls no chunk of a partial download bad because its leaf layer rotted", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const request = { root, name: "f", sizeBytes: bytes.length };
  const download = store.beginDownload(request);
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 20 });
  await download.suspend();
  rot(leafPath(store, root), 100);
  const [result] = await Array.fromAsync(store.verify());
  assertEquals([result!.outcome, result!.chunksBad], ["partial", 0]);
  assertStringIncludes(result!.reason!, "leaf layer");
  const again = store.beginDownload(request);
  assertEquals(again.hasLeaves, false, "it has to come again");
  giveLeaves(again, bytes);
  await again.sortOut();
  assertEquals([...again.have.ranges()], [{ first: 0, count: 20 }]);
});

Deno.test("scrubRange() looks at these chunks only", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const root = await addDownloaded(store, "f", bytes);
  assertEquals(await store.scrubRange(root, { first: 0, count: 40 }), 0);
  rot(store.definition(root)!.path, 20 * CHUNK_BYTES);
  assertEquals(await store.scrubRange(root, { first: 0, count: 20 }), 0);
  assert(store.isComplete(root));
  assertEquals(await store.scrubRange(root, { first: 19, count: 3 }), 1);
  assertEquals(store.isComplete(root), false);
  assertEquals(store.availableChunks(root)?.count, 39);
  // What a peer says of chunks that are not here changes nothing.
  assertEquals(await store.scrubRange(root, { first: 20, count: 1 }), 0);
});

Deno.test("verify() stops when its signal aborts", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "f", content(40 * CHUNK_BYTES));
  const signal = AbortSignal.abort(new DOMException("enough", "AbortError"));
  await assertRejects(() => Array.fromAsync(store.verify({ signal })), DOMException, "enough");
  assertEquals(store.fileDefinitions().length, 1);
});

Deno.test("readChecked() has all of a file looked through that follows on a bad chunk", async () => {
  using dir = new TempDir();
  const bytes = content(200 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "f", bytes);
  const { path } = store.definition(root)!;
  for (const chunk of [10, 60, 199]) rot(path, chunk * CHUNK_BYTES);
  const range = { first: 10, count: 1 };
  assertThrows(() => store.readChecked(root, range, new Uint8Array(CHUNK_BYTES)), EnvironmentError);
  await store.ready(root);
  const have = store.availableChunks(root)!;
  assertEquals([have.count, have.has(10), have.has(60), have.has(199)], [197, false, false, false]);
});
