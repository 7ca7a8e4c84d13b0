import { assertEquals } from "@std/assert";
import { limits } from "../../../src/base/limits.ts";
import { tcpTransport } from "../../../src/net/tcp_transport.ts";
import { Catalogue } from "../../../src/store/catalogue/catalogue.ts";
import { testNode } from "../../support/test_node.ts";
import { openStore, TempDir } from "../store/store_fixture.ts";

Deno.test("a running Node writes the counters to the disk once their time has come", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const node = testNode({ store, transport: tcpTransport });
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
