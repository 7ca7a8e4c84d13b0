/**
 * What other nodes say that they are just getting of the file that a fetch seeks: it has no root yet,
 * and can be had when it has one. Whether that is waited for is decided in `peer_side.ts`.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { MessageOf } from "../../wire/messages.ts";

/** How far the file is elsewhere. */
export interface ComingView {
  /** Nodes that are getting it. */
  readonly nodes: number;
  /** How much the one has that has most, in thousandths. */
  readonly permille: number;
}

/** What one node said last. */
interface Coming {
  readonly heardMs: number;
  readonly chunksHave: number;
  readonly permille: number;
}

/** The nodes that are getting a file. */
export class FilesComing {
  readonly #request: FetchRequest;
  readonly #nodes = new BoundedMap<NodeId, Coming>(limits.rememberedMax);
  /** When any of them was heard last, and when any had more than before. */
  #heardMs = -Infinity;
  #grewMs = -Infinity;

  constructor(request: FetchRequest) {
    this.#request = request;
  }

  /** Takes what a node is just getting; true when the file may be among it. */
  heard(
    nodeId: NodeId,
    offers: readonly MessageOf<"in-flight">[],
    nowMs: number,
  ): boolean {
    const offer = offers.find((offer) => this.#isSought(offer));
    if (offer === undefined) return false;
    const { chunksHave, sizeBytes } = offer;
    const before = this.#nodes.get(nodeId)?.chunksHave ?? -1;
    if (chunksHave > before) this.#grewMs = nowMs;
    this.#heardMs = nowMs;
    const permille = Math.floor(chunksHave / Math.max(1, chunkCount(sizeBytes)) * 1_000);
    this.#nodes.set(nodeId, { heardMs: nowMs, chunksHave, permille });
    return true;
  }

  /** Some node that is not known is about to have it: nobody says how far it is. */
  heardOf(nowMs: number): void {
    this.#heardMs = nowMs;
    if (this.#grewMs === -Infinity) this.#grewMs = nowMs;
  }

  /** Whether it is worth waiting for: somebody is getting it, and it comes further. */
  isPromised(nowMs: number): boolean {
    return nowMs - this.#heardMs <= limits.comingHeardMs &&
      nowMs - this.#grewMs <= limits.starvedMs;
  }

  /** Those that were heard lately; null when none was. */
  view(nowMs: number): ComingView | null {
    let nodes = 0;
    let permille = 0;
    for (const [, node] of this.#nodes) {
      if (nowMs - node.heardMs > limits.comingHeardMs) continue;
      nodes++;
      permille = Math.max(permille, node.permille);
    }
    if (nodes > 0) return { nodes, permille };
    return nowMs - this.#heardMs > limits.comingHeardMs ? null : { nodes: 1, permille };
  }

  #isSought({ name, sizeBytes, sha256 }: MessageOf<"in-flight">): boolean {
    const { name: sought, root, sizeBytes: size, sha256: digest } = this.#request;
    if (root !== null || name !== sought) return false;
    if (size !== null && size !== sizeBytes) return false;
    return digest === null || sha256 === null || digest === sha256;
  }
}
