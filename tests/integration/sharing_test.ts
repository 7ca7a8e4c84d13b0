// What a daemon shares: directories that change while it runs, never a copy of anything, and no file
// twice on the disk; and when it is ready, and ends.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ask, placesOf, untilListed, untilShared } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import {
  assertSameFile,
  namesIn,
  randomBytes,
  randomFile,
  TempDir,
  treeOf,
} from "./support/files.ts";
import { PacsrvProcess, runPacsrv } from "./support/process.ts";
import { RawNode } from "./support/raw_node.ts";
import { SOON_MS } from "./support/wait.ts";

const MIB = 1024 * 1024;

Deno.test("daemon follows a shared directory while it runs", async (t) => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared");
  await randomFile(`${shared}/first.bin`, 100_000, 40);
  await using daemon = await startDaemon({ shares: [shared] });
  await untilShared(daemon, "first.bin");

  await t.step("a new file appears, in a new directory too", async () => {
    await randomFile(`${shared}/second.bin`, 100_000, 41);
    await randomFile(await dir.sub("shared", "deep", "er", "third.bin"), 100_000, 42);
    await untilShared(daemon, "second.bin", "third.bin");
  });
  await t.step("one that is moved in appears", async () => {
    await randomFile(`${dir.path}/fourth.bin`, 100_000, 43);
    await Deno.rename(`${dir.path}/fourth.bin`, `${shared}/fourth.bin`);
    await untilShared(daemon, "fourth.bin");
  });
  await t.step("a deleted one goes", async () => {
    await Deno.remove(`${shared}/second.bin`);
    await untilGone(daemon, "second.bin");
  });
  await t.step("a changed one is hashed again", async () => {
    const [{ root } = { root: "" }] = await placesOf(daemon, "first.bin");
    await randomFile(`${shared}/first.bin`, 70_000, 44);
    const sizeBytes = await untilListed(daemon, {
      what: "another root of first.bin",
      find: (files) => files.find((f) => f.name === "first.bin" && f.root !== root)?.sizeBytes,
    });
    assertEquals(sizeBytes, 70_000);
    const { code } = await runPacsrv(
      ["fetch", "first.bin", "-o", `${dir.path}/out`, "--alone", "--peer", daemon.node],
    );
    assertEquals(code, 0);
    await assertSameFile(`${dir.path}/out`, `${shared}/first.bin`);
  });
  await t.step("a renamed one changes its name", async () => {
    await Deno.rename(`${shared}/fourth.bin`, `${shared}/fifth.bin`);
    await untilShared(daemon, "fifth.bin");
    await untilGone(daemon, "fourth.bin");
  });
  await t.step("a directory that goes takes its files along", async () => {
    await Deno.remove(`${shared}/deep`, { recursive: true });
    await untilGone(daemon, "third.bin");
  });
  await t.step("pacsrv share and unshare begin and end it, without a restart", async () => {
    await randomFile(await dir.sub("more", "sixth.bin"), 100_000, 45);
    assertEquals((await daemon.run(["share", `${dir.path}/more`])).code, 0);
    await untilShared(daemon, "sixth.bin");
    assertEquals((await daemon.run(["unshare", `${dir.path}/more`])).code, 0);
    await untilGone(daemon, "sixth.bin");
    assertEquals(await namesIn(`${dir.path}/more`), ["sixth.bin"]);
  });
});

Deno.test("daemon remembers what pacsrv share told it, but not the flags of a start", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.folder("data");
  await randomFile(await dir.sub("kept", "kept.bin"), 100_000, 46);
  await randomFile(await dir.sub("once", "once.bin"), 100_000, 47);
  {
    await using daemon = await startDaemon({ dataDir, shares: [`${dir.path}/once`] });
    assertEquals((await daemon.run(["share", `${dir.path}/kept`])).code, 0);
    await untilShared(daemon, "kept.bin", "once.bin");
    await daemon.stop();
  }
  await using daemon = await startDaemon({ dataDir });
  await untilShared(daemon, "kept.bin");
  await untilGone(daemon, "once.bin");
});

