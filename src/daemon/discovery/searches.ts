/**
 * The searches that this node itself has going, by query id: finds the one that a callback or a
 * hit belongs to. Ended ones are remembered for a while, so that a late holder hears ENOUGH.
 */

import type { NodeId, QueryId, Root } from "../../base/ids.ts";
import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import { callbackMac, macEquals } from "../../wire/proofs.ts";
import type { DirectoryAnswer } from "./directory_answers.ts";

/** A holder that made itself known. */
export interface OfferingHolder {
  readonly nodeId: NodeId;
  /** Where it can be dialled; port 0 when it cannot. */
  readonly address: HostPort;
}

/** What a requester answers to the offers of one holder. */
export type Verdict =
  | {
    readonly kind: "want";
    readonly root: Root;
    /** Whether the holder shall pass the query on all the same. */
    readonly searchOn: boolean;
    /** Takes over the connection, which now carries the transfer, until it ends. */
    readonly use: (connection: Connection) => Promise<void>;
  }
  | { readonly kind: "more" }
  | { readonly kind: "enough" };

/** Who hears the answers of a search. */
export interface Searcher {
  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict;
  /** A holder answered by the reverse path: it can only be dialled. */
  hit(hit: Hit): void;
  /** A directory answered, which is asked beside the flood. */
  listed(answer: DirectoryAnswer): void;
}

interface Entry {
  readonly sought: Sought;
  /** Null once the search ended, so that nothing of it is kept alive. */
  searcher: Searcher | null;
  /** Null while it goes on. */
  endedMs: number | null;
}

/** This node's own searches. */
export class Searches {
  readonly #entries = new Map<QueryId, Entry>();

  add(id: QueryId, sought: Sought, searcher: Searcher): void {
    this.#entries.set(id, { sought, searcher, endedMs: null });
  }

  end(id: QueryId, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.endedMs ??= nowMs;
    entry.searcher = null;
  }

  /** The search whose id the holder of this connection proved to know. */
  byProof(mac: Uint8Array, nonces: Uint8Array): { id: QueryId; sought: Sought } | undefined {
    for (const [id, { sought }] of this.#entries) {
      if (macEquals(mac, callbackMac("holder", id, nonces))) return { id, sought };
    }
    return undefined;
  }

  /** Asks the searcher; an ended search wants nothing. */
  offered(
    id: QueryId,
    holder: OfferingHolder,
    offers: readonly MessageOf<"offer">[],
  ): Verdict {
    return this.#entries.get(id)?.searcher?.offered(holder, offers) ?? { kind: "enough" };
  }

  hit(hit: Hit): void {
    this.#entries.get(hit.id)?.searcher?.hit(hit);
  }

  /** Forgets what ended long ago. */
  tick(nowMs: number): void {
    for (const [id, { endedMs }] of this.#entries) {
      if (endedMs !== null && nowMs - endedMs > limits.endedSearchMs) this.#entries.delete(id);
    }
  }
}
