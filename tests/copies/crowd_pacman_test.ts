// Five machines with the real pacman that update at the same moment, each through its own gateway: the
// mirror gives each package about once, all of them are installed, and pacman has nothing to say.

import { assert, assertEquals, assertNotMatch } from "@std/assert";
import { TempDir } from "../integration/support/files.ts";
import { Machine } from "../integration/support/machine.ts";
import { MirrorProcess } from "../integration/support/mirror_process.ts";
import { Repository } from "../integration/support/repository.ts";
import { BUSY_COPIES } from "../integration/support/test_crowd.ts";

const MB = 1_000_000;
const MACHINES = 5;
const PAYLOAD_MB = [0.3, 0.5, 1, 1, 2, 3, 4, 5, 6, 8];
const COPIES_MAX = 1.10 + BUSY_COPIES;

Deno.test("five pacmans that install ten packages at once get each once from the mirror", async () => {
  await using dir = await TempDir.make();
  const repository = await Repository.build(dir.path, {
    packages: PAYLOAD_MB.map((mb, i) => ({ name: `wanted${i}`, payloadBytes: mb * MB })),
  });
  await using mirror = await MirrorProcess.start(dir.path, { bytesPerSecond: 12 * MB });
  await using cleanup = new AsyncDisposableStack();
  const machines: Machine[] = [];
  for (let i = 0; i < MACHINES; i++) {
    machines.push(cleanup.use(
      await Machine.start({
        mirrors: [{ url: mirror.urlFor(`m${i}`) }],
        peers: machines.map(({ daemon }) => daemon.node),
        pacman: { parallelDownloads: 5 },
        logLevel: "info",
      }),
    ));
  }
  await Promise.all(machines.map(({ daemon }) => daemon.linked(MACHINES - 1)));
  // As a person's `-Syu` does: what is wanted is known at the moment at which it is wanted.
  const runs = await Promise.all(machines.map(async ({ pacman }) => {
    const synced = await pacman.run("-Sy");
    const installed = await pacman.run("-S", ...repository.names);
    return [synced, installed];
  }));
  for (const { code, stdout, stderr } of runs.flat()) {
    assertEquals(code, 0, `${stdout}\n${stderr}`);
    assertNotMatch(`${stdout}${stderr}`, /error|warning|fail|retry/i);
  }
  for (const { pacman } of machines) await pacman.assertInstalled(repository.packages);
  const copies = await mirror.bytesOf(/\.pkg\./) / repository.sizeBytes;
  assert(copies <= COPIES_MAX, `${copies.toFixed(3)} copies: ${await perMachine(mirror)}`);
});

/** What each machine got, for a message. */
async function perMachine(mirror: MirrorProcess): Promise<string> {
  const bytes = new Map<string, number>();
  for (const { machine, bytes: given } of await mirror.answers()) {
    bytes.set(machine, (bytes.get(machine) ?? 0) + given);
  }
  return [...bytes].map(([machine, given]) => `${machine} ${given}`).join(", ");
}
