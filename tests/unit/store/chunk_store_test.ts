import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { nextTurn } from "../../../src/base/clock.ts";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import type { Root } from "../../../src/base/ids.ts";
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
} from "./store_fixture.ts";

/** A store that shares one file. */
async function shareOne(dir: TempDir, bytes: Uint8Array, name = "f") {
  const path = dir.write(`shared/${name}`, bytes);
  const opened = await openStore(dir.join("data"));
  opened.store.shares.add(path, { persist: false });
  opened.store.shares.start();
  await opened.store.shares.settled();
  return { ...opened, path, root: rootOf(bytes) };
}

Deno.test("readRun() reads any run of a shared file in place", async () => {
  using dir = new TempDir();
  const bytes = content(70 * CHUNK_BYTES + 5);
  const { store, root, path } = await shareOne(dir, bytes);
  await using _ = store;
  assertEquals(store.definition(root), {
    root,
    name: "f",
    type: "",
    sizeBytes: bytes.length,
    chunks: 71,
    chunksHave: 71,
    origin: "shared",
    path,
  });
  for (const runChunks of [1, 7, 32, 71]) assertEquals(readAll(store, root, runChunks), bytes);
  assert(store.availableChunks(root)?.isFull);
  const leaves = new Uint8Array(71 * 32);
  assertEquals(store.readLeaves(root, { first: 0, count: 71 }, leaves), leaves.length);
  assertEquals(leaves, leavesOf(bytes));
});

Deno.test({
  name: "chunkClose() closes the file of a root, and the next read opens it again",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using dir = new TempDir();
    const bytes = content(4 * CHUNK_BYTES);
    const { store, root } = await shareOne(dir, bytes);
    await using _ = store;
    const { path } = store.definition(root)!;
    assertEquals(readAll(store, root), bytes);
    assertEquals(isOpen(path), true);
    store.chunkClose(root);
    assertEquals(isOpen(path), false);
    assertEquals(readAll(store, root), bytes);
  },
});

Deno.test("readRun() withdraws a shared file that changed, shrank or vanished", async () => {
  const damages: [string, (path: string) => void, string][] = [
    ["changed", (path) => Deno.writeFileSync(path, content(4 * CHUNK_BYTES, 9)), "changed"],
    ["shrank", (path) => Deno.truncateSync(path, 100), "changed"],
    ["vanished", (path) => Deno.removeSync(path), "not-found"],
    ["is a directory", (path) => {
      Deno.removeSync(path);
      Deno.mkdirSync(path);
    }, "changed"],
  ];
  for (const [what, damage, code] of damages) {
    using dir = new TempDir();
    const path = dir.write("shared/f", content(4 * CHUNK_BYTES));
    const { store, warnings } = await openStore(dir.join("data"));
    await using _ = store;
    store.shares.add(path);
    store.shares.start();
    await store.shares.settled();
    const root = rootOf(content(4 * CHUNK_BYTES));
    const target = new Uint8Array(CHUNK_BYTES);
    store.readRun(root, { first: 0, count: 1 }, target);
    const changes: string[] = [];
    store.onChange(({ kind }) => changes.push(kind));
    damage(path);
    const error = assertThrows(
      () => store.readRun(root, { first: 3, count: 1 }, target),
      EnvironmentError,
    );
    assertEquals(error.code, code, what);
    assertEquals(changes, ["withdrawn"], what);
    assertEquals(store.isComplete(root), false);
    assertEquals(store.availableChunks(root), undefined);
    assert(warnings.some(({ message }) => message.includes("it is withdrawn")));
  }
});

Deno.test("readRun() goes on from the next file of the same content", async () => {
  using dir = new TempDir();
  const bytes = content(4 * CHUNK_BYTES);
  const first = dir.write("shared/a", bytes);
  dir.write("shared/b", bytes);
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.shares.add(dir.join("shared"));
  store.shares.start();
  await store.shares.settled();
  const root = rootOf(bytes);
  assertEquals(store.fileDefinitions().map(({ root }) => root), [root, root]);
  Deno.removeSync(first);
  assertEquals(readAll(store, root), bytes);
  assertEquals(readAll(store, root), bytes);
});