Deno.test("SIGHUP has the daemon look for a share that was not there", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared");
  await randomFile(`${shared}/early.bin`, 100_000, 48);
  await using daemon = await startDaemon({ shares: [shared] });
  await untilShared(daemon, "early.bin");
  // Where the shared directory was moved away, nobody watches until it is looked for again.
  await Deno.rename(shared, `${dir.path}/away`);
  await untilGone(daemon, "early.bin");
  await Deno.mkdir(shared);
  await randomFile(`${shared}/late.bin`, 100_000, 49);
  daemon.kill("SIGHUP");
  await untilShared(daemon, "late.bin");
});

Deno.test("sharing copies nothing and does not touch what is shared", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), dataDir = await dir.folder("data");
  await randomFile(`${shared}/file.bin`, 40 * MIB, 50);
  const before = await Deno.stat(`${shared}/file.bin`);
  await using daemon = await startDaemon({ dataDir, shares: [shared] });
  await untilShared(daemon, "file.bin");
  const { code } = await runPacsrv(
    ["fetch", "file.bin", "-o", `${dir.path}/out`, "--alone", "--peer", daemon.node],
  );
  assertEquals(code, 0);
  const [place] = await placesOf(daemon, "file.bin");
  assertEquals([place?.origin, place?.path], ["shared", `${shared}/file.bin`]);
  let dataBytes = 0;
  for (const path of await treeOf(dataDir)) {
    dataBytes += (await Deno.stat(`${dataDir}/${path}`)).size;
  }
  // Leaves are 0.2 per cent, and the catalogue is small.
  assert(dataBytes < 2 * MIB, `the data directory has ${dataBytes} bytes`);
  assertEquals(await treeOf(`${dataDir}/files`), []);
  const after = await Deno.stat(`${shared}/file.bin`);
  assertEquals([after.ino, after.mtime, after.mode], [before.ino, before.mtime, before.mode]);
});

Deno.test("daemon never shares its own data directory", async () => {
  await using dir = await TempDir.make();
  const dataDir = await dir.folder("all", "data");
  await randomFile(await dir.sub("all", "file.bin"), 100_000, 51);
  await using daemon = await startDaemon({ dataDir, shares: [`${dir.path}/all`] });
  await untilShared(daemon, "file.bin");
  assertEquals((await ask(daemon, "list", {})).map(({ name }) => name), ["file.bin"]);
  const { code, stderr } = await daemon.run(["share", `${dataDir}/client.token`]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "it is in the data directory");
});

Deno.test("what is fetched stays in the store and is offered on", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "file.bin");
  await randomFile(path, 3 * MIB + 1, 52);
  await using middle = await startDaemon();
  {
    await using holder = await startDaemon({ shares: [path], peers: [middle.node] });
    await untilShared(holder, "file.bin");
    await middle.linked(1);
    const { code, stderr } = await middle.run(["fetch", "file.bin", "-o", `${dir.path}/one`]);
    assertEquals(code, 0, stderr);
  }
  const [place] = await placesOf(middle, "file.bin");
  assertEquals(place?.origin, "downloaded");
  assert(place?.path.startsWith(middle.dataDir) === true);
  const { code, stderr } = await runPacsrv(
    ["fetch", "file.bin", "-o", `${dir.path}/two`, "--alone", "--peer", middle.node],
  );
  assertEquals(code, 0, stderr);
  await assertSameFile(`${dir.path}/two`, path);
});

