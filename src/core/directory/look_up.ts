/**
 * The answers of a directory: which files are known, who holds one, who would take one. Reads the
 * tables of files and clients; changes nothing but how often a client was named.
 */

import { chunkCount } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Random, randomBelow, shuffled } from "../../base/random.ts";
import type { Holder, KnownFile, ListedFile } from "../../wire/structures.ts";
import { type Balance, type Nameable, permilleOf } from "./balance.ts";
import type { Client, Clients } from "./clients.ts";
import type { FileTable } from "./file_table.ts";
import type { ListingTable } from "./listing_table.ts";
import type { Copies } from "./replication.ts";
import { type FileRow, NONE } from "./rows.ts";
import { SeederProtection } from "./seeder_protection.ts";

/** A holder of one file, before it is decided who is named. */
interface HolderCandidate extends Nameable<Client> {
  readonly chunksHave: number;
}

/** The holders of a root and size. */
interface Group {
  readonly root: Root;
  readonly sizeBytes: number;
  readonly candidates: Map<Client, HolderCandidate>;
  whole: number;
  /** Whether the asker has a part of it, so that it is being served. */
  isBegun: boolean;
}

/** A part of what matches a glob. */
export interface SearchPage {
  readonly files: KnownFile[];
  /** Where the next part begins; null: this is the last. */
  readonly next: number | null;
  /** Whether files are left out because too many go by one name. */
  readonly isCut: boolean;
}

/** Holders for whom. */
interface Wanted {
  readonly max: number;
  /** The address of who asks. */
  readonly asker: string;
  /** Who asks: it is not named. */
  readonly askerNode: NodeId;
  /** For how long it has been asking: at first it can do without busy holders. */
  askedForMs(root: Root): number;
  readonly nowMs: number;
}

/** Reads the tables. */
export class LookUp {
  readonly #random: Random;
  readonly #listings: ListingTable;
  readonly #files: FileTable;
  readonly #clients: Clients;
  readonly #balance: Balance;
  /** Null: holders are named without regard to what they have to do. */
  readonly #protection: SeederProtection | null;
  /** Holders whose reports of load are too old for what they were given to do since. */
  readonly #reportsWanted = new Set<Client>();

  constructor(
    parts: {
      readonly random: Random;
      readonly listings: ListingTable;
      readonly clients: Clients;
      readonly balance: Balance;
      readonly protectsHolders: boolean;
    },
  ) {
    const clientsAt = (host: string) => parts.clients.at(host).size;
    this.#protection = parts.protectsHolders ? new SeederProtection(clientsAt) : null;
    this.#random = parts.random;
    this.#listings = parts.listings;
    this.#files = parts.listings.files;
    this.#clients = parts.clients;
    this.#balance = parts.balance;
  }

  /** The files of a root or a name, those that most nodes have first. */
  metadata(by: "root" | "name", value: string): KnownFile[] {
    return this.#known(this.#filesOf(by, value, limits.directoryAlikeMax)).sort(byHolders);
  }

