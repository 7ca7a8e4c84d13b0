// Nothing outside a share is ever given away, whatever takes the place of what was shared; and what
// is gone is withdrawn at once.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EnvironmentError, UsageError } from "../../../../src/base/errors.ts";
import { systemClock } from "../../../../src/base/clock.ts";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { ChunkStore } from "../../../../src/store/chunk_store.ts";
import { Catalogue } from "../../../../src/store/catalogue/catalogue.ts";
import { fingerprintOf, splitPath, StoredFile } from "../../../../src/store/files/stored_file.ts";
import { Hasher } from "../../../../src/store/hashing/hasher.ts";
import { change, content, openStore, readAll, rootOf, TempDir } from "../store_fixture.ts";

const SHARED = content(3 * CHUNK_BYTES, 1);
const PRIVATE = content(3 * CHUNK_BYTES, 2);

/** A directory with `shared/sub/f` and `private/f`. */
function makeFiles(): TempDir {
  const dir = new TempDir();
  dir.write("shared/sub/f", SHARED);
  dir.write("private/f", PRIVATE);
  return dir;
}

async function openShared(dir: TempDir) {
  const opened = await openStore(dir.join("data"));
  opened.store.shares.add(dir.join("shared"));
  opened.store.shares.start();
  await opened.store.shares.settled();
  return opened;
}

function replaceByLink(dir: TempDir): void {
  Deno.renameSync(dir.join("shared/sub"), dir.join("gone"));
  Deno.symlinkSync(dir.join("private"), dir.join("shared/sub"));
}

function withdrawn(store: ChunkStore): Promise<void> {
  return change(store, ({ kind }) => kind === "withdrawn");
}

Deno.test("a directory of a share that becomes a link gives nothing away: read, rescan, restart", async () => {
  using dir = makeFiles();
  {
    const { store } = await openShared(dir);
    await using _ = store;
    assertEquals(readAll(store, rootOf(SHARED)), SHARED);
    store.chunkClose(rootOf(SHARED));
    replaceByLink(dir);
    const target = new Uint8Array(CHUNK_BYTES);
    const read = () => store.readRun(rootOf(SHARED), { first: 0, count: 1 }, target);
    assertThrows(read, EnvironmentError);
    assertEquals(store.fileDefinitions(), []);
    await store.shares.settled();
    for (let i = 0; i < 2; i++) {
      await store.shares.rescan();
      assertEquals(store.fileDefinitions(), []);
    }
  }
  const { store } = await openShared(dir);
  await using _ = store;
  assertEquals(store.fileDefinitions(), []);
  // What is right again is shared again.
  Deno.removeSync(dir.join("shared/sub"));
  Deno.renameSync(dir.join("gone"), dir.join("shared/sub"));
  await store.shares.rescan();
  assertEquals(store.fileDefinitions().map(({ root }) => root), [rootOf(SHARED)]);
});

Deno.test("a link that came while no daemon ran gives nothing away, not even before the scan", async () => {
  using dir = makeFiles();
  const { store: before } = await openShared(dir);
  await before.close();
  replaceByLink(dir);
  // The very same to all looks but that at the path.
  Deno.removeSync(dir.join("private/f"));
  Deno.linkSync(dir.join("gone/f"), dir.join("private/f"));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const target = new Uint8Array(CHUNK_BYTES);
  assertEquals(store.fileDefinitions().length, 1);
  assertThrows(
    () => store.readRun(rootOf(SHARED), { first: 0, count: 1 }, target),
    EnvironmentError,
    "links are not followed",
  );
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions(), []);
});

Deno.test("a shared file that becomes a link is withdrawn and not shared", async () => {
  using dir = makeFiles();
  const { store } = await openShared(dir);
  await using _ = store;
  const done = withdrawn(store);
  Deno.removeSync(dir.join("shared/sub/f"));
  Deno.symlinkSync(dir.join("private/f"), dir.join("shared/sub/f"));
  await done;
  await store.shares.rescan();
  assertEquals(store.fileDefinitions(), []);
});

// The runtime tells nothing of such a change.
Deno.test("a shared file that a link replaces in one step is withdrawn and not shared", async () => {
  using dir = makeFiles();
  const { store } = await openShared(dir);
  await using _ = store;
  const done = withdrawn(store);
  Deno.symlinkSync(dir.join("private/f"), dir.join("link"));
  Deno.renameSync(dir.join("link"), dir.join("shared/sub/f"));
  await done;
  await store.shares.settled();
  assertEquals(store.fileDefinitions(), []);
});

