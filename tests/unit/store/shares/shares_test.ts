import { assert, assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError, UsageError } from "../../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { Root } from "../../../../src/base/ids.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import { change, content, openStore, readAll, rootOf, TempDir } from "../store_fixture.ts";

/** A directory, and a store that shares the directory `shared` in it. */
async function setUp(files: Record<string, Uint8Array> = {}) {
  const dir = new TempDir();
  Deno.mkdirSync(dir.join("shared"));
  for (const [name, bytes] of Object.entries(files)) dir.write(`shared/${name}`, bytes);
  const opened = await openStore(dir.join("data"));
  opened.store.shares.add(dir.join("shared"));
  opened.store.shares.start();
  await opened.store.shares.settled();
  return {
    ...opened,
    dir,
    async [Symbol.asyncDispose]() {
      await opened.store.close();
      dir[Symbol.dispose]();
    },
  };
}

function names(store: ChunkStore): string[] {
  return store.fileDefinitions().map(({ name }) => name).sort();
}

Deno.test("scan finds all files below a directory, and follows no links", async () => {
  await using t = await setUp({ "a": content(1), "sub/b": content(2), "sub/deep/c": content(3) });
  t.dir.write("outside/d", content(4));
  Deno.symlinkSync(t.dir.join("outside/d"), t.dir.join("shared/link-to-file"));
  Deno.symlinkSync(t.dir.join("outside"), t.dir.join("shared/link-to-directory"));
  Deno.symlinkSync(t.dir.join("shared"), t.dir.join("shared/sub/loop"));
  Deno.symlinkSync(t.dir.join("nowhere"), t.dir.join("shared/dangling"));
  await t.store.shares.rescan();
  assertEquals(names(t.store), ["a", "b", "c"]);
  for (const { root, name } of t.store.fileDefinitions()) {
    const size = { "a": 1, "b": 2, "c": 3 }[name]!;
    assertEquals(readAll(t.store, root), content(size));
  }
  const { message, fields } = t.warnings.at(-1)!;
  assert(message.includes("not followed"), message);
  assertEquals(fields["links"], 4);
});

Deno.test({
  name: "scan skips silently where pacman downloads into a share",
  // To anybody but root a directory of their own that is called so is one like others.
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0,
  async fn() {
    await using t = await setUp({ "a": content(1), "download-Xy3zA9/b": content(2) });
    t.dir.write("shared/download-abcdef/c", content(3));
    Deno.chmodSync(t.dir.join("shared/download-Xy3zA9"), 0o700);
    await t.store.shares.rescan();
    assertEquals(names(t.store), ["a", "c"]);
    // One that comes while others are watched, and goes on changing.
    Deno.mkdirSync(t.dir.join("shared/download-q1W2e3"), { mode: 0o700 });
    t.dir.write("shared/download-q1W2e3/d", content(4));
    const added = change(t.store, ({ kind }) => kind === "added");
    t.dir.write("shared/e", content(5));
    await added;
    assertEquals(names(t.store), ["a", "c", "e"]);
    assertEquals(t.warnings, []);
  },
});

Deno.test("scan skips unfinished downloads, names that will not do, pipes and the data directory", async () => {
  using dir = new TempDir();
  const kept = dir.write("good", content(1));
  for (const name of ["x.part", ".pacsrv-x", "new\nline", "bell\x07"]) {
    dir.write(name, content(2));
  }
  await new Deno.Command("mkfifo", { args: [dir.join("pipe")] }).output();
  const { store, warnings } = await openStore(dir.join("data"));
  await using _ = store;
  dir.write("data/client.token", content(3));
  Deno.symlinkSync(dir.join("data/client.token"), dir.join("link-to-token"));
  store.shares.add(dir.path);
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ path }) => path), [kept]);
  assertEquals(warnings.length, 3);
  assert(warnings.slice(0, 2).every(({ message }) => message.includes("control character")));
  assert(warnings[2]!.message.includes("not followed"));
});

