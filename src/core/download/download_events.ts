/**
 * What a {@linkcode Download} is told and what it answers: plain values, no behaviour.
 */

import type { Bitfield } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";

/** Names a source within a download; the caller gives the numbers. */
export type SourceId = number;

/** What a download is of. */
export interface DownloadOptions {
  /** Bytes of the whole file. */
  readonly sizeBytes: number;
  /** The chunks asked for: the whole file or a part; a count of 0 is complete at once. */
  readonly wanted: ChunkRange;
  /** The store's live bitfield: read here, changed by the caller before it reports chunks good. */
  readonly have: Bitfield;
  /** Bytes that may be in flight over all sources. Less than a chunk pauses the download. */
  readonly inflightBytesMax: number;
  readonly random: Random;
  /** Whether chunks may turn out to be missing again when all were there: it goes on then. */
  readonly mayLose?: boolean;
  /** What near nodes divide among them by, where they do; see `core/nearness/far_share.ts`. */
  readonly shared?: {
    readonly root: Root;
    /** This node. */
    readonly nodeId: NodeId;
    /** Near nodes that seek the file just now. */
    readonly expected: number;
    readonly nowMs: number;
  };
}

/** Where a source is, by `core/nearness/nearness.ts`. */
export interface SourcePlace {
  /** Sources of a lower rank are asked first. */
  readonly rank: number;
  readonly isFar: boolean;
  readonly nodeId: NodeId;
}

/** What happened. Events about a source that is not (or no longer) there are ignored. */
export type DownloadEvent =
  /** A source can be asked. A partial bitfield is copied. Without a `place` it is neither near nor far. */
  | {
    readonly kind: "source-joined";
    readonly source: SourceId;
    readonly have: Bitfield | "all";
    readonly place?: SourcePlace;
  }
  /** It has more chunks. */
  | {
    readonly kind: "source-has";
    readonly source: SourceId;
    readonly ranges: readonly ChunkRange[];
  }
  /** It is not to be asked for these any more; what it was asked for may still come. */
  | {
    readonly kind: "source-lost";
    readonly source: SourceId;
    readonly ranges: readonly ChunkRange[];
  }
  /** Its connection ended. */
  | { readonly kind: "source-left"; readonly source: SourceId }
  /** Bytes of a frame of chunks came in. */
  | { readonly kind: "arriving"; readonly source: SourceId; readonly bytes: number }
  /**
   * Chunks from it are verified, written, and in the store's bitfield; or they do not match their
   * hashes.
   */
  | {
    readonly kind: "chunks-good" | "chunks-bad";
    readonly source: SourceId;
    readonly range: ChunkRange;
    /** The frame that they came in, where that holds more than them. */
    readonly frame?: ChunkRange;
  }
  /** It will not answer the request for exactly this range. */
  | { readonly kind: "rejected"; readonly source: SourceId; readonly range: ChunkRange }
  /** This node itself takes from it no faster, or does so no more: told when that changes. */
  | { readonly kind: "held"; readonly source: SourceId; readonly isHeld: boolean }
  /** The budget of bytes in flight changed. */
  | { readonly kind: "budget"; readonly inflightBytesMax: number }
  /** Time went by; a few times a second. */
  | { readonly kind: "tick" };

/** What is to be done. */
export type DownloadEffect =
  | { readonly kind: "request"; readonly source: SourceId; readonly range: ChunkRange }
  | { readonly kind: "cancel"; readonly source: SourceId; readonly range: ChunkRange }
  /** It sent wrong chunks; how many times by now. */
  | { readonly kind: "strike"; readonly source: SourceId; readonly strikes: number }
  /** It is no longer a source: close its connection. */
  | { readonly kind: "drop"; readonly source: SourceId; readonly reason: "bad-data" | "silent" }
  | { readonly kind: "snubbed"; readonly source: SourceId }
  /** Missing chunks have no usable source. Said once until that changes. */
  | { readonly kind: "need-sources" }
  | { readonly kind: "complete" };

/** What a frame of chunks is to its receiver: only `unasked` is a fault. */
export type FrameClass = "asked" | "cancelled" | "unasked";

/** How a source does, for people and for logs. */
export interface SourceReport {
  readonly source: SourceId;
  /** Bytes of chunks that it was the first to bring. */
  readonly bytesGood: number;
  readonly strikes: number;
  readonly snubbed: boolean;
  /** Bytes asked of it and not answered. */
  readonly inflight: number;
  /** 0 while it is not known. */
  readonly rateBytesPerSecond: number;
}
