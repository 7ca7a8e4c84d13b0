// A directory that one host has filled has room for others all the same.

import { assertEquals } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";

const FILES_MAX = 40;
/** An address of this machine that others could have, in another network than the loopback one. */
const OUTER = Deno.networkInterfaces()
  .find(({ address, family }) => family === "IPv4" && !address.startsWith("127."))?.address;

Deno.test({
  name: "pacsrv directory lists a newcomer's files though one host has all clients and files",
  ignore: OUTER === undefined,
  async fn() {
    await using dir = await TempDir.make();
    for (let i = 0; i < 2 * FILES_MAX; i++) {
      await randomFile(await dir.sub("many", `many-${i}.bin`), 9, i);
    }
    await randomFile(await dir.sub("few", "wanted.bin"), 200_000, 3);
    await using directory = await startDirectory({
      listen: "0.0.0.0:0",
      args: ["--max-clients", "2", "--max-files", String(FILES_MAX)],
    });
    const port = directory.address.slice(directory.address.lastIndexOf(":") + 1);
    const inner = ["--directory", `127.0.0.1:${port}`];
    await using first = await startDaemon({ args: inner, shares: [await dir.sub("many")] });
    await directory.reports("all room to be taken", ({ filesListed }) => filesListed === FILES_MAX);
    await using second = await startDaemon({ args: inner });
    await directory.reports("all places to be taken", ({ clients }) => clients === 2);

    await using newcomer = await startDaemon({
      node: `${OUTER}:0`,
      args: ["--directory", `${OUTER}:${port}`],
      shares: [await dir.sub("few")],
    });
    await newcomer.holds("wanted.bin");
    await second.process.stderr.matching(/a directory refuses .*limit=clients/);
    // No links: only the directory says who has it, and more than once, for the first one comes back.
    for (const name of ["once.bin", "again.bin"]) {
      const output = await dir.sub(name);
      await using fetch = first.fetch(["wanted.bin", "-o", output]);
      await fetch.done();
      await assertSameFile(output, await dir.sub("few", "wanted.bin"));
    }
    const { clients, filesListed } = await directory.status();
    assertEquals([clients, filesListed <= FILES_MAX], [2, true]);
  },
});
