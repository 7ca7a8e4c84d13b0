// What the surroundings do to a daemon: files that change under it, disks that are full or cannot be
// written, ports and directories that are taken, files and programs that are not what they should
// be. Whoever is concerned hears clearly what is wrong, and the daemon lives.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename } from "@std/path";
import { DatabaseSync } from "node:sqlite";
import { ask, connectTo, placesOf, untilListed, untilShared } from "./support/client.ts";
import { writeAll } from "../../src/net/transport.ts";
import { requestFor } from "../support/fetch_request.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { assertSameFile, namesIn, randomBytes, randomFile, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { holdFile, RawHolder } from "./support/raw_holder.ts";
import { Mirror } from "./support/mirror.ts";
import { SmallDisk, smallDiskTest } from "./support/small_disk.ts";
import { waitUntil, within } from "./support/wait.ts";

const MIB = 1024 * 1024;

/** What can happen to a shared file, and whether the name is shared anew afterwards. */
const CHANGES: readonly {
  readonly what: string;
  readonly change: (path: string) => Promise<void>;
  readonly comesBack: boolean;
}[] = [
  {
    what: "changes",
    change: async (path) => {
      await Deno.writeFile(`${path}.new`, randomBytes(3 * MIB, 77));
      await Deno.rename(`${path}.new`, path);
    },
    comesBack: true,
  },
  { what: "shrinks", change: (path) => Deno.truncate(path, 5 * MIB + 17), comesBack: true },
  { what: "vanishes", change: (path) => Deno.remove(path), comesBack: false },
];

for (const { what, change, comesBack } of CHANGES) {
  Deno.test(`fetch completes from another holder when a file ${what} while served`, async () => {
    await using dir = await TempDir.make();
    const file = holdFile("served.bin", randomBytes(80 * MIB + 5, 20));
    const path = await dir.sub("shared", "served.bin");
    const output = await dir.sub("out", "served.bin");
    await Deno.writeFile(path, file.data);
    await using pair = await startPair(path);
    const { holder, daemon } = pair;
    // By its name alone it would be the new version that is meant.
    await using fetch = daemon.fetch([file.name, "--root", file.root, "-o", output]);
    await stoppedInTransfer(holder, daemon);
    await change(path);
    holder.kill("SIGCONT");
    await using other = await RawHolder.start(daemon.node, file);
    const done = await fetch.done();
    assertEquals(done.sources.map(({ nodeId }) => nodeId).sort(), [holder.id, other.nodeId].sort());
    await Deno.writeFile(`${dir.path}/original`, file.data);
    await assertSameFile(output, `${dir.path}/original`);
    await assertWithdrawn(holder, { name: file.name, root: file.root, comesBack });
  });
}

Deno.test("fetch gets the new version of a file that was replaced just before", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "served.bin"), output = await dir.sub("out", "served.bin");
  await randomFile(path, 30 * MIB, 31);
  await using pair = await startPair(path);
  const { daemon } = pair;
  await randomFile(`${dir.path}/new.bin`, 30 * MIB, 32);
  await Deno.copyFile(`${dir.path}/new.bin`, `${dir.path}/shared/next`);
  await Deno.rename(`${dir.path}/shared/next`, path);
  const { code, stderr } = await daemon.run(["fetch", "served.bin", "-o", output]);
  assertEquals(code, 0, stderr);
  await assertSameFile(output, `${dir.path}/new.bin`);
});

Deno.test("fetch gets the new version of a file that is replaced while it comes, where that is meant", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "served.bin"), output = await dir.sub("out", "served.bin");
  const work = await dir.folder("work"), next = `${dir.path}/new.bin`;
  await randomFile(path, 60 * MIB, 35);
  await randomFile(next, 8 * MIB, 36);
  await using pair = await startPair(path);
  const { holder, daemon, root } = pair;
  await using byName = daemon.fetch(["served.bin", "-o", output]);
  await using byRoot = daemon.fetch(["served.bin", "--root", root], { cwd: work });
  await stoppedInTransfer(holder, daemon);
  await Deno.copyFile(next, `${dir.path}/shared/next`);
  await Deno.rename(`${dir.path}/shared/next`, path);
  holder.kill("SIGCONT");
  const done = await byName.done();
  await assertSameFile(output, next);
  assertEquals(done.sources.map(({ nodeId }) => nodeId), [holder.id]);
  const { code, stderr } = await byRoot.ended();
  assertEquals(code, 3, stderr);
  // The second says so where the first machine was stopped before anything of it came this way.
  assertMatch(
    stderr,
    /those who had it offer it no more, and nobody has the rest of it|nobody has it/,
  );
  assertEquals(await namesIn(work), []);
});

