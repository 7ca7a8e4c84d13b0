/**
 * Clients that were forgotten because another node answered at their address, until it is known
 * what that was: a node that was started anew on its port soon proves itself there with its new
 * session, and is nothing to be logged. How long they are refused is in `clients.ts`.
 */

import { limits } from "../../base/limits.ts";
import type { NodeId } from "../../base/ids.ts";
import type { Client } from "./clients.ts";

/** One that was forgotten. */
export interface Suspect {
  readonly host: string;
  readonly port: number;
  readonly nodeId: NodeId;
  readonly order: number;
  readonly sinceMs: number;
}

/** Those of the last `limits.directorySuspectMs`. Bounded; the oldest go. */
export class Suspects {
  /** The oldest first. */
  readonly #suspects = new Set<Suspect>();

  add({ host: { host }, port, nodeId, order }: Client, nowMs: number): void {
    this.#suspects.add({ host, port, nodeId, order, sinceMs: nowMs });
    const [oldest] = this.#suspects;
    if (this.#suspects.size > limits.directoryWrongMax) this.#suspects.delete(oldest!);
  }

  /** A client proved itself: those that came before it to its host and port were the same node. */
  proved({ host: { host }, port, order }: Client): void {
    for (const suspect of this.#suspects) {
      const isSame = suspect.host === host && suspect.port === port && suspect.order < order;
      if (isSame) this.#suspects.delete(suspect);
    }
  }

  /** Takes out those that were another node's. */
  take(nowMs: number): Suspect[] {
    const taken: Suspect[] = [];
    for (const suspect of this.#suspects) {
      if (nowMs - suspect.sinceMs < limits.directorySuspectMs) break;
      this.#suspects.delete(suspect);
      taken.push(suspect);
    }
    return taken;
  }
}
