/** Where the holders of each candidate of a fetch can be dialled, for those sent away at first. */

import type { HostPort } from "../../base/address.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** Addresses of holders by candidate, a bounded number for each. */
export class HolderBook {
  readonly #byCandidate = new Map<string, Map<NodeId, HostPort>>();

  /** Notes that `nodeId` offered the candidate of `key`; port 0 cannot be dialled. */
  note(key: string, nodeId: NodeId, address: HostPort): void {
    if (address.port === 0) return;
    const holders = this.#byCandidate.get(key) ?? new Map<NodeId, HostPort>();
    this.#byCandidate.set(key, holders);
    if (holders.size < limits.sourcesMax) holders.set(nodeId, address);
  }

  /** Who offered the candidate of `key`. */
  of(key: string): Iterable<readonly [NodeId, HostPort]> {
    return this.#byCandidate.get(key) ?? [];
  }

  /** Forgets a node altogether. */
  forget(nodeId: NodeId): void {
    for (const holders of this.#byCandidate.values()) holders.delete(nodeId);
  }
}
