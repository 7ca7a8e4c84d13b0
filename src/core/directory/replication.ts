/**
 * Which files shall have more copies, and who is asked to take one. Pure; where copies are, and who
 * would take one, is asked of the directory.
 *
 * Rules
 * - Demand of a root is counted in nodes that ask for it, each once a minute, and decays.
 * - A root that was asked for often gets copies until `replicas` nodes have it whole. When all who
 *   have it are fully loaded, having been asked for once is enough.
 * - Copies and uploads under way never exceed `replicas`; uploads of a root never exceed the times
 *   that it was asked for. Copies are only ever added.
 * - Who is asked is reachable, at most half loaded, has room, lacks the file, and did not ask for
 *   it itself: such a one fetches it already.
 * - At most `limits.pushesPerFileMax` uploads of a root, `limits.pushesPerHostMax` to one address,
 *   and `limits.directoryDialsMax` in all, are under way. One ends when the client says no, when its
 *   copy is listed, when the client goes, or when its copy has not grown for `limits.pushMs`. Who did
 *   not take a root is not asked for it again for a while.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import { Counts, MovingAverage } from "../../base/counts.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FileOffer, ListedFile } from "../../wire/structures.ts";
import { type ClientKey, hostOf } from "./directory_events.ts";

/** What is known of the copies of a root. */
export interface Copies {
  /** Nodes that have it whole; those past `replicas` need not be counted. */
  readonly whole: number;
  /** Whether all holders are fully loaded. */
  readonly areLoaded: boolean;
  /** As it shall be asked to be taken. */
  readonly file: ListedFile;
}

/** A client that may be asked to take a file. */
interface Taker {
  readonly key: ClientKey;
  readonly nodeId: NodeId;
}

/** What is known outside. */
interface ReplicationHost<T extends Taker> {
  /** Undefined when nobody has it whole. */
  copies(root: Root): Copies | undefined;
  /** The client that shall take a file, of those for whom `isFit`. */
  taker(file: ListedFile, isFit: (client: T) => boolean): T | undefined;
}

/** One client to be asked to take one file. */
interface Push<T extends Taker> {
  readonly client: T;
  readonly file: ListedFile;
}

interface Pending {
  readonly sizeBytes: number;
  /** What of it the client has listed so far. */
  chunksHave: number;
  untilMs: number;
}

interface Demand {
  readonly root: Root;
  readonly score: MovingAverage;
  /** When each node asked. */
  readonly askers: BoundedMap<NodeId, number>;
  readonly pending: Map<ClientKey, Pending>;
  readonly refusedUntilMs: Map<ClientKey, number>;
  asked: number;
  pushed: number;
}

/** The demand for files, and the uploads that it led to. */
export class Replication<T extends Taker> {
  readonly #replicas: number;
  readonly #host: ReplicationHost<T>;
  /** By root, the one asked for longest ago first. */
  readonly #demands = new Map<Root, Demand>();
  /** Roots that were asked for, or whose upload ended, since they were last looked at. */
  readonly #due = new Set<Root>();
  /** Roots under way to each client. */
  readonly #roots = new Map<ClientKey, Set<Root>>();
  /** How many are under way to each host. */
  readonly #pendingAt = new Counts<string>();
  #accepted = 0;

  constructor(host: ReplicationHost<T>, options: { readonly replicas: number }) {
    this.#host = host;
    this.#replicas = options.replicas;
  }

  /** Uploads under way. */
  get pending(): number {
    return this.#pendingAt.total;
  }

  /** Uploads that clients accepted. */
  get accepted(): number {
    return this.#accepted;
  }

