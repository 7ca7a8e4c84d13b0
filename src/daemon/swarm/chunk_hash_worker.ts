/**
 * Hashes the chunks of one frame at a time in shared memory, on another core. See
 * `chunk_hasher.ts`, which starts it.
 */

/// <reference lib="deno.worker" />

import { leafDigits } from "./leaf_digits.ts";

/** What the worker is told: the shared memory once, then frames in it. */
export type HashOrder =
  | { readonly kind: "memory"; readonly memory: SharedArrayBuffer }
  | { readonly kind: "frame"; readonly slot: number; readonly start: number; readonly end: number };

/** What it answers: the leaves of the frame's chunks, 64 hexadecimal digits each. */
export interface HashResult {
  readonly slot: number;
  readonly digits: string;
}

let memory: Uint8Array = new Uint8Array();

self.onmessage = ({ data: order }: MessageEvent<HashOrder>) => {
  if (order.kind === "memory") {
    memory = new Uint8Array(order.memory);
    return;
  }
  const digits = leafDigits(memory.subarray(order.start, order.end));
  self.postMessage({ slot: order.slot, digits } satisfies HashResult);
};
