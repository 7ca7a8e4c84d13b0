/** Limits of which chunk is asked of whom, each with its reason. A block is 32 chunks. */

import { MIB } from "./sizes.ts";

export const downloadLimits = {
  /** Chunks of the smallest request worth its round trip, 64 KiB, when the budget is thin. */
  requestChunksMin: 4,
  /** Requests that a new source, or one that was snubbed, starts with. */
  requestsAtFirst: 2,
  /** Chunks of a request to such a source, 128 KiB: it may be slow, and sixteen fit the budget. */
  requestChunksAtFirst: 8,
  /**
   * Cancelled requests of a source that are known one by one, as many as its queue can hold: of those
   * before them only the chunks are counted, and that many may still come.
   */
  cancelledRequestsMax: 64,
  /** Sources of one download whose holdings can be counted: availability is a byte. */
  downloadSourcesMax: 255,
  /** Bytes that a source may have before it: what it delivers in this time. */
  sourceQueueMs: 1_000,
  /** Time of work that makes one sample of a source's rate. */
  rateSampleMs: 200,
  /** Time of work before a guess of it from the first bytes is worth anything. */
  rateGuessMs: 10,
  /** A duplicate must be expected this much sooner, in milliseconds and in proportion. */
  duplicateGainMs: 20,
  duplicateGainPercent: 125,
  /** Blocks compared with the store's bitfield on a tick after it changed by other ways. */
  sweepBlocksMax: 1_024,
  /** Blocks compared for the rarest in one choice: 2 GiB of file. */
  pickBlocksMax: 4_096,
  /** Blocks of one random place that a choice in a bigger file compares as well. */
  pickSampleBlocks: 1_024,
  /** Blocks that a choice may pass over to reach the next that its source has: 16 GiB of file. */
  skipBlocksMax: 32_768,

  // Leaves
  /** Frames of leaves asked for ahead: 256 KiB in flight. */
  leafFramesAheadMax: 4,
  /** Frames at another core: one being hashed, one waiting, so that nothing waits for long. */
  framesHashedElsewhereMax: 2,
  /** Chunks of a frame that is worth a copy to another core. */
  chunksHashedElsewhereMin: 8,
  /** Files below this are done before a worker has started. */
  hashedElsewhereBytesMin: 32 * MIB,
  /** A core that hashes this much a second needs no help of a second one. */
  hashBytesPerSecondEnough: 900_000_000,
} as const;