Deno.test("readLeaves() has a leaf layer that is gone computed again", async () => {
  using dir = new TempDir();
  const bytes = content(4 * CHUNK_BYTES);
  const { store, root } = await shareOne(dir, bytes);
  await using _ = store;
  Deno.removeSync(`${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`);
  const leaves = new Uint8Array(128);
  assertThrows(() => store.readLeaves(root, { first: 0, count: 4 }, leaves), EnvironmentError);
  await store.ready(root);
  assert(store.isComplete(root));
  store.readLeaves(root, { first: 0, count: 4 }, leaves);
  assertEquals(leaves, leavesOf(bytes));
});

Deno.test("definitionsByName() and eachMatching() find complete and partial files", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  await addDownloaded(store, "same.tar.zst", content(10, 1));
  await addDownloaded(store, "same.tar.zst", content(10, 2));
  await addDownloaded(store, "other.txt", content(10, 3));
  const bytes = content(3 * CHUNK_BYTES, 4);
  const request = { root: rootOf(bytes), name: "same.tar.zst", sizeBytes: bytes.length };
  giveChunks(store.beginDownload(request), bytes, { first: 1, count: 1 });
  const same = store.definitionsByName("same.tar.zst");
  assertEquals(same.map(({ origin }) => origin), ["downloaded", "downloaded", "partial"]);
  assertEquals(new Set(same.map(({ root }) => root)).size, 3);
  assertEquals(same[2]!.chunksHave, 1);
  assertEquals(same.map(({ type }) => type), ["zst", "zst", "zst"]);
  assertEquals([...store.eachMatching("*.zst")].length, 3);
  assertEquals([...store.eachMatching("*")].length, 4);
  assertEquals([...store.eachMatching("s?me*")].length, 3);
  assertEquals(store.definitionsByName("none"), []);
});

Deno.test("readRun() throws not-found for a root that is not here", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = "0".repeat(64) as Root;
  const target = new Uint8Array(CHUNK_BYTES);
  for (
    const read of [
      () => store.readRun(root, { first: 0, count: 1 }, target),
      () => store.readLeaves(root, { first: 0, count: 1 }, target),
    ]
  ) assertEquals(assertThrows(read, EnvironmentError).code, "not-found");
});

Deno.test("open() refuses a data directory that another store has open", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  const error = await assertRejects(() => openStore(dir.join("data")), EnvironmentError);
  assertEquals(error.code, "in-use");
  assert(error.hint?.includes("--data"));
  await store.close();
  const { store: second } = await openStore(dir.join("data"));
  await second.close();
});

Deno.test("open() says that a data directory cannot be used when it is a file", async () => {
  using dir = new TempDir();
  const path = dir.write("data", new Uint8Array(1));
  await assertRejects(() => openStore(path), EnvironmentError, "Cannot use data directory");
});

Deno.test("open() makes a new catalogue for a damaged one, keeps it aside and says so", async () => {
  for (const damage of ["rubbish", "page"]) {
    using dir = new TempDir();
    const bytes = content(3 * CHUNK_BYTES);
    dir.write("shared/f", bytes);
    const { store } = await openStore(dir.join("data"));
    store.shares.add(dir.join("shared"));
    store.shares.start();
    await store.shares.settled();
    const downloaded = content(5 * CHUNK_BYTES, 3);
    await addDownloaded(store, "d", downloaded);
    await store.close();
    damageCatalogue(`${store.dataDir}/catalogue.sqlite`, damage);

    const { store: again, warnings } = await openStore(dir.join("data"));
    await using _ = again;
    assertEquals(warnings.length, 1);
    assert(warnings[0]!.message.includes("damaged"));
    assert(Deno.statSync(warnings[0]!.fields["keptAs"] as string).isFile);
    assertEquals((await again.recover()).filesRecovered, 1);
    again.shares.add(dir.join("shared"));
    again.shares.start();
    await again.shares.settled();
    assertEquals(readAll(again, rootOf(bytes)), bytes);
    assertEquals(readAll(again, rootOf(downloaded)), downloaded);
  }
});

Deno.test("recover() does not take up a file whose bytes are not those of its root", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  const root = rootOf(content(100, 1));
  dir.write(`data/files/${root}/f`, content(100, 2));
  assertEquals((await store.recover()).filesRecovered, 0);
  assertEquals(store.fileDefinitions(), []);
  assert(warnings[0]!.message.includes("damaged"));
});

