/** Limits of how near ones come before far ones, each with its reason. */

import { crowdLimits } from "./crowd.ts";
import { downloadLimits } from "./download.ts";
import { fetchLimits } from "./fetch.ts";
import { MIB } from "./sizes.ts";
import { transferLimits } from "./transfer.ts";

export const nearnessLimits = {
  /** The name of a site is a label that a person types, as that of a network. */
  siteBytesMax: 64,
  /** A wider subnet is no neighbourhood, but all of a company or a tunnel between its sites. */
  subnetBitsMinV4: 16,
  subnetBitsMinV6: 64,
  /** How often this machine looks which subnets it is in. */
  ownSubnetsMs: 10_000,
  /** Hosts of which the site is remembered; the oldest goes. */
  sitesKnownMax: 4_096,
  /** Round trips of up to this are all alike, and each step above is four times as long... */
  roundTripStepMs: 4,
  /** ...up to a second: who takes longer has other troubles. */
  roundTripStepsMax: 4,
  /** Near ones are judged when they were asked for so long: as peers beside a mirror are. */
  nearJudgeMs: fetchLimits.hedgeJudgeMsMax,
  /** So much faster than the far ones near ones must be for those to be left again, in percent. */
  nearFasterPercent: fetchLimits.hedgeFasterPercent,
  /** Near ones that give so much are fast enough, as long as nobody knows how fast far ones are. */
  nearBytesPerSecond: 16 * MIB,
  /** Who begins while near nodes seek the same waits so long to be connected with them. */
  nearSettleMs: fetchLimits.crowdExpectMs,
  /** Who comes no further for so long is waited for no more: twice the time of a stall. */
  nearLostMs: 2 * transferLimits.snubMs,
  /** Who has nothing left to ask far ones for waits so long for one that never came further... */
  nearTakeOverMs: crowdLimits.takeOverMs,
  /** ...and so long before it takes over from others... */
  nearStalledMs: crowdLimits.claimStalledMs,
  /** ...that are so many times slower. */
  nearSlowTimes: 2,
  /** On a thin line one that is this many chunks behind has stalled: some requests as they begin. */
  nearStalledChunks: 6 * downloadLimits.requestChunksAtFirst,
  /** Near nodes that seek a file, and are told of what is only beginning here. */
  nearSeekersMax: 8,
  /** While near ones get the file too, a far one is asked twice only for what takes longer than this. */
  farDuplicateMs: 1_000,
  /** A near requester is told of what was gained at once when it is so much: a request to a far one. */
  nearGainedChunks: 32,
} as const;
