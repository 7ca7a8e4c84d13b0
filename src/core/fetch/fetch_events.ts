/**
 * What the policy of a fetch is told, what it asks to have done, and what it may look at. Types
 * only; the rules are in `fetch_policy.ts`.
 */

import type { HostPort } from "../../base/address.ts";
import type { FetchFailure } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { FetchNotice } from "../../wire/fetching.ts";
import type { Hit, MessageOf, QueryOutcome } from "../../wire/messages.ts";
import type { FileOffer, Holder, KnownFile } from "../../wire/structures.ts";
import type { Candidate } from "./candidates.ts";
import type { MirrorRefusal, RelayAnswer, Surroundings } from "./fetch_failures.ts";
import type { CrowdView } from "./mirror_plan.ts";

/** A complete file of the store. */
export interface LocalFile {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
}

/** The state of the swarm of the candidate that is followed. */
export interface SwarmFacts {
  /** Whether its leaves are here; whether what was found on the disk is checked too. */
  readonly hasLeaves: boolean;
  readonly hasBegun: boolean;
  /** Whether all wanted chunks are here, and whether all chunks are. */
  readonly isComplete: boolean;
  readonly isFull: boolean;
  /** Peers and mirrors that may give chunks now; peers that do not stall. */
  readonly sourceCount: number;
  readonly peersGiving: number;
  /** Whether any peer ever gave, or was to give, chunks. */
  readonly hadSources: boolean;
  /** Whether all of them are gone, and said that they offer it no more. */
  readonly isWithdrawn: boolean;
  /** Whether nobody who could give what is missing is giving it. */
  readonly needsSources: boolean;
  /** Whether another peer would be of use. */
  readonly wantsSources: boolean;
  /** Bytes that peers gave first, and how fast they give now. */
  readonly peerBytes: number;
  readonly peersBytesPerSecond: number;
  /** Whether this node's own rate, not the peers, is why no more comes of them. */
  readonly isHeld: boolean;
  /** Bytes of the wanted chunks: those that were here before, that are here, altogether. */
  readonly bytesHad: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** The state of the mirror's part of a fetch. */
export interface MirrorFacts {
  /** Bytes of the file, once a mirror said it. */
  readonly sizeBytes: number | null;
  /** Whether what it gave can be read. */
  readonly isOpen: boolean;
  /** Bytes from the first wanted one on that are here, and how many are missing to the end. */
  readonly bytes: number;
  readonly bytesLeft: number | null;
  readonly bytesPerSecond: number | undefined;
  /** The first chunk that is wanted, and the one behind the last that arrived. */
  readonly firstChunk: number;
  readonly nextChunk: number;
  /** Whether all that is wanted is here, and whether that is the file from first to last byte. */
  readonly isWhole: boolean;
  readonly isWholeFile: boolean;
  readonly givesRanges: boolean;
  /** The mirror that is asked next, for people; null when none is asked any more. */
  readonly label: string | null;
  /** Whether that one failed lately. */
  readonly isBad: boolean;
  /** Whether this node's own rate is why no more comes of it. */
  readonly isHeld: boolean;
  /** Why no mirror gives it; null while one may. */
  readonly refusal: MirrorRefusal | null;
}

/** The state of what nodes share that get the file at the same time. */
export interface CrowdFacts extends CrowdView {
  /** Whether fellows are there, and something came lately. */
  readonly isComing: boolean;
  /** Whether they gave something that nobody has proved. */
  readonly hasForeign: boolean;
}

/** What is true while a step runs. The policy only reads it. */
export interface FetchFacts {
  readonly surroundings: Surroundings;
  /** Of the candidate that is followed; null while none is. */
  readonly swarm: SwarmFacts | null;
  /** Null when the request names no mirror (origin). */
  readonly mirror: MirrorFacts | null;
  /** Null when the file cannot be shared while it comes. */
  readonly crowd: CrowdFacts | null;
  /** Chunks of the mirror before this one were compared with the leaves that peers gave. */
  readonly importedTo: number;
  /** Whether bytes were shown to somebody who can never give them back. */
  readonly isHandedOut: boolean;
  /** What came of the last query; null while somebody may still answer it. */
  readonly searchOutcome: QueryOutcome | null;
  /** Dials under way to holders that a directory named. */
  readonly listedDials: number;
  /** The SHA-256 that a root is known to have. */
  sha256Of(root: Root): string | undefined;
  /** Whether a node is a source of the swarm already. */
  isSource(nodeId: NodeId): boolean;
  /** Whether who is at a host is far, as far as is known. */
  isFar(host: string): boolean;
}

/** What happened. */
export type FetchPolicyEvent =
  /** The fetch begins. */
  | { readonly kind: "start" }
  /** Time has passed, or whom one could ask has changed. */
  | { readonly kind: "tick" }
  /** What was found of the file on this machine. */
  | {
    readonly kind: "looked-up";
    readonly file: LocalFile | undefined;
    /** Whether a copy was found that failed the check of its SHA-256. */
    readonly hasWrongCopy: boolean;
    /** A part of the very file, with its leaves, as this node would offer it; for its mirrors to fill. */
    readonly part?: { readonly nodeId: NodeId; readonly file: FileOffer } | undefined;
  }
  /** A holder offers files; `address` has port 0 when it cannot be dialled. */
  | {
    readonly kind: "offered";
    readonly nodeId: NodeId;
    readonly address: HostPort;
    readonly files: readonly FileOffer[];
  }
  /** A node is just getting files of the name that is sought; they have no root yet. */
  | {
    readonly kind: "in-flight";
    readonly nodeId: NodeId;
    readonly files: readonly MessageOf<"in-flight">[];
  }
  /** A complete file is on this machine that was not: `nodeId` is that of this node. */
  | { readonly kind: "appeared"; readonly nodeId: NodeId; readonly file: FileOffer }
  /** A holder answered by the reverse path. Anybody on the way may have written it. */
  | { readonly kind: "hit"; readonly hit: Hit }
  /** A near node takes what is followed from this one, and can be dialled there. */
  | { readonly kind: "near-began"; readonly nodeId: NodeId; readonly address: HostPort }
  /** A directory names files, and holders in the order in which to ask them. */
  | {
    readonly kind: "listed";
    readonly files: readonly KnownFile[];
    readonly holders: readonly Holder[];
  }
  /** A holder was dialled in vain. */
  | {
    readonly kind: "not-reached";
    readonly nodeId: NodeId;
    readonly address: HostPort;
    readonly reason: string;
  }
  /** A linked node was asked to pass the file on. */
  | ({ readonly kind: "relay-answered" } & RelayAnswer)
  // What became of `follow`
  | { readonly kind: "joined" }
  /** A complete file of that root is here. */
  | { readonly kind: "is-here"; readonly candidate: Candidate }
  /** The store has another download of that root; `freed` follows when it has ended. */
  | { readonly kind: "occupied" }
  | { readonly kind: "freed" }
  /** No file can be what the candidate says. */
  | { readonly kind: "impossible"; readonly candidate: Candidate }
  // What the swarm tells
  | { readonly kind: "begun" }
  | { readonly kind: "gained"; readonly range: ChunkRange; readonly by: ChunkOrigin }
  | { readonly kind: "completed" }
  | { readonly kind: "needs-sources" }
  | { readonly kind: "peer-banned"; readonly nodeId: NodeId }
  /** A `leave` is done. */
  | { readonly kind: "left" }
  // What the mirrors do
  | { readonly kind: "mirror-opened"; readonly sizeBytes: number }
  | { readonly kind: "mirror-arrived"; readonly range: ChunkRange }
  /** What arrived until now is not of the file that comes next. */
  | { readonly kind: "mirror-restarted"; readonly reason: string }
  /** All that was asked is here, or no mirror gives it, or none gives ranges: see the facts. */
  | { readonly kind: "mirror-changed" }
  /** The mirror is no source of the swarm any more: it stalled, or failed. */
  | { readonly kind: "mirror-left-swarm" }
  /** Chunks of the mirror are what the peers' leaves say, and are in the swarm. */
  | { readonly kind: "imported"; readonly range: ChunkRange }
  /** Chunks of the mirror are not what the leaves say; `culprit` gave them, where that is known. */
  | {
    readonly kind: "mirror-differs";
    readonly why: string;
    readonly culprit: string | undefined;
    /** Whether it gives the swarm nothing any more. */
    readonly hasLeftSwarm: boolean;
  }
  /** A `reject-mirror` is done. */
  | { readonly kind: "mirror-rejected" }
  /** The mirror has stopped writing where the peers' bytes go. */
  | { readonly kind: "place-left" }
  // The crowd
  /** There are more fellows or fewer, somebody seeks the file, or all of it is here: see the facts. */
  | { readonly kind: "crowd-changed" }
  /** A `mend` is done: whether nothing was found that a fellow gave wrong. */
  | { readonly kind: "crowd-mended"; readonly isSame: boolean }
  /** An `audit` is done: whether what was looked at is what the mirror has. */
  | { readonly kind: "crowd-audited"; readonly isRight: boolean }
  // Results of checks
  | { readonly kind: "peers-checked"; readonly key: string; readonly isRight: boolean }
  | { readonly kind: "mirror-checked"; readonly sha256: string }
  /** What the mirror gave has this root; it becomes a file of the store after `place`. */
  | { readonly kind: "mirror-rooted"; readonly root: Root }
  | { readonly kind: "mirror-promoted"; readonly file: LocalFile }
  /** It did not become a file of the store, as `do-not-place` said. */
  | { readonly kind: "mirror-not-promoted"; readonly root: Root }
  | {
    readonly kind: "here-checked";
    readonly candidate: Candidate;
    /** Undefined when it cannot be read just now. */
    readonly file: LocalFile | undefined;
    /** Whether it has the size and SHA-256 that are wanted, and is the file of the mirrors. */
    readonly isRight: boolean;
    readonly isMirrors: boolean;
  }
  // Its end from outside
  | { readonly kind: "failed"; readonly error: Error }
  | { readonly kind: "stopped"; readonly isNotFound: boolean };

/** Who gave chunks: a mirror that this fetch asked, or another fetch did. */
export type ChunkOrigin = "peer" | "here" | "own-mirror" | "other-mirror";

/** What is to be done. */
export type FetchEffect =
  | { readonly kind: "look-up"; readonly comparesWithMirror: boolean }
  // Searching
  | { readonly kind: "flood" }
  | { readonly kind: "ask-directories" }
  /** Dials the nodes that a person named, and some that were met before, that have no link. */
  | { readonly kind: "dial-nodes" }
  | {
    readonly kind: "dial";
    /** Who is said to be there. */
    readonly nodeId: NodeId;
    readonly address: HostPort;
    readonly root: Root;
    /** Whether a directory named it, rather than that it answered itself. */
    readonly isListed: boolean;
  }
  /** Asks linked nodes to fetch this file, until one of them does. */
  | { readonly kind: "ask-relays"; readonly file: FileOffer }
  // The swarm of a candidate
  | { readonly kind: "follow"; readonly candidate: Candidate }
  /** What the joined swarm has was told: it begins to bring in what is missing. */
  | { readonly kind: "start-swarm" }
  | { readonly kind: "hash-as-it-comes" }
  | { readonly kind: "leave"; readonly how: "suspend" | "discard" }
  /** A candidate is thrown away, with the nodes that offered it. */
  | {
    readonly kind: "rejected";
    readonly candidate: Candidate;
    readonly nodes: readonly NodeId[];
    readonly why: string;
    /** Whether something of it came, which is to be thrown away too. */
    readonly hadCome: boolean;
  }
  // The mirrors
  /** Goes on until so many bytes from the first wanted one on are here; fewer than are: stops. */
  | { readonly kind: "read-mirror"; readonly bytes: number }
  | { readonly kind: "mirror-ranges"; readonly isOn: boolean }
  /** Compares what arrived with the leaves, from where the last import ended. */
  | { readonly kind: "import"; readonly isFromFirst: boolean }
  | {
    readonly kind: "reject-mirror";
    readonly why: string;
    readonly culprit: string | undefined;
  }
  | { readonly kind: "ban-mirror"; readonly culprit: string }
  /** Other fetches shall not wait for it as long. */
  | { readonly kind: "mirror-is-bad"; readonly label: string }
  | { readonly kind: "leave-place" }
  // The crowd
  /** This node's share is to be read from its mirror, or not. */
  | { readonly kind: "share"; readonly isOn: boolean }
  /** What fellows gave is not the file: finds out what is wrong, and has it missing again. */
  | { readonly kind: "mend" }
  /** Compares a part of what each fellow gave with the mirror. */
  | { readonly kind: "audit" }
  // Checks
  | { readonly kind: "check-peers"; readonly key: string }
  | { readonly kind: "check-mirror" }
  | { readonly kind: "promote-mirror" }
  | { readonly kind: "place" }
  | { readonly kind: "do-not-place" }
  | {
    readonly kind: "check-here";
    readonly candidate: Candidate;
    readonly comparesWithMirror: boolean;
  }
  // What may be read, and what may be released
  | { readonly kind: "show-peers" }
  | { readonly kind: "show-mirror"; readonly sizeBytes: number }
  /** All that the swarm has can be read. */
  | { readonly kind: "tell-peers" }
  | { readonly kind: "tell"; readonly range: ChunkRange; readonly isMirrors: boolean }
  /** Chunks that a mirror gave may be released; and chunks of peers that are proved. */
  | { readonly kind: "release"; readonly range: ChunkRange }
  | { readonly kind: "release-proved"; readonly range: ChunkRange }
  /** All that peers gave is proved, or vouched for: then what is not `before` this chunk waits. */
  | { readonly kind: "release-all"; readonly before?: number }
  | { readonly kind: "confirm"; readonly range: ChunkRange }
  | { readonly kind: "drop-peers"; readonly reason: string }
  | { readonly kind: "drop-mirror"; readonly reason: string }
  | { readonly kind: "notice"; readonly notice: FetchNotice }
  // What is written down
  | { readonly kind: "note"; readonly what: string }
  | {
    readonly kind: "log";
    readonly level: "info" | "debug";
    readonly what: string;
    readonly fields: Readonly<Record<string, string>>;
  }
  /** What one of the two brought is not the file: it counts for nobody. */
  | { readonly kind: "threw-away"; readonly track: "peers" | "mirror" }
  // The end
  | { readonly kind: "finish"; readonly result: FetchResult }
  | { readonly kind: "fail"; readonly error: Error | FetchFailure };

/** What a fetch got. */
export type FetchResult =
  /** A complete file that was here. */
  | { readonly kind: "local"; readonly file: LocalFile }
  /** What the swarm brought. */
  | { readonly kind: "swarm" }
  /** What a mirror gave, which is a file of the store now. */
  | { readonly kind: "promoted"; readonly file: LocalFile }
  /** A part of a file whose root nobody knows: nothing is kept. */
  | { readonly kind: "part"; readonly sizeBytes: number };

/** One step of the policy: what time it is, what is true, and where its effects go. */
export interface Turn {
  readonly nowMs: number;
  readonly facts: FetchFacts;
  emit(effect: FetchEffect): void;
}

/** Writes down a decision, in one line for a person. */
export function note(turn: Turn, what: string): void {
  turn.emit({ kind: "note", what });
}
