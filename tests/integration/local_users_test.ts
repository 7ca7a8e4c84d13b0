// What a user of this machine without the daemon's token can have the daemon do: ask the mirrors that
// its configuration names for what a database names, and nothing else inside the network.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { requestFor } from "../support/fetch_request.ts";
import { connectTo } from "./support/client.ts";
import { startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";
import { Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

const NAME = "openssl-9.9-1-x86_64.pkg.tar.zst";

Deno.test("pacsrv daemon asks no mirror for a user without its token, and his own process does", async () => {
  await using dir = await TempDir.make();
  await randomFile(await dir.sub("mirror", NAME), 200_000, 7);
  await using mirror = Mirror.start(await dir.sub("mirror"));
  await using daemon = await startDaemon({ args: ["--metrics", "127.0.0.1:0"] });
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
  const figures = await (await fetch(`http://${daemon.metrics}/metrics`)).text();
  assertStringIncludes(figures, 'pacsrv_fetches_total{outcome="not_allowed"} 2\n');
  assertStringIncludes(figures, 'pacsrv_fetches_total{outcome="refused"} 0\n');

  // Who can read it has the daemon fetch, keep and offer it.
  await Deno.rename(`${dir.path}/away`, `${daemon.dataDir}/client.token`);
  const again = await dir.sub("again.bin");
  assertEquals((await daemon.run(["fetch", `${mirror.url}/${NAME}`, "-o", again])).code, 0);
  await daemon.holds(NAME);
});

Deno.test("pacsrv daemon asks the mirrors of pacman.conf, though inside, for users without its token", async () => {
  await using dir = await TempDir.make();
  const specs = ["named", "other", "more"].map((name) => ({ name, payloadBytes: 100_000 }));
  const repository = await Repository.build(await dir.folder("mirror"), { packages: specs });
  const [named, other, more] = repository.packages;
  await using mirror = Mirror.start(repository.root);
  await using elsewhere = Mirror.start(repository.root);
  const sync = await dir.folder("sync");
  await Deno.copyFile(`${repository.root}${repository.folder}/core.db`, `${sync}/core.db`);
  const conf = `${dir.path}/pacman.conf`;
  await Deno.writeTextFile(conf, `[core]\nServer = ${mirror.url}/$repo/os/$arch\n`);
  const args = ["--sync-db", sync, "--pacman-conf", conf];
  await using holder = await startDaemon({ args });
  await using asker = await startDaemon({ args: ["--sync-db", sync], peers: [holder.node] });
  await asker.linked(1);
  await waitUntil(async () => (await holder.status()).syncDatabases.length === 1, {
    what: "the database to be read",
  });
  await Deno.rename(`${holder.dataDir}/client.token`, `${dir.path}/away`);

  // As pacman's download user runs it as XferCommand; others get the file from this daemon.
  const output = await dir.sub("got.zst");
  const got = await holder.run(["fetch", `${mirror.url}${named!.url}`, "-o", output]);
  assertEquals(got.code, 0, got.stderr);
  assert(!got.stderr.includes("fetching directly"), got.stderr);
  await assertSameFile(output, named!.path);
  await holder.holds(named!.fileName);
  const again = await dir.sub("again.zst");
  const shared = await asker.run(["fetch", named!.fileName, "-o", again]);
  assertEquals(shared.code, 0, shared.stderr);
  await assertSameFile(again, named!.path);

  // No other server inside, nor one to which the mirror redirects, nor a folder beside the mirror's.
  mirror.misbehave({ redirectTo: `${elsewhere.url}${other!.url}` }, {
    path: new RegExp(other!.fileName),
  });
  const urls = [
    [other!, `${mirror.url}${other!.url}`],
    [more!, `${elsewhere.url}${more!.url}`],
    [more!, `${mirror.url}/core/os/x86_64/..%2f${more!.fileName}`],
  ] as const;
  await using client = await connectTo(holder);
  for (const [{ fileName }, url] of urls) {
    const request = requestFor(fileName, { mirrors: [url] });
    const failed = await Array.fromAsync(client.get(request)).catch((error) => error);
    assertStringIncludes(String(failed), "inside this network", url);
  }
  assertEquals(elsewhere.requests.length, 0);
  assertEquals(mirror.requestsOf(/more/).length, 0);
});
