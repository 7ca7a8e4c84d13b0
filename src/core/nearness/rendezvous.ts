/**
 * Which of several nodes a part of a file falls to: it follows from the file, the part and the ids of
 * the nodes alone (rendezvous hashing), so that all who know each other agree without a word, and a
 * node that goes leaves its parts to all of the others.
 */

import type { FlightId, NodeId, Root } from "../../base/ids.ts";

/** What of a node's id goes into its weights for the stripes of one file. */
export interface WeightSeed {
  readonly nodeId: NodeId;
  readonly a: number;
  readonly b: number;
}

/** The seed of a node: the first eight bytes of its id, each bit changed by those of the file's. */
export function weightSeed(file: FlightId | Root, nodeId: NodeId): WeightSeed {
  const word = (text: string, at: number) => Number.parseInt(text.slice(at, at + 8), 16);
  return {
    nodeId,
    a: (word(nodeId, 0) ^ word(file, 0)) >>> 0,
    b: (word(nodeId, 8) ^ word(file, 8)) >>> 0,
  };
}

/** The weight of a node for a stripe, a u32: the heaviest fellow reads it. */
export function weightOf({ a, b }: WeightSeed, stripe: number): number {
  return mixed(mixed((a ^ stripe) >>> 0) ^ b);
}

/** In place of a stripe: who comes first for the file as a whole. */
export const WHOLE_FILE = 0xffff_ffff;

/** Whether `one` comes before `other` for a stripe; of equal weights, the lower id. */
export function isBefore(one: WeightSeed, other: WeightSeed, stripe: number): boolean {
  const difference = weightOf(one, stripe) - weightOf(other, stripe);
  return difference > 0 || difference === 0 && one.nodeId < other.nodeId;
}

/** The finalizer of MurmurHash3 (32 bits): every bit of the input changes half of the output. */
function mixed(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}
