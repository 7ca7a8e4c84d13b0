/** Nodes that ask whether they can be dialled, over streams in memory. */

import { assertEquals, assertRejects } from "@std/assert";
import { newNodeId, type NodeId } from "../../../../src/base/ids.ts";
import { limits } from "../../../../src/base/limits.ts";
import { systemRandom } from "../../../../src/base/random.ts";
import { Connection } from "../../../../src/net/connection.ts";
import { expectMessage, initiate } from "../../../../src/net/handshake.ts";
import type { NodeVersion } from "../../../../src/wire/messages.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { MemoryTransport } from "../../../support/memory_transport.ts";
import { testNode } from "../../../support/test_node.ts";
import { openStore, TempDir } from "../../store/store_fixture.ts";

/** A node that is asked, and another one; both listen. */
class Fixture implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly #transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  readonly #cleanup = new AsyncDisposableStack();

  async start(peers: readonly { host: string; port: number }[] = []) {
    const dir = this.#cleanup.use(new TempDir());
    const { store } = await openStore(dir.join("data"));
    this.#cleanup.defer(() => store.close());
    const nodeId = newNodeId(systemRandom);
    const transport = this.#transport, clock = this.clock;
    const node = testNode({ nodeId, store, transport, clock, peers, linksMin: 0 });
    this.#cleanup.defer(() => node.stop());
    node.start();
    return node;
  }

  /** Asks the node at `port` as one of this id that says to listen at `listenPort`. */
  async ask(
    port: number,
    { nodeId = newNodeId(systemRandom), listenPort, version = 2 }: {
      readonly nodeId?: NodeId;
      readonly listenPort: number;
      readonly version?: NodeVersion;
    },
  ): Promise<string> {
    const address = { host: "127.0.0.1", port };
    const connection = new Connection(await this.#transport.dial(address, { timeoutMs: 5_000 }));
    const network = { network: "test", networkKey: undefined, random: systemRandom };
    try {
      await initiate(connection, {
        identity: { nodeId, listenPort, ...network },
        purpose: "directory",
        version,
        first: () => [{ kind: "dial-back-query" }],
      });
      return expectMessage(await connection.receiveOne(), "dial-back-report").answer;
    } finally {
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

Deno.test("DialBacks.answer() says who answers where the asker says to listen", async () => {
  await using fixture = new Fixture();
  const asked = await fixture.start(), other = await fixture.start();
  const { port } = asked.address;
  const { nodeId, address: { port: listenPort } } = other;
  assertEquals(await fixture.ask(port, { nodeId, listenPort }), "reached");
  assertEquals(await fixture.ask(port, { listenPort }), "other-node");
  assertEquals(await fixture.ask(port, { listenPort: port }), "other-node", "it is itself");
  assertEquals(await fixture.ask(port, { listenPort: 9 }), "refused");
  assertEquals(await fixture.ask(port, { listenPort: 0 }), "busy");
});

Deno.test("DialBacks.answer() dials an address a bounded number of times a minute", async () => {
  await using fixture = new Fixture();
  const { address: { port } } = await fixture.start();
  for (let i = 0; i < limits.dialBacksPerMinuteMax; i++) {
    assertEquals(await fixture.ask(port, { listenPort: 9 }), "refused");
  }
  assertEquals(await fixture.ask(port, { listenPort: 9 }), "busy");
  await fixture.clock.advance(60_000 / limits.dialBacksPerMinuteMax);
  assertEquals(await fixture.ask(port, { listenPort: 9 }), "refused");
});

Deno.test("Questions.serve() takes no dial-back query in version 1", async () => {
  await using fixture = new Fixture();
  const { address: { port } } = await fixture.start();
  await assertRejects(() => fixture.ask(port, { listenPort: 9, version: 1 }), Error, "closed");
});

Deno.test("askDialBacks() asks those that this node has links with", async () => {
  await using fixture = new Fixture();
  const asked = await fixture.start();
  const node = await fixture.start([asked.address]);
  while (node.links.size === 0) await fixture.clock.advance(limits.overlayTickMs);
  const peer = `127.0.0.1:${asked.address.port}`;
  assertEquals(await node.askDialBacks(), [{ peer, nodeId: asked.nodeId, answer: "reached" }]);
  await asked.stop();
  assertEquals((await node.askDialBacks()).filter(({ answer }) => answer !== "busy"), []);
});
