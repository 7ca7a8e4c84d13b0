// A file that a node just hashes is waited for, by those that ask it and by its own fetches.

import { assertEquals, assertThrows } from "@std/assert";
import { EnvironmentError } from "../../../../src/base/errors.ts";
import type { FetchNotice, FetchObserver } from "../../../../src/wire/fetching.ts";
import { limits } from "../../../../src/base/limits.ts";
import type { Transport } from "../../../../src/net/transport.ts";
import type { Node, NodeOptions } from "../../../../src/daemon/node/node.ts";
import { requestFor } from "../../../support/fetch_request.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { NodeNetwork } from "../../../support/node_network.ts";
import { content, rootOf, TempDir } from "../../store/store_fixture.ts";

const NAME = "coming.bin";
const BYTES = content(100_000, 1);
const SIGNAL = new AbortController().signal;

/** Hears how many nodes a fetch waits for. */
class WaitObserver implements FetchObserver {
  nodes = 0;

  event(notice: FetchNotice): void {
    if (notice.kind === "searching") this.nodes = notice.inFlightNodes;
  }

  readable(): void {}
  gained(): void {}
}

/** A node whose only file is not hashed before `rest` was called: until then it has just changed. */
async function hashing(
  network: NodeNetwork,
  path: string,
  options: Pick<NodeOptions, "transport"> = network,
): Promise<{ readonly node: Node; readonly rest: () => Promise<void> }> {
  const storeClock = new ManualClock();
  await Deno.writeFile(path, BYTES);
  await Deno.utime(path, storeClock.unixMs() / 1000, storeClock.unixMs() / 1000);
  const node = await network.start({ storeClock, transport: options.transport });
  const { shares } = node.store;
  shares.add(path);
  shares.start();
  await shares.scanned();
  const rest = async () => {
    await storeClock.advance(limits.settleMs);
    await shares.settled();
  };
  return { node, rest };
}

/** Whether a fetch that waits for one node longer than any search takes gets the file after `rest`. */
async function assertWaitsFor(network: NodeNetwork, fetching: {
  readonly by: Node;
  readonly rest: () => Promise<void>;
}): Promise<void> {
  const { by, rest } = fetching;
  const observer = new WaitObserver();
  const fetched = by.fetch(requestFor(NAME), { observer, signal: SIGNAL });
  await network.until(() => observer.nodes === 1);
  await network.clock.advance(2 * limits.searchMs);
  assertEquals(observer.nodes, 1);
  await rest();
  const { root } = await network.answer(fetched);
  assertEquals(root, rootOf(BYTES));
}

Deno.test("Node.fetch() waits for a file that another node just hashes", async () => {
  using dir = new TempDir();
  await using network = new NodeNetwork();
  const { node: holder, rest } = await hashing(network, dir.join(NAME));
  await assertWaitsFor(network, { by: await network.neighbour(holder), rest });
});

Deno.test("Node.fetch() waits for a file that this node just hashes", async () => {
  using dir = new TempDir();
  await using network = new NodeNetwork();
  const { node, rest } = await hashing(network, dir.join(NAME));
  await network.neighbour(node);
  await assertWaitsFor(network, { by: node, rest });
});

Deno.test("Node.fetch() does not wait for a file that was to be hashed and is gone", async () => {
  using dir = new TempDir();
  await using network = new NodeNetwork();
  const { node: holder } = await hashing(network, dir.join(NAME));
  const requester = await network.neighbour(holder);
  await Deno.remove(dir.join(NAME));
  const observer = new WaitObserver();
  const fetched = requester.fetch(requestFor(NAME), { observer, signal: SIGNAL })
    .catch(({ exit }) => exit);
  assertEquals(await network.answer(fetched), "notFound");
  assertEquals(observer.nodes, 0);
});

Deno.test("Node.fetch() gets the new version of a file that is replaced while its holder calls back", async () => {
  using dir = new TempDir();
  await using network = new NodeNetwork();
  const path = dir.join(NAME), later = content(120_000, 2);
  let replaced: (() => void) | undefined;
  const transport: Transport = {
    listen: (address) => network.transport.listen(address),
    dial: async (address, options) => {
      const duplex = await network.transport.dial(address, options);
      replaced?.();
      replaced = undefined;
      return duplex;
    },
  };
  const { node: holder, rest } = await hashing(network, path, { transport });
  await rest();
  const requester = await network.neighbour(holder);
  replaced = () => {
    Deno.writeFileSync(path, later);
    const noted = () => holder.store.readRun(rootOf(BYTES), { first: 0, count: 1 }, target);
    const target = new Uint8Array(20_000);
    assertThrows(noted, EnvironmentError);
  };
  const fetched = requester.fetch(requestFor(NAME), {
    observer: new WaitObserver(),
    signal: SIGNAL,
  });
  const { root } = await network.answer(fetched);
  assertEquals([root, replaced], [rootOf(later), undefined]);
});
