// A gateway whose daemon has no room left on its disk: what a mirror has is passed on.

import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { SmallDisk, smallDiskTest } from "./support/small_disk.ts";
import { waitUntil } from "./support/wait.ts";

smallDiskTest("gateway passes databases on when the disk is full, and says so once", async () => {
  await using dir = await TempDir.make();
  await dir.folder("core");
  const small = randomBytes(1_951, 1), big = randomBytes(3_000_000, 2);
  for (const bytes of [small, big]) bytes.set([0x1f, 0x8b]);
  await Deno.writeFile(`${dir.path}/core/small.db`, small);
  await Deno.writeFile(`${dir.path}/core/big.db`, big);
  await using mirror = Mirror.start(dir.path);
  await using disk = await SmallDisk.mount("8m");
  await using daemon = await startDaemon({
    dataDir: `${disk.path}/data`,
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  const ask = async (name: string) => {
    const answer = await fetch(`http://${daemon.gateway}/core/${name}`);
    return [answer.status, new Uint8Array(await answer.arrayBuffer())];
  };
  // Room for the beginning of a database is not room for a database.
  await fill(`${disk.path}/rest`, { leaveBytes: 1_000_000 });
  assertEquals(await ask("big.db"), [200, big]);
  await fill(`${disk.path}/more`, { leaveBytes: 0 });
  for (let i = 0; i < 2; i++) {
    assertEquals(await ask("small.db"), [200, small]);
    assertEquals(await ask("big.db"), [200, big]);
  }
  await daemon.logged(/WARN .*cannot keep a database: it is passed on/);
  const warnings = daemon.process.stderr.text().match(/cannot keep a database/g);
  assertEquals(warnings?.length, 1);
  await Deno.remove(`${disk.path}/rest`);
  const kept = () => [...Deno.readDirSync(`${disk.path}/data/databases`)].length;
  assertEquals(kept(), 0);
  assertEquals(await ask("small.db"), [200, small]);
  assertEquals(kept(), 2);
});

smallDiskTest("gateway goes on from the mirror when the disk fills in mid-body", async () => {
  await using dir = await TempDir.make();
  const folder = "/core/os/x86_64", name = "thing-1-1-any.pkg.tar.zst";
  await Deno.mkdir(`${dir.path}${folder}`, { recursive: true });
  const bytes = randomBytes(12_000_007, 3);
  await Deno.writeFile(`${dir.path}${folder}/${name}`, bytes);
  await using mirror = Mirror.start(dir.path);
  await using disk = await SmallDisk.mount("24m");
  await using daemon = await startDaemon({
    dataDir: `${disk.path}/data`,
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  const url = `http://${daemon.gateway}${folder}/${name}`;
  const goOn = mirror.misbehave({ bytesPerSecond: 1_000_000 });
  const whole = await fetch(url), part = await fetch(url, { headers: { range: "bytes=1000-" } });
  assertEquals([whole.status, part.status], [200, 206]);
  await fill(`${disk.path}/rest`, { leaveBytes: 0 });
  goOn();
  const [all, most] = await Promise.all([whole.arrayBuffer(), part.arrayBuffer()]);
  assertEquals(Buffer.compare(new Uint8Array(all), bytes), 0);
  assertEquals(Buffer.compare(new Uint8Array(most), bytes.subarray(1_000)), 0);
  await daemon.logged(/WARN .*cannot keep a file for the gateway: the rest is passed on/);
  assertEquals(await daemon.list(), []);
  // It gives its room back by itself.
  await waitUntil(() => [...Deno.readDirSync(`${disk.path}/data/incoming`)].length === 0, {
    what: "what does not fit to be removed",
  });
  await Deno.remove(`${disk.path}/rest`);
  const again = new Uint8Array(await (await fetch(url)).arrayBuffer());
  assertEquals(Buffer.compare(again, bytes), 0);
});

smallDiskTest("gateway goes on from the mirror when what peers give has no room", async () => {
  await using dir = await TempDir.make();
  const folder = "/core/os/x86_64", name = "thing-1-1-any.pkg.tar.zst";
  await Deno.mkdir(`${dir.path}${folder}`, { recursive: true });
  const bytes = randomBytes(12_000_007, 4);
  await Deno.writeFile(`${dir.path}${folder}/${name}`, bytes);
  await using mirror = Mirror.start(dir.path);
  await using holder = await startDaemon({ shares: [`${dir.path}${folder}`] });
  await holder.holds(name);
  await using disk = await SmallDisk.mount("24m");
  await using daemon = await startDaemon({
    dataDir: `${disk.path}/data`,
    peers: [holder.node],
    args: ["--gateway", "127.0.0.1:0", "--mirror", mirror.url],
  });
  await daemon.linked(1);
  await fill(`${disk.path}/rest`, { leaveBytes: 6_000_000 });
  const answer = await fetch(`http://${daemon.gateway}${folder}/${name}`);
  assertEquals(answer.status, 200);
  assertEquals(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), bytes), 0);
  await daemon.logged(/WARN .*cannot keep a file for the gateway/);
  // What came of it is right, and not all of it.
  assertEquals((await daemon.list()).every(({ have }) => have !== "all"), true);
  assertEquals((await daemon.run(["verify"])).code, 0);
});

/** Writes a file until the disk is full but for some bytes. */
async function fill(path: string, { leaveBytes }: { readonly leaveBytes: number }): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const block = new Uint8Array(4_096).fill(1);
  let bytes = 0;
  try {
    for (;;) bytes += await file.write(block);
  } catch {
    await file.truncate(Math.max(0, bytes - leaveBytes));
  }
}
