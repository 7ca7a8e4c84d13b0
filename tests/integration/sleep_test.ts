// Who slept has heard nobody, and takes nobody for gone: processes that were stopped and go on.

import { assert, assertEquals } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { Mirror } from "./support/mirror.ts";

/** Longer than the silence that ends a link, or the connection of a client. */
const SLEEP_MS = limits.linkSilentMs + limits.clientBeatMs + 1_000;

/** How long each link of a daemon has been up. */
async function connectedMs(daemon: DaemonProcess): Promise<number[]> {
  return (await daemon.peers()).map((peer) => peer.connectedMs);
}

Deno.test("a client and daemons that slept go on with each other where they were", async () => {
  await using dir = await TempDir.make();
  const path = await dir.sub("mirrored", "big.bin");
  await randomFile(path, 1_200_000, 3);
  await using mirror = Mirror.start(await dir.folder("mirrored"));
  mirror.misbehave({ bytesPerSecond: 200_000 });
  await using neighbour = await startDaemon();
  await using daemon = await startDaemon({ peers: [neighbour.node] });
  await neighbour.linked(1);
  const output = await dir.sub("got");
  await using fetch = daemon.fetch([`${mirror.url}/big.bin`, "-o", output]);
  await fetch.progressed(1);
  const sleepers = [fetch.process, daemon.process, neighbour.process];
  for (const one of sleepers) one.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, SLEEP_MS));
  for (const one of sleepers) one.kill("SIGCONT");
  await fetch.done();
  await assertSameFile(output, path);
  for (const one of [daemon, neighbour]) {
    const [sinceMs = 0, ...others] = await connectedMs(one);
    assertEquals(others, []);
    assert(sinceMs < SLEEP_MS, "sleep is not counted");
    assertEquals(one.process.stderr.matches(/link ended|dropped a client|silent/), []);
  }
});
