// Whole nodes over streams in memory, with a clock that the test advances.

import { assert } from "@std/assert";
import type { Clock } from "../../src/base/clock.ts";
import { newNodeId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Node, NodeOptions } from "../../src/daemon/node/node.ts";
import { openStore, TempDir } from "../unit/store/store_fixture.ts";
import { turn } from "./asked_node.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemoryTransport } from "./memory_transport.ts";
import { testNode } from "./test_node.ts";

/** Nodes of one network, which share a clock. */
export class NodeNetwork implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly transport = new MemoryTransport({ bufferBytes: 64 * 1024 });
  readonly #cleanup = new AsyncDisposableStack();

  /** `storeClock` is that of the store; by default the real one. */
  async start(
    { storeClock, ...options }: Partial<NodeOptions> & { readonly storeClock?: Clock } = {},
  ): Promise<Node> {
    const dir = this.#cleanup.use(new TempDir());
    const how = storeClock === undefined ? {} : { clock: storeClock };
    const { store } = await openStore(dir.join("data"), how);
    this.#cleanup.defer(() => store.close());
    const node = testNode({
      nodeId: newNodeId(systemRandom),
      store,
      transport: this.transport,
      clock: this.clock,
      ...options,
    });
    this.#cleanup.defer(() => node.stop());
    node.start();
    return node;
  }

  /** A node linked with this one. */
  async neighbour(node: Node, options: Partial<NodeOptions> = {}): Promise<Node> {
    const count = node.links.size + 1;
    const neighbour = await this.start({ peers: [node.address], ...options });
    await this.until(() => node.links.size === count && neighbour.links.size > 0);
    return neighbour;
  }

  /** Lets time pass, tick by tick, until this holds. */
  async until(isThere: () => boolean): Promise<void> {
    for (let ticks = 0; !isThere(); ticks++) {
      assert(ticks < 500, "it does not come about");
      await this.clock.advance(limits.overlayTickMs);
      await turn();
    }
  }

  /** What comes of a question of a person, for which time has to pass. */
  async answer<T>(question: Promise<T>): Promise<T> {
    let isAnswered = false;
    question.then(() => isAnswered = true, () => isAnswered = true);
    await this.until(() => isAnswered);
    return await question;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}