Deno.test("what is fetched into a shared directory is not kept twice", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "file.bin");
  await randomFile(path, 3 * MIB + 1, 53);
  await using holder = await startDaemon({ shares: [path] });
  await untilShared(holder, "file.bin");
  const cache = await dir.folder("cache");
  await using daemon = await startDaemon({ shares: [cache], peers: [holder.node] });
  await daemon.linked(1);
  const { code, stderr } = await daemon.run(["fetch", "file.bin", "-o", `${cache}/file.bin`]);
  assertEquals(code, 0, stderr);
  const places = await untilListed(daemon, {
    what: "one place, in the shared directory",
    find: (files) => {
      const places = files.filter(({ name }) => name === "file.bin");
      return places.length === 1 && places[0]!.origin === "shared" && places;
    },
  });
  assertEquals(places[0]!.path, `${cache}/file.bin`);
  assertEquals(await treeOf(`${daemon.dataDir}/files`), []);
  await assertSameFile(`${cache}/file.bin`, path);
});

Deno.test("pacsrv unshare removes a downloaded file from the store", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "file.bin");
  await randomFile(path, MIB, 54);
  await using holder = await startDaemon({ shares: [path] });
  await untilShared(holder, "file.bin");
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  assertEquals((await daemon.run(["fetch", "file.bin", "-o", `${dir.path}/out`])).code, 0);
  assertEquals((await daemon.run(["unshare", "file.bin"])).code, 0);
  assertEquals(await ask(daemon, "list", {}), []);
  assertEquals(await treeOf(`${daemon.dataDir}/files`), []);
  const again = await daemon.run(["unshare", "file.bin"]);
  assertEquals(again.code, 3);
  assertStringIncludes(again.stderr, 'Cannot find "file.bin": it is not here');
});

Deno.test("pacsrv verify finds what rotted on the disk, and ends with 4", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "file.bin");
  await randomFile(path, MIB, 55);
  await using daemon = await startDaemon({ shares: [path] });
  await untilShared(daemon, "file.bin");
  assertEquals((await daemon.run(["verify"])).code, 0);
  const { atime, mtime } = await Deno.stat(path);
  using data = await Deno.open(path, { write: true });
  await data.write(new TextEncoder().encode("rot"));
  await data.utime(atime!, mtime!);
  const { code, stdout } = await daemon.run(["verify", "file.bin", "--json"]);
  assertEquals(code, 4);
  const report = JSON.parse(stdout);
  assertEquals([report.name, report.ok, report.badChunks], ["file.bin", false, 1]);
});

Deno.test("the ready line comes when both ports answer, and not before", async () => {
  await using dir = await TempDir.make();
  await using taken = new RawNode();
  {
    await using daemon = await startDaemon({ dataDir: dir.path });
    // Both are there in the moment in which the line was read.
    const link = await taken.dial(daemon.node, "link");
    link.close();
    assertEquals((await ask(daemon, "status", {})).length, 1);
    assertEquals(daemon.process.stdout.all.length, 1);
  }
  // A daemon that cannot have its second port never says that it is ready.
  await using process = new PacsrvProcess([
    ...["daemon", "--data", dir.path, "--node", "127.0.0.1:0", "--client", taken.address],
  ]);
  const { code, stdout } = await process.ended();
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends a busy daemon soon, with 0`, async () => {
    await using dir = await TempDir.make();
    const shared = await dir.folder("shared");
    // It is hashing when the signal comes.
    for (let i = 0; i < 4; i++) await Deno.writeFile(`${shared}/${i}`, randomBytes(48 * MIB, i));
    await using daemon = await startDaemon({ shares: [shared] });
    await using link = new RawNode();
    await link.dial(daemon.node, "link");
    const beginMs = performance.now();
    daemon.kill(signal);
    const { code, stderr } = await daemon.process.ended();
    const tookMs = performance.now() - beginMs;
    assertEquals(code, 0, stderr);
    assert(tookMs < SOON_MS, `it took ${tookMs} ms`);
  });
}

async function untilGone(daemon: DaemonProcess, name: string): Promise<void> {
  await untilListed(daemon, {
    what: `${name} to be gone`,
    find: (files) => files.every((file) => file.name !== name),
  });
}
