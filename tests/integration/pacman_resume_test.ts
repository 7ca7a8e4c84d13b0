// Downloads of pacman that are cut short, by a person, by the gateway's end, by dead peers: what is
// there is not fetched again, and nothing is slower than without pacsrv.

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { isThere, TempDir } from "./support/files.ts";
import { curl, Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { Repository } from "./support/repository.ts";

const MB = 1_000_000;

Deno.test("pacman goes on where it was interrupted, and the mirror gives nothing twice", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "large", payloadBytes: 20 * MB }],
  });
  const { url, sizeBytes, fileName, path } = repository.package("large");
  await using mirror = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror] });
  await machine.pacman.must("-Sy");
  await machine.knows(1);
  const isOver = mirror.misbehave({ bytesPerSecond: 4 * MB });
  {
    await using pacman = machine.pacman.start(["-S", "large"]);
    await mirror.gave(url, 6 * MB);
    pacman.kill("SIGINT");
    const { code } = await pacman.ended();
    assertGreater(code, 0);
  }
  assert(!await isThere(`${machine.pacman.cacheDir}/${fileName}`));
  const part = await Deno.readFile(`${machine.pacman.cacheDir}/${fileName}.part`);
  const right = await Deno.readFile(path);
  assertEquals(part, right.subarray(0, part.length), "what pacman has is right");
  assertGreater(part.length, 3 * MB);
  isOver();
  await machine.pacman.must("-S", "large");
  await machine.pacman.assertInstalled(repository.packages);
  await machine.pacman.assertCached(repository.packages);
  const given = mirror.bytesOf(url);
  assert(given < sizeBytes * 1.05, `the mirror gave ${given} of ${sizeBytes} bytes`);
});

Deno.test("pacman goes on where it was interrupted when the gateway was started again", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: [{ name: "large", payloadBytes: 20 * MB }],
  });
  const { url, fileName } = repository.package("large");
  await using mirror = Mirror.start(dir.path);
  const isOver = mirror.misbehave({ bytesPerSecond: 4 * MB });
  await using machine = await Machine.start({ mirrors: [mirror] });
  await machine.pacman.must("-Sy");
  {
    await using pacman = machine.pacman.start(["-S", "large"]);
    await mirror.gave(url, 6 * MB);
    pacman.kill("SIGINT");
    await pacman.ended();
  }
  const { size } = await Deno.stat(`${machine.pacman.cacheDir}/${fileName}.part`);
  isOver();
  // Another gateway knows nothing of the file but what pacman asks: the rest.
  await using other = await Machine.start({ mirrors: [mirror] });
  await machine.useServers(`${other.url}/$repo/os/$arch`);
  const before = mirror.requestsOf(url).length;
  await machine.pacman.must("-S", "large");
  await machine.pacman.assertInstalled(repository.packages);
  const [first] = mirror.requestsOf(url).slice(before);
  const start = Number(/^bytes=(\d+)-/.exec(first?.headers.get("range") ?? "")?.[1] ?? 0);
  assertGreater(start, size - 100_000, "the mirror is asked for the rest first");
});

Deno.test("pacman goes on with the next server when the gateway is killed in mid-download", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: ["large", "next"].map((name) => ({ name, payloadBytes: 12 * MB })),
  });
  const { url } = repository.package("large");
  await using mirror = Mirror.start(dir.path);
  await using behind = Mirror.start(dir.path);
  await using machine = await Machine.start({ mirrors: [mirror], behind: [behind] });
  await machine.pacman.must("-Sy");
  await machine.knows(2);
  mirror.misbehave({ bytesPerSecond: 4 * MB });
  {
    await using pacman = machine.pacman.start(["-S", "large"]);
    await mirror.gave(url, 5 * MB);
    machine.daemon.kill("SIGKILL");
    const { code, stdout, stderr } = await pacman.ended();
    assertEquals(code, 0, `${stdout}${stderr}`);
  }
  await machine.pacman.assertInstalled([repository.package("large")]);
  assertGreater(behind.bytesOf(url), 0);
  // With the gateway off pacman goes on by itself.
  await machine.pacman.must("-Sy");
  await machine.pacman.must("-S", "next");
  await machine.pacman.assertInstalled(repository.packages);
});

Deno.test("a gateway whose peers are all dead is as fast as its mirror", async () => {
  await using dir = await TempDir.make();
  const sizes = [5, 20, 20].map((size, index) => ({
    name: `file${index}`,
    payloadBytes: size * MB,
  }));
  const repository = await Repository.build(dir.path, { packages: sizes });
  await using mirror = Mirror.start(dir.path);
  mirror.misbehave({ bytesPerSecond: 50 * MB });
  const paths = repository.packages.map(({ path }) => path);
  const peers = [await startDaemon({ shares: paths }), await startDaemon({ shares: paths })];
  await using cleanup = new AsyncDisposableStack();
  for (const peer of peers) cleanup.use(peer);
  await using machine = await Machine.start({
    mirrors: [mirror],
    peers: peers.map(({ node }) => node),
  });
  await machine.daemon.linked(2);
  await machine.pacman.must("-Sy");
  await machine.knows(3);
  // Stopped, so that their connections stay: the worst way of being dead.
  for (const peer of peers) peer.kill("SIGSTOP");
  for (const { name, url, sha256, sizeBytes } of repository.packages) {
    const through = await machine.curl(url);
    assertEquals([through.exit, through.status, through.sha256], [0, 200, sha256], name);
    const direct = await curl(`${mirror.url}${url}`);
    assertEquals(direct.bytes, sizeBytes);
    console.log(
      `${name}: ${Math.round(through.tookMs)} ms through the gateway, ` +
        `${Math.round(direct.tookMs)} ms directly; to the first byte ` +
        `${Math.round(through.firstMs)} and ${Math.round(direct.firstMs)} ms`,
    );
    assertLess(through.tookMs, direct.tookMs * 3 + 500, name);
  }
  await machine.pacman.must("-S", ...repository.names);
  await machine.pacman.assertInstalled(repository.packages);
});
