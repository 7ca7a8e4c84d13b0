/** What a fetch needs of the node that it runs on. Types only. */

import type { HostPort } from "../../base/address.ts";
import type { Clock } from "../../base/clock.ts";
import type { Root } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Mirrors } from "../../http/mirrors.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { Sought } from "../../wire/structures.ts";
import type { Directories } from "../directories/directories.ts";
import type { Searcher } from "../discovery/searches.ts";
import type { Swarms } from "../swarm/swarms.ts";
import type { OfferPolicy } from "../trust/offer_policy.ts";
import type { RejectedFiles } from "../trust/rejected_files.ts";

/** The node, as a fetch knows it: tests play one whose queries and dials go nowhere. */
export interface FetchHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ChunkStore;
  readonly swarms: Swarms;
  readonly mirrors: Mirrors;
  /** What other fetches found to be wrong. */
  readonly rejectedFiles: RejectedFiles;
  readonly offerPolicy: Pick<OfferPolicy, "trustOf">;
  /** Whether the node lasts as long as this fetch, so that there is no daemon. */
  readonly isAlone: boolean;
  /** The nodes that can be asked directly, and how many are being dialled to become such. */
  readonly links: { readonly size: number; readonly dialling: number };
  /** How many nodes it knows that may become links. */
  readonly overlay: { readonly addressCount: number };
  readonly directories: Pick<Directories, "size" | "errors" | "findHolders">;
  /** Floods a query and asks the directories; the returned function ends both. */
  search(sought: Sought, searcher: Searcher): () => void;
  /** Dials a holder of `root` and has the searcher hear its offer, as if it had called back. */
  dialHolder(address: HostPort, root: Root, searcher: Pick<Searcher, "offered">): Promise<void>;
}
