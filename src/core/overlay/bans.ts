/**
 * Who is kept out for a time, and for what. The rules:
 *
 *  1. Three things count against a node: it gave wrong data until a fetch dropped it, it sent far
 *     more than any node may, or it named a host for itself instead of leaving that to its
 *     neighbour. No honest node does either of the last two.
 *  2. It is banned when `limits.banMisdeeds` of them came within `limits.banWindowMs`. Wrong data of
 *     one file counts once: a disk that rots spoils a file, is told so, and withdraws it; whose
 *     files are wrong one after the other is no help to anybody.
 *  3. A ban meets a node id at the host that it was seen at. Ids are not proved, so that an id alone
 *     would let anybody have anybody banned; and behind one host may stand many nodes (a router, or
 *     one machine), so that the host alone would meet those that did nothing.
 *  4. The host itself is banned when `limits.banHostNodes` of its nodes flood: a new id costs
 *     nothing. Never a loopback host, which is this machine; wrong data never bans a host.
 *  5. A host whose connections break the protocol one after the other is banned whole, and refused
 *     before it has said anything. Only what no program does that speaks the protocol counts, not
 *     another version, network or key, nor silence: behind one host may stand machines that do
 *     nothing wrong. Never a loopback host.
 *  6. A ban ends by itself after `limits.banMs`, and then all is forgotten. Bans and what may lead
 *     to them are bounded; the oldest go.
 *
 * An IPv6 host is its /64. What a ban means for links is in `neighbours.ts`. Transfers under way go
 * on: their fetches judge them. A banned node is still given files: a ban is no punishment, and who
 * has a bad disk needs good copies.
 */

import { BoundedMap } from "../../base/bounded_map.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { HostRateLimit, networkOf } from "../../base/rate_limit.ts";
import { isLoopback } from "../../wire/host.ts";

/** What a node did. */
export type Misdeed =
  /** It gave what is not the file; `root` says which. */
  | { readonly kind: "wrong-data"; readonly root: Root }
  | { readonly kind: "flooding" }
  | { readonly kind: "false-host" };

/** A node as it was seen. */
export interface SeenNode {
  readonly nodeId: NodeId;
  /** The address that the connection reports, in its plain form. */
  readonly host: string;
}

/** Somebody who is kept out. */
export interface Ban {
  /** Null: every node at the host. */
  readonly nodeId: NodeId | null;
  readonly host: string;
  /** What the last of its misdeeds was; "faults": rule 5. */
  readonly reason: Misdeed["kind"] | "faults";
  readonly endsAtMs: number;
}

/** Bans, and what may lead to the next. */
export class Bans {
  /** When each node did what, by {@linkcode keyOf}; a misdeed has a name that counts once. */
  readonly #misdeeds = new BoundedMap<string, Map<string, number>>(limits.misbehavedMax);
  readonly #faults = new HostRateLimit({
    perSecond: 1000 / limits.banFaultRestMs,
    burst: limits.banFaultsBurst,
    hostsMax: limits.misbehavedMax,
  });
  /** By {@linkcode keyOf}, in the order in which they end. */
  readonly #bans = new BoundedMap<string, Ban>(limits.bansMax);

  /** How many there are; those that are over count until they are {@linkcode expire}d. */
  get size(): number {
    return this.#bans.size;
  }

  /** The bans that are not over, the one that ends first leading. */
  list(nowMs: number): Ban[] {
    return [...this.#bans.values()].filter(({ endsAtMs }) => endsAtMs > nowMs);
  }

  /** Whether a node is kept out, or all nodes at the host are; without an id only the latter. */
  has(
    { nodeId, host }: { readonly nodeId?: NodeId; readonly host: string },
    nowMs: number,
  ): boolean {
    // Nearly always nobody is banned, and this is asked for every address that may be dialled.
    if (this.#bans.size === 0) return false;
    const isMet = (key: string) => (this.#bans.get(key)?.endsAtMs ?? -Infinity) > nowMs;
    return isMet(keyOf(null, host)) || (nodeId !== undefined && isMet(keyOf(nodeId, host)));
  }

  /** Counts a misdeed; gives the bans that it leads to. */
  misbehaved({ nodeId, host }: SeenNode, misdeed: Misdeed, nowMs: number): Ban[] {
    if (this.has({ nodeId, host }, nowMs)) return [];
    const key = keyOf(nodeId, host);
    const done = this.#misdeeds.get(key) ?? new Map<string, number>();
    for (const [name, atMs] of done) if (nowMs - atMs >= limits.banWindowMs) done.delete(name);
    const name = misdeed.kind === "wrong-data" ? misdeed.root : `${misdeed.kind} ${nowMs}`;
    done.set(name, nowMs);
    if (done.size < limits.banMisdeeds) {
      this.#misdeeds.set(key, done);
      return [];
    }
    this.#misdeeds.delete(key);
    const bans = [this.#ban({ nodeId, host, reason: misdeed.kind }, nowMs)];
    if (misdeed.kind === "flooding" && this.#isFlooding(host, nowMs)) {
      bans.push(this.#ban({ nodeId: null, host, reason: "flooding" }, nowMs));
    }
    return bans;
  }

  /** Counts a connection of a host that broke the protocol; gives the ban that it leads to. */
  faulty(host: string, nowMs: number): Ban[] {
    if (isLoopback(host) || this.has({ host }, nowMs) || this.#faults.take(host, nowMs)) return [];
    return [this.#ban({ nodeId: null, host, reason: "faults" }, nowMs)];
  }

  /** Whether a host is not even heard. */
  isShutOut(host: string, nowMs: number): boolean {
    if (this.#bans.size === 0) return false;
    const ban = this.#bans.get(keyOf(null, host));
    return ban !== undefined && ban.reason === "faults" && ban.endsAtMs > nowMs;
  }

  /** Forgets what is over. */
  expire(nowMs: number): void {
    for (const [key, { endsAtMs }] of this.#bans) {
      if (endsAtMs > nowMs) break;
      this.#bans.delete(key);
    }
    for (const [key, done] of this.#misdeeds) {
      if ([...done.values()].some((atMs) => nowMs - atMs < limits.banWindowMs)) break;
      this.#misdeeds.delete(key);
    }
  }

  #ban(who: Omit<Ban, "endsAtMs">, nowMs: number): Ban {
    const ban = { ...who, endsAtMs: nowMs + limits.banMs };
    this.#bans.set(keyOf(ban.nodeId, ban.host), ban);
    return ban;
  }

  /** Rule 4. */
  #isFlooding(host: string, nowMs: number): boolean {
    if (isLoopback(host)) return false;
    const network = networkOf(host);
    const flooders = this.list(nowMs).filter((ban) =>
      ban.reason === "flooding" && networkOf(ban.host) === network
    );
    return flooders.length >= limits.banHostNodes;
  }
}

/** A host has no blank, so that no id makes the key of another. */
function keyOf(nodeId: NodeId | null, host: string): string {
  return `${nodeId ?? "*"} ${networkOf(host)}`;
}
