/** What the peers' part of one fetch needs of the node, and whom it tells. Types only. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { Candidate } from "../../core/fetch/candidates.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { Directories } from "../directories/directories.ts";
import type { FetchSearchHost } from "./fetch_search.ts";
import type { Provider } from "../swarm/provider.ts";
import type { HolderDialsHost } from "../discovery/holder_dials.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { MirrorLoss } from "../swarm/swarm_events.ts";
import type { Swarms } from "../swarm/swarms.ts";
import type { RejectedFiles } from "../trust/rejected_files.ts";

/** What the peers' part of a fetch needs of the node. */
export interface PeerTrackHost extends Omit<HolderDialsHost, "offered">, FetchSearchHost {
  readonly store: ChunkStore;
  readonly swarms: Swarms;
  /** The nodes that can be asked directly, and how many are being dialled to become such. */
  readonly links: { readonly size: number; readonly dialling: number };
  /** How many nodes it knows that may become links. */
  readonly overlay: { readonly addressCount: number };
  readonly directories: Pick<Directories, "size" | "troubles" | "findHolders">;
  /** Whether the node lasts as long as this fetch, so that there is no daemon. */
  readonly isAlone: boolean;
  /** What other fetches found to be wrong. */
  readonly rejectedFiles: RejectedFiles;
}

/** The candidate that a fetch follows, and what brings it in. */
export interface Followed {
  readonly swarm: Swarm;
  readonly candidate: Candidate;
}

/** Who hears how the peers' part goes. */
export interface PeerTrackOwner {
  /** A candidate is followed from now on; what is here of it may be read. */
  followed(followed: Followed): void;
  /** The candidate is not followed any more, because another one leads. */
  replaced(reason: string): void;
  gained(range: ChunkRange, provider: Provider): void;
  /** Something came to its end: see `takeComplete` and `takeHere`. */
  changed(): void;
  /** The fetch cannot go on. */
  failed(error: Error): void;
  /** A mirror gives no more ranges. */
  mirrorLost(why: MirrorLoss): void;
}
