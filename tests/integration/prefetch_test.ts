// New versions of packages that are fetched before anybody asks: a real repository whose database
// changes, two daemons, and clients of a gateway.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { EXIT } from "../../src/base/errors.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { sha256Of, TempDir } from "./support/files.ts";
import { runPacsrv } from "./support/process.ts";
import { type BuiltPackage, Repository } from "./support/repository.ts";
import { tool } from "./support/tool.ts";
import { waitUntil } from "./support/wait.ts";

const SPECS = ["used", "other"].map((name) => ({ name, payloadBytes: 60_000 }));

/** Has curl take a package through the gateway, and holds it to be the right one. */
async function take(daemon: DaemonProcess, dir: TempDir, built: BuiltPackage): Promise<void> {
  const output = await dir.sub("taken", built.fileName);
  const url = `http://${daemon.gateway}${built.url}`;
  await tool("curl", ["-sSf", "--noproxy", "*", "-o", output, url]);
  assertEquals(await sha256Of(output), built.sha256);
}

async function prefetchOf(daemon: DaemonProcess) {
  const { prefetch } = await daemon.status();
  assert(prefetch !== null);
  return prefetch;
}

Deno.test("--prefetch has the new version of what a client took before anybody asks for it", async () => {
  await using dir = await TempDir.make();
  const databases = `${dir.path}/sync`;
  const repository = await Repository.build(`${dir.path}/mirror`, { packages: SPECS });
  await repository.syncTo(databases);
  const dataDir = await dir.folder("data");
  const config = await dir.sub("pacsrv.toml");
  const settings = (isOn: boolean) =>
    Deno.writeTextFile(config, `gateway = "127.0.0.1:0"\nsync-db = "sync"\nprefetch = ${isOn}\n`);
  await settings(true);
  await using holder = await startDaemon({ shares: [`${repository.root}${repository.folder}`] });
  const start = () => startDaemon({ dataDir, config, peers: [holder.node] });
  {
    await using daemon = await start();
    await daemon.linked(1);
    await take(daemon, dir, repository.package("used"));
    await waitUntil(async () => (await prefetchOf(daemon)).packages === 1, {
      what: "the package to count as in use",
    });
    await repository.add(SPECS.map((spec) => ({ ...spec, version: "2-1" })));
    const { fileName } = repository.package("used");
    await holder.holds(fileName);
    await repository.syncTo(databases);
    await waitUntil(async () => (await daemon.list()).some(({ name }) => name === fileName), {
      what: "the new version to be here",
    });
    const names = (await daemon.list()).map(({ name }) => name);
    assertEquals(names.some((name) => name.startsWith("other")), false, "nobody took that one");
    assertEquals(await prefetchOf(daemon), {
      isOn: true,
      packages: 1,
      fetching: null,
      bytesSaved: 0,
      bytesWasted: 0,
    });
    const { stdout } = await daemon.run(["status"]);
    assertStringIncludes(stdout, "1 package in use: 0 B were there when they were wanted");
  }
  // What was fetched so is known after a kill, and nobody is needed to give it.
  holder.kill("SIGKILL");
  await using daemon = await start();
  const built = repository.package("used");
  await take(daemon, dir, built);
  await waitUntil(async () => (await prefetchOf(daemon)).bytesSaved === built.sizeBytes, {
    what: "what was fetched in advance to count as saved",
  });
  await settings(false);
  daemon.kill("SIGHUP");
  await waitUntil(async () => !(await prefetchOf(daemon)).isOn, { what: "the change to hold" });
});

Deno.test("--prefetch without databases, or without a gateway, is an error that says what is missing", async () => {
  const alone = await runPacsrv(["daemon", "--gateway", "127.0.0.1:0", "--prefetch"]);
  assertEquals(alone.code, EXIT.usage);
  assertStringIncludes(alone.stderr, "Cannot use --prefetch without --sync-db");
  const none = await runPacsrv(["daemon", "--sync-db", "/tmp", "--prefetch"]);
  assertEquals(none.code, EXIT.usage);
  assertStringIncludes(none.stderr, "Cannot use --prefetch without --gateway");
});
