/** Who gave how much of a file, and who gave what is wrong: kept when a source is gone. */

import type { NodeId } from "../base/ids.ts";

/** What one node did for a file. */
export interface Contribution {
  readonly nodeId: NodeId;
  /** Its address, for people. */
  readonly peer: string;
  /** Checked bytes that it was the first to give. */
  readonly bytes: number;
  readonly strikes: number;
}

/** The contributions of all nodes to one file. */
export class Contributions {
  readonly #byNode = new Map<NodeId, { peer: string; bytes: number; strikes: number }>();

  /** Adds to what the node of `source` has done so far. */
  add(
    source: { readonly nodeId: NodeId; readonly peer: string },
    { bytes = 0, strikes = 0 }: { readonly bytes?: number; readonly strikes?: number },
  ): void {
    let given = this.#byNode.get(source.nodeId);
    if (given === undefined) {
      given = { peer: source.peer, bytes: 0, strikes: 0 };
      this.#byNode.set(source.nodeId, given);
    }
    given.bytes += bytes;
    given.strikes += strikes;
  }

  /** Nodes that gave something, right or wrong; most bytes first. */
  list(): Contribution[] {
    return [...this.#byNode].map(([nodeId, given]) => ({ nodeId, ...given }))
      .sort((a, b) => b.bytes - a.bytes);
  }
}
