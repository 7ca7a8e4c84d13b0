/** A file given by one real node to another, over streams in memory. */

import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { newNodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import type { Node } from "../../../../src/daemon/node/node.ts";
import { push } from "../../../../src/daemon/push/pushes.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { initiate } from "../../../../src/net/handshake.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testNode } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, readAll, TempDir } from "../../store/store_fixture.ts";

interface Pair {
  readonly provider: Node;
  readonly taker: Node;
  /** Comes to the taker, as if it had a question, and asks nothing. */
  ask(): Promise<Connection>;
}

/** Runs `test` with two nodes, of which the second takes files. */
async function pair(test: (pair: Pair) => Promise<void>): Promise<void> {
  using dir = new TempDir();
  await using cleanup = new AsyncDisposableStack();
  const transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  const start = async (name: string, acceptBytes: number) => {
    const { store } = cleanup.use(await openStored(dir.join(name)));
    const node = testNode({ store, transport, acceptBytes, nodeId: newNodeId(systemRandom) });
    cleanup.defer(() => node.stop());
    node.start();
    return node;
  };
  const provider = await start("giver", 0), taker = await start("taker", 10_000_000);
  const identity = { ...provider.identity, nodeId: newNodeId(systemRandom) };
  const ask = async () => {
    const connection = new Connection(await transport.dial(taker.address, { timeoutMs: 5_000 }));
    cleanup.defer(() => connection.close());
    await initiate(connection, { identity, purpose: "directory" });
    return connection;
  };
  await test({ provider, taker, ask });
}

async function openStored(dataDir: string) {
  const { store } = await openStore(dataDir);
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

/** Has the provider share a file, and begins to push it. */
async function begin({ provider, taker }: Pair, bytes: Uint8Array<ArrayBuffer>) {
  const root = await addDownloaded(provider.store, "f", bytes);
  const signal = new AbortController().signal;
  const file = provider.store.definition(root)!;
  const start = () => push(provider, file, { address: taker.address, signal });
  return { root, start };
}

async function resultsOf(reports: ReturnType<typeof push>): Promise<[string, number][]> {
  return (await Array.fromAsync(reports)).map(({ result, bytes }) => [result, bytes]);
}

for (const sizeBytes of [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1]) {
  Deno.test(`push() brings a file of ${sizeBytes} bytes`, () =>
    pair(async (two) => {
      const bytes = content(sizeBytes);
      const { root, start } = await begin(two, bytes);
      assertEquals(await resultsOf(start()), [["accepted", 0], ["done", sizeBytes]]);
      assertEquals(readAll(two.taker.store, root), bytes);
      assertEquals(two.taker.pushReceiver.room, 10_000_000 - sizeBytes);
      assertEquals(await resultsOf(start()), [["have", 0]]);
    }));
}

Deno.test("push() of one file twice at once brings it once", () =>
  pair(async (two) => {
    const { start } = await begin(two, content(20 * CHUNK_BYTES));
    const results = await Promise.all([resultsOf(start()), resultsOf(start())]);
    results.sort((a, b) => a.length - b.length);
    assertEquals(results, [[["busy", 0]], [["accepted", 0], ["done", 20 * CHUNK_BYTES]]]);
  }));

Deno.test("push() waits for the other side when that has no place for questions just then", () =>
  pair(async (two) => {
    const { root, start } = await begin(two, content(3 * CHUNK_BYTES));
    const reports = start();
    assertEquals((await reports.next()).value?.result, "accepted");
    const asking: Connection[] = [];
    while (two.taker.questions.refusal("127.0.0.1") === undefined) asking.push(await two.ask());
    assertEquals(asking.length, limits.questionersPerHostMax);
    const isThere = reports.next();
    while (!two.taker.store.isComplete(root)) await turn();
    let isSaid = false;
    isThere.then(() => isSaid = true);
    // The provider asks at once, and again.
    const bytesIn = two.taker.connections.bytesIn;
    while (!isSaid && two.taker.connections.bytesIn < bytesIn + 500) await turn();
    for (const connection of asking) connection.close();
    assertEquals((await isThere).value?.result, "done");
  }));

Deno.test("push() of a file that changes meanwhile ends, and neither keeps a place", () =>
  pair(async (two) => {
    const { provider, taker } = two;
    const { root, start } = await begin(two, content(3 * CHUNK_BYTES));
    const reports = start();
    assertEquals((await reports.next()).value?.result, "accepted");
    provider.store.remove(root);
    const ended = reports.next();
    const isLeft = () => [...taker.swarms].some((one) => one.hadSources && one.sourceCount === 0);
    while (!isLeft()) await turn();
    const now = performance.now;
    performance.now = () => now.call(performance) + limits.pushAloneMs + 1_000;
    try {
      while (taker.pushReceiver.room < 10_000_000) await turn();
    } finally {
      performance.now = now;
    }
    assertEquals((await ended).value?.result, "failed");
    assertEquals(provider.uploads.reports(), []);
    assert(!taker.store.isComplete(root));
  }));

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
