/** What a push without a peer says, with a node for which a test plays the directories. */

import { assertEquals, assertRejects } from "@std/assert";
import { newNodeId, type Root } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { answerPush, type PushAnswerHost } from "../../../../src/daemon/push/push_answers.ts";
import { FetchFailure } from "../../../../src/base/errors.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testNode } from "../../../support/test_node.ts";
import { addDownloaded, content, openStore, TempDir } from "../../store/store_fixture.ts";

Deno.test("answerPush() fails at its end when no directory names a node for one of the files", async () => {
  using dir = new TempDir();
  const { store } = await openStore(dir.join("data"));
  await using _ = store;
  const node = testNode({ store, transport: new MemoryTransport() });
  const roots: Root[] = [];
  for (const seed of [1, 2]) roots.push(await addDownloaded(store, "f", content(10, seed)));
  const files = roots.map((root) => store.definition(root)!);
  const address = { host: "127.0.0.1", port: 1 };
  const taker = { nodeId: newNodeId(systemRandom), chunksHave: 0, loadPermille: 0, ...address };
  const host: PushAnswerHost = {
    store,
    offerPolicy: node.offerPolicy,
    connections: node.connections,
    identity: node.identity,
    uploads: node.uploads,
    log: node.log,
    directories: {
      size: 1,
      findTakers: ({ root, sizeBytes }, heard) => {
        const holders = root === roots[0] ? [{ root, sizeBytes, ...taker }] : [];
        queueMicrotask(() => {
          // There is no other that would have to be waited for.
          aheadMs += limits.pushTakersMs;
          heard({ directory: "d:1", files: [], holders });
        });
        return () => {};
      },
    },
  };
  const now = performance.now;
  let aheadMs = 0;
  performance.now = () => now.call(performance) + aheadMs;
  using _restored = { [Symbol.dispose]: () => performance.now = now };
  const said: string[] = [];
  const failure = await assertRejects(async () => {
    const { signal } = new AbortController();
    for await (const { result } of answerPush(host, files, { peer: undefined, signal })) {
      said.push(result);
    }
  }, FetchFailure);
  assertEquals(said, ["unreachable"]);
  assertEquals(
    failure.message,
    `Cannot push "f", root ${roots[1]}: no directory names a peer for it`,
  );
  await node.stop();
});
