// Who holds all places of a holder for a chunk now and then keeps nobody from fetching.

import { assertEquals } from "@std/assert";
import { limits } from "../../src/base/limits.ts";
import { startDaemon } from "./support/daemon.ts";
import { assertSameFile, randomFile, TempDir } from "./support/files.ts";
import { RawNode, type RawPeer } from "./support/raw_node.ts";

const FILE_BYTES = 1_000_000;
/** An address of this machine that others could have. */
const OUTER = Deno.networkInterfaces()
  .find(({ address, family }) => family === "IPv4" && !address.startsWith("127."))?.address;

Deno.test({
  name: "pacsrv daemon serves a newcomer though two hosts hold all its places",
  ignore: OUTER === undefined,
  async fn() {
    await using dir = await TempDir.make();
    await randomFile(await dir.sub("shared", "wanted.bin"), FILE_BYTES, 3);
    await using daemon = await startDaemon({ node: "[::]:0", shares: [await dir.sub("shared")] });
    const { root } = await daemon.holds("wanted.bin");
    const port = daemon.node.slice(daemon.node.lastIndexOf(":") + 1);
    await using nodes = new AsyncDisposableStack();
    let held = 0;
    /** Takes a place and asks for one chunk. */
    const hold = async (host: string): Promise<RawPeer | null> => {
      const node = nodes.use(new RawNode());
      const first = () => [{ kind: "want", root, searchOn: true } as const];
      const peer = await node.dial(`${host}:${port}`, "transfer", { first }).catch(() => null);
      if (peer === null) return null;
      await peer.next("offers-end");
      peer.send({ kind: "request", first: 0, count: 1 });
      assertEquals((await peer.receive()).kind, "chunks");
      held++;
      // It asks again long before it would count as idle, until its place is taken.
      node.run(async () => {
        for (;;) {
          await node.pause(limits.uploadEvictMs / 4);
          if (peer.connection.isClosed) return;
          peer.send({ kind: "request", first: 0, count: 1 });
          const answer = await peer.receive(60_000).catch(() => null);
          if (answer?.kind !== "chunks") return;
        }
      });
      return peer;
    };
    for (let i = 0; i < limits.uploadsPerHostMax; i++) {
      await Promise.all(["127.0.0.1", OUTER!].map(hold));
    }
    assertEquals(held, limits.uploadsMax);
    await using newcomer = await startDaemon({ node: "[::1]:0", peers: [`[::1]:${port}`] });
    await newcomer.linked(1);
    const output = await dir.sub("got.bin");
    await using fetch = newcomer.fetch(["wanted.bin", "-o", output]);
    await fetch.done();
    await assertSameFile(output, await dir.sub("shared", "wanted.bin"));
  },
});
