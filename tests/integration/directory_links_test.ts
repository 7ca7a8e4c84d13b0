// Nodes that were told of directories alone link with each other, and go on when those are gone.

import { assertEquals } from "@std/assert";
import { type DaemonOptions, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "alone.bin";
const FILE_BYTES = 400_000;

Deno.test("a fetch works when both directories are killed, which were all that nodes knew", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("shared", NAME);
  await randomFile(path, FILE_BYTES, 20);
  await using first = await startDirectory();
  await using second = await startDirectory();
  const directories = [first, second].flatMap(({ address }) => ["--directory", address]);
  const options: DaemonOptions = { linksMin: 1, args: directories };
  await using holder = await startDaemon({ ...options, shares: [path] });
  await holder.holds(NAME);
  await using requester = await startDaemon(options);
  for (const daemon of [holder, requester]) {
    await waitUntil(async () => (await daemon.peers()).length > 0, { what: "a link" });
  }
  for (const directory of [first, second]) directory.kill("SIGKILL");
  const output = await dir.sub("got");
  await using fetch = requester.fetch([NAME, "-o", output]);
  assertEquals(bytesByNode(await fetch.done()), new Map([[holder.id, FILE_BYTES]]));
  await assertSameFile(output, path);
});
