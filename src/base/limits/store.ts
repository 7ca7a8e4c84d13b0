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
  hashJobsMax: HASH_JOBS_MAX,
  /** Shared files given to be hashed at once: so many again wait for the worker. */
  hashingFilesMax: 2 * HASH_JOBS_MAX,
  /** Up to this size a file is hashed here, in about a millisecond: a worker costs more. */
  hashedHereBytes: wireLimits.requestChunksMax * CHUNK_BYTES,
  /** A hash worker that has had nothing to do this long gives its memory back. */
  hashWorkerIdleMs: 5_000,
  /** Work in one turn of the event loop while directories are scanned. */
  scanSliceMs: 4,
  /** Levels of directories below a share: deeper is a loop of mounts, not an archive. */
  shareDepthMax: 64,
  /** Shared files; each costs about 0.4 KB of memory. */
  sharedFilesMax: 1_000_000,
  /** Changed paths that are kept apart; when there are more, everything is scanned. */
  changedPathsMax: 4_096,
  /** Changes of a directory are taken together for this long before they are looked at. */
  watchDebounceMs: 200,
  /** A file that changed less than this ago is still being written: its time is that coarse. */
  settleMs: 100,
  /** How often everything is scanned although nothing was reported: network file systems. */
  rescanMs: 900_000,
  /** The same where changes cannot be watched, because the system has no watches left. */
  rescanUnwatchedMs: 60_000,
  /** How often it is looked whether shared directories are still the same: some system calls. */
  rootCheckMs: 2_000,
  /** The longest wait before a file that keeps changing is hashed again. */
  unsettledMs: 60_000,
  /** A leaf layer that belongs to no file is removed when it is older than this. */
  unusedLeavesMs: 3_600_000,
  /** Hashed files are noted in the catalogue together, so many at most, or after so long. */
  hashedBatchMax: 256,
  hashedBatchMs: 50,

  // Catalogue
  /** Rows of stored files read at once, 1 MiB: all at once would double the memory at the start. */
  storedFilesPerRead: 4_096,
  /** How long another process, such as a backup, may hold the database locked. */
  catalogueLockMs: 2_000,
  /** Of fetches that brought nothing a part, so that they do not push out those that did. */
  idleFetchRecordsMax: fetchLimits.fetchRecordsMax / 4,

  // Statistics
  /** How often counters are written to the disk: what a crash loses of them at most. */
  statisticsFlushMs: 60_000,
} as const;
