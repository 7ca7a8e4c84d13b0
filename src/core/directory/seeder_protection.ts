/**
 * Which holders have been sent nodes enough already, while few hold a file. Pure; who does without
 * them, and for how long, is decided in `look_up.ts`.
 *
 * Rules
 * - A report of load is up to a refresh old: a file that becomes popular within a second would bring
 *   everybody to its only holder before that says anything. So a node that was sent to a holder since
 *   its last report counts as an upload of it.
 * - With an eighth of its full load a holder is busy: those whom it serves can serve the others.
 * - A holder that is half way there is asked for a new report, so that nodes which have what they
 *   wanted, or never came, do not count for long.
 * - Of the nodes at one address not more count than that address has clients, or three: who makes
 *   node ids up cannot alone make a holder look busy.
 */

import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Load } from "../../wire/structures.ts";
import type { ClientKey } from "./directory_events.ts";

/** A holder, as far as this is concerned. */
export interface ProtectedSeeder {
  readonly key: ClientKey;
  readonly load: Load;
  /** When it reported its load. */
  readonly loadMs: number;
}

interface Sent {
  readonly atMs: number;
  /** Where it asked from. */
  readonly host: string;
}

/** Who was sent to whom lately. */
export class SeederProtection {
  /** By holder, then by node, the one sent longest ago first. */
  readonly #holders = new Map<ClientKey, Map<NodeId, Sent>>();
  readonly #clientsAt: (host: string) => number;
  #size = 0;

  /** `clientsAt` says how many clients there are at an address. */
  constructor(clientsAt: (host: string) => number) {
    this.#clientsAt = clientsAt;
  }

  /** A holder was named to a node that asked from `host`. */
  sent(
    holder: ProtectedSeeder,
    { node, host }: { readonly node: NodeId; readonly host: string },
    nowMs: number,
  ): void {
    const nodes = this.#nodesOf(holder);
    this.#forgetOld(nodes, nowMs);
    if (nodes.delete(node)) this.#size--;
    nodes.set(node, { atMs: nowMs, host });
    this.#size++;
    if (this.#size > limits.sentMax) this.#forgetOldest();
  }

  /** Whether a node was sent to this holder lately. */
  wasSent({ key }: ProtectedSeeder, node: NodeId, nowMs: number): boolean {
    const sent = this.#holders.get(key)?.get(node);
    return sent !== undefined && nowMs - sent.atMs < limits.sentMs;
  }

  /** Whether a holder has enough to serve, by its report and by those who were sent to it since. */
  isBusy(holder: ProtectedSeeder, nowMs: number): boolean {
    return holder.load.uploads + this.#sentSince(holder, nowMs) >= enoughOf(holder);
  }

  /** Whether a holder is busy, or soon will be, by what may have changed since its last report. */
  isReportWanted(holder: ProtectedSeeder, nowMs: number): boolean {
    if (nowMs - holder.loadMs < limits.loadAgeMs) return false;
    return holder.load.uploads + 2 * this.#sentSince(holder, nowMs) >= enoughOf(holder);
  }

  /** Forgets what is old. */
  tick(nowMs: number): void {
    for (const [key, nodes] of this.#holders) {
      this.#forgetOld(nodes, nowMs);
      if (nodes.size === 0) this.#holders.delete(key);
    }
  }

  #sentSince({ key, loadMs }: ProtectedSeeder, nowMs: number): number {
    const nodes = this.#holders.get(key);
    if (nodes === undefined) return 0;
    // Who was sent just before the report had no time to begin.
    const sinceMs = Math.max(loadMs - limits.sentSettleMs, nowMs - limits.sentMs);
    const counts = new Map<string, number>();
    for (const { atMs, host } of nodes.values()) {
      if (atMs > sinceMs) counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    let count = 0;
    for (const [host, ofHost] of counts) {
      count += Math.min(ofHost, Math.max(limits.sentPerHostMin, this.#clientsAt(host)));
    }
    return count;
  }

  #nodesOf({ key }: ProtectedSeeder): Map<NodeId, Sent> {
    const known = this.#holders.get(key);
    if (known !== undefined) return known;
    const nodes = new Map<NodeId, Sent>();
    this.#holders.set(key, nodes);
    return nodes;
  }

  #forgetOld(nodes: Map<NodeId, Sent>, nowMs: number): void {
    for (const [node, { atMs }] of nodes) {
      if (nowMs - atMs < limits.sentMs && nodes.size <= limits.sentPerHolderMax) return;
      nodes.delete(node);
      this.#size--;
    }
  }

  /** The holder to whom nodes were sent first: there is none whose nodes are older. */
  #forgetOldest(): void {
    for (const [key, nodes] of this.#holders) {
      this.#holders.delete(key);
      this.#size -= nodes.size;
      return;
    }
  }
}

/** Uploads with which a holder is busy. */
function enoughOf({ load: { uploadsMax } }: ProtectedSeeder): number {
  return Math.min(
    uploadsMax,
    Math.max(limits.protectUploadsMin, uploadsMax / limits.protectLoadPart),
  );
}
