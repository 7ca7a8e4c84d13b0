// What a user of this machine without the daemon's token cannot have the daemon do: ask mirrors of his
// own for what nothing proves, and give that to others.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { requestFor } from "../support/fetch_request.ts";
import { connectTo } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";

const NAME = "openssl-9.9-1-x86_64.pkg.tar.zst";

Deno.test("pacsrv daemon asks no mirror for a user without its token, and his own process does", async () => {
  await using dir = await TempDir.make();
  await randomFile(await dir.sub("mirror", NAME), 200_000, 7);
  await using mirror = Mirror.start(await dir.sub("mirror"));
  await using daemon = await startDaemon();
  await Deno.rename(`${daemon.dataDir}/client.token`, `${dir.path}/away`);
  {
    await using client = await connectTo(daemon);
    const request = requestFor(NAME, { mirrors: [`${mirror.url}/${NAME}`] });
    const failed = await Array.fromAsync(client.get(request)).catch((error) => error);
    assertStringIncludes(
      String(failed),
      "asks mirrors only for files that a package database names",
    );
  }
  assertEquals(mirror.requests.length, 0);
  const output = await dir.sub("got.bin");
  const { code, stderr } = await daemon.run(["fetch", `${mirror.url}/${NAME}`, "-o", output]);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "fetching directly from");
  await assertSameFile(output, await dir.sub("mirror", NAME));
  assertEquals(await daemon.list(), []);

  // Who can read it has the daemon fetch, keep and offer it.
  await Deno.rename(`${dir.path}/away`, `${daemon.dataDir}/client.token`);
  const again = await dir.sub("again.bin");
  assertEquals((await daemon.run(["fetch", `${mirror.url}/${NAME}`, "-o", again])).code, 0);
  await daemon.holds(NAME);
});
