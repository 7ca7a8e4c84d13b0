/** What a fetch needs of the node that it runs on. Types only. */

import type { Surroundings } from "../../core/fetch/fetch_failures.ts";
import type { HolderBook } from "../../core/keeping/holder_book.ts";
import type { HostPort } from "../../base/address.ts";
import type { Clock } from "../../base/clock.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Mirrors } from "../../http/mirrors.ts";
import type { NamedMirrors } from "../../http/named_mirrors.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { MessageOf } from "../../wire/messages.ts";
import type { Nearness } from "../../wire/nearness.ts";
import type { FileOffer, Sought } from "../../wire/structures.ts";
import type { Directories } from "../directories/directories.ts";
import type { Flights } from "../crowd/flights.ts";
import type { OpenSearch, Searcher } from "../discovery/searches.ts";
import type { RelayAsking } from "../push/relay_requests.ts";
import type { Swarms } from "../swarm/swarms.ts";
import type { OfferPolicy } from "../trust/offer_policy.ts";
import type { RejectedFiles } from "../trust/rejected_files.ts";
import type { CoalescedReads } from "../../http/coalesced_reads.ts";

/** The node, as a fetch knows it: tests play one whose queries and dials go nowhere. */
export interface FetchHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ChunkStore;
  readonly swarms: Swarms;
  /** What is in flight on this node. */
  readonly flights: Pick<
    Flights,
    "begin" | "dial" | "isDialling" | "join" | "misbehaved" | "onSought" | "passedWrong" | "random"
  >;
  readonly nodeId: NodeId;
  /** How near this node a host is. */
  nearnessOf(host: string): Nearness;
  /** Files of a name on this machine that have no root yet, as others are told of them. */
  coming(name: string): MessageOf<"in-flight">[];
  /** Whether only nodes with the network's key can talk to it. */
  readonly hasNetworkKey: boolean;
  readonly mirrors: Mirrors;
  /** What its fetches read from mirrors. */
  readonly mirrorReads: CoalescedReads;
  /** The mirrors inside this network that are asked; all by default. */
  readonly insideMirrors?: NamedMirrors | undefined;
  /** What other fetches found to be wrong. */
  readonly rejectedFiles: RejectedFiles;
  readonly offerPolicy: Pick<OfferPolicy, "trustOf">;
  /** Hears who has what. */
  readonly holders: HolderBook;
  /** Whether the node lasts as long as this fetch, so that there is no daemon. */
  readonly isAlone: boolean;
  /** The nodes that can be asked directly, how many are being dialled, and why others cannot be had. */
  readonly links: {
    readonly size: number;
    readonly dialling: number;
    readonly faults: Surroundings["peerFaults"];
  };
  /** How many nodes it knows that may become links. */
  readonly overlay: { readonly addressCount: number };
  readonly directories: Pick<
    Directories,
    "size" | "errors" | "findHolders" | "findFellows" | "leaseName"
  >;
  /** Dials the nodes that a person named, and some that were met before, that have no link. */
  dialNodes(): void;
  /** Floods a query and asks the directories. */
  search(sought: Sought, searcher: Searcher): OpenSearch;
  /** Dials a holder of `root` and has the searcher hear its offer, as if it had called back. */
  dialHolder(address: HostPort, root: Root, searcher: Pick<Searcher, "offered">): Promise<void>;
  /** Asks linked nodes to fetch a file, and so to pass it on. Never rejects. */
  askRelays(file: FileOffer, asking: RelayAsking): Promise<void>;
  /** Why nothing came of a dial, for a person. */
  dialProblem(error: unknown): string;
}