Deno.test("what came of a version that nobody has any more goes when its successor is here", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "served.bin"), work = await dir.folder("work");
  await randomFile(path, 80 * MIB, 33);
  await using pair = await startPair(path);
  const { holder, daemon, root } = pair;
  {
    await using fetch = daemon.fetch(["served.bin"], { cwd: work });
    await stoppedInTransfer(holder, daemon);
    fetch.process.kill("SIGTERM");
    await fetch.ended();
  }
  holder.kill("SIGCONT");
  await untilListed(daemon, {
    what: "a part of the old version",
    find: ([file]) => file?.origin === "partial" && file.root === root,
  });
  await randomFile(`${dir.path}/shared/next`, 3 * MIB, 34);
  await Deno.rename(`${dir.path}/shared/next`, path);
  await assertWithdrawn(holder, { name: "served.bin", root, comesBack: true });
  const { code, stderr } = await daemon.run(["fetch", "served.bin"], { cwd: work });
  assertEquals(code, 0, stderr);
  assertEquals((await ask(daemon, "list", {})).map(({ origin }) => origin), ["downloaded"]);
  assertEquals(await namesIn(`${daemon.dataDir}/partial`), []);
});

Deno.test("fetch ends with 3 when the only holder's file vanishes while served", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "served.bin");
  const work = await dir.folder("work");
  await randomFile(path, 80 * MIB, 21);
  await using pair = await startPair(path);
  const { holder, daemon, root } = pair;
  await using fetch = daemon.fetch(["served.bin", "--root", root], { cwd: work });
  await stoppedInTransfer(holder, daemon);
  await Deno.remove(path);
  holder.kill("SIGCONT");
  const { code, stderr } = await fetch.ended();
  assertEquals(code, 3, stderr);
  assertStringIncludes(stderr, "nobody has the rest of it");
  assertEquals(await namesIn(work), []);
  await assertWithdrawn(holder, { name: "served.bin", root, comesBack: false });
});

Deno.test("daemon withholds a shared file whose bytes rot unseen, once a peer complains", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "rotten.bin"), dataDir = await dir.folder("data");
  await randomFile(path, 3 * MIB, 22);
  {
    await using before = await startDaemon({ dataDir, shares: [path] });
    await before.holds("rotten.bin");
  }
  // Whoever writes changes the time of change, but a failing disk does not: that is not known then.
  {
    using database = new DatabaseSync(`${dataDir}/catalogue.sqlite`);
    database.exec("UPDATE places SET ctime = 0");
  }
  await using holder = await startDaemon({ dataDir, shares: [path] });
  const { root } = await holder.holds("rotten.bin");
  const { mtime, atime } = await Deno.stat(path);
  using data = await Deno.open(path, { write: true });
  await data.write(new TextEncoder().encode("rot"));
  await data.utime(atime!, mtime!);
  const { code, stderr } = await runPacsrv(
    ["fetch", "rotten.bin", "-o", await dir.sub("out"), "--alone", "--peer", holder.node],
  );
  assert(code === 3 || code === 4, stderr);
  await holder.logged(/WARN .*a chunk from here is wrong/);
  await assertWithheld(holder, { path, root });
  const first = await holder.run(["share", "--again", path]);
  assertEquals(first.code, 0, first.stderr);
  await assertWithdrawn(holder, { name: "rotten.bin", root, comesBack: true });
  const second = await holder.run(["share", "--again", path]);
  assertEquals(second.code, 2);
  assertStringIncludes(second.stderr, "nothing there is withheld");
});

