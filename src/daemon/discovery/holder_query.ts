/**
 * A search for one name or root that asks who has what of it: collects what holders offer and what
 * directories know. It fetches nothing.
 *
 * A file here is a root together with a size: a root that comes with two sizes is two files, since
 * at most one of them can be true.
 */

import type { Clock } from "../../base/clock.ts";
import { chunkCount } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { formatAddress } from "../../wire/host.ts";
import type { HolderReport, InfoReport } from "../../wire/reports.ts";
import type { FileOffer, Holder, KnownFile, Sought } from "../../wire/structures.ts";
import { compareTexts, HERE, NetworkQuery, provenance } from "./network_query.ts";
import { type SearchRoom, textBytes } from "./search_room.ts";
import type { OfferingHolder } from "./searches.ts";

/** One file with its maps, one name of it, one holder. */
const FILE_BYTES = 1_500;
const NAME_BYTES = 500;
const HOLDER_BYTES = 700;

/** What one node has of a file. */
interface Held {
  /** HOST:PORT, or "" when it cannot be dialled. */
  peer: string;
  chunksHave: number;
  loadPermille: number | null;
  readonly from: Set<string>;
}

interface Located {
  readonly root: Root;
  readonly sizeBytes: number;
  readonly names: Map<string, { readonly type: string; readonly from: Set<string> }>;
  readonly holders: Map<NodeId, Held>;
  /** The SHA-256 that each one says that knows any. */
  readonly sha256: Map<string, string>;
  /** Counts of the directory that knows most. */
  whole: number;
  total: number;
}

/** All that is known of the files of one name or root. */
export class HolderQuery extends NetworkQuery {
  readonly #sought: Sought;
  readonly #files = new Map<string, Located>();

  constructor(sought: Sought, options: { readonly clock: Clock; readonly room: SearchRoom }) {
    const narrower = sought.by === "root"
      ? ""
      : "A root in place of the name says which one is meant.";
    super({ ...options, narrower });
    this.#sought = sought;
  }

  /** Counts a file of this node itself. */
  here(
    file: FileOffer,
    holder: OfferingHolder,
    options: { readonly sha256?: string | undefined; readonly loadPermille?: number } = {},
  ): void {
    const found = this.offer(file, holder, { from: HERE });
    if (found === undefined) return;
    if (options.sha256 !== undefined) found.sha256.set(HERE, options.sha256);
    const held = found.holders.get(holder.nodeId);
    if (held !== undefined) held.loadPermille = options.loadPermille ?? null;
  }

  protected mayBeSought({ name }: { readonly name: string }): boolean {
    return this.#sought.by === "name" && name === this.#sought.value;
  }

  /** One for each name of each file, the most held file first; then what is in flight. */
  infoReports(): InfoReport[] {
    return [...this.#infoWithRoot(), ...this.#infoInFlight()];
  }

  /** One for each holder of each file, the most held file first, of one file the least loaded. */
  holderReports(): HolderReport[] {
    return [...this.#holdersWithRoot(), ...this.#gettingInFlight()];
  }

  #infoInFlight(): InfoReport[] {
    return this.inFlight.all().map((file) => {
      const { flight, name, sizeBytes, type, sha256, chunks, chunksHave, nodes, from } = file;
      return {
        name,
        root: null,
        sizeBytes,
        type,
        sha256,
        peersWhole: 0,
        peersPart: nodes.size,
        peersUnreached: 0,
        inFlight: { flight, chunks, chunksHave },
        from: provenance(from),
      };
    });
  }

  /** Those that have most of a file first. */
  #gettingInFlight(): HolderReport[] {
    return this.inFlight.all().flatMap(({ flight, sizeBytes, chunks, nodes }) =>
      [...nodes].map(([nodeId, { address: { host, port }, chunksHave, from }]) => ({
        peer: port === 0 ? "" : formatAddress(host, port),
        nodeId,
        root: null,
        flight,
        sizeBytes,
        chunks,
        chunksHave,
        loadPermille: null,
        ...this.#reachOf(nodeId, from),
        from: provenance(from),
      })).sort((a, b) => b.chunksHave - a.chunksHave || compareTexts(a.nodeId, b.nodeId))
    );
  }

