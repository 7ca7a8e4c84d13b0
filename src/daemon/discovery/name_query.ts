/** A search for names by glob: collects what holders and directories list. */

import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FileOffer, KnownFile } from "../../wire/structures.ts";
import type { SearchReport } from "../../wire/reports.ts";
import { compareTexts, NetworkQuery, provenance } from "./network_query.ts";
import type { OfferingHolder } from "./searches.ts";

interface Found {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  readonly whole: Set<NodeId>;
  readonly part: Set<NodeId>;
  /** What the directory that knows most of them counts. */
  listedWhole: number;
  listedPart: number;
  /** Who said so: "here", "flood", or the HOST:PORT of a directory. */
  readonly from: Set<string>;
}

/** The answers to one glob. */
export class NameQuery extends NetworkQuery {
  readonly #found = new Map<string, Found>();

  /** Counts one file of one node; past the bound, new files are left out. */
  offer(
    file: FileOffer,
    { nodeId }: Pick<OfferingHolder, "nodeId">,
    { from }: { readonly from: string },
  ): void {
    const found = this.#find(file, from);
    if (found !== undefined) (file.whole ? found.whole : found.part).add(nodeId);
  }

  /** The nodes that directories count and those that answer are partly the same: none is added up. */
  protected known(file: KnownFile, directory: string): void {
    const found = this.#find(file, directory);
    if (found === undefined) return;
    found.listedWhole = Math.max(found.listedWhole, file.whole);
    found.listedPart = Math.max(found.listedPart, file.part);
  }

  protected named(): void {
    // Holders are not asked for.
  }

  /** Each file once, most holders first, then by name. */
  reports(): SearchReport[] {
    return [...this.#found.values()]
      .map(({ name, root, sizeBytes, type, whole, part, listedWhole, listedPart, from }) => ({
        name,
        root,
        sizeBytes,
        type,
        peersWhole: Math.max(whole.size, listedWhole),
        peersPart: Math.max(part.size, listedPart),
        from: provenance(from),
      }))
      .sort((a, b) =>
        b.peersWhole + b.peersPart - a.peersWhole - a.peersPart ||
        compareTexts(a.name, b.name)
      );
  }

  #find(
    file: Pick<FileOffer, "name" | "root" | "sizeBytes" | "type">,
    from: string,
  ): Found | undefined {
    this.answered();
    const { name, root, sizeBytes, type } = file;
    const key = `${root}:${sizeBytes}:${name}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      if (this.#found.size >= limits.searchResultsMax) return undefined;
      const nobody = { whole: new Set<NodeId>(), part: new Set<NodeId>() };
      const listed = { listedWhole: 0, listedPart: 0, from: new Set<string>() };
      found = { name, root, sizeBytes, type, ...nobody, ...listed };
      this.#found.set(key, found);
    }
    found.from.add(from);
    return found;
  }
}