Deno.test("daemon withholds a shared file that is changed in secret, and names it", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "rotten.bin");
  await randomFile(path, 3 * MIB, 23);
  await using holder = await startDaemon({ shares: [path] });
  const { root } = await holder.holds("rotten.bin");
  const { mtime, atime } = await Deno.stat(path);
  using data = await Deno.open(path, { write: true });
  await data.write(new TextEncoder().encode("rot"));
  await data.utime(atime!, mtime!);
  // The change may fall into the very second of the last one.
  await holder.run(["verify"]);
  await assertWithheld(holder, { path, root });
  const { stdout } = await holder.run(["status"]);
  assertStringIncludes(stdout, `${path}  changed though its time did not`);
  // Whoever asks for the file hears of it, whatever it is asked for.
  const asked = [["fetch", "-o", await dir.sub("out")], ["info"], ["unshare"]];
  await Promise.all(asked.map(async ([command, ...args]) => {
    const { code, stderr } = await holder.run([command!, "rotten.bin", ...args]);
    assertEquals(code, 3, stderr);
    assertStringIncludes(stderr, `withheld: ${path} changed though its time did not`);
    assertStringIncludes(stderr, `pacsrv share --again ${path}`);
  }));
});

/** Waits until the holder names a file as damaged, and offers nothing. */
async function assertWithheld(
  holder: DaemonProcess,
  { path, root }: { readonly path: string; readonly root: string },
): Promise<void> {
  await untilListed(holder, {
    what: `${path} to be withheld`,
    find: (files) =>
      files.length === 1 && files[0]!.trust === "damaged" && files[0]!.path === path &&
      files[0]!.root === root && files[0]!.have === "none",
  });
}

smallDiskTest("a fetch for which the data directory has no room does not begin", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), work = await dir.folder("work");
  await randomFile(`${shared}/big.bin`, 40 * MIB, 23);
  await randomFile(`${shared}/fits.bin`, 10 * MIB, 24);
  await using disk = await SmallDisk.mount("16m");
  await using holder = await startDaemon({ shares: [shared] });
  await untilShared(holder, "big.bin", "fits.bin");
  await using daemon = await startDaemon({ dataDir: `${disk.path}/data`, peers: [holder.node] });
  await daemon.linked(1);
  const { code, stderr } = await daemon.run(["fetch", "big.bin"], { cwd: work });
  assertEquals(code, 1, stderr);
  assertMatch(stderr, new RegExp(`big.bin: ${disk.path}/data/partial has no space for it`));
  assertMatch(stderr, /: 41\.9 MB are needed, [\d.]+ MB are free, [\d.]+ MB are missing\nhint: /);
  assertEquals(await namesIn(work), []);
  assertEquals(await namesIn(`${disk.path}/data/partial`), []);
  // What is here needs no room: a part, and then the rest, fill more than half of the disk.
  const part = await daemon.run(["fetch", "fits.bin", "--chunks", "0-399"]);
  assertEquals(part.code, 0, part.stderr);
  const rest = await daemon.run(["fetch", "fits.bin"], { cwd: work });
  assertEquals(rest.code, 0, rest.stderr);
  await assertSameFile(`${work}/fits.bin`, `${shared}/fits.bin`);
});

smallDiskTest("daemon lives on when its data directory fills up while a file comes", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), work = await dir.folder("work");
  await randomFile(`${shared}/big.bin`, 80 * MIB, 23);
  await randomFile(`${shared}/small.bin`, 2 * MIB, 24);
  await using disk = await SmallDisk.mount("100m");
  await using holder = await startDaemon({ shares: [shared] });
  await untilShared(holder, "big.bin", "small.bin");
  await using daemon = await startDaemon({ dataDir: `${disk.path}/data`, peers: [holder.node] });
  await daemon.linked(1);
  await using fetch = daemon.fetch(["big.bin"], { cwd: work });
  await stoppedInTransfer(holder, daemon);
  await fillUp(`${disk.path}/others`);
  holder.kill("SIGCONT");
  const { code, stderr } = await fetch.ended();
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "space");
  assertStringIncludes(stderr, "hint: ");
  assertEquals(await namesIn(work), []);
  // What came takes the space until somebody makes room.
  const removed = await daemon.run(["unshare", "big.bin"]);
  assertEquals(removed.code, 0, removed.stderr);
  await Deno.remove(`${disk.path}/others`);
  const second = await daemon.run(["fetch", "small.bin"], { cwd: work });
  assertEquals(second.code, 0, second.stderr);
  await assertSameFile(`${work}/small.bin`, `${shared}/small.bin`);
});

