/** Limits of files that several machines are just getting from a mirror, each with its reason. */

import { KIB, MIB } from "./sizes.ts";

/** A fellow says so often that it is there, and what it reads. */
const fellowBeatMs = 500;

export const crowdLimits = {
  /** Chunks of a stripe: 1 MiB, so that a request to a mirror is worth its round trip. */
  stripeChunks: 64,
  /** Stripes of a file; in a bigger file they are longer. Each costs every fellow some bytes. */
  stripesMax: 4_096,
  /** Bigger files are not shared while they come: a fellow's bitfield would be over half a megabyte. */
  flightBytesMax: 65_536 * MIB,
  /** Fellows that a node is connected with for one file: more bring nothing on a line that all share. */
  fellowsMax: 24,
  /** Of more fellows that can read, only so many are to: they are enough, and all can know of all. */
  crowdReadersMax: 32,
  /** Nodes of which is remembered that a fellow is connected with them: it may say so of any number. */
  fellowLinksMax: 64,
  /** Fellows beside the connected ones that a node knows of: those that come first. */
  farFellowsMax: 64,
  /** Those of them that one fellow told of. */
  farPerFellowMax: 16,
  /** Fellows that one told of and that did not read what they were to: it is not believed about more. */
  idlersToldMax: 32,
  /** Fellows of which a node remembers that it dialled them, or that they are not to be believed. */
  rememberedMax: 4_096,
  fellowBeatMs,
  /** So long after one fellow others are expected: what is read meanwhile, others may not know of. */
  formingMs: 400,
  /** So long a new fellow has to say what it has, before others read on. */
  fellowIntroMs: 300,
  /** Silent for three beats: it does not count until it is heard again. */
  fellowSilentMs: 3 * fellowBeatMs,
  /** A fellow that is not connected is told of when something changes, and so often. */
  farRefreshMs: 20 * fellowBeatMs,
  /** Two of these times and some more: it does not count until it is heard of again. */
  farSilentMs: 50 * fellowBeatMs,
  /** Stripes that a fellow says to read at a time: what it reads now and next. */
  fellowClaimsMax: 16,
  /** IN-FLIGHTs in one callback for a name or root: a few versions of one name. */
  flightsOfferedMax: 16,
  /** Addresses in one FELLOWS. */
  fellowsPerMessageMax: 64,
  /** An address that knew only the version before is taken to for this long: it may be upgraded. */
  oldVersionMs: 600_000,
  /** Addresses of which that is remembered; the oldest goes. */
  oldVersionsMax: 1_024,
  /**
   * Fellows that a node dials or looks for: less than half as many as it takes, so that those that come
   * later find room anywhere, and not only at the last that came, each a step further from the first.
   */
  fellowsSoughtMax: 8,
  /** What is said of a fellow may be ahead by so many changes: more were made up to outdo it. */
  sequenceLeapMax: 1_024,
  /** What was heard of a fellow is passed on after this time: often there is more by then. */
  passReportMs: 20,
  /** That a fellow has all of it is passed on after this time: who has it too need not know. */
  passWholeMs: 500,
  /** So long all who begin hear of each other before they read, if all are connected with all... */
  crowdSettleMs: 40,
  /** ...and if some only hear of others through others. */
  crowdSettleFarMs: 300,
  /** But no longer than this of any twice so long, however many come and go. */
  crowdSettleMostMs: 600,
  /** So many read from a mirror at a time, where there are more: they fill any line. */
  readersMax: 16,
  /** How long the fellow that is next in rank leaves a stripe to those before it, when it is idle. */
  takeOverMs: 400,
  /** The same where those before it read something else: so long what they say is on the way. */
  takeOverBusyMs: 50,
  /** A stripe of which nothing comes for so long is free again... */
  claimStalledMs: 1_500,
  /** ...while nobody knows yet how long a chunk takes, after this time... */
  claimFirstMs: 3_000,
  /** ...and on a thin line for so many times as long as a chunk takes elsewhere. */
  claimStalledChunks: 6,
  /** One that reads a file anew from its beginning, for want of ranges, may take so long for a chunk. */
  wholeChunkMs: 16,
  /** So much later is heard what one reads that is not connected. */
  claimFarMs: 6_000,
  /** A fellow that reads so many times slower than the median has part of its stripe taken over. */
  claimSlowTimes: 4,
  /** But only what would otherwise take longer than this. */
  claimSlowMs: 2_000,
  /**
   * Chunks that a node read are told of after this time, or when there are so many, or a stripe ends:
   * each message costs every fellow a request and an answer.
   */
  gainedMs: 100,
  gainedChunks: 32,
  /** What came from a fellow matters to others only when that fellow is gone: told of more rarely, or with the last of a stripe. */
  passedOnMs: 500,

  // What a fellow that does not keep to the protocol, or is none, can cost
  /** Addresses of fellows that are dialled at a time: others name them, whoever listens there. */
  fellowDialsMax: 4,
  /** Addresses that wait for that, of one file: twice what fellows and a directory name at once. */
  fellowDialsWaitingMax: 128,
  /** An address is dialled again for the same file only after this: it may have had no room. */
  fellowRedialMs: 30_000,
  /** Addresses of one file of which that is remembered; the oldest goes. */
  fellowTriedMax: 1_024,
  /** A file that is complete is given on so long: others were told of it, or a directory lists it by then. */
  flightLingerMs: 1_000,
  /** An address at which no node was is not dialled again for this long, for any file. */
  fellowNowhereMs: 300_000,
  /** Addresses of which that is remembered; the oldest goes. */
  fellowNowheresMax: 4_096,
  /** Addresses that are dialled for one file: more than the fellows that it may have. */
  fellowDialsPerFlightMax: 64,
  /** Fellows of one host, which may be a router with many behind it; loopback is not counted. */
  fellowsPerHostMax: 8,
  /** Connections of fellows that one host may begin for a file: one that comes and goes is a nuisance. */
  fellowJoinsPerSecond: 8,
  fellowJoinsBurst: 256,
  fellowJoinHostsMax: 1_024,
  /** Messages of one fellow that are looked at: a busy one of many sends some tens a second. */
  fellowMessagesPerSecond: 200,
  fellowMessagesBurst: 1_000,
  /** A fellow that says nothing for so long is left: it takes the room of another. */
  fellowLostMs: 20 * fellowBeatMs,
  /** What is asked of a fellow for so long in vain is read, or asked, elsewhere. */
  fellowGiveMs: 2_000,
  /** When this node looks so much late for what fellows gave, it is itself too busy to judge them. */
  fellowLookLateMs: 100,
  /**
   * The least bytes a second for which a fellow is waited for, and the part of the mirror's speed; where
   * there are more fellows than half of this, all of them together need to give half of that speed.
   */
  fellowBytesPerSecondMin: 32 * KIB,
  fellowMirrorPart: 8,
  /** One that was not waited for is so again when it has given this much. */
  fellowBackBytes: MIB,
  /** A fellow that lets others wait so often is left for good. */
  fellowWithholdsMax: 3,
  /** Nodes that gave chunks of one file, each told from the others; what more of them gave is one lot. */
  flightGiversMax: 1_024,
  /** Chunks that one fellow may say are wrong: each is compared with the mirror. */
  accusationsPerFellowMax: 8,
  /** The same of all fellows: so many of each that may be connected. */
  accusationsMax: 192,
  /** Chunks of one file that are taken again of which it is remembered what they were: a GiB, in 10 MB. */
  replacedChunksMax: 65_536,
  /** A node that passed on what was wrong is asked only for what it read itself, for so long. */
  passedWrongMs: 600_000,
  /** Nodes of which that is remembered; the oldest goes. */
  passedWrongMax: 1_024,
} as const;
