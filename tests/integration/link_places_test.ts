// One host cannot take all links of a node: neither with one id nor with many.

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { startDaemon } from "./support/daemon.ts";
import { RawNode, type RawPeer } from "./support/raw_node.ts";
import { waitUntil } from "./support/wait.ts";

const LINKS_MAX = 12;

Deno.test("pacsrv daemon has one link an id, and takes newcomers in though one host has all places", async () => {
  await using daemon = await startDaemon({
    node: "[::]:0",
    args: ["--max-connections", String(LINKS_MAX)],
  });
  const port = daemon.node.slice(daemon.node.lastIndexOf(":") + 1);
  await using nodes = new AsyncDisposableStack();
  // Keeps each link up, and counts those that the daemon takes in and does not close.
  let open = 0;
  const link = async (host: string, node = nodes.use(new RawNode())): Promise<RawPeer | null> => {
    const peer = await node.dial(`${host}:${port}`, "link").catch(() => null);
    if (peer === null) return null;
    open++;
    node.run(async () => {
      await peer.ended(600_000);
      open--;
    });
    return peer;
  };

  const one = nodes.use(new RawNode());
  for (let i = 0; i < 2 * LINKS_MAX; i++) await link("127.0.0.1", one);
  await waitUntil(() => open === 1, { what: "one link of that id" });

  for (let i = 0; i < 2 * LINKS_MAX; i++) await link("127.0.0.1");
  await waitUntil(() => open === LINKS_MAX, { what: "all places to be taken" });
  const honest = 3;
  for (let i = 0; i < honest; i++) await link("[::1]");
  await waitUntil(
    async () => (await daemon.peers()).filter(({ host }) => host === "::1").length === honest,
    { what: "the honest nodes to be linked" },
  );
  const peers = await daemon.peers();
  assertEquals(peers.length, LINKS_MAX);
  assertGreaterOrEqual(new Set(peers.map(({ nodeId }) => nodeId)).size, LINKS_MAX);
});
