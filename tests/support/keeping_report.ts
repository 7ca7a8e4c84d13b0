// What a daemon says of its downloads when it has none and no bounds.

import type { KeepingReport } from "../../src/wire/reports.ts";

export const NOTHING_KEPT: KeepingReport = {
  bytes: 0,
  comingBytes: 0,
  keepBytes: null,
  minFreeBytes: null,
  freeBytes: null,
  versions: null,
  over: null,
  pinned: 0,
  stuckFiles: 0,
  stuckBytes: 0,
  stuckWhy: null,
  refused: 0,
  cleanedFiles: 0,
  cleanedBytes: 0,
  totalCleanedFiles: 0,
  totalCleanedBytes: 0,
};
