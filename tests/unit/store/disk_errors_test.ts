import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../src/base/errors.ts";
import { CHUNK_BYTES } from "../../../src/base/geometry.ts";
import { limits } from "../../../src/base/limits.ts";
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

/** A small file system of its own, in memory. */
class SmallDisk implements Disposable {
  readonly #dir = new TempDir();
  readonly path = this.#dir.join("disk");

  constructor(size: string) {
    Deno.mkdirSync(this.path);
    run("mount", "-t", "tmpfs", "-o", `size=${size}`, "pacsrv-test", this.path);
  }

  makeReadOnly(): void {
    run("mount", "-o", "remount,ro", this.path);
  }

  [Symbol.dispose](): void {
    run("umount", this.path);
    this.#dir[Symbol.dispose]();
  }
}

function run(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}

const whyNot = reasonAgainstMounting();
if (whyNot !== undefined) console.log(`Skipping tests on a small disk: ${whyNot}`);

function reasonAgainstMounting(): string | undefined {
  if (Deno.build.os !== "linux") return "they need Linux";
  if (Deno.uid() !== 0) return "only root can mount one";
  try {
    using _ = new SmallDisk("64k");
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function diskTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: whyNot !== undefined });
}

diskTest(
  "writeRun() throws no-space on a full disk, and all goes on once there is room",
  async () => {
    using disk = new SmallDisk("1m");
    const { store } = await openStore(`${disk.path}/data`);
    await using _ = store;
    const bytes = content(200 * CHUNK_BYTES);
    const request = { root: rootOf(bytes), name: "f", sizeBytes: bytes.length };
    const download = store.beginDownload(request);
    giveLeaves(download, bytes);
    let written = 0;
    const error = assertThrows(() => {
      for (let first = 0; first < 200; first += 4) {
        giveChunks(download, bytes, { first, count: 4 });
        written = first + 4;
      }
    }, EnvironmentError);
    assertEquals(error.code, "no-space");
    assert(error.hint?.includes("space"));
    assert(written > 0 && download.have.count === written);
    const target = new Uint8Array(4 * CHUNK_BYTES);
    store.readRun(request.root, { first: 0, count: 4 }, target);
    assertEquals(target, bytes.subarray(0, target.length));
    download.discard();
    const small = content(10 * CHUNK_BYTES, 2);
    assertEquals(readAll(store, await addDownloaded(store, "small", small)), small);
  },
);

diskTest(
  "UnverifiedDownload.write() throws no-space on a full disk, and goes on once there is room",
  async () => {
    using disk = new SmallDisk("1m");
    const { store } = await openStore(`${disk.path}/data`);
    await using _ = store;
    const ballast = `${disk.path}/ballast`;
    const bytes = content(20 * CHUNK_BYTES);
    const unverified = store.openUnverified({ name: "f", sizeBytes: bytes.length, key: "k" });
    unverified.write(0, bytes.subarray(0, CHUNK_BYTES));
    fill(ballast);
    const rest = bytes.subarray(CHUNK_BYTES);
    const error = assertThrows(() => unverified.write(CHUNK_BYTES, rest), EnvironmentError);
    assertEquals([error.code, unverified.bytesHad], ["no-space", CHUNK_BYTES]);
    Deno.removeSync(ballast);
    unverified.write(CHUNK_BYTES, rest);
    assertEquals(readAll(store, (await unverified.promote()).root), bytes);
  },
);

diskTest(
  "checkpoint() throws no-space when the catalogue cannot grow, and works later",
  async () => {
    using disk = new SmallDisk("1m");
    const { store } = await openStore(`${disk.path}/data`);
    await using _ = store;
    // A bitfield of 128 KiB in the catalogue, for a file that is never to be whole.
    const bytes = content(CHUNK_BYTES);
    const root = rootOf(content(3));
    const download = store.beginDownload({ root, name: "f", sizeBytes: 2 ** 20 * CHUNK_BYTES });
    download.writeRun(0, bytes);
    const ballast = `${disk.path}/ballast`;
    fill(ballast);
    const error = await assertRejects(() => download.checkpoint(), EnvironmentError);
    assertEquals(error.code, "no-space");
    assertEquals(download.have.count, 1);
    Deno.removeSync(ballast);
    assert(!download.checkpointDue(0));
    assert(download.checkpointDue(1e9));
    await download.checkpoint();
  },
);

diskTest("suspend() on a full disk lets the download go on once there is room", async () => {
  using disk = new SmallDisk("1m");
  const { store } = await openStore(`${disk.path}/data`);
  await using _ = store;
  // A bitfield of 128 KiB in the catalogue, for a file that is never to be whole.
  const request = { root: rootOf(content(3)), name: "f", sizeBytes: 2 ** 20 * CHUNK_BYTES };
  const download = store.beginDownload(request);
  download.writeRun(0, content(CHUNK_BYTES));
  const ballast = `${disk.path}/ballast`;
  fill(ballast);
  const error = await assertRejects(() => download.suspend(), EnvironmentError);
  assertEquals(error.code, "no-space");
  assertEquals(store.beginDownload(request), download);
  assertEquals(download.have.count, 1);
  Deno.removeSync(ballast);
  await download.suspend();
  await store.close();
  const { store: again } = await openStore(`${disk.path}/data`);
  await using _again = again;
  assertEquals(again.availableChunks(request.root)?.count, 1);
});

