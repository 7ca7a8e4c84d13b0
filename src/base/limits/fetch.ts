/** Limits of fetches and what is remembered of them, each with its reason. */

import { KIB, MIB } from "./sizes.ts";
import { overlayLimits } from "./overlay.ts";
import { transferLimits } from "./transfer.ts";

/** How long after the first offer a bare name may still come to mean another file. */
const candidateSettleMs = 100;

export const fetchLimits = {
  // Which file is meant
  candidateSettleMs,
  /** A candidate that has been followed for this long is kept, whatever others offer. */
  candidateKeptMs: 3 * candidateSettleMs,

  // Searching
  /** Sources with which a fetch seeks no more, and a holder is told not to pass the query on. */
  sourcesEnough: 8,
  /** Pause before the query is flooded again while the file is not complete. */
  floodAgainMs: 5_000,
  /** The same when all sources are lost. */
  floodInNeedMs: 1_000,
  /** The same for directories: a question there costs next to nothing. */
  askAgainMs: 1_000,
  /** Queries of one fetch that are answered at a time: the one before may still bring a late holder. */
  queriesAtOnce: 2,

  // When a fetch gives up
  /** A candidate that comes no further for so long is set aside: twice the time of a stall. */
  candidateStarvedMs: 2 * transferLimits.snubMs,
  /** How long nobody may offer a file that no mirror gives either, unless the request says. */
  searchBesideMs: 3_000,
  /** How long a fetch whose sources lack the missing chunks, or all stall, waits for others. */
  starvedMs: transferLimits.sourceSilentMs + overlayLimits.searchMs,
  /** A fetch on its own with directories that all failed, and nobody else to ask, ends after this. */
  hopelessMs: 1_500,
  /** Pause before a file that is here, and cannot be read just now, is looked at again. */
  lookAgainMs: 50,

  // Mirrors beside peers
  /** Peers alone are waited for this long before a mirror is asked as well. */
  hedgeMs: 25,
  /** A node of one fetch has this long to get its first link before that time begins. */
  hedgeLinkMs: 500,
  /** So long a file that is here, or at peers, waits for a mirror to say whether it is the one meant. */
  hedgeAnswerMs: 2_000,
  /** The first bytes of a file that a mirror gives while what peers gave is not yet proved. */
  hedgeHeadBytes: 64 * KIB,
  /** But never more than this part of a file, in chunks, rounded up to one. */
  hedgeHeadPermille: 10,
  /** How often, while that lasts, it gives another chunk, so that those who wait see bytes come. */
  hedgeDripMs: 3_000,
  /** How fast peers must be, as far as the mirror's speed is not known, not to be helped by it. */
  hedgeBytesPerSecond: 64 * MIB,
  /** How long a candidate may take from being followed until chunks can come. */
  hedgeBeginMs: 500,
  /** What is done within this time is left alone. */
  hedgeNearlyMs: 300,
  /** When peers are judged, after they began, at the soonest and at the latest; then this often. */
  hedgeJudgeMsMin: 100,
  hedgeJudgeMsMax: 500,
  hedgeJudgeAgainMs: 50,
  /** Left to give by then, a mirror keeps the place where it writes from a candidate. */
  hedgeHandoverMs: 300,
  /** How much faster than the mirror peers must be for it to stop, in percent. */
  hedgeFasterPercent: 150,

  // What is remembered
  /** Fetches that can be explained afterwards; the oldest goes. */
  fetchRecordsMax: 1_000,
  /** Steps of one fetch that are told: the first and the last of them. */
  recordSteps: 64,
  /** Files whose wrong roots and providers are remembered, roots and providers of each, and how long. */
  rejectedFilesMax: 256,
  wrongPerFileMax: 256,
  wrongMs: 3_600_000,
} as const;
