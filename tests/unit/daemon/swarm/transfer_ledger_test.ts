import { assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { newNodeId, type NodeId } from "../../../../src/base/ids.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { HERE, mirrorProvider, type Provider } from "../../../../src/daemon/swarm/provider.ts";
import { StreamLedger, TransferLedger } from "../../../../src/daemon/swarm/transfer_ledger.ts";

const SIZE = 20 * CHUNK_BYTES;
const ALL = { first: 0, count: 20 };

function peer(label: string): Provider & { readonly nodeId: NodeId } {
  return { kind: "peer", label, nodeId: newNodeId(systemRandom) } as const;
}

Deno.test("TransferLedger tells peers and mirrors apart, most bytes first", () => {
  const ledger = new TransferLedger();
  const [a, b] = [peer("192.0.2.1:1"), peer("192.0.2.2:2")];
  ledger.received(a, { first: 0, count: 2 }, SIZE);
  ledger.received(b, { first: 1, count: 4 }, SIZE);
  ledger.struck(b, 1);
  // The same node, by another connection.
  ledger.received({ ...a, label: "192.0.2.1:999" }, { first: 5, count: 2 }, SIZE);
  ledger.received(mirrorProvider("few"), { first: 19, count: 1 }, SIZE);
  ledger.received(mirrorProvider("many"), { first: 16, count: 2 }, SIZE);
  ledger.received(mirrorProvider("many"), { first: 18, count: 2 }, SIZE);
  ledger.received(HERE, ALL, SIZE);
  assertEquals(ledger.peers(), [
    { nodeId: a.nodeId, peer: "192.0.2.1:1", bytes: 4 * CHUNK_BYTES, strikes: 0 },
    { nodeId: b.nodeId, peer: "192.0.2.2:2", bytes: 3 * CHUNK_BYTES, strikes: 1 },
  ]);
  const mirrors = [...ledger].filter(({ provider }) => provider.kind === "mirror")
    .map(({ provider, bytes, runs }) => [provider.label, bytes, runs]);
  assertEquals(mirrors, [
    ["few", CHUNK_BYTES, [{ first: 19, count: 1 }]],
    ["many", 3 * CHUNK_BYTES, [{ first: 16, count: 3 }]],
  ]);
  const sums = ([undefined, "peer", "mirror", "here"] as const).map((kind) => ledger.sum(kind));
  assertEquals(sums, [20, 7, 4, 9].map((chunks) => chunks * CHUNK_BYTES));
});

Deno.test("TransferLedger names a bounded number of providers, and sums up the others", () => {
  const ledger = new TransferLedger(), chunks = 1_000;
  for (let i = 0; i < chunks; i++) {
    ledger.received(peer(`192.0.2.1:${i}`), { first: i, count: 1 }, chunks * CHUNK_BYTES);
  }
  assertEquals([...ledger].length, 257);
  assertEquals([ledger.peers().length, ledger.sum("peer")], [256, chunks * CHUNK_BYTES]);
});

Deno.test("TransferLedger.restart() keeps strikes, and has what another one has", () => {
  const [ledger, kept] = [new TransferLedger(), new TransferLedger()];
  const [a, b] = [peer("a"), peer("b")];
  ledger.received(a, ALL, SIZE);
  ledger.struck(a, 2);
  ledger.threwAway(a, 5);
  kept.received(b, { first: 0, count: 1 }, SIZE);
  ledger.restart(kept);
  ledger.received(a, { first: 0, count: 2 }, SIZE);
  assertEquals(
    [...ledger].map(({ bytes, strikes, bytesThrownAway }) => [bytes, strikes, bytesThrownAway]),
    [[CHUNK_BYTES, 2, 5], [CHUNK_BYTES, 0, 0]],
  );
  assertEquals([kept.sum(), kept.sizeBytes], [CHUNK_BYTES, SIZE]);
  ledger.restart();
  assertEquals([ledger.sum(), ledger.sizeBytes, ledger.peers().length], [0, null, 2]);
});

Deno.test("StreamLedger.mirrorOf() names the one that gave all of a chunk", () => {
  const ledger = new StreamLedger();
  const [a, b] = [mirrorProvider("a"), mirrorProvider("b")];
  ledger.received(HERE, 2 * CHUNK_BYTES);
  ledger.received(a, 3 * CHUNK_BYTES);
  ledger.received(a, 3 * CHUNK_BYTES + 5);
  ledger.received(b, 4 * CHUNK_BYTES + 7);
  const sizeBytes = 4 * CHUNK_BYTES + 7;
  const named = [0, 1, 2, 3, 4, 5].map((index) => ledger.mirrorOf(index, sizeBytes));
  assertEquals(named, [null, null, "a", null, "b", null]);
  assertEquals([ledger.has("a"), ledger.has("c")], [true, false]);
});

Deno.test("StreamLedger.runOf() names the one that completed a chunk, and how far it did", () => {
  const ledger = new StreamLedger();
  const [a, b] = [mirrorProvider("a"), mirrorProvider("b")];
  ledger.received(HERE, CHUNK_BYTES + 1);
  ledger.received(a, 3 * CHUNK_BYTES + 5);
  ledger.received(b, 4 * CHUNK_BYTES + 7);
  const runs = [0, 1, 2, 3, 4].map((index) => ledger.runOf(index, 4 * CHUNK_BYTES + 7));
  assertEquals(runs.map((run) => [run?.provider.label, run?.endChunk]), [
    ["", 1],
    ["a", 3],
    ["a", 3],
    ["b", 5],
    ["b", 5],
  ]);
  assertEquals(ledger.runOf(4, 5 * CHUNK_BYTES), undefined);
});

Deno.test("StreamLedger.culprits are all who gave, unless an earlier fetch brought some of it", () => {
  const ledger = new StreamLedger();
  const [a, b] = [mirrorProvider("a"), mirrorProvider("b")];
  assertEquals(ledger.culprits, []);
  ledger.received(a, 5);
  ledger.received(b, 6);
  ledger.received(a, 7);
  assertEquals(ledger.culprits, ["a", "b"]);
  ledger.clear();
  ledger.received(HERE, 5);
  ledger.received(a, 7);
  assertEquals(ledger.culprits, []);
});
