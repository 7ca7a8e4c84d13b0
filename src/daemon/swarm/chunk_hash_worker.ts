/**
 * Checks the chunks of one frame at a time in shared memory, on another core. See
 * `chunk_hasher.ts`, which starts it.
 */

/// <reference lib="deno.worker" />

import { wrongChunks } from "../../base/leaves.ts";

/** What the worker is told: the shared memory once, then frames in it. */
export type HashOrder =
  | { readonly kind: "memory"; readonly memory: SharedArrayBuffer }
  | {
    readonly kind: "frame";
    readonly slot: number;
    readonly start: number;
    readonly end: number;
    /** The index of its first chunk, and the leaves that its chunks must have. */
    readonly first: number;
    readonly leaves: string;
  };

/** What it answers: the indices of the chunks that are wrong. */
export interface HashResult {
  readonly slot: number;
  readonly wrong: readonly number[];
}

let memory: Uint8Array = new Uint8Array();

self.onmessage = ({ data: order }: MessageEvent<HashOrder>) => {
  if (order.kind === "memory") {
    memory = new Uint8Array(order.memory);
    return;
  }
  const { slot, start, end, first, leaves } = order;
  const wrong = wrongChunks(memory.subarray(start, end), leaves, first);
  self.postMessage({ slot, wrong } satisfies HashResult);
};
