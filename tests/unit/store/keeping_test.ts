// What the store tells of its downloads and lets go: uses and pins outlive the process, and nothing is
// removed that somebody reads, pinned or used since it was looked at.

import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import type { ChunkStore } from "../../../src/store/chunk_store.ts";
import { SCHEMA_VERSION } from "../../../src/store/catalogue/catalogue_schema.ts";
import { ManualClock } from "../../support/manual_clock.ts";
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

const copiesOf = (store: ChunkStore) => [...store.keeping.copies()];
const namesOf = (copies: readonly { readonly name: string }[]) =>
  copies.map(({ name }) => name).sort();
const isThere = (path: string) => Deno.statSync(path).isFile;

Deno.test("StoreKeeping removes downloads, from the disk, the catalogue and the index", async () => {
  using dir = new TempDir();
  const bytes = content(3 * CHUNK_BYTES + 7);
  {
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    await addDownloaded(store, "a", bytes);
    const root = await addDownloaded(store, "b", content(100, 2));
    const [a] = copiesOf(store).filter(({ name }) => name === "a");
    assertEquals([a!.bytes, a!.isPartial, a!.isInUse, a!.isPinned], [
      bytes.length,
      false,
      false,
      false,
    ]);
    assertEquals(store.keeping.bytes, bytes.length + 100);
    assert(isThere(a!.path));
    assertEquals(namesOf(store.keeping.remove([a!]).gone), ["a"]);
    assertEquals(store.keeping.bytes, 100);
    assertEquals(store.fileDefinitions().map((file) => file.root), [root]);
    assertEquals([...Deno.readDirSync(dir.join("data/files"))].map(({ name }) => name), [root]);
    // Its leaves go with it: those of one chunk are none.
    const leaves = [...Deno.readDirSync(dir.join("data/leaves"))]
      .flatMap(({ name }) => [...Deno.readDirSync(dir.join(`data/leaves/${name}`))]);
    assertEquals(leaves, []);
    assertEquals(warnings, []);
    assertEquals(store.keeping.remove([a!]).gone, []);
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  assertEquals(namesOf(store.fileDefinitions()), ["b"]);
});

Deno.test("StoreKeeping spares what is in use, pinned, or was used since it was looked at", async () => {
  using dir = new TempDir();
  const clock = new ManualClock();
  const { store } = await openStore(dir.join("data"), { clock });
  await using _ = store;
  const root = await addDownloaded(store, "a", content(100));
  const one = () => copiesOf(store)[0]!;
  const before = one();
  await clock.advance(1_000);
  {
    using use = store.keeping.use();
    use.add(root);
    assert(one().isInUse);
    assertEquals(store.keeping.remove([one()]).gone, []);
    {
      using _ = store.use(root);
    }
    assert(one().isInUse, "a second user has gone, the first is still there");
  }
  assert(!one().isInUse);
  // It was used, so it is not the one that goes next.
  assertEquals(store.keeping.remove([before]).gone, []);
  assert(store.keeping.setPinned(root, true));
  assert(!store.keeping.setPinned(root, true));
  assertEquals([one().isPinned, store.keeping.pinnedCount], [true, 1]);
  assertEquals(store.keeping.remove([one()]).gone, []);
  assert(store.keeping.setPinned(root, false));
  assertEquals(namesOf(store.keeping.remove([one()]).gone), ["a"]);
  assert(!store.keeping.setPinned(root, true), "what is not here cannot be pinned");
});

Deno.test("StoreKeeping never lists what is shared in place, nor what is under way", async () => {
  using dir = new TempDir();
  const shared = dir.write("shared/s", content(200, 3));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.shares.add(shared, { persist: false });
  store.shares.start();
  await store.shares.settled();
  const bytes = content(4 * CHUNK_BYTES, 4), root = rootOf(bytes);
  const download = store.beginDownload({
    root,
    name: "part",
    sizeBytes: bytes.length,
    wanted: { first: 0, count: 3 },
  });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 1 });
  assertEquals(copiesOf(store), []);
  assertEquals([store.keeping.bytes, store.keeping.comingBytes], [CHUNK_BYTES, 2 * CHUNK_BYTES]);
  assert(store.keeping.isComing("part", { besides: undefined }));
  assert(!store.keeping.isComing("part", { besides: download }));
  await download.suspend();
  const [part] = copiesOf(store);
  assertEquals([part!.name, part!.isPartial, part!.bytes], ["part", true, CHUNK_BYTES]);
  assertEquals(store.keeping.comingBytes, 0);
  assertEquals(namesOf(store.keeping.remove([part!]).gone), ["part"]);
  assertEquals([store.download(root), store.keeping.bytes], [undefined, 0]);
});

