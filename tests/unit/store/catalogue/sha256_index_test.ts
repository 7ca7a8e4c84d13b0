import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { StoreChange } from "../../../../src/store/files/stored_file.ts";
import {
  addDownloaded,
  content,
  giveChunks,
  giveLeaves,
  openStore,
  rootOf,
  TempDir,
} from "../store_fixture.ts";

const SHA256 = "ab".repeat(32);

Deno.test("ChunkStore.sha256() gives what noteSha256() took, also after opening again", async () => {
  using dir = new TempDir();
  const dataDir = dir.join("data");
  const changes: StoreChange[] = [];
  let root;
  {
    const { store } = await openStore(dataDir);
    await using _ = store;
    root = await addDownloaded(store, "f", content(10));
    assertEquals(store.sha256(root), undefined);
    store.onChange((change) => changes.push(change));
    store.noteSha256(root, SHA256);
    store.noteSha256(root, SHA256);
    assertEquals(store.sha256(root), SHA256);
    assertEquals(changes, [{ kind: "checked", root, name: "f" }]);
  }
  const { store } = await openStore(dataDir);
  await using _ = store;
  assertEquals(store.sha256(root), SHA256);
});

Deno.test("ChunkStore.open() forgets the SHA-256 of what is not here any more", async () => {
  using dir = new TempDir();
  const dataDir = dir.join("data");
  const bytes = content(3 * CHUNK_BYTES, 2);
  const partial = rootOf(bytes);
  let gone;
  {
    const { store } = await openStore(dataDir);
    await using _ = store;
    gone = await addDownloaded(store, "f", content(10));
    const download = store.beginDownload({ root: partial, name: "p", sizeBytes: bytes.length });
    giveLeaves(download, bytes);
    giveChunks(download, bytes, { first: 0, count: 1 });
    for (const root of [gone, partial]) store.noteSha256(root, SHA256);
    store.remove(gone);
    assertEquals(store.sha256(gone), SHA256, "it stays true");
  }
  const { store } = await openStore(dataDir);
  await using _ = store;
  assertEquals([store.sha256(gone), store.sha256(partial)], [undefined, SHA256]);
});

Deno.test("ChunkStore.downloadedBytes() counts downloads, whole and in part, and no shares", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(store.downloadedBytes(), 0);
  const root = await addDownloaded(store, "f", content(10));
  const bytes = content(3 * CHUNK_BYTES - 5, 2);
  const partial = rootOf(bytes);
  const download = store.beginDownload({ root: partial, name: "p", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 1 });
  store.shares.add(dir.write("shared/s", content(100, 3)));
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.downloadedBytes(), 10 + CHUNK_BYTES);
  assertEquals(store.downloadedBytes(root), 10);
  assertEquals(store.downloadedBytes(partial), CHUNK_BYTES);
  giveChunks(download, bytes, { first: 1, count: 2 });
  assertEquals(store.downloadedBytes(), 10 + bytes.length);
  store.remove(root);
  store.remove(partial);
  assertEquals(store.downloadedBytes(), 0);
});

Deno.test("ChunkStore.distinctFiles() names a file once for each of its names, as things are then", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  for (const path of ["a/x", "b/x", "b/y"]) store.shares.add(dir.write(path, content(50)));
  store.shares.add(dir.write("c/z", content(60)));
  store.shares.start();
  await store.shares.settled();
  const names = () => Array.from(store.distinctFiles(), ({ name }) => name).sort();
  assertEquals(names(), ["x", "y", "z"]);
  const listing = store.distinctFiles();
  listing.next();
  for (const { path } of store.fileDefinitions()) store.shares.remove(path);
  assertEquals([...listing], []);
});