/** Writes a file until its disk has no room left. */
async function fillUp(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const block = new Uint8Array(64 * 1024);
  try {
    for (;;) await file.write(block);
  } catch {
    // It is full.
  }
}

smallDiskTest(
  "fetch of a URL goes on without the daemon when its data directory is full",
  async () => {
    await using dir = await TempDir.make();
    const served = await dir.folder("served"), work = await dir.folder("work");
    await randomFile(`${served}/big.bin`, 12 * MIB, 29);
    await using mirror = Mirror.start(served);
    await using disk = await SmallDisk.mount("8m");
    await using daemon = await startDaemon({ dataDir: `${disk.path}/data` });
    const { code, stderr } = await daemon.run(["fetch", `${mirror.url}/big.bin`], { cwd: work });
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "fetching directly");
    await assertSameFile(`${work}/big.bin`, `${served}/big.bin`);
    assertEquals(await daemon.list(), []);
  },
);

smallDiskTest("a fetch for whose output there is no room does not begin, and says so", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "big.bin");
  await randomFile(path, 12 * MIB, 25);
  await using disk = await SmallDisk.mount("20m");
  await using holder = await startDaemon({ shares: [path] });
  await untilShared(holder, "big.bin");
  await randomFile(`${disk.path}/filler`, 10 * MIB, 26);
  const output = ["fetch", "big.bin", "-o", disk.path];
  const ways = [["--client", holder.client], ["--alone", "--peer", holder.node]];
  for (const from of ways) {
    const { code, stderr } = await runPacsrv([...output, ...from]);
    assertEquals(code, 1, stderr);
    assertMatch(stderr, new RegExp(`Cannot write to ${disk.path}: no space is left`));
    assertMatch(stderr, /: 12\.6 MB are needed; 10\.5 MB are free, 2\.1 MB are missing\nhint: /);
    assertEquals(await namesIn(disk.path), ["filler"]);
  }
  assertEquals((await placesOf(holder, "big.bin")).length, 1);
  // A .part that has half of it needs room for the other half.
  await Deno.truncate(`${disk.path}/filler`, 6 * MIB);
  const half = (await Deno.readFile(path)).subarray(0, 8 * MIB);
  await Deno.writeFile(`${disk.path}/big.part`, half);
  const resumed = ["fetch", "big.bin", "-o", `${disk.path}/big.part`];
  const { code, stderr } = await runPacsrv([...resumed, "--client", holder.client]);
  assertEquals(code, 0, stderr);
  await assertSameFile(`${disk.path}/big.part`, path);
  await Deno.remove(`${disk.path}/big.part`);
  // The store of a daemon that has to get it first lies on the same disk.
  await Deno.remove(`${disk.path}/filler`);
  await using daemon = await startDaemon({ dataDir: `${disk.path}/data`, peers: [holder.node] });
  await daemon.linked(1);
  const both = await daemon.run(output);
  assertEquals(both.code, 1, both.stderr);
  assertMatch(
    both.stderr,
    /: 25\.2 MB are needed, 12\.6 MB of that for the daemon, in \S+ on the /,
  );
  const elsewhere = await daemon.run(["fetch", "big.bin", "-o", await dir.sub("out")]);
  assertEquals(elsewhere.code, 0, elsewhere.stderr);
});

smallDiskTest("daemon does not start in a data directory that it cannot write", async () => {
  await using disk = await SmallDisk.mount("4m");
  const dataDir = `${disk.path}/data`;
  await (await startDaemon({ dataDir }))[Symbol.asyncDispose]();
  await disk.remount("ro");
  const { code, stdout, stderr } = await runPacsrv(daemonArgs(dataDir));
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertStringIncludes(stderr, dataDir);
  assertMatch(stderr, /read-only/i);
  await disk.remount("rw");
});