diskTest(
  "a file whose leaf layer has no room is not shared, is named, and others are",
  async () => {
    using disk = new SmallDisk("1m");
    using dir = new TempDir();
    dir.write("shared/big", new Uint8Array(0));
    Deno.truncateSync(dir.join("shared/big"), 2 ** 29);
    dir.write("shared/small", content(5));
    const { store, warnings } = await openStore(`${disk.path}/data`);
    await using _ = store;
    store.shares.add(dir.join("shared"));
    store.shares.start();
    await store.shares.settled();
    assertEquals(store.fileDefinitions().map(({ name }) => name), ["small"]);
    assertEquals(warnings.length, 1);
    assert(
      /big.*No space left.*once there is room/.test(warnings[0]!.message),
      warnings[0]!.message,
    );
    assertEquals(store.shares.filesWaiting, 1);
    assertEquals([...Deno.readDirSync(`${disk.path}/data/leaves`)], []);
  },
);

diskTest("add() throws and does not share when that cannot be kept on a full disk", async () => {
  using disk = new SmallDisk("1m");
  using dir = new TempDir();
  dir.write("shared/f", content(5));
  const { store, warnings } = await openStore(`${disk.path}/data`);
  await using _ = store;
  store.shares.start();
  const ballast = `${disk.path}/ballast`;
  fill(ballast);
  const error = assertThrows(() => store.shares.add(dir.join("shared")), EnvironmentError);
  assertEquals(error.code, "no-space");
  assert(error.hint?.includes("space"));
  await store.shares.settled();
  assertEquals(store.shares.paths(), []);
  assertEquals(store.fileDefinitions(), []);
  assertEquals(warnings, []);
  Deno.removeSync(ballast);
  store.shares.add(dir.join("shared"));
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ name }) => name), ["f"]);
});

diskTest("a file that found no room is hashed by itself once there is some", async () => {
  using disk = new SmallDisk("1m");
  using dir = new TempDir();
  const bytes = content(4_000 * CHUNK_BYTES);
  const clock = new ManualClock({ startUnixMs: 1_800_000_000_000 });
  const { store, warnings } = await openStore(`${disk.path}/data`, { clock });
  await using _ = store;
  store.shares.add(dir.write("f", bytes));
  const ballast = `${disk.path}/ballast`;
  fill(ballast);
  store.shares.start();
  await store.shares.settled();
  assertEquals(store.fileDefinitions(), []);
  // While there is none it is not hashed in vain, and nobody hears of it again.
  await clock.advance(limits.roomCheckMs);
  await store.shares.settled();
  assertEquals([store.fileDefinitions().length, store.shares.filesWaiting], [0, 1]);
  assertEquals(warnings.length, 1);
  Deno.removeSync(ballast);
  await clock.advance(limits.roomCheckMs);
  await store.shares.settled();
  assertEquals(store.fileDefinitions().map(({ root }) => root), [rootOf(bytes)]);
  assertEquals(store.shares.filesWaiting, 0);
});

diskTest(
  "remove() on a full disk holds at once, says why not for good, and is kept later",
  async () => {
    using disk = new SmallDisk("1m");
    using dir = new TempDir();
    const clock = new ManualClock({ startUnixMs: 1_800_000_000_000 });
    const { store } = await openStore(`${disk.path}/data`, { clock });
    for (const name of ["a", "b"]) store.shares.add(dir.write(name, content(5)));
    assertEquals(store.shares.unkeptWhy, undefined);
    const ballast = `${disk.path}/ballast`;
    fill(ballast);
    assert(store.shares.remove(dir.join("a")));
    assertEquals(store.shares.paths(), [dir.join("b")]);
    assert(store.shares.unkeptWhy?.includes("full"), store.shares.unkeptWhy);
    Deno.removeSync(ballast);
    await clock.advance(limits.roomCheckMs);
    assertEquals(store.shares.unkeptWhy, undefined);
    await store.close();
    const { store: again } = await openStore(`${disk.path}/data`);
    await using _ = again;
    assertEquals(again.shares.paths(), [dir.join("b")]);
  },
);

diskTest("open() says that the data directory is read-only", async () => {
  using disk = new SmallDisk("1m");
  const { store } = await openStore(`${disk.path}/data`);
  await store.close();
  disk.makeReadOnly();
  for (const dataDir of [`${disk.path}/data`, `${disk.path}/other`]) {
    const error = await assertRejects(() => openStore(dataDir), EnvironmentError);
    assertEquals(error.code, "read-only");
    assert(error.hint !== undefined);
  }
});

diskTest("finish() moves a file to another file system and leaves no trace beside it", async () => {
  using disk = new SmallDisk("1m");
  using dir = new TempDir();
  Deno.mkdirSync(dir.join("data"));
  Deno.symlinkSync(disk.path, dir.join("data/files"));
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const bytes = content(10 * CHUNK_BYTES);
  const root = rootOf(bytes);
  const download = store.beginDownload({ root, name: "f", sizeBytes: bytes.length });
  giveLeaves(download, bytes);
  giveChunks(download, bytes, { first: 0, count: 10 });
  await download.finish();
  assertEquals(Deno.readFileSync(`${disk.path}/${root}/f`), bytes);
  assertEquals([...Deno.readDirSync(`${disk.path}/${root}`)].map(({ name }) => name), ["f"]);
  assertEquals([...Deno.readDirSync(`${store.dataDir}/partial`)], []);
  assertEquals(readAll(store, root), bytes);
});

function fill(path: string): void {
  using file = Deno.createSync(path);
  assertThrows(() => {
    for (;;) file.writeSync(new Uint8Array(4096));
  });
}
