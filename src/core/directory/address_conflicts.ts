/**
 * Clients that were forgotten because another node answered at their address, until it is known
 * what that was: a node that was started anew on its port soon proves itself there with its new
 * session, and is nothing to be logged. How long they are refused is in `clients.ts`.
 */

import { limits } from "../../base/limits.ts";
import type { NodeId } from "../../base/ids.ts";
import type { Client } from "./clients.ts";

/** One that was forgotten. */
export interface AddressConflict {
  readonly host: string;
  readonly port: number;
  readonly nodeId: NodeId;
  readonly order: number;
  readonly sinceMs: number;
}

/** Those of the last `limits.directorySuspectMs`. Bounded; the oldest go. */
export class AddressConflicts {
  /** The oldest first. */
  readonly #conflicts = new Set<AddressConflict>();

  add({ host: { host }, port, nodeId, order }: Client, nowMs: number): void {
    this.#conflicts.add({ host, port, nodeId, order, sinceMs: nowMs });
    const [oldest] = this.#conflicts;
    if (this.#conflicts.size > limits.directoryWrongMax) this.#conflicts.delete(oldest!);
  }

  /** A client proved itself: those that came before it to its host and port were the same node. */
  proved({ host: { host }, port, order }: Client): void {
    for (const conflict of this.#conflicts) {
      const isSame = conflict.host === host && conflict.port === port && conflict.order < order;
      if (isSame) this.#conflicts.delete(conflict);
    }
  }

  /** Takes out those that were another node's. */
  take(nowMs: number): AddressConflict[] {
    const taken: AddressConflict[] = [];
    for (const conflict of this.#conflicts) {
      if (nowMs - conflict.sinceMs < limits.directoryConflictMs) break;
      this.#conflicts.delete(conflict);
      taken.push(conflict);
    }
    return taken;
  }
}