Deno.test("recover() says nothing of files that are removed meanwhile", async () => {
  using dir = new TempDir();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  for (let n = 0; n < 100; n++) {
    await addDownloaded(store, `f${n}`, content(2 * CHUNK_BYTES, n + 1));
  }
  const recovering = store.recover();
  // It is in the midst of it: what it has listed goes.
  const copies = [...store.keeping.copies()];
  while (copies.length > 0) {
    await nextTurn();
    store.keeping.remove(copies.splice(0, 10));
  }
  await recovering;
  assertEquals(warnings, []);
  assertEquals(store.fileDefinitions(), []);
});

Deno.test("recover() removes old data of downloads that nothing is known of", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const [old, young, known] = [1, 2, 3].map((seed) => rootOf(content(100, seed)));
  store.beginDownload({ root: known!, name: "f", sizeBytes: 100 });
  // TempDir writes files of long ago.
  for (const root of [old, young, known]) dir.write(`data/partial/${root}`, content(50));
  Deno.utimeSync(dir.join(`data/partial/${young}`), new Date(), new Date());
  assertEquals((await store.recover()).partialsRemoved, 1);
  const left = [...Deno.readDirSync(dir.join("data/partial"))].map(({ name }) => name);
  assertEquals(left.sort(), [young!, known!].sort());
});

Deno.test("leftovers() names data that nothing is known of, until it is old or removed", async () => {
  using dir = new TempDir();
  const clock = new ManualClock({ startUnixMs: 1_700_000_000_000 });
  const { store } = await openStore(dir.join("data"), { clock });
  await using _ = store;
  const [one, other, known] = [1, 2, 3].map((seed) => rootOf(content(100, seed)));
  store.beginDownload({ root: known!, name: "f", sizeBytes: 100 });
  for (const root of [one, other, known]) dir.write(`data/partial/${root}`, content(50));
  await store.recover();
  const bytesOf = () =>
    Object.fromEntries(store.leftovers().map(({ root, bytes }) => [root, bytes]));
  assertEquals(bytesOf(), { [one!]: 50, [other!]: 50 });
  assert(store.remove(one!));
  assertEquals(bytesOf(), { [other!]: 50 });
  // While it runs, and once nobody goes on with it any more.
  await clock.advance(limits.unusedLeavesMs - limits.tidyMs);
  assertEquals(bytesOf(), { [other!]: 50 });
  await clock.advance(2 * limits.tidyMs);
  while (store.leftovers().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([...Deno.readDirSync(dir.join("data/partial"))].map(({ name }) => name), [known!]);
});

Deno.test("open() keeps the last three damaged catalogues", async () => {
  using dir = new TempDir();
  for (const year of [2021, 2022, 2023, 2024]) {
    for (const suffix of ["", "-wal"]) {
      dir.write(`data/catalogue.sqlite.damaged-${year}-01-01T000000.000Z${suffix}`, content(9));
    }
  }
  const years = () =>
    [...Deno.readDirSync(dir.join("data"))]
      .flatMap(({ name }) => /damaged-(\d{4})[^w]*$/.exec(name)?.[1] ?? []).sort();
  await (await openStore(dir.join("data"))).store.close();
  assertEquals(years(), ["2022", "2023", "2024"]);
  dir.write("data/catalogue.sqlite", content(9_000));
  await (await openStore(dir.join("data"))).store.close();
  assertEquals(years().slice(0, 2), ["2023", "2024"]);
  assertEquals(years().length, 3);
  assert(![...Deno.readDirSync(dir.join("data"))].some(({ name }) => name.includes("2022")));
});

Deno.test("open() withdraws downloaded files that vanished meanwhile", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  const root = await addDownloaded(store, "f", content(100));
  await store.close();
  Deno.removeSync(`${store.dataDir}/files/${root}/f`);
  const { store: again, warnings } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.fileDefinitions(), []);
  assertEquals(warnings.length, 1);
});

Deno.test("open() takes a file as complete when the crash came right after its renaming", async () => {
  using dir = new TempDir();
  const bytes = content(5 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const { store } = await openStore(dir.join("data"));
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 5 });
  await store.close();
  Deno.mkdirSync(`${store.dataDir}/files/${root}`);
  Deno.renameSync(`${store.dataDir}/partial/${root}`, `${store.dataDir}/files/${root}/f`);
  for (let time = 0; time < 2; time++) {
    const { store: again, warnings } = await openStore(dir.join("data"));
    await using _ = again;
    assertEquals(again.fileDefinitions().map(({ origin }) => origin), ["downloaded"]);
    assertEquals(readAll(again, root), bytes);
    assertEquals(warnings, []);
  }
});

