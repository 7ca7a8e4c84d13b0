/** Limits of the disk, each with its reason. */

import { CHUNK_BYTES } from "../geometry.ts";
import { fetchLimits } from "./fetch.ts";
import { MIB } from "./sizes.ts";
import { wireLimits } from "./wire.ts";

/** Files given to the hash worker at once: enough that it never waits for the next. */
const HASH_JOBS_MAX = 8;

export const storeLimits = {
  // Store
  /** Files open at once for serving and fetching. */
  openFilesMax: 128,
  /** Largest file that a fetch accepts, 1 TiB: 2 GiB of leaves on disk, 8 MiB of bitfield. */
  fetchBytesMax: 1024 * 1024 * MIB,
  /** Data written before a checkpoint makes it durable. */
  checkpointBytes: 64 * MIB,
  checkpointMs: 2_000,
  /** Leaf layers up to this are checked when opened (4 ms) instead of flushed when written. */
  unsyncedLeavesMax: 4096,
  /** Files of which it is kept which chunks were checked: 8 KiB a GiB of them. */
  checkedFilesMax: 1_024,
  /** Leaf layers of which it is kept that they make their root; each costs about 0.2 KB. */
  provenLayersMax: 16_384,
  /** A file that changed less than this ago may change again unseen: its time is in seconds. */
  changeTimeRestMs: 2_000,
  hashJobsMax: HASH_JOBS_MAX,
  /** A hash that takes long says how far it is: twice a second at the speed of a slow disk. */
  hashProgressBytes: 64 * MIB,
  /** Shared files given to be hashed at once: so many again wait for the worker. */
  hashingFilesMax: 2 * HASH_JOBS_MAX,
  /** Up to this size a file is hashed here, in about a millisecond: a worker costs more. */
  hashedHereBytes: wireLimits.requestChunksMax * CHUNK_BYTES,
  /** So much of a file that comes is hashed once more, when its leaves are wanted too late. */
  hashedAgainBytes: 8 * MIB,
  /** Chunks of a file that comes without leaves which have checksums: 64 GiB of it, in 24 MiB. */
  summedChunksMax: 4 * 1024 * 1024,
  /** So much after bad chunks is looked through for more: a tenth of a second, for who waits. */
  scrubAheadChunks: (64 * MIB) / CHUNK_BYTES,
  /** A hash worker that has had nothing to do this long gives its memory back. */
  hashWorkerIdleMs: 5_000,
  /** Work in one turn of the event loop while directories are scanned. */
  scanSliceMs: 4,
  /** A daemon's ready line waits so long for the first scan: 100,000 files take about as long. */
  readyScanMs: 500,
  /** Levels of directories below a share: deeper is a loop of mounts, not an archive. */
  shareDepthMax: 64,
  /**
   * Looks that a file opened below a share must stand where the system does not say where it lies.
   * Who flips a link at random passes each look once in four times: here once in 65,536, and hashing
   * and serving both have to be passed. It takes some 0.2 ms.
   */
  linkLooks: 8,
  /** Withheld files that `status` names; `list` names all. */
  withheldReportedMax: 16,
  /** Shared files; each costs about 0.4 KB of memory. */
  sharedFilesMax: 1_000_000,
  /** Changed paths that are kept apart; when there are more, everything is scanned. */
  changedPathsMax: 4_096,
  /** Directories that are looked at for changes; each costs about 0.3 KB of memory. */
  watchedDirectoriesMax: 100_000,
  /** Files that changed last and are looked at like directories: one look takes a millisecond. */
  followedFilesMax: 256,
  /** Paths of which it is remembered that they cannot be shared, so that it is told once. */
  lastingWarningsMax: 1_024,
  /** How often shared directories are looked at for changes. */
  watchMs: 500,
  /** How many of them are looked at in a second: so many take 1 % of the time. */
  watchedPerSecond: 2_000,
  /** Looking pauses so many times as long as it took: where it is slow it takes 5 % of the time. */
  watchPause: 20,
  /** The same for looking into what changed: a directory of 100,000 files takes half a second. */
  scanPause: 10,
  /** A file that changed less than this ago is still being written: its time is that coarse. */
  settleMs: 100,
  /** How often everything is scanned although nothing was reported: network file systems. */
  rescanMs: 900_000,
  /** The same where there are too many directories to look at all of them. */
  rescanUnwatchedMs: 60_000,
  /** How often it is looked whether shared files and directories are still the same ones. */
  knownCheckMs: 2_000,
  /** That pauses so many times as long as it took: it takes 1 % of the time, however many they are. */
  knownCheckPause: 100,
  /** How often it is asked whether a full disk has room again: one system call. */
  roomCheckMs: 2_000,
  /** The longest wait before a file that keeps changing is hashed again. */
  unsettledMs: 60_000,
  /** A leaf layer that belongs to no file is removed when it is older than this. */
  unusedLeavesMs: 3_600_000,
  /** How often the data directory is looked through for what nothing needs. */
  tidyMs: 600_000,
  /** Hashed files are noted in the catalogue together, so many at most, or after so long. */
  hashedBatchMax: 256,
  hashedBatchMs: 50,

  // Catalogue
  /** Damaged catalogues that are kept for whoever looks into them; older ones go. */
  damagedCataloguesKept: 3,
  /** Rows of stored files read at once, 1 MiB: all at once would double the memory at the start. */
  storedFilesPerRead: 4_096,
  /** How long another process, such as a backup, may hold the database locked. */
  catalogueLockMs: 2_000,
  /** Of fetches that brought nothing a part, so that they do not push out those that did. */
  idleFetchRecordsMax: fetchLimits.fetchRecordsMax / 4,

  // Statistics
  /** Nodes of which is remembered how much they gave and took: of a large network those that matter. */
  peerTotalsMax: 1_000,
  /** What a chart of hours shows: a day says when the machines ask. */
  savingsHours: 24,
  /** What a chart of days shows: a month has the weekly updates in it. */
  savingsDays: 30,
  /** Hours that are remembered: those of all these days, and of the one that began. */
  savingsHoursKept: 31 * 24,
  /** How often counters are written to the disk: what a crash loses of them at most. */
  statisticsFlushMs: 60_000,
} as const;
