/** What a swarm is of, what it tells, and what it is given. Types only. */

import type { Clock } from "../../base/clock.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { MirrorError } from "../../http/mirror_error.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";
import type { Provider } from "./provider.ts";

/** The identity of what a swarm fetches. */
export interface SwarmFile {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
}

/** What all swarms of a node share. */
export interface SwarmContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly hasher: ChunkHasher;
  /** A strike was given, for the counters. */
  struck(): void;
  /** A node at `host` gave so much of a file wrong that it is no source of it any more. */
  misbehaved(node: { readonly nodeId: NodeId; readonly host: string }, root: Root): void;
}

/** Why a mirror gives a swarm no more ranges. */
export type MirrorLoss =
  /** This chunk, as the mirror gave it, is not what the leaves say. */
  | { readonly kind: "mirror-wrong"; readonly provider: Provider; readonly index: number }
  /** It failed, or, with null, it stalled for so long that it is not counted on any more. */
  | {
    readonly kind: "mirror-failed";
    readonly provider: Provider;
    readonly error: MirrorError | null;
  };

/** What a fetch hears of its swarm. */
export type SwarmEvent =
  /** The leaves are here, and what was found on the disk is looked through: chunks can come. */
  | { readonly kind: "begun" }
  /** Chunks were checked and written, or were found where they are to be. */
  | { readonly kind: "gained"; readonly range: ChunkRange; readonly provider: Provider }
  /** Every wanted chunk is there. */
  | { readonly kind: "completed" }
  /** The swarm is over: the disk refused, or the file cannot be what it was said to be. */
  | { readonly kind: "failed"; readonly error: Error }
  /** Missing chunks have no source. */
  | { readonly kind: "needs-sources" }
  /** A node gave what is not true; nothing else that it offers is to be believed. */
  | { readonly kind: "banned"; readonly nodeId: NodeId }
  | MirrorLoss
  /** What became of a source, in words, for a person who asks afterwards. */
  | { readonly kind: "noted"; readonly provider: Provider; readonly what: string };

/** Who hears of a swarm. */
export interface SwarmObserver {
  swarmEvent(event: SwarmEvent): void;
}
