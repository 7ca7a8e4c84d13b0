/** What a swarm tells, and what it needs of the node around it. Types only. */

import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { MirrorError } from "../../http/mirror_error.ts";
import type { ChunkHasher } from "./chunk_hasher.ts";
import type { Provider } from "./provider.ts";

/** What a fetch hears of its swarm. */
export interface SwarmObserver {
  /** Chunks were checked and written, or were found where they are to be. */
  gained(range: ChunkRange, provider: Provider): void;
  /** Every wanted chunk is there. */
  completed(): void;
  /** The swarm is over: the disk refused, or the file cannot be what it was said to be. */
  failed(error: Error): void;
  /** Missing chunks have no source. */
  needsSources(): void;
  /** A node gave what is not true; nothing else that it offers is to be believed. */
  banned(nodeId: NodeId): void;
  /** This chunk, as a mirror gave it, is not what the leaves say; it gives no more ranges here. */
  mirrorWrong(provider: Provider, index: number): void;
  /**
   * A mirror gives no more ranges here: it failed, or, with null, it stalled for so long that it is
   * not counted on any more.
   */
  mirrorFailed(provider: Provider, error: MirrorError | null): void;
  /** What became of a source, in words, for a person who asks afterwards. */
  noted?(provider: Provider, what: string): void;
}

/** What a swarm needs of the node that it belongs to. */
export interface SwarmHost {
  readonly log: Logger;
  readonly random: Random;
  readonly hasher: ChunkHasher;
  /** A strike was given, for the counters. */
  struck(): void;
  /** A node at `host` gave so much of a file wrong that it is no source of it any more. */
  misbehaved?(node: { readonly nodeId: NodeId; readonly host: string }, root: Root): void;
}

/** The identity of what a swarm fetches. */
export interface SwarmFile {
  readonly root: Root;
  readonly name: string;
  readonly sizeBytes: number;
}

/** A holder as it comes to a swarm. */
export interface Holder {
  readonly nodeId: NodeId;
  /** Address for people. */
  readonly peer: string;
  readonly whole: boolean;
  /** First page of its bitfield when not whole. */
  readonly bitfield: Uint8Array;
}
