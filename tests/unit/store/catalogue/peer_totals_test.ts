// What passed between this node and others: over restarts, and within bounds.

import { assertEquals } from "@std/assert";
import type { NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { openStore, TempDir } from "../store_fixture.ts";

const idOf = (i: number) => i.toString(16).padStart(32, "0") as NodeId;

Deno.test("PeerTotals adds up what came and went, and keeps it over a restart", async () => {
  using dir = new TempDir();
  {
    await using store = (await openStore(dir.path)).store;
    const { peerTotals } = store;
    peerTotals.add({ nodeId: idOf(1), peer: "h:1", bytesHad: 5 }, 10);
    peerTotals.add({ nodeId: idOf(2), peer: "h:2", bytesGiven: 7 }, 20);
    store.flushStatistics();
    peerTotals.add({ nodeId: idOf(1), peer: "moved:1", bytesHad: 1, bytesGiven: 2 }, 30);
    // Nothing passed: nothing is to be remembered.
    peerTotals.add({ nodeId: idOf(3), peer: "h:3", bytesGiven: 0 }, 40);
  }
  await using store = (await openStore(dir.path)).store;
  assertEquals(store.peerTotals.all(), [
    { nodeId: idOf(1), peer: "moved:1", bytesHad: 6, bytesGiven: 2, lastUnixMs: 30 },
    { nodeId: idOf(2), peer: "h:2", bytesHad: 0, bytesGiven: 7, lastUnixMs: 20 },
  ]);
});

Deno.test("PeerTotals remembers so many nodes: who gave and took nothing for longest goes", async () => {
  using dir = new TempDir();
  const max = limits.peerTotalsMax;
  const isKept = (of: (nodeId: NodeId) => unknown) =>
    [1, 2, max, max + 1].map((i) => of(idOf(i)) !== undefined);
  {
    await using store = (await openStore(dir.path)).store;
    const { peerTotals } = store;
    for (let i = 1; i <= max; i++) {
      peerTotals.add({ nodeId: idOf(i), peer: "h:1", bytesHad: 1 }, i);
    }
    store.flushStatistics();
    peerTotals.add({ nodeId: idOf(1), peer: "h:1", bytesHad: 1 }, max + 1);
    peerTotals.add({ nodeId: idOf(max + 1), peer: "h:1", bytesHad: 1 }, max + 2);
    assertEquals(isKept((nodeId) => peerTotals.of(nodeId)), [true, false, true, true]);
  }
  await using store = (await openStore(dir.path)).store;
  const { peerTotals } = store;
  assertEquals(isKept((nodeId) => peerTotals.of(nodeId)), [true, false, true, true]);
  assertEquals(peerTotals.all().length, max);
});
