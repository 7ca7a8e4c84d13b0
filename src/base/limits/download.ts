/** Limits of which chunk is asked of whom, each with its reason. */

export const downloadLimits = {
  /** Chunks of the smallest request worth its round trip, 64 KiB, when the budget is thin. */
  requestChunksMin: 4,
  /** Requests that a new source, or one that was snubbed, starts with. */
  requestsAtFirst: 2,
  /** Chunks of a request to such a source, 128 KiB: it may be slow, and sixteen fit the budget. */
  requestChunksAtFirst: 8,
  /** Cancelled requests of a source whose frames may still come: as many as its queue can hold. */
  cancelledRequestsMax: 64,
  /** Units compared for the rarest in one choice: 2 GiB of file. */
  pickBlocksMax: 4_096,
  /** Units of one random place that a choice in a bigger file compares as well. */
  pickSampleBlocks: 1_024,
  /** Units that a choice may pass over to reach the next that its source has: 16 GiB of file. */
  skipBlocksMax: 32_768,
} as const;
