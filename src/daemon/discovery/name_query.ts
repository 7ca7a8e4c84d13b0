/**
 * A search for names by glob: collects what holders and directories list, within a bound of memory.
 * Thousands of names of many nodes are common, so that each is kept in few bytes.
 */

import type { Clock } from "../../base/clock.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { matchesGlob } from "../../base/names.ts";
import type { SearchReport } from "../../wire/reports.ts";
import type { FileOffer, KnownFile } from "../../wire/structures.ts";
import { NetworkQuery, provenance } from "./network_query.ts";
import { type SearchRoom, textBytes } from "./search_room.ts";
import type { OfferingHolder } from "./searches.ts";

/** One file with its places in maps and lists, without its texts; one more holder of it; one node. */
const FILE_BYTES = 300;
const HOLDER_BYTES = 24;
const NODE_BYTES = 160;

/** A holder of a file: twice the number of the node, and one more if it has the file whole. */
type HolderMark = number;

interface FoundName {
  readonly name: string;
  readonly root: Root;
  readonly sizeBytes: number;
  readonly type: string;
  /** Most files have one holder, and need no set. */
  holders: HolderMark | Set<HolderMark> | null;
  /** What the directory that knows most of them counts. */
  listedWhole: number;
  listedPart: number;
  /** Who said so: a bit for each number of a source. */
  from: number;
}

/** The answers to one glob. */
export class NameQuery extends NetworkQuery {
  readonly #glob: string;
  /** The files of each name. Names are much rarer than the holders that tell them. */
  readonly #found = new Map<string, FoundName | FoundName[]>();
  /** Numbers of nodes and of sources, in the order in which they were heard of. */
  readonly #nodes = new Map<NodeId, number>();
  readonly #sources: string[] = [];
  readonly #askForAll: (holder: OfferingHolder) => void;

  /** `askForAll` is called with a holder that told less than it has, if it can be dialled. */
  constructor(
    glob: string,
    options: {
      readonly clock: Clock;
      readonly room: SearchRoom;
      readonly askForAll?: (holder: OfferingHolder) => void;
    },
  ) {
    super({ ...options, narrower: "Search for a narrower pattern." });
    this.#glob = glob;
    this.#askForAll = options.askForAll ?? (() => {});
  }

  /** Counts one file of one node; past the bound, new files are left out. */
  offer(
    file: FileOffer,
    { nodeId }: Pick<OfferingHolder, "nodeId">,
    { from }: { readonly from: string },
  ): void {
    const found = this.#find(file, from);
    if (found === undefined) return;
    const node = this.#numberOf(nodeId);
    if (node === undefined || !this.#hold(found, 2 * node + (file.whole ? 1 : 0))) this.refused();
  }

  /** Whoever cannot say how much more it has is asked for all of it. */
  override short(holder: OfferingHolder, more: number | null): void {
    super.short(holder, more);
    if (more === null && holder.address.port !== 0) this.#askForAll(holder);
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

  protected mayBeSought({ name }: { readonly name: string }): boolean {
    return matchesGlob(this.#glob, name);
  }

  protected override hasWhole(
    { nodeId }: OfferingHolder,
    { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
  ): boolean {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) return false;
    return this.#ofName(name).some((found) =>
      found.sizeBytes === sizeBytes && marksOf(found).includes(2 * node + 1)
    );
  }

  /** Each file once, as it was heard of; then what is in flight. */
  *reports(): Generator<SearchReport> {
    const unreached = new Set(
      [...this.reach.unreached()].flatMap((nodeId) => this.#nodes.get(nodeId) ?? []),
    );
    for (const found of this.#found.values()) {
      for (const one of Array.isArray(found) ? found : [found]) yield this.#report(one, unreached);
    }
    for (const file of this.inFlight.all()) {
      const { flight, name, sizeBytes, type, chunks, chunksHave, nodes, from } = file;
      yield {
        name,
        root: null,
        sizeBytes,
        type,
        peersWhole: 0,
        peersPart: nodes.size,
        peersUnreached: 0,
        inFlight: { flight, chunks, chunksHave },
        from: provenance(from),
      };
    }
  }

  #report(found: FoundName, unreached: ReadonlySet<number>): SearchReport {
    const { name, root, sizeBytes, type, listedWhole, listedPart, from } = found;
    const marks = marksOf(found);
    const whole = marks.filter((mark) => mark % 2 === 1).length;
    return {
      name,
      root,
      sizeBytes,
      type,
      peersWhole: Math.max(whole, listedWhole),
      peersPart: Math.max(marks.length - whole, listedPart),
      peersUnreached: marks.filter((mark) => unreached.has(mark >> 1)).length,
      inFlight: null,
      from: provenance(new Set(this.#sources.filter((_, index) => (from & (1 << index)) !== 0))),
    };
  }

  #ofName(name: string): FoundName[] {
    const found = this.#found.get(name);
    return found === undefined ? [] : Array.isArray(found) ? found : [found];
  }

  #find(
    file: Pick<FileOffer, "name" | "root" | "sizeBytes" | "type">,
    from: string,
  ): FoundName | undefined {
    if (!this.mayBeSought(file)) return undefined;
    this.answered();
    const { name, root, sizeBytes, type } = file;
    const known = this.#found.get(name);
    let found = Array.isArray(known)
      ? known.find((one) => one.root === root && one.sizeBytes === sizeBytes)
      : known?.root === root && known.sizeBytes === sizeBytes
      ? known
      : undefined;
    if (found === undefined) {
      const bytes = FILE_BYTES + textBytes(name) + textBytes(type) + textBytes(root);
      const ofNameMax = limits.searchAlikeMax;
      const isOneTooMany = Array.isArray(known) && known.length >= ofNameMax;
      if (isOneTooMany || !this.room.take(bytes)) return void this.refused();
      const said = { holders: null, listedWhole: 0, listedPart: 0, from: 0 };
      found = { name, root, sizeBytes, type, ...said };
      if (known === undefined) this.#found.set(name, found);
      else if (Array.isArray(known)) known.push(found);
      else this.#found.set(name, [known, found]);
    }
    found.from |= 1 << this.#sourceOf(from);
    return found;
  }

  /** Counts a holder; false when there is no room for it. */
  #hold(found: FoundName, mark: HolderMark): boolean {
    const { holders } = found;
    if (holders === null) {
      found.holders = mark;
    } else if (typeof holders === "number") {
      if (holders === mark) return true;
      if (!this.room.take(2 * HOLDER_BYTES)) return false;
      found.holders = new Set([holders, mark]);
    } else if (!holders.has(mark)) {
      if (!this.room.take(HOLDER_BYTES)) return false;
      holders.add(mark);
    }
    return true;
  }

  /** A small number for a node; undefined when there is no room for one more. */
  #numberOf(nodeId: NodeId): number | undefined {
    const known = this.#nodes.get(nodeId);
    if (known !== undefined) return known;
    if (!this.room.take(NODE_BYTES)) return undefined;
    this.#nodes.set(nodeId, this.#nodes.size);
    return this.#nodes.size - 1;
  }

  /** There are few: this node, the flood, and the directories. */
  #sourceOf(from: string): number {
    const known = this.#sources.indexOf(from);
    return known >= 0 ? known : this.#sources.push(from) - 1;
  }
}

function marksOf({ holders }: FoundName): HolderMark[] {
  if (holders === null) return [];
  return typeof holders === "number" ? [holders] : [...holders];
}
