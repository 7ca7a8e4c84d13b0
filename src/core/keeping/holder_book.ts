/**
 * Which other nodes are known to have which file whole: as a search, a directory (tracker) or a push
 * said last. It is forgotten after `holderKnownMs`, for nodes go, and clean their disks too. Nothing is
 * kept of it over a restart.
 *
 * Of all nodes that have a file one is its keeper: the one whose id comes first in an order that is
 * different for each file and the same for all nodes. It has the file go last.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { chunkCount } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Holder } from "../../wire/structures.ts";

/** What is known of the other holders of a file. */
interface OtherHolders {
  readonly others: number;
  /** Whether this node comes before all of them; true where there is none. */
  readonly isKeeper: boolean;
}

/** The holders that one node knows of. */
export class HolderBook {
  readonly #ownId: NodeId;
  readonly #files = new BoundedMap<Root, Map<NodeId, number>>(limits.holderBookRootsMax);

  constructor(ownId: NodeId) {
    this.#ownId = ownId;
  }

  /** A node is said to have a file whole, or not any more. */
  heard(root: Root, nodeId: NodeId, { isWhole, nowMs }: {
    readonly isWhole: boolean;
    readonly nowMs: number;
  }): void {
    if (nodeId === this.#ownId) return;
    const known = this.#files.touch(root);
    if (!isWhole) return void known?.delete(nodeId);
    const holders = known ?? new Map<NodeId, number>();
    // The newest comes last; few are enough to know that a file is not rare.
    holders.delete(nodeId);
    holders.set(nodeId, nowMs);
    if (holders.size > limits.holdersKnownMax) holders.delete(holders.keys().next().value!);
    this.#files.set(root, holders);
  }

  /** A directory named holders. */
  listed(holders: readonly Holder[], nowMs: number): void {
    for (const { root, nodeId, sizeBytes, chunksHave } of holders) {
      this.heard(root, nodeId, { isWhole: chunksHave === chunkCount(sizeBytes), nowMs });
    }
  }

  /** All that is known of a file from before `sinceMs` does not hold any more. */
  asked(root: Root, { sinceMs }: { readonly sinceMs: number }): void {
    const holders = this.#files.get(root);
    for (const [nodeId, heardMs] of holders ?? []) {
      if (heardMs < sinceMs) holders!.delete(nodeId);
    }
  }

  /** Who else has a file. */
  of(root: Root, nowMs: number): OtherHolders {
    let others = 0, isKeeper = true;
    const own = orderOf(root, this.#ownId);
    for (const [nodeId, heardMs] of this.#files.get(root) ?? []) {
      if (nowMs - heardMs > limits.holderKnownMs) continue;
      others++;
      if (orderOf(root, nodeId) < own) isKeeper = false;
    }
    return { others, isKeeper };
  }

  forget(root: Root): void {
    this.#files.delete(root);
  }
}

/** Ids are random, and so is a root: where each begins tells them apart evenly. */
function orderOf(root: Root, nodeId: NodeId): number {
  const mixed = Math.imul(
    parseInt(root.slice(0, 8), 16) ^ parseInt(nodeId.slice(0, 8), 16),
    0x9e3779b1,
  );
  // The upper bits of a product depend on all bits of its factors.
  return (mixed ^ mixed >>> 15) >>> 0;
}
