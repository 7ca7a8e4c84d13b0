// A gateway whose daemon has no room left on its disk: what a mirror has is passed on.

import { assertEquals } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { randomBytes, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { SmallDisk, smallDiskTest } from "./support/small_disk.ts";

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
