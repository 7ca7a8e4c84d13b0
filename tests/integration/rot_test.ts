// Disks that change what they were given, under real daemons: a client, a gateway and a file get right
// bytes or none, what is wrong is had again by itself, and no honest peer is blamed.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Bitfield } from "../../src/base/bitfield.ts";
import { CHUNK_BYTES, chunkCount, rangeBytes } from "../../src/base/geometry.ts";
import type { Root } from "../../src/base/ids.ts";
import { type Damage, damage } from "../support/rot.ts";
import { ask } from "./support/client.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomBytes, sha256Of, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { type HeldFile, holdFile, RawHolder } from "./support/raw_holder.ts";
import { runPacsrv } from "./support/process.ts";
import { Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "rotten.bin";
const BYTES = 3_000_000;

/** A daemon that shares one file, and the file. */
async function holderOf(
  dir: TempDir,
): Promise<{ holder: DaemonProcess; path: string; root: Root }> {
  const path = await dir.sub("original", NAME);
  await Deno.writeFile(path, randomBytes(BYTES, 1));
  const holder = await startDaemon({ shares: [path] });
  const { root } = await holder.holds(NAME);
  return { holder, path, root: root as Root };
}

/** Fetches a file and holds it to the original. */
async function assertFetches(
  daemon: DaemonProcess,
  args: readonly string[],
  { dir, original }: { readonly dir: TempDir; readonly original: string },
): Promise<void> {
  const output = await dir.sub("out", crypto.randomUUID());
  const { code, stderr } = await daemon.run(["fetch", ...args, "-o", output]);
  assertEquals(code, 0, stderr);
  await assertSameFile(output, original);
}

Deno.test("a downloaded file that rots is had again, and the person is told", async () => {
  await using dir = await TempDir.make();
  const { holder, path: original, root } = await holderOf(dir);
  await using _ = holder;
  const dataDir = await dir.folder("data");
  {
    await using daemon = await startDaemon({ dataDir, peers: [holder.node] });
    await daemon.linked(1);
    await assertFetches(daemon, [NAME], { dir, original });
    damage(`${dataDir}/files/${root}/${NAME}`, { kind: "zeros", from: BYTES - 100_000 });
    await assertFetches(daemon, [NAME], { dir, original });
    await daemon.logged(/WARN .*checked chunks are not what they were/);
    const { stdout } = await daemon.run(["explain", NAME]);
    assertMatch(stdout, /changed since they were checked/);
    // Asked for by its SHA-256: its root is not disbelieved for what the disk did.
    damage(`${dataDir}/files/${root}/${NAME}`, { kind: "byte", at: 5 });
    await assertFetches(daemon, [NAME, "--sha256", await sha256Of(original)], { dir, original });
    damage(`${dataDir}/files/${root}/${NAME}`, { kind: "page", at: 2 * CHUNK_BYTES });
    assertEquals((await ask(daemon, "verify", { target: NAME }))[0]?.ok, false);
    await assertFetches(daemon, [NAME, "--sha256", await sha256Of(original)], { dir, original });
    await daemon.stop();
  }
  damage(`${dataDir}/files/${root}/${NAME}`, { kind: "zeros", from: BYTES - 100_000 });
  await using daemon = await startDaemon({ dataDir, peers: [holder.node] });
  await daemon.linked(1);
  await assertFetches(daemon, [NAME], { dir, original });
});

Deno.test("chunks of a partial file that were zeroed after a kill are had again", async () => {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(BYTES, 2));
  const original = await dir.sub("original");
  await Deno.writeFile(original, file.data);
  const dataDir = await dir.folder("data");
  const have = await partOf(dataDir, { dir, file });
  const { first } = [...have.ranges()][0]!;
  damage(`${dataDir}/partial/${file.root}`, { kind: "page", at: first * CHUNK_BYTES + 7 });
  await using daemon = await startDaemon({ dataDir });
  await using _ = await RawHolder.start(daemon.node, file);
  await assertFetches(daemon, [NAME], { dir, original });
  await daemon.logged(/WARN .*chunk.* not what they were/);
});

