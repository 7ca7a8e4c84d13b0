/** A file given by one real node to another, over streams in memory. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CHUNK_BYTES } from "../../../../src/base/geometry.ts";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { newNodeId, type Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import type { Node } from "../../../../src/daemon/node/node.ts";
import { Pushes } from "../../../../src/daemon/push/pushes.ts";
import { Uploads } from "../../../../src/daemon/upload/uploads.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { initiate } from "../../../../src/net/handshake.ts";
import type { PushReport } from "../../../../src/wire/reports.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testContext, testNode } from "../../../support/test_node.ts";
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
  const provider = await start("provider", 0), taker = await start("taker", 10_000_000);
  const identity = { ...provider.context.identity, nodeId: newNodeId(systemRandom) };
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
  const start = () => provider.transfers.pushes.push(file, { address: taker.address, signal });
  return { root, start };
}

async function resultsOf(reports: AsyncGenerator<PushReport>): Promise<[string, number][]> {
  return (await Array.fromAsync(reports)).map(({ result, bytes }) => [result, bytes]);
}

for (const sizeBytes of [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1]) {
  Deno.test(`Pushes.push() brings a file of ${sizeBytes} bytes`, () =>
    pair(async (two) => {
      const bytes = content(sizeBytes);
      const { root, start } = await begin(two, bytes);
      assertEquals(await resultsOf(start()), [["accepted", 0], ["done", sizeBytes]]);
      assertEquals(readAll(two.taker.store, root), bytes);
      assertEquals(two.taker.transfers.pushReceiver.room, 10_000_000 - sizeBytes);
      assertEquals(await resultsOf(start()), [["have", 0]]);
    }));
}

Deno.test("Pushes.push() of one file twice at once brings it once", () =>
  pair(async (two) => {
    const { start } = await begin(two, content(20 * CHUNK_BYTES));
    const results = await Promise.all([resultsOf(start()), resultsOf(start())]);
    results.sort((a, b) => a.length - b.length);
    assertEquals(results, [[["busy", 0]], [["accepted", 0], ["done", 20 * CHUNK_BYTES]]]);
  }));

Deno.test("Pushes.push() waits for the other side when that takes no more questions just then", () =>
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
    const bytesIn = two.taker.context.connections.bytesIn;
    while (!isSaid && two.taker.context.connections.bytesIn < bytesIn + 500) await turn();
    for (const connection of asking) connection.close();
    assertEquals((await isThere).value?.result, "done");
  }));

Deno.test("Pushes.push() of a file that changes meanwhile ends, and neither keeps anything of it", () =>
  pair(async (two) => {
    const { provider, taker } = two;
    const { root, start } = await begin(two, content(3 * CHUNK_BYTES));
    const reports = start();
    assertEquals((await reports.next()).value?.result, "accepted");
    provider.store.remove(root);
    const ended = reports.next();
    const isLeft = () =>
      [...taker.transfers.fetches.swarms].some((one) => one.hadSources && one.sourceCount === 0);
    while (!isLeft()) await turn();
    const now = performance.now;
    performance.now = () => now.call(performance) + limits.pushAloneMs + 1_000;
    try {
      while (taker.transfers.pushReceiver.room < 10_000_000) await turn();
    } finally {
      performance.now = now;
    }
    assertEquals((await ended).value?.result, "failed");
    assertEquals(provider.transfers.uploads.reports(), []);
    assert(!taker.store.isComplete(root));
  }));

Deno.test("Pushes.pushAll() fails at its end when no directory names a node for one of the files", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const clock = new ManualClock();
  const context = testContext({ store, clock });
  const roots: Root[] = [];
  for (const seed of [1, 2]) roots.push(await addDownloaded(store, "f", content(10, seed)));
  const files = roots.map((root) => store.definition(root)!);
  const address = { host: "127.0.0.1", port: 1 };
  const taker = { nodeId: newNodeId(systemRandom), chunksHave: 0, loadPermille: 0, ...address };
  const pushes = new Pushes(context, {
    uploads: new Uploads(context),
    directories: {
      // One of them never answers.
      size: 2,
      findTakers: ({ root, sizeBytes }, heard) => {
        const holders = root === roots[0] ? [{ root, sizeBytes, ...taker }] : [];
        queueMicrotask(() => heard({ directory: "d:1", files: [], holders }));
        return () => {};
      },
    },
  });
  const said: string[] = [];
  const failed = assertRejects(async () => {
    const { signal } = new AbortController();
    for await (const { result } of pushes.pushAll(files, { peer: undefined, signal })) {
      said.push(result);
    }
  }, FetchFailure);
  while (said.length === 0) await turn();
  // The other directory is waited for, for each file.
  for (let i = 0; i < files.length; i++) await clock.advance(limits.pushTakersMs);
  assertEquals(said, ["unreachable"]);
  assertEquals(
    (await failed).message,
    `Cannot push "f", root ${roots[1]}: no directory names a peer for it`,
  );
});

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
