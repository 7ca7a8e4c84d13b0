// A node as the unit tests want it: reachable, in a network of its own, silent, with no peers.

import type { NodeId } from "../../src/base/ids.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Node, type NodeOptions } from "../../src/daemon/node/node.ts";

/** Makes a node over a store and a transport; it is not started. */
export function testNode(
  parts: Pick<NodeOptions, "store" | "transport"> & Partial<NodeOptions>,
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
    ...parts,
  });
}
