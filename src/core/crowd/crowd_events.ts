/** What the policy of a crowd is told, and what it asks to have done. Types only. */

import type { HostPort } from "../../base/address.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";

/** What a fellow can read from its mirror: any stripe, only all from the beginning on, or nothing. */
export type Reads = "ranges" | "whole" | "nothing";

/** What a fellow says of itself: at first, when it changes, and now and then as a sign of life. */
export interface FellowReport {
  readonly nodeId: NodeId;
  /** Higher with every change, so that what was passed on late counts no more. */
  readonly sequence: number;
  readonly reads: Reads;
  /** Whether all of the file is there, and was found right. */
  readonly isWhole: boolean;
  /** The stripes that it reads from its mirror now. */
  readonly claims: readonly number[];
}

/** A fellow, and where it can be dialled; null: nowhere. */
export interface FellowAddress {
  readonly nodeId: NodeId;
  readonly address: HostPort | null;
}

/** What one fellow tells another. */
export type FellowMessage =
  | { readonly kind: "report"; readonly report: FellowReport }
  | { readonly kind: "fellows"; readonly fellows: readonly FellowAddress[] }
  /** It has these chunks; `origin` read them from a mirror, null: nobody knows who. */
  | {
    readonly kind: "announce";
    readonly origin: NodeId | null;
    readonly ranges: readonly ChunkRange[];
  };

/** Chunks that another gave, null: nobody knows who, of a file that is not right. */
export interface DoubtedGift {
  readonly giver: NodeId | null;
  /** Whether it said that it had read them itself. */
  readonly isReader: boolean;
  readonly ranges: readonly ChunkRange[];
}

/** What happened. */
export type CrowdEvent =
  /** A connection with a fellow is up, or ended. */
  | ({ readonly kind: "joined" } & FellowAddress)
  | { readonly kind: "left"; readonly nodeId: NodeId }
  /** A fellow that is connected said something. */
  | { readonly kind: "heard"; readonly from: NodeId; readonly message: FellowMessage }
  /** Chunks are here that were not; `origin` as in what is announced: this node, if it read them. */
  | { readonly kind: "gained"; readonly range: ChunkRange; readonly origin: NodeId | null }
  /** Chunks that were here turned out to be wrong. */
  | { readonly kind: "lost"; readonly ranges: readonly ChunkRange[] }
  /** A fellow does not give chunks that it announced. */
  | {
    readonly kind: "refused";
    readonly nodeId: NodeId;
    readonly ranges: readonly ChunkRange[];
  }
  /** A fellow gives nothing of what it is asked for, for too long; or gives again. */
  | { readonly kind: "withholds"; readonly nodeId: NodeId; readonly isOn: boolean }
  /** What somebody passed on of others was not true: what others read counts as had by nobody else. */
  | { readonly kind: "passed-wrong" }
  /** The reading that `read` began has ended, whatever came of it. */
  | { readonly kind: "read-ended" }
  /** What can be read from this node's mirror. */
  | { readonly kind: "reads"; readonly reads: Reads }
  /** All is here, and right. */
  | { readonly kind: "whole" }
  /** A node gave what is not true: nothing that it read counts. */
  | { readonly kind: "distrusted"; readonly nodeId: NodeId }
  /**
   * The file is not right: what of it others gave is read again. `isNewRound`: it was taken from those
   * who proved it, and yet is not right.
   */
  | {
    readonly kind: "doubted";
    readonly gifts: readonly DoubtedGift[];
    readonly isNewRound: boolean;
  }
  /** What `read-again` named was compared with the mirror, and was right. */
  | { readonly kind: "proved"; readonly stripe: number }
  /** Chunks that others had read are what this node read of its mirror; it has no others of the stripe. */
  | { readonly kind: "replaced"; readonly range: ChunkRange }
  /** Nothing more is to be read again. */
  | { readonly kind: "doubt-ended" }
  /** All that is doubted was proved by others: it is to be had from those. */
  | { readonly kind: "retake" }
  | { readonly kind: "tick" };

/** What is to be done. */
export type CrowdEffect =
  /** Reads chunks from the mirror; one such reading at a time. */
  | {
    readonly kind: "read";
    readonly range: ChunkRange;
    readonly why: string;
    /** The fellow that began to read it before, from which it is taken over; null: nobody did. */
    readonly from: NodeId | null;
  }
  /** Compares what others gave of a stripe with the mirror; null: all of the file is proved. */
  | { readonly kind: "read-again"; readonly stripe: number | null }
  /** What others gave of these is to count as missing: it is taken again, from those who proved it. */
  | { readonly kind: "lose"; readonly ranges: readonly ChunkRange[] }
  /** The reading goes no further than to this chunk. */
  | { readonly kind: "read-until"; readonly chunk: number }
  | {
    readonly kind: "tell";
    readonly to: readonly NodeId[];
    readonly message: FellowMessage;
  }
  | { readonly kind: "dial"; readonly nodeId: NodeId; readonly address: HostPort }
  /** These chunks may be asked of a fellow, beside those before. */
  | { readonly kind: "may-ask"; readonly nodeId: NodeId; readonly ranges: readonly ChunkRange[] }
  /** Only these may be asked of it from now on. */
  | {
    readonly kind: "may-only-ask";
    readonly nodeId: NodeId;
    readonly ranges: readonly ChunkRange[];
  }
  | { readonly kind: "close"; readonly nodeId: NodeId; readonly why: string };
