// A node as the unit tests want it: reachable, in a network of its own, silent, with no peers; and
// what the parts of such a node work with, for the tests of one part.

import { type Clock, systemClock } from "../../src/base/clock.ts";
import { newNodeId, type NodeId } from "../../src/base/ids.ts";
import { type Logger, LogThrottle, silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { NO_PACES } from "../../src/base/rates/pace.ts";
import type { NodeContext } from "../../src/daemon/discovery/node_context.ts";
import { Node, type NodeOptions } from "../../src/daemon/node/node.ts";
import { HolderBook } from "../../src/core/keeping/holder_book.ts";
import { OfferPolicy } from "../../src/daemon/trust/offer_policy.ts";
import { Connections } from "../../src/net/connections.ts";
import type { Transport } from "../../src/net/transport.ts";
import type { ChunkStore } from "../../src/store/chunk_store.ts";
import { MemoryTransport } from "./memory_transport.ts";

/** Makes a node over a store and a transport; it is not started. */
export function testNode(
  options: Pick<NodeOptions, "store" | "transport"> & Partial<NodeOptions>,
): Node {
  return new Node({
    nodeId: "11".repeat(16) as NodeId,
    listen: { host: "127.0.0.1", port: 0 },
    isReachable: true,
    network: "test",
    networkKey: undefined,
    ttl: 7,
    linksMin: 1,
    linksMax: 10,
    peers: [],
    log: silentLogger,
    ...options,
  });
}

/** What the parts of a node over this store work with. */
export function testContext(
  { store, clock = systemClock, log = silentLogger, transport = new MemoryTransport() }: {
    readonly store: ChunkStore;
    readonly clock?: Clock;
    readonly log?: Logger;
    readonly transport?: Transport;
  },
): NodeContext {
  const nodeId = newNodeId(systemRandom);
  return {
    clock,
    log,
    store,
    holders: new HolderBook(nodeId),
    throttle: new LogThrottle(),
    connections: new Connections(transport, { clock }),
    offerPolicy: new OfferPolicy({ clock, store, trust: undefined, log }),
    rates: NO_PACES,
    identity: {
      nodeId,
      listenPort: 4_711,
      network: "test",
      networkKey: undefined,
      random: systemRandom,
    },
  };
}