  /** Files whose names match, by name, and the steps that it took to compare. */
  search(
    glob: string,
    { max, from }: { readonly max: number; readonly from: number },
  ): SearchPage & { readonly steps: number } {
    const perNameMax = limits.directoryAlikeMax;
    const { found, ...page } = this.#files.matching(glob, { max, perNameMax, from });
    const files = this.#known(found)
      .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : byHolders(a, b));
    return { files, ...page };
  }

  /**
   * Who holds the files of a root or a name, in the order in which to ask them. Of several roots
   * each gets its turn, the one that most have whole first. With the root of the file that leads,
   * when anybody else has any of it.
   */
  holders(
    by: "root" | "name",
    value: string,
    wanted: Wanted,
  ): { readonly root: Root | undefined; readonly holders: Holder[] } {
    const { max } = wanted;
    const lines = this.#groups(this.#filesOf(by, value, limits.directoryAlikeMax), wanted)
      .sort((a, b) => b.whole - a.whole)
      .map((group) => ({ group, line: this.#line(group, wanted) }));
    const holders: Holder[] = [];
    for (let turn = 0; holders.length < max; turn++) {
      const before = holders.length;
      for (const { group, line } of lines) {
        const candidate = line[turn];
        if (candidate === undefined || holders.length >= max) continue;
        this.#named(group, candidate, wanted);
        holders.push(holderOf(candidate.client, { ...group, chunksHave: candidate.chunksHave }));
      }
      if (holders.length === before) break;
    }
    return { root: lines.find(({ group }) => group.candidates.size > 0)?.group.root, holders };
  }

  /** Lightly loaded clients that would take a file and have nothing of it, least loaded first. */
  takers(
    file: { readonly root: Root; readonly sizeBytes: number },
    options: { readonly nowMs: number; readonly isFit: (client: Client) => boolean },
  ): Client[] {
    const { nowMs, isFit } = options;
    const files = this.#files.ofRoot(file.root, limits.directoryAlikeMax);
    const names = new Set(files.map((row) => this.#files.nameOf(row)));
    const fit: Nameable<Client>[] = [];
    for (const client of this.#someTakers()) {
      if (client.load.acceptBytes < file.sizeBytes || !isFit(client)) continue;
      if (100 * this.#balance.loadOf(client, nowMs) > limits.takerLoadPercentMax) continue;
      if (!this.#lists(client, file.root, names)) fit.push({ client, share: 1 });
    }
    return this.#balance.order(fit, nowMs).map(({ client }) => client);
  }

  /** The copies of a root, as far as `replicas` makes it matter. */
  copies(
    root: Root,
    options: { readonly replicas: number; readonly nowMs: number },
  ): Copies | undefined {
    const files = this.#files.ofRoot(root, limits.directoryAlikeMax)
      .sort((a, b) => this.#files.wholeOf(b) - this.#files.wholeOf(a));
    const first = files[0];
    if (first === undefined) return undefined;
    const file = this.#listings.known(first);
    if (file === undefined || file.whole === 0) return undefined;
    const { whole, areLoaded } = this.#countCopies(files, options);
    return { whole, areLoaded, file: listedWhole(file) };
  }

  /**
   * The holders of one file in order. While few have it whole, busy ones are left out where others
   * can serve the asker: those who have a part of it, or who are about to have one.
   */
  #line(group: Group, { max, askerNode, askedForMs, nowMs }: Wanted): HolderCandidate[] {
    const line = this.#balance.order([...group.candidates.values()], nowMs) as HolderCandidate[];
    const protection = this.#protectionFor(group, max);
    if (protection === null) return line;
    const free = line.filter(({ client }) =>
      !protection.isBusy(client, nowMs) || protection.wasSent(client, askerNode, nowMs)
    );
    if (free.length === line.length) return line;
    for (const { client } of line) {
      if (protection.isReportWanted(client, nowMs)) this.#reportsWanted.add(client);
    }
    const isServed = group.isBegun && free.length > 0;
    const protectMs = isServed ? limits.protectBegunMs : limits.protectMs;
    return askedForMs(group.root) < protectMs ? free : line;
  }

  /** Reachable holders whose load is to be asked for now. */
  reportsWanted(nowMs: number): Client[] {
    this.#protection?.tick(nowMs);
    const wanted = [...this.#reportsWanted].filter((client) =>
      client.isReachable && this.#clients.get(client.key) === client
    );
    this.#reportsWanted.clear();
    return wanted;
  }

  #named(
    group: Group,
    { client }: HolderCandidate,
    { max, asker, askerNode, nowMs }: Wanted,
  ): void {
    this.#balance.named(client, nowMs);
    const protection = this.#protectionFor(group, max);
    if (protection === null) return;
    protection.sent(client, { node: askerNode, host: asker }, nowMs);
    if (protection.isReportWanted(client, nowMs)) this.#reportsWanted.add(client);
  }

  /** What spares the holders of a file; null where many have it, or where it costs them little. */
  #protectionFor({ whole, sizeBytes }: Group, max: number): SeederProtection | null {
    // Who asks for more than a fetch can use wants to know who they are, and takes nothing.
    if (max > limits.directoryHoldersAsked) return null;
    return whole < limits.protectBelowCopies && sizeBytes >= limits.protectBytesMin
      ? this.#protection
      : null;
  }

  #countCopies(
    files: readonly FileRow[],
    { replicas, nowMs }: { readonly replicas: number; readonly nowMs: number },
  ): { readonly whole: number; readonly areLoaded: boolean } {
    // Who lists a file under two names has one copy of it; but more than enough is enough.
    const most = files.reduce((sum, file) => sum + this.#files.wholeOf(file), 0);
    const eachMax = Math.ceil(limits.directoryComparedMax / files.length);
    const whole = new Set<Client>();
    let areAllSeen = true;
    let areLoaded = true;
    for (const file of files) {
      const chunks = chunkCount(this.#files.sizeOf(file));
      const rows = this.#listings.ofFile(file, eachMax);
      areAllSeen &&= rows.length < eachMax;
      for (const row of rows) {
        const client = this.#clients.byId(this.#listings.listerOf(row));
        if (this.#listings.chunksHave(row) === chunks) whole.add(client);
        areLoaded &&= this.#balance.loadOf(client, nowMs) >= 1;
        if (!areLoaded && whole.size >= replicas) return { whole: whole.size, areLoaded };
      }
    }
    return { whole: areAllSeen ? whole.size : most, areLoaded };
  }

  #lists(client: Client, root: Root, names: ReadonlySet<string>): boolean {
    for (const name of names) if (this.#listings.find(client, root, name) !== NONE) return true;
    return false;
  }

  #filesOf(by: "root" | "name", value: string, max: number): FileRow[] {
    return by === "root" ? this.#files.ofRoot(value as Root, max) : this.#files.ofName(value, max);
  }

  #known(files: readonly FileRow[]): KnownFile[] {
    return files.flatMap((file) => this.#listings.known(file) ?? []);
  }

  #groups(files: readonly FileRow[], { max, askerNode }: Wanted): Group[] {
    const groups = new Map<string, Group>();
    const eachMax = Math.ceil(Math.max(max, limits.directoryComparedMax) / files.length);
    for (const file of files) {
      const root = this.#files.rootOf(file);
      const sizeBytes = this.#files.sizeOf(file);
      const key = `${root} ${sizeBytes}`;
      const group = groups.get(key) ??
        { root, sizeBytes, candidates: new Map(), whole: 0, isBegun: false };
      groups.set(key, group);
      const chunks = chunkCount(sizeBytes);
      group.whole += this.#files.wholeOf(file);
      for (const row of this.#listings.ofFile(file, eachMax)) {
        const chunksHave = this.#listings.chunksHave(row);
        const client = this.#clients.byId(this.#listings.listerOf(row));
        if (chunksHave === 0 && chunks > 0) continue;
        if (client.nodeId === askerNode) {
          group.isBegun = true;
          continue;
        }
        // Who lists a file under two names is named once.
        if ((group.candidates.get(client)?.chunksHave ?? -1) >= chunksHave) continue;
        const share = chunks === 0 ? 1 : chunksHave / chunks;
        group.candidates.set(client, { client, share, chunksHave });
      }
    }
    return [...groups.values()];
  }

  /** Clients with room, at random, so that it need not be all of them that are looked at. */
  #someTakers(): readonly Client[] {
    const { takers } = this.#clients;
    const { takersComparedMax } = limits;
    if (takers.length <= takersComparedMax) return shuffled(this.#random, takers);
    const some = new Set<Client>();
    for (let i = 0; i < takersComparedMax; i++) {
      some.add(takers[randomBelow(this.#random, takers.length)]!);
    }
    return [...some];
  }
}

/** A client as an answer names it; where it is, only when it can be dialled there. */
export function holderOf(
  client: Client,
  file: { readonly root: Root; readonly sizeBytes: number; readonly chunksHave: number },
): Holder {
  return {
    root: file.root,
    sizeBytes: file.sizeBytes,
    nodeId: client.nodeId,
    host: client.isReachable ? client.host.host : "",
    port: client.isReachable ? client.port : 0,
    chunksHave: file.chunksHave,
    loadPermille: permilleOf(client.load),
  };
}

function listedWhole({ root, name, type, sizeBytes, sha256 }: KnownFile): ListedFile {
  const chunksHave = chunkCount(sizeBytes);
  return { file: { root, name, type, sizeBytes, chunksHave, whole: true }, sha256 };
}

function byHolders(a: KnownFile, b: KnownFile): number {
  return b.whole - a.whole || b.part - a.part;
}