Deno.test("a damaged leaf layer of a partial file is had anew, and no peer is blamed", async () => {
  await using dir = await TempDir.make();
  const file = holdFile(NAME, randomBytes(BYTES, 3));
  const original = await dir.sub("original");
  await Deno.writeFile(original, file.data);
  const dataDir = await dir.folder("data");
  await partOf(dataDir, { dir, file });
  damage(`${dataDir}/leaves/${file.root.slice(0, 2)}/${file.root}`, { kind: "zeros", from: 64 });
  await using daemon = await startDaemon({ dataDir });
  const [verified] = await ask(daemon, "verify", { target: NAME });
  assertEquals([verified?.ok, verified?.badChunks], [false, 0]);
  await using holder = await RawHolder.start(daemon.node, file);
  await assertFetches(daemon, [NAME], { dir, original });
  assertEquals([(await daemon.status()).counters.strikes, holder.complaints], [0, []]);
  // What was right on the disk is not asked for again.
  const asked = holder.requested.reduce((sum, { count }) => sum + count, 0);
  assert(asked < chunkCount(BYTES), `${asked} chunks were asked for`);
});

Deno.test("a holder whose leaf layer rots computes it again and gives it, at the first fetch", async () => {
  await using dir = await TempDir.make();
  const { holder, path: original, root } = await holderOf(dir);
  await using _ = holder;
  // A second time, once it knows that its layer is right, and has it open.
  for (const showsTime of [false, true]) {
    const sidecar = `${holder.dataDir}/leaves/${root.slice(0, 2)}/${root}`;
    damage(sidecar, { kind: "byte", at: 40 }, { showsTime });
    const output = await dir.sub("out", crypto.randomUUID());
    const line = ["fetch", NAME, "--alone", "--peer", holder.node, "-o", output];
    const { code, stderr } = await runPacsrv(line);
    assertEquals(code, 0, stderr);
    await assertSameFile(output, original);
  }
  await holder.logged(/WARN .*leaf layer of .* is damaged; it is computed again/);
  assertEquals((await holder.status()).counters.strikes, 0);
});

Deno.test("a shared file that rots is had from others by its root", async () => {
  await using dir = await TempDir.make();
  const { holder, path: original, root } = await holderOf(dir);
  await using _ = holder;
  const copy = await dir.sub("copy", NAME);
  await Deno.copyFile(original, copy);
  await using daemon = await startDaemon({ shares: [copy], peers: [holder.node] });
  await daemon.holds(NAME);
  await daemon.linked(1);
  damage(copy, { kind: "zeros", from: BYTES - 100_000 });
  await assertFetches(daemon, ["--root", root], { dir, original });
});

