/** A whole node over streams in memory, with a clock that the test advances. */

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { Catalogue } from "../../../../src/store/catalogue/catalogue.ts";
import { NodeNetwork } from "../../../support/node_network.ts";
import { addDownloaded, content, rootOf } from "../../store/store_fixture.ts";

const SIGNAL = new AbortController().signal;

Deno.test("Node dials the nodes that a person named, and again when they come later", async () => {
  await using network = new NodeNetwork();
  const first = await network.start();
  const { address } = first;
  await first.stop();
  const late = await network.start({ peers: [address] });
  await network.clock.advance(limits.redialMsMin);
  assertEquals(late.links.size, 0);
  const second = await network.start({ listen: address });
  await network.until(() => late.links.size === 1 && second.links.size === 1);
});

Deno.test("Node drops a link that is silent, and no other", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  const neighbour = await network.neighbour(node);
  await network.clock.advance(2 * limits.linkSilentMs);
  assertEquals([node.links.size, neighbour.links.size], [1, 1]);
  await neighbour.stop();
  await network.until(() => node.links.size === 0);
});

Deno.test("Discovery.list() tells what neighbours and the node itself have", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  const neighbour = await network.neighbour(node);
  await addDownloaded(node.store, "a.txt", content(10, 1));
  await addDownloaded(neighbour.store, "a.txt", content(10, 1));
  await addDownloaded(neighbour.store, "b.txt", content(10, 2));
  await addDownloaded(neighbour.store, "other", content(10, 3));
  const options = { timeoutMs: 3_600_000, signal: SIGNAL };
  using found = await network.answer(node.discovery.list("*.txt", options));
  assertEquals(found.leftOut(), []);
  assertEquals(
    [...found.reports()].map(({ name, peersWhole, from }) => [name, peersWhole, from]),
    [["a.txt", 2, ["here", "flood"]], ["b.txt", 1, ["flood"]]] as never,
  );
});

Deno.test("Discovery.locate() names the holders of a file, with the load of the node itself", async () => {
  await using network = new NodeNetwork();
  const node = await network.start({ uploadsLoaded: 4 });
  const neighbour = await network.neighbour(node);
  const bytes = content(3 * CHUNK_BYTES);
  for (const { store } of [node, neighbour]) await addDownloaded(store, "f", bytes);
  const sought = { by: "root", value: rootOf(bytes) } as const;
  const query = await network.answer(
    node.discovery.locate(sought, { timeoutMs: 3_600_000, signal: SIGNAL }),
  );
  const holders = query.holderReports();
  assertEquals(
    holders.map(({ nodeId, chunksHave, loadPermille }) => [nodeId, chunksHave, loadPermille]),
    [[node.nodeId, 3, 0], [neighbour.nodeId, 3, null]] as [NodeId, number, number | null][],
  );
});

Deno.test("Node.stop() ends the questions that wait", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  const answers = node.discovery.list("*", { timeoutMs: 3_600_000, signal: SIGNAL });
  await node.stop();
  using found = await answers;
  assertEquals([...found.reports()], []);
});

Deno.test("a running Node writes the counters to the disk once their time has come", async () => {
  await using network = new NodeNetwork();
  const { store } = await network.start();
  store.addStatistic("test", 7);
  await network.clock.advance(limits.statisticsFlushMs - 1);
  assertEquals(await statisticOnDisk(store.dataDir), undefined);
  await network.clock.advance(1);
  assertEquals(await statisticOnDisk(store.dataDir), 7);
});

async function statisticOnDisk(dataDir: string): Promise<number | undefined> {
  using catalogue = await Catalogue.open(`${dataDir}/catalogue.sqlite`, dataDir);
  return catalogue.statistics().get("test");
}

Deno.test("Node counts the bytes of its connections in its statistics, each once", async () => {
  await using network = new NodeNetwork();
  const node = await network.start();
  await network.neighbour(node);
  await network.clock.advance(limits.pingIntervalMs);
  await node.stop();
  const { bytesIn, bytesOut } = node.context.connections;
  const totals = node.store.statistics();
  assertEquals([totals.get("bytesIn"), totals.get("bytesOut")], [bytesIn, bytesOut]);
  assert(bytesIn > 0 && bytesOut > 0);
});