const SUCCESSORS: Readonly<Record<string, (path: string, dir: TempDir) => void>> = {
  nothing: () => {},
  "a link": (path, dir) => Deno.symlinkSync(dir.join("private"), path),
  "a link to nothing": (path) => Deno.symlinkSync("nothing", path),
  "an empty directory": (path) => Deno.mkdirSync(path),
  "a file": (path) => Deno.writeTextFileSync(path, "new"),
};

for (const [what, make] of Object.entries(SUCCESSORS)) {
  for (const part of ["sub", "sub/f"]) {
    Deno.test(`shared ${part} that gives way to ${what} is withdrawn at once`, async () => {
      using dir = makeFiles();
      dir.write("shared/sub/deep/g", content(9));
      const { store } = await openShared(dir);
      await using _ = store;
      const done = withdrawn(store);
      const path = dir.join(`shared/${part}`);
      Deno.renameSync(path, dir.join("gone"));
      make(path, dir);
      await done;
      await store.shares.settled();
      const left = store.fileDefinitions().map(({ path }) => path)
        .filter((at) => at !== path);
      assertEquals(left, part === "sub" ? [] : [dir.join("shared/sub/deep/g")]);
      assert(!store.isComplete(rootOf(SHARED)));
    });
  }
}

Deno.test("a pipe in the place of a shared file holds up neither a read nor the scan", async () => {
  using dir = makeFiles();
  const paths = [dir.join("shared/sub/f"), dir.write("shared/other/g", content(9))];
  const { store: before } = await openStore(dir.join("data"));
  before.shares.add(dir.join("shared"));
  await before.close();
  {
    using catalogue = await Catalogue.open(dir.join("data/catalogue.sqlite"), "files");
    const files = paths.map((path) => {
      const content = { root: rootOf(SHARED), ...fingerprintOf(Deno.statSync(path)) };
      return new StoredFile("shared", splitPath(path), content);
    });
    catalogue.putStoredFiles(files);
  }
  for (const path of [dir.join("shared/sub/f"), dir.join("shared/other")]) {
    Deno.removeSync(path, { recursive: true });
    assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
  }
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const target = new Uint8Array(CHUNK_BYTES);
  assertEquals(store.fileDefinitions().length, 2);
  assertThrows(
    () => store.readRun(rootOf(SHARED), { first: 0, count: 1 }, target),
    EnvironmentError,
  );
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions(), []);
});

Deno.test("hashing follows no link below the share", async () => {
  using dir = makeFiles();
  using hasher = new Hasher(systemClock);
  replaceByLink(dir);
  const file = { path: dir.join("shared/sub/f"), shareRoot: dir.join("shared") };
  Deno.mkdirSync(dir.join("leaves"));
  for (
    const hash of [
      () => hasher.hash({ ...file, leavesPath: dir.join("leaves") }),
      () => hasher.sha256(file),
    ]
  ) {
    await assertRejects(hash, EnvironmentError, "links are not followed");
  }
  assertEquals([...Deno.readDirSync(dir.join("leaves"))], []);
});

Deno.test("the data directory is not shared through a link above it", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("home/data"));
  await using _ = store;
  dir.write("home/data/client.token", content(3));
  const kept = dir.write("home/f", content(4));
  Deno.symlinkSync(dir.join("home"), dir.join("link"));
  store.shares.add(dir.join("link"));
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ path }) => path), [dir.join("link/f")]);
  assertEquals(readAll(store, rootOf(content(4))), Deno.readFileSync(kept));
});

Deno.test("add() refuses a link below what is shared, and says what to share instead", async () => {
  using dir = makeFiles();
  const { store } = await openShared(dir);
  await using _ = store;
  Deno.symlinkSync(dir.join("private"), dir.join("shared/more"));
  for (const path of ["shared/more", "shared/more/f"]) {
    const error = assertThrows(() => store.shares.add(dir.join(path)), UsageError, "link");
    assert(error.hint?.includes(dir.join("private")), error.hint);
  }
  assertEquals(store.shares.paths(), [dir.join("shared")]);
});
