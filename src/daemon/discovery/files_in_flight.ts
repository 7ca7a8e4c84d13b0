/**
 * Files that nodes say they are just getting from mirrors, as a query of a person hears of them: each
 * once, with the nodes that get it. They have no root yet.
 */

import { chunkCount } from "../../base/geometry.ts";
import type { FlightId, NodeId } from "../../base/ids.ts";
import type { MessageOf } from "../../wire/messages.ts";
import { type SearchRoom, textBytes } from "./search_room.ts";
import type { OfferingHolder } from "./searches.ts";

/** A file in flight with one node, and each further node. */
const FLIGHT_BYTES = 1_500;
const NODE_BYTES = 700;

/** One node that gets a file. */
interface Getting {
  /** Where it can be dialled; port 0: nowhere. */
  readonly address: OfferingHolder["address"];
  chunksHave: number;
  readonly from: Set<string>;
}

/** One file in flight. */
interface FileInFlight {
  readonly flight: FlightId;
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly chunks: number;
  readonly sha256: string | null;
  readonly nodes: ReadonlyMap<NodeId, Getting>;
  /** Who said so. */
  readonly from: ReadonlySet<string>;
  /** Chunks of the node that has most of it. */
  readonly chunksHave: number;
}

/** All that were heard of, those first that most nodes get. */
export class FilesInFlight {
  readonly #files = new Map<FlightId, { readonly offer: MessageOf<"in-flight">; nodes: Nodes }>();
  readonly #room: Pick<SearchRoom, "take">;

  constructor(room: Pick<SearchRoom, "take">) {
    this.#room = room;
  }

  /** A node gets a file; false when there is no room for what is new. */
  add(
    offer: MessageOf<"in-flight">,
    { nodeId, address }: OfferingHolder,
    from: string,
  ): boolean {
    const { flight, name, sizeBytes } = offer;
    const known = this.#files.get(flight);
    // Whoever says another size of the same id is wrong, or the first one was.
    if (known !== undefined && known.offer.sizeBytes !== sizeBytes) return true;
    if (!(known?.nodes.has(nodeId) ?? false)) {
      const bytes = known === undefined ? FLIGHT_BYTES + textBytes(name) : NODE_BYTES;
      if (!this.#room.take(bytes)) return false;
    }
    const file = known ?? { offer, nodes: new Map() };
    this.#files.set(flight, file);
    const node = file.nodes.get(nodeId) ?? { address, chunksHave: 0, from: new Set() };
    file.nodes.set(nodeId, node);
    node.chunksHave = Math.max(node.chunksHave, Math.min(offer.chunksHave, chunkCount(sizeBytes)));
    node.from.add(from);
    return true;
  }

  all(): FileInFlight[] {
    const files = [...this.#files.values()].map(({ offer, nodes }) => {
      const { flight, name, type, sizeBytes, sha256 } = offer;
      let chunksHave = 0;
      const from = new Set<string>();
      for (const node of nodes.values()) {
        chunksHave = Math.max(chunksHave, node.chunksHave);
        for (const one of node.from) from.add(one);
      }
      const chunks = chunkCount(sizeBytes);
      return { flight, name, type, sizeBytes, chunks, sha256, nodes, from, chunksHave };
    });
    return files.sort((a, b) => b.nodes.size - a.nodes.size);
  }
}

type Nodes = Map<NodeId, Getting>;