Deno.test("a watched directory is followed: new, changed, renamed and deleted files", async () => {
  await using t = await setUp({ "old": content(10) });
  const { store, dir } = t;
  let done = change(store, ({ kind }) => kind === "added");
  dir.write("shared/new", content(20));
  await done;
  assertEquals(names(store), ["new", "old"]);

  const changed = content(3 * CHUNK_BYTES, 5);
  done = change(store, (c) => c.kind === "added" && c.root === rootOf(changed));
  dir.write("shared/old", changed);
  await done;
  assertEquals(store.isComplete(rootOf(content(10))), false);

  done = change(store, (c) => c.kind === "added" && c.name === "moved");
  Deno.renameSync(dir.join("shared/new"), dir.join("shared/moved"));
  await done;

  done = change(store, (c) => c.kind === "withdrawn" && c.name === "old");
  Deno.removeSync(dir.join("shared/old"));
  await done;
  await store.shares.settled();
  assertEquals(names(store), ["moved"]);
});

Deno.test("a watched directory is followed: a tree that is moved in and away", async () => {
  await using t = await setUp();
  t.dir.write("tree/x/y/z", content(7));
  let done = change(t.store, (c) => c.kind === "added" && c.name === "z");
  Deno.renameSync(t.dir.join("tree"), t.dir.join("shared/tree"));
  await done;
  done = change(t.store, (c) => c.kind === "withdrawn" && c.name === "z");
  Deno.renameSync(t.dir.join("shared/tree"), t.dir.join("tree"));
  await done;
  assertEquals(names(t.store), []);
});

Deno.test("a single shared file is followed when it is replaced by renaming", async () => {
  using dir = new TempDir();
  const path = dir.write("d/f", content(10));
  dir.write("d/beside", content(11));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.shares.add(path);
  store.shares.start();
  await store.shares.settled();
  assertEquals(names(store), ["f"]);
  const done = change(store, (c) => c.kind === "added" && c.root === rootOf(content(30)));
  dir.write("d/f.new", content(30));
  Deno.renameSync(dir.join("d/f.new"), path);
  await done;
  assertEquals(names(store), ["f"]);
});