  #infoWithRoot(): InfoReport[] {
    return this.#ordered().flatMap((file) => {
      const { root, sizeBytes, names } = file;
      const { whole, total } = countsOf(file);
      if (total === 0) return [];
      const unreached = [...file.holders.keys()]
        .filter((nodeId) => this.reach.of(nodeId).reach === "none");
      const peersUnreached = unreached.length;
      return [...names]
        .sort(([a, x], [b, y]) => y.from.size - x.from.size || compareTexts(a, b))
        .map(([name, { type, from }]) => ({
          name,
          root,
          sizeBytes,
          type,
          sha256: mostSaid(file.sha256),
          peersWhole: whole,
          peersPart: total - whole,
          peersUnreached,
          inFlight: null,
          from: provenance(from),
        }));
    });
  }

  #holdersWithRoot(): HolderReport[] {
    return this.#ordered().flatMap(({ root, sizeBytes, holders }) =>
      [...holders]
        .map(([nodeId, { peer, chunksHave, loadPermille, from }]) => ({
          peer,
          nodeId,
          root,
          flight: null,
          sizeBytes,
          chunks: chunkCount(sizeBytes),
          chunksHave,
          loadPermille,
          ...this.#reachOf(nodeId, from),
          from: provenance(from),
        }))
        .sort((a, b) =>
          loadOf(a) - loadOf(b) || b.chunksHave - a.chunksHave || compareTexts(a.nodeId, b.nodeId)
        )
    );
  }

  #reachOf(nodeId: NodeId, from: ReadonlySet<string>): Pick<HolderReport, "reach" | "problem"> {
    return from.has(HERE) ? { reach: "here", problem: null } : this.reach.of(nodeId);
  }

  offer(
    file: FileOffer,
    holder: OfferingHolder,
    { from }: { readonly from: string },
  ): Located | undefined {
    const { root, sizeBytes, name, type, whole, chunksHave } = file;
    if (!this.#isSought({ root, name })) return undefined;
    const found = this.#file(root, sizeBytes);
    if (found === undefined) return undefined;
    this.#name(found, { name, type }, from);
    this.#hold(found, holder, { chunksHave: whole ? Infinity : chunksHave, from });
    return found;
  }

  protected known(file: KnownFile, from: string): void {
    const { root, sizeBytes, sha256, whole, part } = file;
    if (!this.#isSought(file)) return;
    const found = this.#file(root, sizeBytes);
    if (found === undefined) return;
    this.#name(found, file, from);
    found.whole = Math.max(found.whole, whole);
    found.total = Math.max(found.total, whole + part);
    if (sha256 !== null) found.sha256.set(from, sha256);
  }

  protected named(holder: Holder, from: string): void {
    const { root, sizeBytes, nodeId, host, port, chunksHave, loadPermille } = holder;
    const isSought = this.#sought.by === "name" || root === this.#sought.value;
    const found = isSought ? this.#file(root, sizeBytes) : undefined;
    if (found === undefined) return;
    // The directory was asked for a name, so what it names goes by that.
    if (this.#sought.by === "name") {
      this.#name(found, { name: this.#sought.value, type: "" }, from);
    }
    const address = { host, port };
    this.#hold(found, { nodeId, address }, { chunksHave, from, loadPermille });
  }

  /** An answer may name anything: what was not asked for is left out. */
  #isSought(file: { readonly root: Root; readonly name: string }): boolean {
    return (this.#sought.by === "name" ? file.name : file.root) === this.#sought.value;
  }

  #file(root: Root, sizeBytes: number): Located | undefined {
    const key = `${root}:${sizeBytes}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known;
    if (this.#files.size >= limits.candidatesMax || !this.room.take(FILE_BYTES)) {
      return void this.refused();
    }
    const found = {
      root,
      sizeBytes,
      names: new Map(),
      holders: new Map(),
      sha256: new Map(),
      whole: 0,
      total: 0,
    };
    this.#files.set(key, found);
    return found;
  }

  #name(
    found: Located,
    file: { readonly name: string; readonly type: string },
    from: string,
  ): void {
    this.answered();
    const { name, type } = file;
    let known = found.names.get(name);
    // A directory may say the name without the type: then the first that says both counts.
    if (known === undefined || known.type === "" && type !== "") {
      if (known === undefined && !this.room.take(NAME_BYTES + textBytes(name))) {
        return this.refused();
      }
      known = { type, from: known?.from ?? new Set() };
      found.names.set(name, known);
    }
    known.from.add(from);
  }

  #hold(
    found: Located,
    { nodeId, address }: OfferingHolder,
    what: { readonly chunksHave: number; readonly from: string; readonly loadPermille?: number },
  ): void {
    this.answered();
    const chunksHave = Math.min(what.chunksHave, chunkCount(found.sizeBytes));
    let held = found.holders.get(nodeId);
    if (held === undefined) {
      if (!this.room.take(HOLDER_BYTES)) return this.refused();
      held = { peer: "", chunksHave: 0, loadPermille: null, from: new Set() };
      found.holders.set(nodeId, held);
    }
    // A partial copy grows, so the greater number is the newer one.
    held.chunksHave = Math.max(held.chunksHave, chunksHave);
    if (address.port !== 0 && held.peer === "") {
      held.peer = formatAddress(address.host, address.port);
    }
    held.loadPermille = what.loadPermille ?? held.loadPermille;
    held.from.add(what.from);
  }

  #ordered(): Located[] {
    return [...this.#files.values()].sort((a, b) =>
      countsOf(b).total - countsOf(a).total || countsOf(b).whole - countsOf(a).whole ||
      compareTexts(a.root, b.root) || a.sizeBytes - b.sizeBytes
    );
  }
}

/**
 * Holders of a file that have it whole, and all. Those that are known by their ids and those that a
 * directory counts are partly the same: the greater number is what is sure.
 */
function countsOf(file: Located): { readonly whole: number; readonly total: number } {
  const chunks = chunkCount(file.sizeBytes);
  let known = 0;
  for (const { chunksHave } of file.holders.values()) if (chunksHave === chunks) known++;
  const whole = Math.max(known, file.whole);
  return { whole, total: Math.max(whole, file.holders.size, file.total) };
}

/** A node whose load nobody knows may be idle or not: it comes after all others. */
function loadOf({ loadPermille }: HolderReport): number {
  return loadPermille ?? Number.MAX_SAFE_INTEGER;
}

/** What this node knows itself; else what most say, and among equals who spoke first. */
function mostSaid(said: ReadonlyMap<string, string>): string | null {
  const own = said.get(HERE);
  if (own !== undefined) return own;
  const counts = new Map<string, number>();
  for (const sha256 of said.values()) counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
  let best: string | null = null;
  for (const [sha256, count] of counts) {
    if (best === null || count > counts.get(best)!) best = sha256;
  }
  return best;
}
