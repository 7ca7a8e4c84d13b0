import { assertEquals } from "@std/assert";
import { newNodeId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { Node } from "../../../src/daemon/node.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import { Catalogue } from "../../../src/store/catalogue.ts";
import { openStore, TempDir } from "../store/store_fixture.ts";

Deno.test("a running Node writes the counters to the disk once their time has come", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const node = new Node({
    nodeId: newNodeId(seededRandom(1)),
    listen: { host: "127.0.0.1", port: 0 },
    isReachable: true,
    network: "test",
    networkKey: undefined,
    ttl: 1,
    linksMin: limits.linksMin,
    linksMax: limits.linksMax,
    peers: [],
    store,
    transport: tcpTransport,
    log: silentLogger,
  });
  const now = performance.now, flush = store.flushStatistics;
  const flushed = Promise.withResolvers<string>();
  const bound = setTimeout(() => flushed.resolve("never"), 20_000);
  store.flushStatistics = () => {
    flush.call(store);
    flushed.resolve("flushed");
  };
  try {
    store.addStatistic("test", 7);
    node.start();
    using before = await Catalogue.open(catalogueOf(store.dataDir), store.dataDir);
    assertEquals(before.statistics().get("test"), undefined);
    performance.now = () => now.call(performance) + limits.statisticsFlushMs;
    assertEquals(await flushed.promise, "flushed");
    using after = await Catalogue.open(catalogueOf(store.dataDir), store.dataDir);
    assertEquals(after.statistics().get("test"), 7);
  } finally {
    performance.now = now;
    clearTimeout(bound);
    await node.stop();
  }
});

function catalogueOf(dataDir: string): string {
  return `${dataDir}/catalogue.sqlite`;
}
