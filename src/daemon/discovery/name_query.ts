/** A search for names by glob: collects what holders and directories list. */

import type { Clock } from "../../base/clock.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { FileOffer } from "../../wire/structures.ts";
import type { SearchReport } from "../../wire/reports.ts";
import type { DirectoryAnswer } from "./directory_answers.ts";
import { type Answers, FLOOD, provenance } from "./network_query.ts";
import type { OfferingHolder, Searcher, Verdict } from "./searches.ts";

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
export class NameQuery implements Searcher, Answers {
  answeredMs: number;
  readonly #clock: Clock;
  readonly #found = new Map<string, Found>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.answeredMs = clock.nowMs();
  }

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    for (const { file } of offers) this.add(file, holder.nodeId);
    return { kind: "more" };
  }

  hit(hit: Hit): void {
    for (const file of hit.offers) this.add(file, hit.nodeId);
  }

  /** The nodes that directories count and those that answer are partly the same: none is added up. */
  listed({ directory, files }: DirectoryAnswer): void {
    for (const file of files) {
      const found = this.#find(file, directory);
      if (found === undefined) continue;
      found.listedWhole = Math.max(found.listedWhole, file.whole);
      found.listedPart = Math.max(found.listedPart, file.part);
    }
  }

  /** Counts one file of one node; past the bound, new files are left out. */
  add(file: FileOffer, nodeId: NodeId, options: { readonly from?: string } = {}): void {
    const found = this.#find(file, options.from ?? FLOOD);
    if (found === undefined) return;
    (file.whole ? found.whole : found.part).add(nodeId);
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
        (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      );
  }

  #find(
    file: Pick<FileOffer, "name" | "root" | "sizeBytes" | "type">,
    from: string,
  ): Found | undefined {
    this.answeredMs = this.#clock.nowMs();
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
