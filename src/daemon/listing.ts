/** A search for names by glob: collects what holders list until no more news comes. */

import type { NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Hit, MessageOf } from "../wire/messages.ts";
import type { FileOffer } from "../wire/structures.ts";
import type { SearchReport } from "../wire/reports.ts";
import type { OfferingHolder, Searcher, Verdict } from "./searches.ts";

/** A listing ends when nobody has answered for this long. */
const QUIET_MS = 2_000;

interface Found {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  readonly whole: Set<NodeId>;
  readonly part: Set<NodeId>;
}

/** The answers to one glob. */
export class Listing implements Searcher {
  readonly #found = new Map<string, Found>();
  #newsMs: number;

  constructor(nowMs: number) {
    this.#newsMs = nowMs;
  }

  /** Whether no answer has come for a while. */
  isQuiet(nowMs: number): boolean {
    return nowMs - this.#newsMs > QUIET_MS;
  }

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    for (const { file } of offers) this.add(file, holder.nodeId);
    return { kind: "more" };
  }

  hit(hit: Hit): void {
    for (const file of hit.offers) this.add(file, hit.nodeId);
  }

  /** Counts one file of one node; past the bound, new files are left out. */
  add(file: FileOffer, nodeId: NodeId): void {
    this.#newsMs = performance.now();
    const key = `${file.root}:${file.sizeBytes}:${file.name}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      if (this.#found.size >= limits.searchResultsMax) return;
      const { name, root, sizeBytes, type } = file;
      found = { name, root, sizeBytes, type, whole: new Set(), part: new Set() };
      this.#found.set(key, found);
    }
    (file.whole ? found.whole : found.part).add(nodeId);
  }

  /** Each file once, most holders first, then by name. */
  reports(): SearchReport[] {
    return [...this.#found.values()]
      .map(({ whole, part, ...file }) => ({
        ...file,
        peersWhole: whole.size,
        peersPart: part.size,
        from: ["flood"],
      }))
      .sort((a, b) =>
        b.peersWhole + b.peersPart - a.peersWhole - a.peersPart ||
        (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      );
  }
}