Deno.test("daemon lives on when its data directory cannot be written any more", async () => {
  await using dir = await TempDir.make();
  const shared = await dir.folder("shared"), work = await dir.folder("work");
  await randomFile(`${shared}/file.bin`, MIB, 26);
  await using holder = await startDaemon({ shares: [shared] });
  await untilShared(holder, "file.bin");
  await using daemon = await startDaemon({ peers: [holder.node] });
  await daemon.linked(1);
  // Root may write into any directory, but not into a file as if it were one.
  const partial = `${daemon.dataDir}/partial`;
  await Deno.remove(partial, { recursive: true });
  await Deno.writeTextFile(partial, "");
  const first = await daemon.run(["fetch", "file.bin"], { cwd: work });
  assertEquals(first.code, 1, first.stderr);
  assertStringIncludes(first.stderr, partial);
  assertEquals(await namesIn(work), []);
  await Deno.remove(partial);
  await Deno.mkdir(partial);
  const second = await daemon.run(["fetch", "file.bin"], { cwd: work });
  assertEquals(second.code, 0, second.stderr);
});

Deno.test("daemon does not start in a data directory that another one has", async () => {
  await using daemon = await startDaemon();
  const { code, stdout, stderr } = await runPacsrv(daemonArgs(daemon.dataDir));
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertStringIncludes(stderr, `${daemon.dataDir}: a daemon has it open`);
  assertStringIncludes(stderr, "hint: Stop that daemon");
  assertEquals((await ask(daemon, "status", {})).length, 1);
});

Deno.test("daemon does not start when one of its ports is in use", async () => {
  await using dir = await TempDir.make();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  for (const flag of ["--node", "--client"]) {
    const args = ["daemon", "--data", dir.path, flag, address];
    const other = flag === "--node" ? "--client" : "--node";
    const { code, stdout, stderr } = await runPacsrv([...args, other, "127.0.0.1:0"]);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertStringIncludes(stderr, `Cannot listen on ${address}: the port is in use`);
    assertStringIncludes(stderr, "hint: ");
  }
});

Deno.test("daemon does not start with a config file that is rubbish", async () => {
  await using dir = await TempDir.make();
  const path = `${dir.path}/pacsrv.toml`;
  const cases: readonly [content: Uint8Array | string, expected: string][] = [
    [randomBytes(5_000, 27), "pacsrv.toml"],
    ["share = [", "line 1"],
    ["ttl = 3\nshares = ['/srv']\n", "Did you mean share?"],
    ["ttl = 'seven'\n", "ttl"],
    ["x".repeat(1_000_000), "pacsrv.toml"],
  ];
  for (const [content, expected] of cases) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    const { code, stdout, stderr } = await runPacsrv([
      ...daemonArgs(`${dir.path}/data`),
      ...["--config", path],
    ]);
    assert(code === 2 || code === 1, stderr);
    assertEquals(stdout, "");
    assertStringIncludes(stderr, path);
    assertStringIncludes(stderr, expected);
  }
  const missing = await runPacsrv([
    ...daemonArgs(`${dir.path}/data`),
    ...["--config", `${path}.no`],
  ]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, `${path}.no`);
});