Deno.test("a file that grows while it is hashed ends up shared as what it is at last", async () => {
  await using t = await setUp();
  const bytes = content(400 * CHUNK_BYTES);
  const path = t.dir.join("shared/growing");
  const done = change(t.store, (c) => c.kind === "added" && c.root === rootOf(bytes));
  using file = await Deno.open(path, { create: true, write: true });
  for (let i = 0; i < 400; i += 40) {
    file.writeSync(bytes.subarray(i * CHUNK_BYTES, (i + 40) * CHUNK_BYTES));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await done;
  assertEquals(t.store.definitionsByName("growing").map(({ root }) => root), [rootOf(bytes)]);
});

Deno.test("an unchanged file is not hashed again after a restart, a changed one is", async () => {
  using dir = new TempDir();
  dir.write("shared/same", content(2 * CHUNK_BYTES, 1));
  dir.write("shared/other", content(2 * CHUNK_BYTES, 2));
  dir.write("shared/gone", content(2 * CHUNK_BYTES, 3));
  {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    store.shares.add(dir.join("shared"));
    store.shares.start();
    await store.shares.settled();
  }
  Deno.removeSync(dir.join("shared/gone"));
  Deno.writeFileSync(dir.join("shared/other"), content(2 * CHUNK_BYTES, 4));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  // Offered at once, before any scan.
  assertEquals(names(store), ["gone", "other", "same"]);
  const added: Root[] = [];
  store.onChange((c) => c.kind === "added" && added.push(c.root));
  assertEquals(store.shares.paths(), [dir.join("shared")]);
  store.shares.start();
  await store.shares.settled();
  assertEquals(added, [rootOf(content(2 * CHUNK_BYTES, 4))]);
  assertEquals(names(store), ["other", "same"]);
});

Deno.test("start() withdraws at once what was shared for the last run only", async () => {
  using dir = new TempDir();
  dir.write("shared/f", content(5));
  for (const isShared of [true, false]) {
    const { store } = await openStore(dir.join("data"));
    await using _ = store;
    if (isShared) store.shares.add(dir.join("shared"), { persist: false });
    store.shares.start();
    if (isShared) await store.shares.settled();
    assertEquals(names(store), isShared ? ["f"] : []);
  }
});

Deno.test("remove() withdraws a share, and one file out of a shared directory for good", async () => {
  await using t = await setUp({ "a": content(1), "b": content(2), "c/d": content(3) });
  const { store, dir } = t;
  assert(store.shares.remove(dir.join("shared/b")));
  assertEquals(names(store), ["a", "d"]);
  await store.shares.rescan();
  assertEquals(names(store), ["a", "d"]);
  assert(!store.shares.remove(dir.join("shared/b")));
  store.shares.add(dir.join("shared/b"));
  await store.shares.settled();
  assertEquals(names(store), ["a", "b", "d"]);
  assert(store.shares.remove(dir.join("shared")));
  assertEquals(names(store), []);
  assertEquals(store.shares.paths(), []);
  assertEquals([...Deno.readDirSync(dir.join("shared"))].length, 3);
});

Deno.test("add() refuses what is not there, the data directory, and unfinished downloads", async () => {
  await using t = await setUp();
  const { store, dir } = t;
  const missing = assertThrows(() => store.shares.add(dir.join("missing")), EnvironmentError);
  assertEquals(missing.code, "not-found");
  assertThrows(() => store.shares.add(store.dataDir), UsageError, "data directory");
  assertThrows(() => store.shares.add(`${store.dataDir}/files`), UsageError, "data directory");
  assertThrows(() => store.shares.add(dir.write("x.part", content(1))), UsageError, "unfinished");
  assertThrows(() => store.shares.add("/dev/null"), UsageError, "neither");
  assertEquals(store.shares.paths(), [dir.join("shared")]);
});

Deno.test("a shared directory that vanishes and returns is followed by rescan()", async () => {
  await using t = await setUp({ "f": content(9) });
  Deno.renameSync(t.dir.join("shared"), t.dir.join("away"));
  await t.store.shares.rescan();
  assertEquals(names(t.store), []);
  Deno.renameSync(t.dir.join("away"), t.dir.join("shared"));
  await t.store.shares.rescan();
  assertEquals(names(t.store), ["f"]);
});

for (const how of ["removed", "renamed"]) {
  Deno.test(`a shared directory that is ${how} and made again later is followed`, async () => {
    await using t = await setUp({ "old": content(1) });
    const { store, dir } = t;
    let done = change(store, (c) => c.kind === "withdrawn" && c.name === "old");
    if (how === "removed") Deno.removeSync(dir.join("shared"), { recursive: true });
    else Deno.renameSync(dir.join("shared"), dir.join("away"));
    await done;
    await store.shares.settled();
    done = change(store, (c) => c.kind === "added" && c.name === "first");
    dir.write("shared/first", content(2));
    await done;
    // That one may be found by looking at everything; the next one only by watching.
    await store.shares.settled();
    done = change(store, (c) => c.kind === "added" && c.name === "second");
    dir.write("shared/second", content(3));
    await done;
    assertEquals(names(store), ["first", "second"]);
  });
}

Deno.test("a shared link is followed when it leads to another directory", async () => {
  using dir = new TempDir();
  dir.write("r1/one", content(1));
  dir.write("r2/two", content(2));
  Deno.symlinkSync(dir.join("r1"), dir.join("current"));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  store.shares.add(dir.join("current"));
  store.shares.start();
  await store.shares.settled();
  assertEquals(names(store), ["one"]);
  let done = change(store, (c) => c.kind === "added" && c.name === "two");
  Deno.symlinkSync(dir.join("r2"), dir.join("next"));
  Deno.renameSync(dir.join("next"), dir.join("current"));
  await done;
  await store.shares.settled();
  assertEquals(names(store), ["two"]);
  done = change(store, (c) => c.kind === "added" && c.name === "three");
  dir.write("r2/three", content(3));
  await done;
});

Deno.test("rescan() watches a shared directory that replaced another", async () => {
  // Whether an old watch ends in time is a matter of luck: so many do not all have it.
  const all = await Promise.all(Array.from({ length: 8 }, () => setUp({ "f": content(9) })));
  await using closing = new AsyncDisposableStack();
  for (const one of all) closing.use(one);
  await Promise.all(all.map(async ({ store, dir }) => {
    dir.write("other/g", content(10));
    Deno.renameSync(dir.join("shared"), dir.join("away"));
    Deno.renameSync(dir.join("other"), dir.join("shared"));
    await store.shares.rescan();
    assertEquals(names(store), ["g"]);
    const done = change(store, (c) => c.kind === "added" && c.name === "h");
    dir.write("shared/h", content(11));
    await done;
  }));
});

Deno.test("a shared directory that replaces another is followed without being told", async () => {
  await using t = await setUp({ "f": content(9) });
  const { store, dir } = t;
  dir.write("other/g", content(10));
  let done = change(store, (c) => c.kind === "added" && c.name === "g");
  Deno.renameSync(dir.join("shared"), dir.join("away"));
  Deno.renameSync(dir.join("other"), dir.join("shared"));
  await done;
  await store.shares.settled();
  assertEquals(names(store), ["g"]);
  done = change(store, (c) => c.kind === "added" && c.name === "h");
  dir.write("shared/h", content(11));
  await done;
});

Deno.test("a file that is written to where it lies is followed", async () => {
  await using t = await setUp({ "f": content(9) });
  // Once as one that was there at the start, and then as one that changed before.
  for (const bytes of [content(12), content(13)]) {
    const done = change(t.store, (c) => c.kind === "added" && c.root === rootOf(bytes));
    Deno.writeFileSync(t.dir.join("shared/f"), bytes);
    await done;
    assertEquals(names(t.store), ["f"]);
  }
});

Deno.test("names that are not UTF-8 are told of once, and the watch goes on", async () => {
  await using t = await setUp({ "f": content(9) });
  const { store, dir, warnings } = t;
  // Only a shell can make such a file; a replacement character in a name is nothing special.
  const script = `cd "$1" && touch "$(printf 'a\\377b')" "$(printf 'c\\376')"`;
  const made = await new Deno.Command("sh", { args: ["-c", script, "sh", dir.join("shared")] })
    .output();
  assert(made.success);
  const done = change(store, (c) => c.kind === "added" && c.name === "after\ufffd");
  dir.write("shared/after\ufffd", content(10));
  await done;
  await store.shares.settled();
  for (let i = 0; i < 2; i++) await store.shares.rescan();
  assertEquals(names(store), ["after\ufffd", "f"]);
  assertEquals(warnings.length, 1);
  assert(warnings[0]!.message.includes("not valid UTF-8"), warnings[0]!.message);
});

Deno.test("leaf layers go when nothing needs them any more", async () => {
  const bytes = content(3 * CHUNK_BYTES);
  await using t = await setUp({ "a": bytes, "b": bytes });
  const root = rootOf(bytes);
  const sidecar = `${t.store.dataDir}/leaves/${root.slice(0, 2)}/${root}`;
  t.store.shares.remove(t.dir.join("shared/a"));
  assert(Deno.statSync(sidecar).isFile);
  t.store.shares.remove(t.dir.join("shared/b"));
  assertThrows(() => Deno.statSync(sidecar), Deno.errors.NotFound);
});

Deno.test("sharing writes nothing into the shared directory and copies nothing", async () => {
  const bytes = content(100 * CHUNK_BYTES);
  await using t = await setUp({ "f": bytes });
  const before = Deno.statSync(t.dir.join("shared/f"));
  await t.store.shares.rescan();
  readAll(t.store, rootOf(bytes));
  assertEquals([...Deno.readDirSync(t.dir.join("shared"))].map(({ name }) => name), ["f"]);
  assertEquals(Deno.statSync(t.dir.join("shared/f")).ctime, before.ctime);
  assertEquals([...Deno.readDirSync(`${t.store.dataDir}/files`)], []);
});

Deno.test("serving is not held up while a big file is hashed", async () => {
  await using t = await setUp({ "served": content(32 * CHUNK_BYTES) });
  const root = rootOf(content(32 * CHUNK_BYTES));
  const target = new Uint8Array(32 * CHUNK_BYTES);
  using big = Deno.createSync(t.dir.join("shared/big"));
  const done = change(t.store, (c) => c.kind === "added" && c.name === "big");
  big.truncateSync(256 * 2 ** 20);
  let isDone = false, readsDuringHash = 0;
  void done.then(() => isDone = true);
  while (!isDone) {
    t.store.readRun(root, { first: 0, count: 32 }, target);
    if (t.store.shares.filesWaiting > 0) readsDuringHash++;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert(readsDuringHash > 10, `${readsDuringHash} reads while hashing`);
});