  /** A node looks for holders of a root. */
  asked(root: Root, asker: NodeId, nowMs: number): void {
    if (this.#replicas === 0) return;
    const demand = this.#demands.get(root) ?? newDemand(root);
    this.#demands.delete(root);
    this.#demands.set(root, demand);
    this.#due.add(root);
    if (nowMs - (demand.askers.get(asker) ?? -Infinity) >= limits.demandAskerMs) {
      demand.asked++;
      demand.score.add(1, nowMs);
      demand.askers.set(asker, nowMs);
    }
    if (this.#demands.size > limits.demandsMax) this.#forgetOldest();
  }

  /** Whether somebody asked for a root lately. */
  isAskedFor(root: Root): boolean {
    return this.#demands.has(root);
  }

  /** Since when, within the last minute, a node asks for a root; Infinity where too many ask. */
  askedForMs(root: Root, asker: NodeId, nowMs: number): number {
    const askers = this.#demands.get(root)?.askers;
    // Who asked first is forgotten then, and would seem to be new each time.
    if (askers !== undefined && askers.size >= limits.demandAskersMax) return Infinity;
    return nowMs - (askers?.get(asker) ?? nowMs);
  }

  /** The clients to which a root is being copied. */
  takersOf(root: Root): ClientKey[] {
    return [...this.#demands.get(root)?.pending.keys() ?? []];
  }

  /** Bytes of the uploads under way to a client. */
  pendingBytes(client: ClientKey): number {
    let bytes = 0;
    for (const root of this.#roots.get(client) ?? []) {
      bytes += this.#demands.get(root)?.pending.get(client)?.sizeBytes ?? 0;
    }
    return bytes;
  }

  /** What a client said, or that it could not be asked. */
  answered(
    client: ClientKey,
    root: Root,
    options: { readonly accepted: boolean; readonly nowMs: number },
  ): void {
    const { accepted, nowMs } = options;
    const demand = this.#demands.get(root);
    const pending = demand?.pending.get(client);
    if (demand === undefined || pending === undefined) return;
    if (accepted) {
      this.#accepted++;
      pending.untilMs = nowMs + limits.pushMs;
      return;
    }
    // Nothing was moved, so another one may be asked.
    demand.pushed--;
    this.#refused(demand, client, nowMs);
  }

  /** A client lists a file, or a part of it. */
  listed(client: ClientKey, { root, whole, chunksHave }: FileOffer, nowMs: number): void {
    const demand = this.#demands.get(root);
    const pending = demand?.pending.get(client);
    if (demand === undefined || pending === undefined) return;
    if (whole) {
      this.#end(demand, client);
    } else if (chunksHave > pending.chunksHave) {
      // A big file over a thin line takes its time: another copy would be one too many.
      pending.chunksHave = chunksHave;
      pending.untilMs = nowMs + limits.pushMs;
    }
  }

  /** A client is gone. */
  forgotten(client: ClientKey): void {
    for (const root of [...this.#roots.get(client) ?? []]) {
      const demand = this.#demands.get(root);
      if (demand !== undefined) this.#end(demand, client);
    }
  }

  /** Lets time pass; gives the clients that are to be asked now. */
  tick(nowMs: number): Push<T>[] {
    this.#expire(nowMs);
    const pushes: Push<T>[] = [];
    let looked = 0;
    for (const root of this.#due) {
      if (++looked > limits.demandsPerTickMax) break;
      this.#due.delete(root);
      const demand = this.#demands.get(root);
      if (demand !== undefined) this.#consider(demand, pushes, nowMs);
    }
    return pushes;
  }

  #consider(demand: Demand, pushes: Push<T>[], nowMs: number): void {
    // Before anything is looked up: most files are not asked for often enough.
    if (demand.asked <= demand.pushed) return;
    const copies = this.#host.copies(demand.root);
    if (copies === undefined) return;
    const isWanted = demand.score.at(nowMs) > limits.demandPopular - 0.5 || copies.areLoaded;
    if (!isWanted) return;
    for (const [client, untilMs] of demand.refusedUntilMs) {
      if (untilMs <= nowMs) demand.refusedUntilMs.delete(client);
    }
    while (
      demand.pushed < demand.asked &&
      demand.pending.size < limits.pushesPerFileMax &&
      this.#pendingAt.total < limits.directoryDialsMax &&
      copies.whole + demand.pending.size < this.#replicas
    ) {
      const client = this.#host.taker(copies.file, (one) => this.#isFit(demand, one, nowMs));
      if (client === undefined) return;
      this.#begin(demand, client, { file: copies.file, nowMs });
      pushes.push({ client, file: copies.file });
    }
  }

  #isFit(demand: Demand, { key, nodeId }: T, nowMs: number): boolean {
    return !demand.pending.has(key) && !demand.refusedUntilMs.has(key) &&
      nowMs - (demand.askers.get(nodeId) ?? -Infinity) >= limits.demandAskerMs &&
      (this.#roots.get(key)?.size ?? 0) < limits.pushesPerClientMax &&
      this.#pendingAt.of(hostOf(key)) < limits.pushesPerHostMax;
  }

  #begin(
    demand: Demand,
    { key }: T,
    options: { readonly file: ListedFile; readonly nowMs: number },
  ): void {
    const { sizeBytes } = options.file.file;
    const untilMs = options.nowMs + limits.pushMs;
    demand.pending.set(key, { sizeBytes, chunksHave: 0, untilMs });
    demand.pushed++;
    this.#pendingAt.add(hostOf(key), 1);
    const roots = this.#roots.get(key) ?? new Set();
    this.#roots.set(key, roots.add(demand.root));
  }

  #end(demand: Demand, client: ClientKey): boolean {
    if (!demand.pending.delete(client)) return false;
    this.#pendingAt.add(hostOf(client), -1);
    this.#due.add(demand.root);
    const roots = this.#roots.get(client);
    roots?.delete(demand.root);
    if (roots?.size === 0) this.#roots.delete(client);
    return true;
  }

  #refused(demand: Demand, client: ClientKey, nowMs: number): void {
    if (!this.#end(demand, client)) return;
    demand.refusedUntilMs.set(client, nowMs + limits.pushRefusedMs);
  }

  #expire(nowMs: number): void {
    for (const [client, roots] of this.#roots) {
      for (const root of roots) {
        const demand = this.#demands.get(root);
        const pending = demand?.pending.get(client);
        if (demand === undefined || pending === undefined) continue;
        if (pending.untilMs <= nowMs) this.#refused(demand, client, nowMs);
      }
    }
  }

  #forgetOldest(): void {
    for (const demand of this.#demands.values()) {
      // There are far fewer uploads under way than files remembered.
      if (demand.pending.size > 0) continue;
      this.#demands.delete(demand.root);
      this.#due.delete(demand.root);
      return;
    }
  }
}

function newDemand(root: Root): Demand {
  return {
    root,
    score: new MovingAverage(limits.demandHalfLifeMs),
    askers: new BoundedMap(limits.demandAskersMax),
    pending: new Map(),
    refusedUntilMs: new Map(),
    asked: 0,
    pushed: 0,
  };
}
