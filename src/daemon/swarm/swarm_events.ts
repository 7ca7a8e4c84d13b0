/**
 * What a swarm is of, what it tells, and its sources, be they holders or mirrors, as it and they see
 * each other. Types only.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import type { Clock } from "../../base/clock.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Pace, Paces } from "../../base/rates/pace.ts";
import type { Random } from "../../base/random.ts";
import type { FrameClass } from "../../core/download/download.ts";
import type { SourcePlace } from "../../core/download/download_events.ts";
import type { MirrorError } from "../../http/mirror_error.ts";
import type { ChunkCheck } from "./chunk_check.ts";
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
  /** This node, where near ones divide what far ones give: by default they do not. */
  readonly nodeId?: NodeId;
  /** How many near nodes seek a file just now; by default none. */
  readonly nearSeekers?: (file: SwarmFile) => number;
  /** Chunks of a file can come: its leaves are here. */
  readonly begun?: (file: SwarmFile) => void;
  /** How fast files may come. */
  readonly rates: Paces;
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

/** One source of a swarm. */
export interface ChunkSource {
  /** By which the policy knows it. */
  readonly id: number;
  /** Who it is: of a mirror that is more than one server, that which gave last. */
  readonly provider: Provider;
  /** The chunks that it has. */
  readonly have: Bitfield | "all";
  /** Where it is; left out where nearer ones do not come first. */
  readonly place?: SourcePlace;
  /** Of a holder; a wrong chunk is the end of a mirror. */
  readonly strikes?: number;
  /** How fast it is taken from. */
  readonly pace: Pick<Pace, "isHeld" | "isWaiting" | "bytesPerSecond">;
  /** Asks for chunks. */
  request(range: ChunkRange): void;
  /** They are not needed any more. */
  cancel(range: ChunkRange): void;
  /** The policy takes it for lost. */
  drop(reason: "bad-data" | "silent"): void;
  /** The swarm is over, for this reason. */
  end(reason: string): void;
}

/** Takes what sources give. */
export interface ChunkSink {
  readonly file: Pick<SwarmFile, "sizeBytes">;
  /** Whether chunks of this range were asked of this source. */
  classify(source: ChunkSource, range: ChunkRange): FrameClass;
  /**
   * A check of chunks against the leaves, which were checked against the root before.
   *
   * @throws {EnvironmentError} when the leaves cannot be read; the swarm has failed then.
   */
  checkOf(range: ChunkRange): ChunkCheck;
  /** Bytes of chunks came in. */
  arriving(source: ChunkSource, bytes: number): void;
  /** The chunks of `range`, valid until this returns; those in `wrong` (indices) are not right. */
  chunks(source: ChunkSource, range: ChunkRange, data: Uint8Array, wrong: readonly number[]): void;
  /** A range does not come any more, or came after it was cancelled. */
  passed(source: ChunkSource, range: ChunkRange): void;
  /** A mirror gives no more. */
  mirrorLost(source: ChunkSource, why: MirrorLoss): void;
}
