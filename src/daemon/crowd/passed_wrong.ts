/**
 * Nodes that passed on chunks of a file in flight that were not the file. They may be as honest as their
 * fellows, who gave them those; so they are not banned. But what they pass on is not asked of them for
 * a time: else one that lies in the name of others would never be found out.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** What is remembered of them. */
export class PassedWrong {
  /** When it was noticed, by node. */
  readonly #sinceMs = new BoundedMap<NodeId, number>(limits.passedWrongMax);

  add(nodeId: NodeId, nowMs: number): void {
    this.#sinceMs.set(nodeId, nowMs);
  }

  has(nodeId: NodeId, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(nodeId);
    return sinceMs !== undefined && nowMs - sinceMs < limits.passedWrongMs;
  }
}
