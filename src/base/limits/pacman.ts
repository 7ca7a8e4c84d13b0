/** Limits of pacman's databases and its configuration, each with its reason. */

import { KIB, MIB } from "./sizes.ts";

const DAY_MS = 86_400_000;

export const pacmanLimits = {
  // Sync databases
  /** Repositories that are read. */
  syncDatabasesMax: 64,
  /** Packages in all of them: Arch Linux has some 15,000. */
  syncPackagesMax: 500_000,
  /** A database unpacked. */
  syncUnpackedBytesMax: 1_024 * MIB,
  /** What is read of a database, and unpacked of it, at a time. */
  syncPieceBytes: 256 * KIB,
  /** Signatures of one database that are kept whole: 566 bytes each for Arch Linux's packages. */
  syncSignaturesBytesMax: 32 * MIB,
  /** One entry's `desc`. */
  syncDescBytesMax: 256 * KIB,
  /** A header of such an archive that gives a long name. */
  syncHeaderBytesMax: 64 * KIB,
  /** A database that takes longer to read is given up: Arch Linux's biggest takes half a second. */
  syncReadMs: 60_000,
  /**
   * How long a start, or a fetch of a name that is not known, waits for databases to be read: who asks
   * right after a sync would else read all of it alone, though others get it too.
   */
  syncSettleMs: 3_000,
  // New versions that are fetched before anybody asks
  /** A package that clients took within this is in use: who updates once a month counts. */
  prefetchUsedMs: 30 * DAY_MS,
  /** What nobody took within this is dropped: the next version has come by then. */
  prefetchKeptMs: 30 * DAY_MS,
  /** A version that could not be had is tried again after this. */
  prefetchAgainMs: 3_600_000,
  /** How often it is looked for more to do, beside each time that databases were read. */
  prefetchLookMs: 600_000,
  /** Packages in use, and files fetched in advance, that are remembered: more than a fleet has. */
  prefetchPackagesMax: 8_192,

  /** How often it is looked whether a database changed. */
  syncCheckMs: 2_000,

  // pacman's configuration
  /** All files of it together: a mirrorlist of the world has 50 KB. */
  pacmanConfBytesMax: 1 * MIB,
  /** Files that it may include, and how deep: pacman itself stops at 10. */
  pacmanConfFilesMax: 256,
  pacmanConfDepthMax: 10,
  /** What was read of it counts for so long: the requests of one burst are one look. */
  pacmanConfAgeMs: 1_000,
  /** Directories and files that are looked at for what the patterns of its `Include`s stand for. */
  pacmanConfLooksMax: 4_096,
  /** Problems of it that are told. */
  pacmanConfProblemsMax: 64,
} as const;
