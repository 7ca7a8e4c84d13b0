// What two real daemons had from each other, as `pacsrv peers` shows it, also after a restart.

import { assertEquals, assertMatch } from "@std/assert";
import type { PeerReport } from "../../src/client/types.ts";
import { type DaemonProcess, startDaemon } from "./support/daemon.ts";
import { randomFile, TempDir } from "./support/files.ts";
import { waitUntil } from "./support/wait.ts";

const BYTES = 700_000;

async function totalsOf(daemon: DaemonProcess, nodeId: string): Promise<PeerReport | undefined> {
  const { stdout } = await daemon.run(["peers", "--json"]);
  const peers: PeerReport[] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  return peers.find((peer) => peer.nodeId === nodeId && peer.bytesHad + peer.bytesGiven > 0);
}

Deno.test("pacsrv peers shows what each node gave and took, over restarts", async () => {
  await using dir = await TempDir.make();
  await randomFile(await dir.sub("shared", "big.bin"), BYTES, 1);
  const dataDir = await dir.folder("data");
  await using holder = await startDaemon({ shares: [`${dir.path}/shared`] });
  await holder.holds("big.bin");
  {
    await using taker = await startDaemon({ dataDir, peers: [holder.node] });
    await taker.linked(1);
    const { code, stderr } = await taker.run(["fetch", "big.bin", "-o", `${dir.path}/got`]);
    assertEquals(code, 0, stderr);
    const had = await totalsOf(taker, holder.id);
    assertEquals([had?.direction, had?.bytesHad, had?.bytesGiven], ["out", BYTES, 0]);
    const gave = await waitUntil(() => totalsOf(holder, taker.id), { what: "the upload to end" });
    assertEquals([gave.direction, gave.bytesHad, gave.bytesGiven], ["in", 0, BYTES]);
    await taker.stop();
  }
  const past = await waitUntil(async () => {
    const { stdout } = await holder.run(["peers"]);
    return /^NO LINK NOW .*\n.*$/m.exec(stdout)?.[0];
  }, { what: "the link to end" });
  assertMatch(
    past,
    /^NO LINK NOW +HAD +GIVEN +LAST +NODE\n\S+ +0 B +700 kB +\d{4}-\d\d-\d\d \d\d:\d\d /,
  );
  // Without a link, and in another run.
  await using again = await startDaemon({ dataDir });
  const had = await totalsOf(again, holder.id);
  assertEquals([had?.direction, had?.bytesHad, had?.bytesGiven], ["past", BYTES, 0]);
  await Promise.all([again.stop(), holder.stop()]);
});
