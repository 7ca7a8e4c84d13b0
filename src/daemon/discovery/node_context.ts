/** What the classes of one node share: who it is, what it has, how it reaches others. Types only. */

import type { Clock } from "../../base/clock.ts";
import type { Logger, LogThrottle } from "../../base/log.ts";
import type { HolderBook } from "../../core/keeping/holder_book.ts";
import type { Paces } from "../../base/rates/pace.ts";
import type { Connections } from "../../net/connections.ts";
import type { LocalIdentity } from "../../net/handshake.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { OfferPolicy } from "../trust/offer_policy.ts";

/** The context of one node. */
export interface NodeContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly throttle: LogThrottle;
  readonly identity: LocalIdentity;
  /** All connections of the node port: what opens one opens it here, counted and bounded. */
  readonly connections: Connections;
  readonly store: ChunkStore;
  readonly offerPolicy: OfferPolicy;
  /** Which other nodes are known to have what whole. */
  readonly holders: HolderBook;
  /** How fast files may go. */
  readonly rates: Paces;
}