Deno.test("daemon gives a program that speaks HTTP nothing, and says so once", async () => {
  await using dir = await TempDir.make();
  await randomFile(await dir.sub("shared", "file.bin"), 300_000, 28);
  await using daemon = await startDaemon({ shares: [`${dir.path}/shared`], logLevel: "info" });
  await untilShared(daemon, "file.bin");
  const request = new TextEncoder().encode("GET /file.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (const address of [daemon.node, daemon.client]) {
    for (let i = 0; i < 10; i++) assertEquals(await answerTo(address, request), "");
    const post = new TextEncoder().encode("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assertEquals(await answerTo(address, post), "");
  }
  assertEquals(daemon.process.stderr.matches(/WARN .*refused.*node port.*HTTP/).length, 1);
  assertEquals(daemon.process.stderr.matches(/WARN .*dropped a client.*HTTP/).length, 1);
  await assertServes(daemon);
});

Deno.test("daemon lives on when strangers send bytes that mean nothing", async () => {
  await using dir = await TempDir.make();
  await randomFile(await dir.sub("shared", "file.bin"), 300_000, 29);
  await using daemon = await startDaemon({ shares: [`${dir.path}/shared`] });
  await untilShared(daemon, "file.bin");
  const rubbish = [
    new Uint8Array(64),
    new Uint8Array(64).fill(0xff),
    // A TLS client greets.
    new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
    // A HELLO whose length is beyond all bounds.
    new Uint8Array([0x7f, 0xff, 0xff, 0xff, 0x01]),
    randomBytes(100_000, 30),
  ];
  for (const address of [daemon.node, daemon.client]) {
    await Promise.all(rubbish.map((bytes) => answerTo(address, bytes)));
  }
  await assertServes(daemon);
});

/** A daemon that shares a file, and one that is linked with it; disposing ends both. */
async function startPair(
  path: string,
): Promise<
  AsyncDisposable & {
    readonly holder: DaemonProcess;
    readonly daemon: DaemonProcess;
    /** Of the file. */
    readonly root: string;
  }
> {
  await using cleanup = new AsyncDisposableStack();
  const holder = cleanup.use(await startDaemon({ shares: [path] }));
  const { root } = await holder.holds(basename(path));
  const daemon = cleanup.use(await startDaemon({ peers: [holder.node] }));
  await daemon.linked(1);
  const running = cleanup.move();
  return { holder, daemon, root, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Waits until some of the file came to the fetching daemon, and stops the holder there. */
async function stoppedInTransfer(holder: DaemonProcess, daemon: DaemonProcess): Promise<void> {
  const transferOf = async () => (await ask(daemon, "status", {}))[0]?.transfers[0];
  await waitUntil(async () => ((await transferOf())?.bytesDone ?? 0) > 0, {
    what: "the first bytes of the file",
    everyMs: 1,
  });
  holder.kill("SIGSTOP");
  const transfer = await transferOf();
  assert(transfer !== undefined && transfer.bytesDone < transfer.sizeBytes, "it was too fast");
}

/** Waits until the holder offers `root` no more; and, if its name is to come back, as another. */
async function assertWithdrawn(
  holder: DaemonProcess,
  file: { readonly name: string; readonly root: string; readonly comesBack: boolean },
): Promise<void> {
  const { name, root, comesBack } = file;
  await untilListed(holder, {
    what: `${name} to be withdrawn`,
    find: (files) => {
      const now = files.filter((one) => one.name === name);
      return now.length === (comesBack ? 1 : 0) && now.every((one) => one.root !== root);
    },
  });
}

async function assertServes(daemon: DaemonProcess): Promise<void> {
  await using client = await connectTo(daemon);
  const events = await Array.fromAsync(
    client.get(requestFor("file.bin", { deliver: true })),
    ({ kind }) => kind,
  );
  assertEquals(events.at(-1), "done");
}

/** Sends bytes and gives what comes back until the other side hangs up. */
async function answerTo(address: string, bytes: Uint8Array): Promise<string> {
  const [hostname, port] = address.split(":");
  using connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
  try {
    await writeAll(connection, bytes);
    const answer = new Response(connection.readable).text();
    return await within(answer, { what: `${address} to hang up` });
  } catch (error) {
    // It hung up before it was told everything.
    if (isHangUp(error)) return "";
    throw error;
  }
}

function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}

function daemonArgs(dataDir: string): string[] {
  return ["daemon", "--data", dataDir, "--node", "127.0.0.1:0", "--client", "127.0.0.1:0"];
}

Deno.test("fetch ends as withdrawn when its file is unshared while it comes", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", "served.bin"), work = await dir.folder("work");
  await randomFile(path, 80 * MIB, 35);
  await using pair = await startPair(path);
  const { holder, daemon } = pair;
  await using fetch = daemon.fetch(["served.bin"], { cwd: work });
  await stoppedInTransfer(holder, daemon);
  const unshared = await daemon.run(["unshare", "served.bin"]);
  assertEquals(unshared.code, 0, unshared.stderr);
  holder.kill("SIGCONT");
  const { code, stderr } = await fetch.ended();
  assertEquals(code, 3, stderr);
  assertStringIncludes(stderr, "it was unshared here while it came");
  assertEquals(await namesIn(`${daemon.dataDir}/partial`), []);
  // It can be had again.
  const again = await daemon.run(["fetch", "served.bin"], { cwd: work });
  assertEquals(again.code, 0, again.stderr);
});
