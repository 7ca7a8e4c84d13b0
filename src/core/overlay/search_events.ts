/** What the search is told, what it wants done, and what it counts. Types only; the rules are in `search.ts`. */

import type { HostPort } from "../../base/address.ts";
import type { PeerFaultCode } from "../../base/errors.ts";
import type { NodeId, QueryId } from "../../base/ids.ts";
import type { Hit, MessageOf, Query } from "../../wire/messages.ts";
import type { FileOffer, Sought } from "../../wire/structures.ts";
import type { Misdeed } from "./bans.ts";
import type { LinkId } from "./neighbour_events.ts";

/** How a callback ended. */
export type CallbackOutcome =
  /** The requester takes what there is, or not, and still needs chunks from others. */
  | "search-on"
  /** The requester no longer needs anyone. */
  | "enough"
  /** No connection to it came about, however long that took to show. */
  | "unreachable"
  /** It was reached, but did not answer as it should. */
  | "failed";

/** What a search of this node's own asks for. */
export interface OwnSearch {
  readonly id: QueryId;
  readonly sought: Sought;
  /** Links that the query may travel after the first; 0 reaches neighbours only. */
  readonly ttl: number;
  /** Where this node accepts callbacks; 0: nobody can dial it. */
  readonly callbackPort: number;
}

type QueryDone = MessageOf<"query-done">;
export type SearchMessage = Query | Hit | QueryDone;

/** What may happen to the search. */
export type SearchEvent =
  /** A search of this node begins. */
  | ({ readonly kind: "search" } & OwnSearch)
  | { readonly kind: "search-ended"; readonly id: QueryId }
  | { readonly kind: "query"; readonly link: LinkId; readonly query: Query }
  /** Answers `look-up`, which must be answered, now or later: is any part of it here? */
  | { readonly kind: "looked-up"; readonly id: QueryId; readonly holds: boolean }
  /** Answers `call-back`, which must be answered, however late. */
  | { readonly kind: "callback-answered"; readonly id: QueryId; readonly outcome: CallbackOutcome }
  | { readonly kind: "hit"; readonly link: LinkId; readonly hit: Hit }
  /** Answers `answer-by-hit`. `holderPort` is where this node can be dialled, 0 for nowhere. */
  | {
    readonly kind: "hit-ready";
    readonly id: QueryId;
    readonly offers: readonly FileOffer[];
    readonly nodeId: NodeId;
    readonly holderPort: number;
    /** Whether something is just coming to be here, where there is nothing to offer yet. */
    readonly isComing?: boolean;
  }
  | { readonly kind: "query-done"; readonly link: LinkId; readonly done: QueryDone }
  /** `host` is the address that the other end has, as seen from here. */
  | {
    readonly kind: "link-up";
    readonly link: LinkId;
    readonly host: string;
    /** Whether the other end knows QUERY-DONE; by default it does not. */
    readonly saysDone?: boolean;
  }
  | { readonly kind: "link-down"; readonly link: LinkId }
  | { readonly kind: "tick" };

/** What the search wants done. One message object may be sent to several links. */
export type SearchEffect =
  | { readonly kind: "send"; readonly link: LinkId; readonly message: SearchMessage }
  /** The requester can be dialled at `host` and `port`; "" and 0: it cannot. */
  | ({ readonly kind: "look-up"; readonly id: QueryId; readonly sought: Sought } & HostPort)
  | ({ readonly kind: "call-back"; readonly id: QueryId; readonly sought: Sought } & HostPort)
  | { readonly kind: "answer-by-hit"; readonly id: QueryId; readonly sought: Sought }
  | { readonly kind: "deliver-hit"; readonly id: QueryId; readonly hit: Hit }
  /** An own query is through with the network; see {@linkcode Search.outcomeOf}. */
  | { readonly kind: "search-through"; readonly id: QueryId }
  | Fault;

/** What a link does that the protocol does not allow: it is to be closed. */
export interface Fault {
  readonly kind: "fault";
  readonly link: LinkId;
  readonly code: PeerFaultCode;
  readonly message: string;
  /** What of it counts against the node itself. */
  readonly misdeed?: Misdeed;
}

/** What the search has done since the node started. */
export interface SearchCounters {
  /** Queries of others, each counted once. */
  queriesSeen: number;
  /** Queries of others that were passed on, over however many links. */
  forwarded: number;
  /** Copies of a query that was seen before. */
  droppedDuplicate: number;
  /** Queries and hits that were over the bound of a link, in or out. */
  droppedRate: number;
  /** Queries that were answered, by a callback or by a hit. */
  answered: number;
  /** Hits of others that were passed back. */
  hitsRelayed: number;
  /** Requesters that answered that they need nobody else. */
  enoughHeard: number;
  /** QUERY and HIT messages sent, each link counted. */
  messagesSent: number;
  /** QUERY-DONE messages sent. */
  doneSent: number;
}
