/** Limits of fetches and what is remembered of them, each with its reason. */

export const fetchLimits = {
  /** Fetches that can be explained afterwards; the oldest goes. */
  fetchRecordsMax: 1_000,
  /** Steps of one fetch that are told: the first and the last of them. */
  recordSteps: 64,
  /** Files whose wrong roots and providers are remembered, roots and providers of each, and how long. */
  rejectedFilesMax: 256,
  wrongPerFileMax: 256,
  wrongMs: 3_600_000,
} as const;
