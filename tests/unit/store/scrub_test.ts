import { assert, assertEquals, assertRejects } from "@std/assert";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
import type { ChunkStore } from "../../../src/store/chunk_store.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
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

Deno.test("verify() withdraws a rotten shared file, which is then shared as what it is now", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const path = dir.write("shared/f", bytes);
  await shareDirectory(store, dir.join("shared"));
  rot(path, 35 * CHUNK_BYTES + 5);
  const added = Promise.withResolvers<Root>();
  store.onChange((change) => change.kind === "added" && added.resolve(change.root));
  const [result, ...rest] = await Array.fromAsync(store.verify({ root: rootOf(bytes) }));
  assertEquals(rest, []);
  assertEquals(result!.outcome, "withdrawn");
  assertEquals([result!.chunksBad, result!.chunksChecked], [1, 40]);
  assertEquals(store.isComplete(rootOf(bytes)), false);
  assertEquals(warnings.length, 1);
  assertEquals(await added.promise, rootOf(Deno.readFileSync(path)));
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

Deno.test("verify() withdraws a file whose leaf layer rotted", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(40 * CHUNK_BYTES);
  const root = await addDownloaded(store, "f", bytes);
  rot(`${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`, 100);
  const [result] = await Array.fromAsync(store.verify());
  assertEquals(result!.outcome, "withdrawn");
  // The data itself is good, and is taken up again once it is hashed.
  assertEquals((await store.recover()).filesRecovered, 1);
  assertEquals(readAll(store, root), bytes);
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
