// Why a peer that a person named has no link stands where a person looks, in words that fit.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { startDirectory } from "./support/directory.ts";
import { TempDir } from "./support/files.ts";
import { waitUntil } from "./support/wait.ts";

/** What status says of the one peer that the daemon was told of, once that failed. */
async function problemOf(daemon: DaemonProcess): Promise<{ code: string; text: string }> {
  return await waitUntil(async () => (await daemon.status()).peers[0]?.problem, {
    what: "a problem with the peer",
  });
}

async function key(dir: TempDir, name: string): Promise<string[]> {
  const path = await dir.sub(name);
  await Deno.writeTextFile(path, `a secret of the network, ${name}\n`);
  return ["--network-key-file", path];
}

Deno.test("a daemon says of each peer why there is no link, by its cause", async () => {
  await using dir = await TempDir.make();
  const keyed = await key(dir, "one");
  await using open = await startDaemon();
  await using locked = await startDaemon({ args: keyed });
  await using directory = await startDirectory();
  const cases: [code: string, peer: string, args: string[]][] = [
    ["wrong-network", open.node, ["--network", "elsewhere"]],
    ["hung-up", open.node, keyed],
    ["hung-up", locked.node, []],
    ["hung-up", locked.node, await key(dir, "two")],
    ["not-supported", directory.address, []],
    ["no-pacsrv", open.client, []],
    ["name-not-found", "no-such-host.invalid:1", []],
  ];
  for (const [code, peer, args] of cases) {
    await using daemon = await startDaemon({ peers: [peer], args });
    const problem = await problemOf(daemon);
    const known = code === "name-not-found" ? ["name-not-found", "no-name-server"] : [code];
    if (code === "no-pacsrv") known.push("hung-up");
    assert(known.includes(problem.code), `${peer}: ${problem.code}, ${problem.text}`);
  }
});

Deno.test("peers, status, doctor and fetch tell of a peer where nothing listens", async () => {
  let node: string;
  {
    await using gone = await startDaemon();
    node = gone.node;
  }
  await using daemon = await startDaemon({ peers: [node] });
  assertEquals((await problemOf(daemon)).code, "refused");
  const words = "connection refused: nothing listens there";
  for (const args of [["peers"], ["status"], ["fetch", "x", "-o", "-"]]) {
    const { stdout, stderr } = await daemon.run(args);
    assertStringIncludes(stdout + stderr, words, args[0]);
    assertStringIncludes(stdout + stderr, node, args[0]);
  }
  const { stdout } = await daemon.run(["doctor"]);
  assertStringIncludes(stdout, words);

  await using back = await startDaemon({ node });
  await back.linked(1);
  const [peer] = (await daemon.status()).peers;
  assertEquals(peer, { peer: node, nodeId: back.id as never, state: "linked", problem: null });
  await daemon.logged(new RegExp(`linked .*${back.id}`));
  await back.stop();
  await daemon.logged(/link ended .*shutting down/);
  assert(["stopped", "refused"].includes((await problemOf(daemon)).code));
});

Deno.test("two daemons with one id say so on both sides, with the remedy; one with itself does not", async () => {
  await using dir = await TempDir.make();
  const [first, second] = [await dir.folder("first"), await dir.folder("second")];
  await Deno.writeTextFile(`${first}/node.id`, `${"5a".repeat(16)}\n`);
  await Deno.copyFile(`${first}/node.id`, `${second}/node.id`);
  await using one = await startDaemon({ dataDir: first });
  await using two = await startDaemon({ dataDir: second, peers: [one.node] });
  assertEquals((await problemOf(two)).code, "cloned-id");
  assertStringIncludes(await two.logged(/WARN.*cannot link/), "remove node.id");
  assertStringIncludes(await one.logged(/WARN.*has the id of this one/), "remove node.id");

  // Nobody told the one that was copied of the other.
  for (const daemon of [one, two]) {
    for (const verb of ["status", "doctor"]) {
      const { stdout } = await daemon.run([verb]);
      assertMatch(stdout, /another node.* has the id of this one/, verb);
      assertStringIncludes(stdout, "remove node.id", verb);
    }
  }

  const port = Number(one.node.split(":")[1]);
  await one.stop();
  await using self = await startDaemon({
    node: `127.0.0.1:${port}`,
    peers: [`127.0.0.1:${port}`],
  });
  assertEquals((await problemOf(self)).code, "self");
  assertEquals((await self.status()).clone, null);
});

Deno.test("peers names a machine that is called srv by its host and port", async () => {
  await using daemon = await startDaemon({ peers: ["srv:8048"] });
  const { stdout } = await daemon.run(["peers", "--json"]);
  const { host, port, direction } = JSON.parse(stdout);
  assertEquals({ host, port, direction }, { host: "srv", port: 8048, direction: "none" });
});
