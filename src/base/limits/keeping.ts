/** Limits of what of the downloads is kept, each with its reason. */

import { MIB } from "./sizes.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export const keepingLimits = {
  /** A smaller quota is a slip of the pen: one package would not fit. */
  keepBytesMin: 1_000_000,
  /**
   * Once the high mark is reached, it is cleaned down to this part of it: so that not every fetch has to
   * wait for another file to go, and a tenth of what is kept is looked at each time.
   */
  keepLowPercent: 90,
  /** Versions of a package that may be asked for: far more than anybody keeps. */
  keepVersionsMax: 1_000,
  /** A part that nobody went on with for so long is of no use to anybody: its version is gone. */
  partialKeptMs: 30 * DAY_MS,
  /** How a fetch went is not asked after so long. */
  fetchRecordsKeptMs: 90 * DAY_MS,
  /** Room for what comes without a size is made in such steps: it exceeds a quota by no more. */
  roomStepBytes: 8 * MIB,
  /** How often it is looked what others left free on the disk, and what is out of date. */
  keepingCheckMs: 30_000,
  /** How long after a package came its old versions go: those of one upgrade go together. */
  keepingSettleMs: 2_000,
  /** Removed at once, in some ten milliseconds, before other work gets its turn. */
  removedAtOnceMax: 64,
  /** So often in a row the disk does not let a download go, then it lets none go: the others are not tried. */
  removeRefusalsMax: 3,
  /** What the disk did not let go is tried again after so long: somebody has to see to it first. */
  removeAgainMs: 5 * 60_000,
  /** Downloads that are known not to go at once; each costs about 0.5 KB. */
  stuckCopiesMax: 1_024,
  /** Who has a file is not known any more after so long: nodes go, and clean their disks too. */
  holderKnownMs: DAY_MS,
  /** Files of which it is known who else has them; each costs about 0.5 KB. */
  holderBookRootsMax: 65_536,
  /** Holders of one file that are known by their ids: it is not rare then. */
  holdersKnownMax: 8,
  /** Files of which directories are asked who else has them, before a cleaning: a second of questions. */
  keepingAskedMax: 256,
  /** How many of those questions wait for answers at once: the directory has others to answer. */
  keepingAskedAtOnce: 16,
  /** A cleaning waits so long for directories, and then goes by what is known. */
  keepingAskMs: 5_000,
  /** Downloads that an answer on cleaning names at most; the others are summed up. */
  cleanedReportedMax: 100_000,
} as const;