Deno.test("open() does not count chunks behind the end of a partial file that was cut", async () => {
  using dir = new TempDir();
  const bytes = content(5 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const { store } = await openStore(dir.join("data"));
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 5 });
  await store.close();
  Deno.truncateSync(`${store.dataDir}/partial/${root}`, 2 * CHUNK_BYTES + 10);
  const { store: again, warnings } = await openStore(dir.join("data"));
  await using _ = again;
  assertEquals(again.availableChunks(root)!.count, 0, "nothing counts before it was checked");
  await again.recover();
  assertEquals([...again.availableChunks(root)!.ranges()], [{ first: 0, count: 2 }]);
  assertEquals(warnings, []);
});

Deno.test("an ephemeral store remembers nothing and makes no catalogue", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"), { ephemeral: true });
  const bytes = content(3 * CHUNK_BYTES);
  const root = await addDownloaded(store, "f", bytes);
  store.addStatistic("bytesIn", 5);
  assertEquals(readAll(store, root), bytes);
  await store.close();
  assertThrows(() => Deno.statSync(dir.join("data/catalogue.sqlite")), Deno.errors.NotFound);
});

Deno.test("statistics() adds up across restarts", async () => {
  using dir = new TempDir();
  for (const expected of [5, 10]) {
    const { store } = await openStore(dir.join("data"));
    store.addStatistic("bytesIn", 2);
    store.addStatistic("bytesIn", 3);
    assertEquals(store.statistics().get("bytesIn"), expected);
    await store.close();
  }
});

Deno.test("remove() deletes downloaded and partial files, and never a shared one", async () => {
  using dir = new TempDir();
  const shared = content(100, 7);
  const { store, path } = await shareOne(dir, shared);
  await using _ = store;
  const root = await addDownloaded(store, "d", content(3 * CHUNK_BYTES));
  assert(store.remove(root));
  assertEquals(store.isComplete(root), false);
  assertEquals([...Deno.readDirSync(`${store.dataDir}/files`)], []);
  assertEquals(store.remove(rootOf(shared)), false);
  assert(store.isComplete(rootOf(shared)));
  assert(Deno.statSync(path).isFile);
});

Deno.test("a downloaded file goes when the same content is shared", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(3 * CHUNK_BYTES);
  const root = await addDownloaded(store, "d", bytes);
  dir.write("shared/s", bytes);
  store.shares.add(dir.join("shared"));
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ origin }) => origin), ["shared"]);
  assertEquals([...Deno.readDirSync(`${store.dataDir}/files`)], []);
  assertEquals(readAll(store, root), bytes);
});

/** Whether this process has a descriptor of the file. */
function isOpen(path: string): boolean {
  return [...Deno.readDirSync("/proc/self/fd")].some(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false;
    }
  });
}

function damageCatalogue(path: string, damage: string): void {
  if (damage === "rubbish") {
    Deno.writeFileSync(path, new TextEncoder().encode("rubbish ".repeat(2000)));
    return;
  }
  // The first page stays, so that it opens; the tables themselves cannot be read.
  const bytes = Deno.readFileSync(path);
  bytes.fill(0xff, 4096);
  Deno.writeFileSync(path, bytes);
}

Deno.test("recover() removes old leaf layers of no file, and no others", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const root = await addDownloaded(store, "f", content(3 * CHUNK_BYTES));
  const young = `data/leaves/00/${"0".repeat(64)}`;
  const old = `data/leaves/01/${"01".repeat(32)}`;
  dir.write(old, new Uint8Array(64));
  dir.write(young, new Uint8Array(64));
  Deno.utimeSync(dir.join(young), new Date(), new Date());
  Deno.utimeSync(`${store.dataDir}/leaves/${root.slice(0, 2)}/${root}`, 1e9, 1e9);
  assertEquals((await store.recover()).leavesRemoved, 1);
  assert(Deno.statSync(dir.join(young)).isFile);
  assertThrows(() => Deno.statSync(dir.join(old)), Deno.errors.NotFound);
  assertEquals((await Array.fromAsync(store.verify()))[0]!.outcome, "good");
});
