// Files in flight of machines that have no links, but a directory: who seeks one finds it.

import { assert, assertEquals } from "@std/assert";
import { ask } from "./support/client.ts";
import { startDirectory } from "./support/directory.ts";
import { TempDir } from "./support/files.ts";
import { startCrowd } from "./support/test_crowd.ts";
import { waitUntil } from "./support/wait.ts";

Deno.test("pacsrv search, where and info find what is in flight through a directory alone", async () => {
  const network = "flights-through-a-directory";
  await using directory = await startDirectory({ network: ["--network", network] });
  await using running = await startCrowd({
    machines: 3,
    sizes: [4_000_000],
    // It is still in flight when it was found.
    bytesPerSecond: 200_000,
    hasOneUrl: true,
    peersOf: () => [],
    linksMin: 0,
    linksWanted: 0,
    network,
    each: () => ({ args: ["--directory", directory.address] }),
  });
  await using dir = await TempDir.make();
  const { crowd } = running;
  const { name } = crowd.packages.all[0]!;
  const [one, two, asking] = crowd.daemons;
  await using _first = one!.fetch([crowd.urlOf(0), "-o", `${dir.path}/0`]);
  await using _second = two!.fetch([crowd.urlOf(0), "-o", `${dir.path}/1`]);
  const timeoutMs = 2_000;
  const nodes = await waitUntil(async () => {
    const nodes = await ask(asking!, "where", { target: name, timeoutMs });
    return nodes.length === 2 && nodes;
  }, { what: "both that get it" });
  assertEquals(nodes.map(({ nodeId }) => nodeId).sort(), [one!.id, two!.id].sort());
  for (const { root, flight, from } of nodes) {
    assert(root === null && flight !== undefined, "it is in flight");
    assertEquals(from, [directory.address]);
  }
  const [found, ...more] = await ask(asking!, "search", {
    glob: `${name.slice(0, 4)}*`,
    timeoutMs,
  });
  assertEquals([found?.name, found?.peersPart, more.length], [name, 2, 0]);
  assertEquals(await ask(asking!, "search", { glob: "another*", timeoutMs }), []);
  const info = await asking!.run(["info", name]);
  assert(/root +not known yet: in flight, \d+%/.test(info.stdout), info.stdout);
  assertEquals(await crowd.linksOf(2), 0);
});