Deno.test("StoreKeeping tells of unverified downloads that wait, and of what a reader has of them", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const unverified = store.openUnverified({ name: "u", sizeBytes: 500, key: "http://m/u" });
  assertEquals([store.keeping.bytes, store.keeping.comingBytes], [0, 500]);
  unverified.write(0, content(200));
  assertEquals([store.keeping.bytes, store.keeping.comingBytes], [200, 300]);
  assertEquals(copiesOf(store), []);
  unverified.suspend();
  assertEquals(store.keeping.comingBytes, 0);
  {
    using use = store.keeping.use();
    use.addPath(unverified.path);
    assert(copiesOf(store)[0]!.isInUse);
    assertEquals(store.keeping.remove(copiesOf(store)).gone, []);
  }
  assertEquals(namesOf(store.keeping.remove(copiesOf(store)).gone), ["u"]);
  assertEquals(store.keeping.bytes, 0);
});

Deno.test("StoreKeeping has room taken before a download begins, and as one grows that has no size", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const needs: (readonly [string, number])[] = [];
  store.keeping.onNeed(({ name, bytes }) => void needs.push([name, bytes]));
  const bytes = content(4 * CHUNK_BYTES, 4), root = rootOf(bytes);
  const request = { root, name: "f", sizeBytes: bytes.length };
  const first = store.beginDownload({ ...request, wanted: { first: 1, count: 2 } });
  giveLeaves(first, bytes);
  giveChunks(first, bytes, { first: 1, count: 1 });
  await first.suspend();
  // Only what is missing of what is wanted.
  const second = store.beginDownload({ ...request, wanted: { first: 0, count: 4 } });
  await second.suspend();
  const unverified = store.openUnverified({ name: "u", sizeBytes: null, key: "k" });
  unverified.write(0, content(10));
  unverified.write(10, content(10));
  unverified.sizeBytes = 25;
  assertEquals(needs, [
    ["f", 2 * CHUNK_BYTES],
    ["f", 3 * CHUNK_BYTES],
    ["u", 10 + limits.roomStepBytes],
  ]);
  assertEquals(store.keeping.comingBytes, 5);
  // Who has no room hears why, and nothing is begun.
  store.keeping.onNeed(({ name }) => {
    throw new EnvironmentError("no-space", `no room for ${name}`);
  });
  const refused = () => store.openUnverified({ name: "v", sizeBytes: 10, key: "k" });
  await assertRejects(() => Promise.try(refused), EnvironmentError, "no room for v");
  assert(!store.keeping.isComing("v", { besides: undefined }));
  const other = rootOf(content(100, 9));
  const refusedToo = () =>
    store.beginDownload({
      root: other,
      name: "w",
      sizeBytes: 100,
      wanted: { first: 0, count: 1 },
    });
  await assertRejects(() => Promise.try(refusedToo), EnvironmentError, "no room for w");
  assertEquals(store.download(other), undefined);
});

Deno.test("StoreKeeping remembers uses and pins over a restart, and forgets what is gone", async () => {
  using dir = new TempDir();
  const clock = new ManualClock();
  const roots: string[] = [];
  let usedUnixMs = 0;
  {
    const { store } = await openStore(dir.join("data"), { clock });
    await using _ = store;
    for (let n = 0; n < 3; n++) {
      roots.push(await addDownloaded(store, `f${n}`, content(100, n + 1)));
    }
    await clock.advance(5_000);
    {
      using _ = store.use(rootOf(content(100, 1)));
    }
    usedUnixMs = clock.unixMs();
    store.keeping.setPinned(rootOf(content(100, 2)), true);
    store.keeping.setPinned(rootOf(content(100, 3)), true);
  }
  Deno.removeSync(dir.join(`data/files/${roots[2]}`), { recursive: true });
  const { store } = await openStore(dir.join("data"), { clock });
  await using _ = store;
  await store.recover();
  const copies = copiesOf(store);
  assertEquals(copies.find(({ name }) => name === "f0")!.usedUnixMs, usedUnixMs);
  assertEquals(copies.map(({ name, isPinned }) => [name, isPinned]).sort(), [
    ["f0", false],
    ["f1", true],
  ]);
  assertEquals(store.keeping.pinnedCount, 1);
});

Deno.test("StoreKeeping keeps pins when the catalogue was damaged", async () => {
  using dir = new TempDir();
  const bytes = content(100), root = rootOf(bytes);
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    await addDownloaded(store, "a", bytes);
    store.keeping.setPinned(root, true);
  }
  // A table that is not there is damage like any other, and the others can be read.
  using db = new DatabaseSync(dir.join("data/catalogue.sqlite"));
  db.exec("DROP TABLE statistics");
  db.close();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await store.recover();
  assertEquals(copiesOf(store).map(({ name, isPinned }) => [name, isPinned]), [["a", true]]);
});

