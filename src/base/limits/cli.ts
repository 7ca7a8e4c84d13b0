/** Limits of the command line, each with its reason. */

import { KIB } from "./sizes.ts";
import { transferLimits } from "./transfer.ts";

export const cliLimits = {
  /** A configuration file is a page of text. */
  configBytesMax: 64 * KIB,
  /** A value in a log line: the line stays readable, whatever a peer sends. */
  logValueCharsMax: 1_024,
  /** A person who ends a daemon or a directory waits 2 s at most, the end of the process included. */
  serviceStopMs: 1_800,
  /** What systemd shows of a service fits a line. */
  managerStatusBytesMax: 512,
  /** Beats in the time that a watchdog waits: one may be late. */
  watchdogBeatsLeast: 2,
  /** A watchdog that waits for less is no watchdog, but a load. */
  watchdogMsLeast: 100,

  // Fetch
  /** `fetch --timeout` travels to the daemon as a u32 of milliseconds. */
  fetchTimeoutMsMax: 2 ** 32 - 1,
  /** The daemon or node ends a fetch at its timeout; this long after, the command does. */
  fetchGraceMs: 1_000,
  /** After an interruption: the source of a fetch closes its connections and files meanwhile. */
  fetchTidyMs: 1_500,
  /** Progress is shown at most ten times a second: the data path has better things to do. */
  fetchProgressMs: 100,
  /** Files of `fetch --match` that come at a time: enough for a line, few enough for a screen. */
  matchFetchesAtOnce: 4,
  /** Files that it gets without --all: who mistypes a pattern would fill the disk. */
  matchedFilesMax: 100,
  /** Bytes copied at once from the working file of a fetch: few calls, and no memory to speak of. */
  fetchCopyBytes: 512 * KIB,
  /** Until then a rate of 0 is one that is not known yet; later it means that nothing comes. */
  fetchRateKnownMs: 2_000,
  /** Nothing came for so long: the time after which a node takes a source for stalled, too. */
  fetchStalledMs: transferLimits.snubMs,
  /** Who fetches tells more often than this; if not, what is shown goes on by itself. */
  fetchBeatMs: 1_000,
  /** Where there is no bar, a line comes at least this often: a log shows that it goes on. */
  fetchLineMs: 5_000,
  /** A longer time is not told: a rate that fades would promise years. */
  fetchLeftMsMax: 24 * 60 * 60 * 1000,
  /** The bar takes what the rest of the line leaves, within these; below, there is none. */
  barColumnsMin: 10,
  barColumnsMax: 40,
  /** A name leaves room for the rest on 80 columns. */
  barNameColumnsMax: 28,

  // Tables
  /** Of a root or node id where a table is too wide: enough to tell those of one list apart. */
  shortIdChars: 12,
  /** A cell that loses its middle says nothing when it gets shorter. */
  cutColumnsMin: 12,

  /** `status --watch` asks again: as often as a person takes in what changed. */
  watchShownMs: 1_000,

  // The first view of a node: the page, and `pacsrv top`
  /** Fetches and uploads that are shown: more is no view any more. */
  overviewFetchesMax: 24,
  /** Sources of a fetch that are shown: those that give most; more bars tell nothing more. */
  overviewSourcesMax: 8,
  /** Links that are shown: as many as a large network makes a node have. */
  overviewLinksMax: 512,
  /** Nodes in the picture: beyond, they are no more than a pattern. */
  overviewPictureMax: 160,
  /** What is wrong is read by a person, and has one cause mostly. */
  overviewFindingsMax: 24,

  // Doctor
  /** What does not answer `pacsrv doctor` by then counts as silent. */
  doctorAnswerMs: 3_000,
  /** An answer over HTTP is read for its status and its first line. */
  doctorAnswerBytesMax: 4 * KIB,
  /** A working file that nobody wrote to for so long, and nobody has locked, was left by a dead process. */
  workingFileRestMs: 60_000,
  /** What is shown of that line: one of the gateway has room in it. */
  doctorLineCharsMax: 240,
  /** Directories with shared files that are looked at when no configuration names them. */
  doctorSharedDirsMax: 16,
  /** Less free space is a problem; less than the second is worth a warning. */
  doctorFreeBytesLeast: 256_000_000,
  doctorFreeBytesGood: 4_000_000_000,
  /** Repositories change daily: an older database names few files that are still wanted. */
  doctorDatabaseAgeMs: 30 * 24 * 60 * 60 * 1000,
  /** With clocks further apart, certificates and signatures fail. */
  doctorClockMs: 5 * 60 * 1000,
} as const;
