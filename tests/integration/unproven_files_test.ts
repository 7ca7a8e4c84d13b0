// What nothing but other nodes vouches for: a package that one of them has tampered with, where the
// daemon reads no database. pacman must not be given the same wrong bytes for ever.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { TempDir } from "./support/files.ts";
import { Machine } from "./support/machine.ts";
import { Mirror } from "./support/mirror.ts";
import { Repository } from "./support/repository.ts";
import { waitUntil } from "./support/wait.ts";

/** A repository with one package, and a node that shares it, tampered with under the same name. */
async function tampered(dir: TempDir) {
  const repository = await Repository.build(await dir.folder("mirror"), {
    packages: [{ name: "wanted", payloadBytes: 400_000 }],
  });
  const built = repository.package("wanted");
  // It begins as the right one does, and is as long.
  const wrong = await Deno.readFile(built.path);
  wrong[300_000]! ^= 0xff;
  const folder = await dir.folder("wrong");
  await Deno.writeFile(`${folder}/${built.fileName}`, wrong);
  const liar = await startDaemon({ shares: [folder] });
  await liar.holds(built.fileName);
  return { repository, built, liar };
}

for (const hasMirror of [true, false]) {
  const where = hasMirror ? "with a mirror" : "without one";
  Deno.test(`pacman gets a tampered package once and no more from a gateway ${where}`, async () => {
    await using dir = await TempDir.make();
    const { repository, built, liar } = await tampered(dir);
    await using _ = liar;
    await using mirror = Mirror.start(repository.root);
    await using machine = await Machine.start({
      peers: [liar.node],
      mirrors: hasMirror ? [mirror] : [],
      behind: [mirror],
      isTrusting: false,
      // All of it comes from the other node.
      args: hasMirror ? ["--mirror-delay", "5"] : [],
    });
    await machine.daemon.linked(1);
    await machine.pacman.must("-Sy");
    const first = await machine.pacman.run("-S", "wanted");
    assert(first.code > 0, first.stdout);
    assertMatch(`${first.stdout}${first.stderr}`, /corrupt|invalid/);
    assertEquals((await machine.daemon.list()).map(({ trust }) => trust), ["peers"]);
    // pacman removed what it got, and comes back for it.
    await machine.pacman.must("-S", "wanted");
    await machine.pacman.assertInstalled([built]);
    await waitUntil(async () => (await machine.daemon.list()).length === 0, {
      what: "the tampered copy to go",
    });
    assert((await liar.status()).counters.bytesOut < 2 * built.sizeBytes);
    // Nodes are not believed either what the name means.
    await machine.pacman.clear();
    await machine.pacman.must("-S", "wanted");
    assertEquals((await machine.daemon.list()).map(({ trust }) => trust), []);
  });
}

Deno.test("daemon removes what only nodes vouched for when a database contradicts it", async () => {
  await using dir = await TempDir.make();
  const { repository, built, liar } = await tampered(dir);
  await using _ = liar;
  await using mirror = Mirror.start(repository.root);
  await using machine = await Machine.start({ peers: [liar.node], behind: [mirror] });
  await machine.daemon.linked(1);
  const got = await machine.curl(built.url);
  assertEquals(got.status, 200);
  assert(got.sha256 !== built.sha256);
  assertEquals((await machine.daemon.list()).map(({ trust }) => trust), ["peers"]);
  await machine.pacman.must("-Sy");
  await waitUntil(async () => (await machine.daemon.list()).length === 0, {
    what: "the tampered copy to go",
  });
});