Deno.test("a gateway gives no rotten byte of a package, before and after a restart", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(`${dir.path}/mirror`, {
    packages: [{ name: "rotten", payloadBytes: BYTES }],
  });
  const [built] = repository.packages;
  const { path: original, fileName, url, sizeBytes } = built!;
  const sync = `${dir.path}/mirror${repository.folder}`;
  await using holder = await startDaemon({ shares: [original], args: ["--sync-db", sync] });
  await waitUntil(
    async () => (await holder.list()).some(({ trust }) => trust === "sync-db"),
    { what: "the holder to check its package" },
  );
  const dataDir = await dir.folder("data");
  const how = {
    dataDir,
    peers: [holder.node],
    args: ["--sync-db", sync, "--gateway", "127.0.0.1:0"],
  };
  const get = async (daemon: DaemonProcess) => {
    const answer = await fetch(`http://${daemon.gateway}${url}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assertEquals([answer.status, bytes.length], [200, sizeBytes]);
    const output = await dir.sub("got");
    await Deno.writeFile(output, bytes);
    await assertSameFile(output, original);
  };
  const rot = (daemon: { readonly dataDir: string }, root: string) =>
    damage(`${daemon.dataDir}/files/${root}/${fileName}`, { kind: "zeros", from: 200_000 });
  let root: string;
  {
    await using daemon = await startDaemon(how);
    await daemon.linked(1);
    await get(daemon);
    root = (await daemon.holds(fileName)).root;
    for (let time = 0; time < 3; time++) {
      rot(daemon, root);
      await get(daemon);
      await daemon.holds(fileName);
    }
    await daemon.stop();
  }
  rot({ dataDir }, root);
  await using daemon = await startDaemon(how);
  await daemon.linked(1);
  await get(daemon);
  const { stdout } = await daemon.run(["explain", fileName]);
  assertStringIncludes(stdout, "here is not");
});

Deno.test("a gateway waits in mid-body for all chunks that rotted, however many", async () => {
  await using dir = await TempDir.make();
  const name = "rotten-1-1-any.pkg.tar.zst";
  const original = await dir.sub("original", name);
  await Deno.writeFile(original, randomBytes(5 * BYTES, 5));
  await using holder = await startDaemon({ shares: [original] });
  await holder.holds(name);
  const args = ["--gateway", "127.0.0.1:0"];
  await using daemon = await startDaemon({ peers: [holder.node], args });
  await daemon.linked(1);
  const chunks = (...places: number[]): Damage[] =>
    places.map((chunk) => ({ kind: "byte", at: chunk * CHUNK_BYTES }));
  const rots: readonly Damage[][] = [
    [],
    chunks(100, 500),
    chunks(0, 1),
    chunks(100, 132, 164, 300, 501, 600, 700),
    [{ kind: "zeros", from: 200 * CHUNK_BYTES }],
  ];
  for (const rot of rots) {
    if (rot.length > 0) {
      const { path } = await daemon.holds(name);
      for (const what of rot) damage(path, what);
    }
    // Whether it is still the same it does not ask for nothing: it has not come back for a wrong one.
    const answer = await fetch(`http://${daemon.gateway}/${name}`, {
      headers: { "if-none-match": '"none"' },
    });
    const output = await dir.sub("got");
    await Deno.writeFile(output, answer.body!);
    await assertSameFile(output, original);
  }
});

Deno.test("a downloaded file that rots is had again from its mirror, where no peer is", async () => {
  await using dir = await TempDir.make();
  const original = await dir.sub("mirror", NAME);
  await Deno.writeFile(original, randomBytes(BYTES, 4));
  await using mirror = Mirror.start(`${dir.path}/mirror`);
  await using daemon = await startDaemon();
  const args = [`${mirror.url}/${NAME}`, "--sha256", await sha256Of(original)];
  await assertFetches(daemon, args, { dir, original });
  const { path } = await daemon.holds(NAME);
  damage(path, { kind: "zeros", from: BYTES - 100_000 });
  mirror.forget();
  await assertFetches(daemon, args, { dir, original });
  await daemon.holds(NAME);
  // Its leaves are known: nothing but the rotten chunks is asked for.
  const given = mirror.bytesOf(/./);
  assert(given >= 100_000 && given < 100_000 + 4 * CHUNK_BYTES, `${given} bytes`);
});

/** Has a daemon get a part of a file, and kills it once that is remembered; gives what it had. */
async function partOf(
  dataDir: string,
  { dir, file }: { readonly dir: TempDir; readonly file: HeldFile },
): Promise<Bitfield> {
  await using daemon = await startDaemon({ dataDir });
  let bytes = 0;
  await using _ = await RawHolder.start(daemon.node, file, {
    behaviour: {
      onRequest: (range, serving) => {
        bytes += rangeBytes(file.data.length, range).length;
        if (bytes <= BYTES / 2) serving.serve(range);
      },
    },
  });
  await using fetching = daemon.fetch([NAME, "-o", await dir.sub("part")]);
  await fetching.progressed(BYTES / 4);
  await fetching[Symbol.asyncDispose]();
  // A client that leaves has its download put away.
  const have = await waitUntil(() => rememberedOf(dataDir, file), {
    what: "the download to be put away",
  });
  daemon.kill("SIGKILL");
  await daemon.process.ended();
  return have;
}

/** The chunks that the catalogue of a daemon remembers of a part of a file. */
function rememberedOf(dataDir: string, { root, data }: HeldFile): Bitfield | undefined {
  using db = new DatabaseSync(`${dataDir}/catalogue.sqlite`, { readOnly: true });
  const row = db.prepare("SELECT have FROM partials WHERE root = ?").get(root);
  if (row === undefined) return undefined;
  const have = Bitfield.fromBytes(chunkCount(data.length), row["have"] as Uint8Array);
  return have.count > 0 ? have : undefined;
}
