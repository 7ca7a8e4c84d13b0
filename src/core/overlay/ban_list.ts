/** Who is kept out for a time: node ids and hosts. Bounded; the oldest ban goes for the newest. */

import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** Whom a ban meets: one node wherever it is, or every node at one address. */
export type Banned = { readonly nodeId: NodeId } | { readonly host: string };

/** Bans that end by themselves after `limits.banMs`. */
export class BanList {
  /** End of each ban by host or id: neither can be taken for the other. */
  readonly #untilMs = new Map<string, number>();

  get size(): number {
    return this.#untilMs.size;
  }

  add(banned: Banned, nowMs: number): void {
    const key = "nodeId" in banned ? banned.nodeId : banned.host;
    // Put in anew, so that the order stays the order in which they end.
    this.#untilMs.delete(key);
    this.#untilMs.set(key, nowMs + limits.banMs);
    if (this.#untilMs.size > limits.bansMax) this.#dropOldest();
  }

  has(nodeIdOrHost: string, nowMs: number): boolean {
    return (this.#untilMs.get(nodeIdOrHost) ?? -Infinity) > nowMs;
  }

  /** Forgets what is over. */
  expire(nowMs: number): void {
    for (const untilMs of this.#untilMs.values()) {
      if (untilMs > nowMs) return;
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    for (const key of this.#untilMs.keys()) {
      this.#untilMs.delete(key);
      return;
    }
  }
}
