/**
 * Checks the chunks of one frame at a time in shared memory, on another core. See
 * `chunk_hasher.ts`, which starts it.
 */

/// <reference lib="deno.worker" />

import { wrongChunks } from "../../base/leaves.ts";

/** A frame to check. */
export interface HashOrder {
  readonly slot: number;
  /** Its chunks, in shared memory. */
  readonly data: Uint8Array;
  /** The index of its first chunk, and the leaves that its chunks must have. */
  readonly first: number;
  readonly leaves: string;
}

/** The indices of its chunks that are wrong. */
export interface HashResult {
  readonly slot: number;
  readonly wrong: readonly number[];
}

self.onmessage = ({ data: { slot, data, first, leaves } }: MessageEvent<HashOrder>) => {
  self.postMessage({ slot, wrong: wrongChunks(data, leaves, first) } satisfies HashResult);
};