Deno.test("the catalogue of before goes forward by itself, and its files go by when they came", async () => {
  using dir = new TempDir();
  const bytes = content(100);
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    await addDownloaded(store, "a", bytes);
  }
  using db = new DatabaseSync(dir.join("data/catalogue.sqlite"));
  const later = ["kept", "peer_totals", "packages", "advance"];
  for (const table of later) db.exec(`DROP TABLE ${table}`);
  db.exec(`PRAGMA user_version = 7`);
  db.close();
  {
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    const [copy] = copiesOf(store);
    assertEquals(copy!.usedUnixMs, Deno.statSync(copy!.path).mtime!.getTime());
    assertEquals(readAll(store, rootOf(bytes)), bytes);
    assertEquals(warnings, []);
  }
  using newer = new DatabaseSync(dir.join("data/catalogue.sqlite"));
  assertEquals(newer.prepare("PRAGMA user_version").get(), { user_version: SCHEMA_VERSION });
  newer.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  newer.close();
  const error = await assertRejects(() => openStore(dir.join("data")), EnvironmentError);
  assertEquals(error.hint, "A newer pacsrv wrote it. Use that one, or another data directory.");
});

Deno.test("StoreKeeping counts and removes what a crash left of a fetch", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  dir.write(`data/partial/${"a".repeat(64)}`, content(300));
  await store.recover();
  assertEquals(copiesOf(store), []);
  // Older than an hour it is gone; a young one counts.
  Deno.writeFileSync(dir.join(`data/partial/${"b".repeat(64)}`), content(300));
  const [left] = copiesOf(store);
  assertEquals([left!.isPartial, left!.bytes, store.keeping.bytes], [true, 300, 300]);
  assertEquals(store.keeping.remove([left!]).gone, [left!]);
  assertEquals([copiesOf(store), store.keeping.bytes], [[], 0]);
});

/** Has the disk refuse to remove what lies at a path, until the result is called. */
function holdFast(path: string): () => void {
  // Whoever runs the tests: a folder with something in it goes for nobody.
  Deno.renameSync(path, `${path}.away`);
  Deno.mkdirSync(`${path}/held`, { recursive: true });
  return () => {
    Deno.removeSync(path, { recursive: true });
    Deno.renameSync(`${path}.away`, path);
  };
}

Deno.test("StoreKeeping keeps what the disk does not let go, and tries no more after some in a row", async () => {
  using dir = new TempDir();
  const names = ["a", "b", "c", "d", "e", "f"];
  {
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    const changes: string[] = [];
    store.onChange((change) => {
      if (change.kind === "withdrawn") changes.push(change.name);
    });
    const bytes = content(3 * CHUNK_BYTES);
    const root = await addDownloaded(store, "a", bytes);
    for (const [n, name] of names.slice(1).entries()) {
      await addDownloaded(store, name, content(100, n + 2));
    }
    const of = (name: string) => copiesOf(store).find((copy) => copy.name === name)!;
    const held = ["a", "b", "d", "e", "f"].map((name) => holdFast(of(name).path));
    const first = store.keeping.remove(["a", "b", "c", "d"].map(of));
    assertEquals(namesOf(first.gone), ["c"]);
    assertEquals(first.stuck.map(({ copy }) => copy.name), ["a", "b", "d"]);
    assertEquals(first.isGivenUp, false);
    assertStringIncludes(first.stuck[0]!.reason, "Cannot remove ");
    assertEquals(changes, ["c"]);
    assertEquals(store.keeping.bytes, bytes.length + 400);
    const second = store.keeping.remove(["e", "f", "a", "b"].map(of));
    assertEquals([second.gone, second.isGivenUp], [[], true]);
    // With the one before them these are enough.
    assertEquals(second.stuck.map(({ copy }) => copy.name), ["e", "f"]);
    for (const letGo of held) letGo();
    assertEquals(readAll(store, root), bytes);
    assertEquals(warnings, []);
  }
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  // The catalogue knows them still: nothing has to be hashed.
  assertEquals(namesOf(store.fileDefinitions()), ["a", "b", "d", "e", "f"]);
  assertEquals(warnings, []);
  const { gone, stuck } = store.keeping.remove(copiesOf(store));
  assertEquals([namesOf(gone), stuck], [["a", "b", "d", "e", "f"], []]);
});

Deno.test("StoreKeeping keeps parts that the disk does not let go, and what is known of them", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(4 * CHUNK_BYTES, 4), root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "part", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 1 });
  await download.suspend();
  const unverified = store.openUnverified({ name: "u", sizeBytes: 500, key: "http://m/u" });
  unverified.write(0, content(200));
  unverified.suspend();
  assertEquals(namesOf(copiesOf(store)), ["part", "u"]);
  const held = copiesOf(store).map(({ path }) => holdFast(path));
  const { gone, stuck } = store.keeping.remove(copiesOf(store));
  assertEquals([gone, namesOf(stuck.map(({ copy }) => copy))], [[], ["part", "u"]]);
  for (const letGo of held) letGo();
  assertEquals(store.download(root)?.have.count, 1);
  assertEquals(store.keeping.bytes, CHUNK_BYTES + 200);
  assertEquals(namesOf(store.keeping.remove(copiesOf(store)).gone), ["part", "u"]);
  assertEquals(store.keeping.bytes, 0);
});
