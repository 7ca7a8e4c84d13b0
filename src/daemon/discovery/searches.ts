/**
 * The searches that this node itself has going, by query id: finds the one that a callback or a
 * hit belongs to. Ended ones are remembered for a while, so that a late holder hears ENOUGH.
 */

import type { FlightId, NodeId, QueryId, Root } from "../../base/ids.ts";
import type { HostPort } from "../../base/address.ts";
import { limits } from "../../base/limits.ts";
import type { Connection } from "../../net/connection.ts";
import type { RemoteIdentity } from "../../net/handshake.ts";
import type { Hit, MessageOf, QueryOutcome } from "../../wire/messages.ts";
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
  /** It gets the same file, which is in flight at both: they share what they read of it. */
  | {
    readonly kind: "join";
    readonly flight: FlightId;
    readonly searchOn: boolean;
    /** Takes over the connection, which now is one of fellows, until it ends. */
    readonly use: (connection: Connection, remote: RemoteIdentity) => Promise<void>;
  }
  | { readonly kind: "more" }
  | { readonly kind: "enough" };

/** A search that goes on. */
export interface OpenSearch {
  /**
   * What came of it, once all nodes and directories that can be asked have answered; null while
   * somebody may still answer, or there is nobody to ask just now.
   */
  readonly outcome: QueryOutcome | null;
  /** Asks nobody else; who was asked may still answer. */
  retire(): void;
  /** Nothing is heard any more. */
  end(): void;
}

/** Who hears the answers of a search. */
export interface Searcher {
  offered(
    holder: OfferingHolder,
    offers: readonly MessageOf<"offer">[],
    /** What it is just getting, of what is sought. */
    inFlight?: readonly MessageOf<"in-flight">[],
  ): Verdict;
  /** A holder answered by the reverse path: it can only be dialled. */
  hit(hit: Hit): void;
  /** A directory answered, which is asked beside the flood. */
  listed(answer: DirectoryAnswer): void;
  /** The flood, or the directories, are through: the search that was opened says what came of it. */
  through?(): void;
  /** A holder's answer begins that comes in several messages; to be disposed of at its end. */
  begun?(): Disposable;
  /** A holder has so much more than it told until now; null: nobody knows how much. */
  short?(holder: OfferingHolder, more: number | null): void;
  /** Whether what is new has no room, so that nobody need go on. */
  readonly isFull?: boolean;
}

interface Entry {
  readonly sought: Sought;
  /** Whether anybody has it, in whole or in part. */
  isAnswered: boolean;
  /** Null once the search ended, so that nothing of it is kept alive. */
  searcher: Searcher | null;
  /** Null while it goes on. */
  endedMs: number | null;
}

/** This node's own searches. */
export class Searches {
  /** How many are over, by whether anybody had what was sought. */
  readonly ended = { answered: 0, unanswered: 0 };
  readonly #entries = new Map<QueryId, Entry>();

  add(id: QueryId, sought: Sought, searcher: Searcher): void {
    this.#entries.set(id, { sought, isAnswered: false, searcher, endedMs: null });
  }

  end(id: QueryId, nowMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.endedMs !== null) return;
    this.ended[entry.isAnswered ? "answered" : "unanswered"]++;
    entry.endedMs = nowMs;
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
    inFlight: readonly MessageOf<"in-flight">[] = [],
  ): Verdict {
    if (offers.length + inFlight.length > 0) this.answered(id);
    const searcher = this.#entries.get(id)?.searcher;
    return searcher?.offered(holder, offers, inFlight) ?? { kind: "enough" };
  }

  /** Somebody has what is sought, or is said to. */
  answered(id: QueryId): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isAnswered = true;
  }

  /** As {@linkcode Searcher.begun}. */
  begun(id: QueryId): Disposable {
    return this.#entries.get(id)?.searcher?.begun?.() ?? { [Symbol.dispose]: () => {} };
  }

  /** As {@linkcode Searcher.short}. */
  short(id: QueryId, holder: OfferingHolder, more: number | null): void {
    this.#entries.get(id)?.searcher?.short?.(holder, more);
  }

  /** Whether a search goes on, and has room for more. */
  isOpen(id: QueryId): boolean {
    const searcher = this.#entries.get(id)?.searcher ?? null;
    return searcher !== null && searcher.isFull !== true;
  }

  /** As {@linkcode Searcher.through}. */
  through(id: QueryId): void {
    this.#entries.get(id)?.searcher?.through?.();
  }

  hit(hit: Hit): void {
    this.answered(hit.id);
    this.#entries.get(hit.id)?.searcher?.hit(hit);
  }

  /** Forgets what ended long ago. */
  tick(nowMs: number): void {
    for (const [id, { endedMs }] of this.#entries) {
      if (endedMs !== null && nowMs - endedMs > limits.endedSearchMs) this.#entries.delete(id);
    }
  }
}
