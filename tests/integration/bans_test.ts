// A node that gives one file after the other wrong is banned: it loses its link, is refused by name
// when it comes back, and shows in what the daemon says of its peers. Fetches go on without it.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { CHUNK_BYTES } from "../../src/base/geometry.ts";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { bytesByNode } from "./support/fetch_process.ts";
import { assertSameFile, randomBytes, TempDir } from "./support/files.ts";
import { chunksFrame, holdFile, RawHolder } from "./support/raw_holder.ts";
import { RawNode } from "./support/raw_node.ts";
import { waitUntil } from "./support/wait.ts";

const FILES = limits.banMisdeeds;
const FILE_BYTES = 128 * CHUNK_BYTES;

Deno.test("pacsrv daemon bans a holder that gives several files wrong, and fetches on", async () => {
  await using dir = await TempDir.make();
  const files = Array.from(
    { length: FILES + 1 },
    (_, i) => holdFile(`file-${i}.pkg`, randomBytes(FILE_BYTES, 70 + i)),
  );
  const shared = await dir.sub("shared");
  for (const { name, data } of files) await Deno.writeFile(await dir.sub("shared", name), data);
  await using honest = await startDaemon({ shares: [shared] });
  for (const { name } of files) await honest.holds(name);
  await using daemon = await startDaemon({ peers: [honest.node] });
  await daemon.linked(1);
  await using liar = new RawNode();

  for (const [i, file] of files.slice(0, FILES).entries()) {
    assertEquals((await daemon.status()).banned, 0, `before file ${i}`);
    honest.kill("SIGSTOP");
    await using holder = await RawHolder.start(daemon.node, file, {
      node: { nodeId: liar.nodeId },
      behaviour: {
        onRequest(range, { peer }) {
          const frame = chunksFrame(file, range);
          for (let at = frame.length - 1; at > 16; at -= CHUNK_BYTES) frame[at]! ^= 1;
          peer.sendFrame(frame);
        },
      },
    });
    await using fetch = daemon.fetch([file.name, "-o", await dir.sub(`got-${i}`)]);
    await waitUntil(() => holder.complaints.length > 0, { what: "a complaint" });
    honest.kill("SIGCONT");
    assertEquals(bytesByNode(await fetch.done()).get(liar.nodeId) ?? 0, 0);
  }

  const line = await daemon.logged("banned a node");
  assert(line.includes(liar.nodeId) && line.includes("wrong-data"), line);
  assertEquals((await daemon.status()).banned, 1);
  const [ban] = (await daemon.peers()).filter(({ direction }) => direction === "banned");
  assertEquals([ban?.nodeId, ban?.host, ban?.ban?.reason], [
    liar.nodeId,
    "127.0.0.1",
    "wrong-data",
  ]);
  assertGreater(ban?.ban?.endsInMs ?? 0, limits.banMs / 2);
  const { stdout } = await daemon.run(["peers"]);
  assert(stdout.includes("banned") && stdout.includes(liar.nodeId), stdout);
  assert((await daemon.run(["status"])).stdout.includes("1 banned"));

  for (const purpose of ["link", "callback", "directory"] as const) {
    assertEquals(await refusalOf(liar.dial(daemon.node, purpose)), "banned");
  }
  // Another node at the same address, which did nothing, is let in; and so is an honest fetch.
  await using other = new RawNode();
  await other.dial(daemon.node, "link");
  const last = files[FILES]!;
  const output = await dir.sub("last");
  await using fetch = daemon.fetch([last.name, "-o", output]);
  await fetch.done();
  await assertSameFile(output, await dir.sub("shared", last.name));
});

async function refusalOf(dial: Promise<unknown>): Promise<string> {
  try {
    await dial;
    return "accepted";
  } catch (error) {
    return (error as { readonly refusal?: string }).refusal ?? String(error);
  }
}
