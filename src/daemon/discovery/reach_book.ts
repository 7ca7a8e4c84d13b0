/**
 * How a connection comes about with each node that answered a query of a person: whether a fetch of
 * what it has could get it. Who called back has shown it; some of the others are dialled.
 */

import type { HostPort } from "../../base/address.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** "in": it opened a connection; "out": this node did; "none": neither can. */
type LinkDirection = "in" | "out" | "none";

/** What is known of one node. */
interface NodeReach {
  /** Null when nobody tried. */
  readonly reach: LinkDirection | null;
  /** Why none comes about. */
  readonly problem: string | null;
}

const UNKNOWN: NodeReach = { reach: null, problem: null };
const HIDDEN: NodeReach = { reach: "none", problem: "it accepts no connections" };

/** The nodes of one query. */
export class ReachBook {
  readonly #nodes = new Map<NodeId, { readonly address: HostPort | null; known: NodeReach }>();

  of(nodeId: NodeId): NodeReach {
    return this.#nodes.get(nodeId)?.known ?? UNKNOWN;
  }

  /** Those with which no connection comes about. */
  *unreached(): Generator<NodeId> {
    for (const [nodeId, { known }] of this.#nodes) if (known.reach === "none") yield nodeId;
  }

  /** It called back. */
  called(nodeId: NodeId): void {
    this.#set(nodeId, null, { reach: "in", problem: null });
  }

  /** It was dialled, and answered. */
  dialled(nodeId: NodeId, address: HostPort): void {
    this.#set(nodeId, address, { reach: "out", problem: null });
  }

  /** It answered along the links, or a directory named it; port 0: it cannot be dialled. */
  heard(nodeId: NodeId, address: HostPort): void {
    if (this.of(nodeId).reach === null) {
      this.#set(nodeId, address, address.port === 0 ? HIDDEN : UNKNOWN);
    }
  }

  /** Dials some of those of whom nothing is known; `dial` gives why nothing comes of it, or null. */
  async probe(dial: (address: HostPort, nodeId: NodeId) => Promise<string | null>): Promise<void> {
    const open = [...this.#nodes].filter(([, { known }]) => known.reach === null);
    await Promise.all(
      open.slice(0, limits.reachProbesMax).map(async ([nodeId, { address }]) => {
        if (address === null) return;
        const problem = await dial(address, nodeId);
        this.#set(nodeId, address, { reach: problem === null ? "out" : "none", problem });
      }),
    );
  }

  #set(nodeId: NodeId, address: HostPort | null, known: NodeReach): void {
    if (this.#nodes.has(nodeId) || this.#nodes.size < limits.reachNodesMax) {
      this.#nodes.set(nodeId, { address, known });
    }
  }
}
