/** Limits of the gateway, each with its reason. */

import { KIB, MIB } from "./sizes.ts";

export const gatewayLimits = {
  /** HTTP requests at once: some 30 KiB of memory each while it waits. */
  gatewayRequestsMax: 1_024,
  /**
   * Bodies that give at full speed at a time; the others wait in the order in which they came. Of
   * what a client does not take Deno keeps 400 KiB, and there are up to three runs: 40 MiB in all.
   */
  gatewayBodiesMax: 64,
  /** What all of these read at a time, and the least that one reads: less costs more than it saves. */
  gatewayRunsBytesMax: 2 * MIB,
  gatewayRunBytesMin: 64 * KIB,
  /** While one has waited so long for its turn, a slow client whose turn it is is sent away. */
  gatewaySlotWaitMs: 2_000,
  /** A client is slow that takes less than this: what it takes is enough for so long. */
  gatewaySlowBytesPerSecond: 16 * KIB,
  /** But for no longer than this while others wait: what it takes may come in lumps. */
  gatewaySlotIdleMs: 30_000,
  /** How often time passes for what waits: a fourth of the shortest wait that it ends. */
  gatewayTickMs: 250,
  /**
   * How often, while it answers nothing, it ends all its connections and opens its port again: those
   * that send no request would pile up for ever.
   */
  gatewayTurnMs: 120_000,
  /** It does so when nothing was asked and nothing sent for this long. */
  gatewayQuietMs: 1_000,
  /** After so many requests it has garbage collected as soon as it is quiet: some 100 KiB of each. */
  gatewayCollectRequests: 64,
  /** But not more often than this: it takes some 30 ms in which nothing else is done. */
  gatewayCollectMs: 10_000,
  /** When it can accept no connection, it tries again after this. */
  gatewayPauseMs: 500,
  /** When its port cannot be had, first after this: the system may need a moment to let go of it. */
  gatewayPortMs: 5,
  /** What is being answered when it stops has this long to get out. */
  gatewayStopMs: 200,
  /** Of a file up to this size nothing is sent before all of it was checked, where that can be. */
  gatewayCheckedBytes: 1 * MIB,
  /** How long no second tail of a file is fetched for clients that want no more than its end. */
  gatewayTailMs: 600_000,
  /** Files of which that is remembered; the oldest goes. */
  gatewayTailedMax: 4_096,
  /** How long a file that was found here is given without another look for it: a burst is one. */
  gatewayFoundMs: 1_000,
  /** How long nobody is asked again for a file that nobody had. */
  gatewayMissingMs: 1_000,
  /** Such files that are remembered; the oldest goes. */
  gatewayMissingMax: 4_096,
  /** Files of unproven origin of which it is known who got them; the one longest ago goes. */
  unprovenGivenMax: 4_096,
  /** How long a client that came back for a file does not get what nodes give by that name: until it is synced. */
  unprovenDoubtMs: 86_400_000,
  /** How many clients must have come back for it before the others do not get it either: one may be wrong, or lie. */
  unprovenDoubters: 2,
  /** For how long that is: two may be in league, and then the others ask their mirrors for an hour. */
  unprovenDoubtAllMs: 3_600_000,
  /** How long a file that nobody seems to have is looked for, unless a person says otherwise. */
  gatewayWaitMs: 500,
  /** Every timer is late by a few milliseconds; by more, this process had too much to do. */
  gatewayLateMs: 50,
  gatewayWaitMsMax: 8_000,
  /** Files that the gateway brings in at once: the rest of fetchesMax is for other clients. */
  gatewaySharedFetchesMax: 48,
  /** Signatures beside them: a package waits for its own, and each is here in a moment. */
  gatewaySignatureFetchesMax: 8,
  /** Searches that the gateway begins in a second, and in a burst: neighbours refuse more. */
  gatewaySearchesPerSecondMax: 50,
  gatewaySearchesBurstMax: 100,
  /** A client that takes no byte this long is sent away. */
  gatewayStalledMs: 60_000,
  /** What nobody waits for any more goes on this long: pacman runs again, or asks the next range. */
  gatewayAbandonedMs: 30_000,
  /** Without a mirror, what peers gave is held back this long until it is proved. */
  gatewayHoldMs: 8_000,
  /**
   * So much of what may be shown, a chunk, is held back while the rest is waited for, and given
   * little by little: curl inside pacman leaves a server that sends nothing for 10 s.
   */
  gatewayReserveBytes: 16 * KIB,
  /** Bytes of it that are given in one turn. */
  gatewayDripBytes: 256,
  /** How long a turn lasts. */
  gatewayDripMs: 1_000,
  /** Files that pass from a mirror to a client, each at that client's pace, at a time. */
  gatewayPassesMax: 8,
  /** A request waits for its turn among them up to so long after it came: pacman leaves after 10 s. */
  gatewayPassWaitMs: 8_000,
  /** And a client is slow there that takes nothing for so long. */
  gatewayPassStalledMs: 20_000,
  /** Gateways behind each other that a request may pass: more are a circle, or as good as one. */
  gatewayViaMax: 8,
  /** What each of them calls itself, as far as it is passed on. */
  gatewayViaBytesMax: 128,
  /** A field of a mirror's head that is passed on. */
  gatewayFieldBytesMax: 256,
  /** A database of a repository. */
  databaseBytesMax: 256 * MIB,
  /** All of them that the gateway keeps, and their number; those on their way count. */
  databasesBytesMax: 512 * MIB,
  databasesMax: 256,
  /** One that was asked for in that time does not go for one that is asked for the first time. */
  databaseInUseMs: 86_400_000,
  /** Databases that are not kept, and are got at a time: who makes up names gets no further. */
  databaseUpdatesMax: 16,
  /** The small file beside each: a key, two fields of a head, numbers. */
  databaseFactsBytesMax: 4_096,
  /** Bytes that are written at a time to find out whether the disk has room for one. */
  databaseReserveBytes: 1 * MIB,
  /** Bytes of one that are looked at in one turn. */
  databaseReadBytes: 1 * MIB,
  /** The oldest database that a person may have given though no mirror vouches for it: a year. */
  staleDatabasesMsMax: 31_536_000_000,
  /** An update that took longer to fail is not waited for while its mirrors count as bad. */
  databaseSlowMs: 1_000,
  /** How often a client that waits for one of unknown length looks how far it is. */
  databaseWaitMs: 1_000,
  /** Databases whose requests are counted though they are not kept. */
  databasesSeenMax: 1_024,
  /** A detached signature. */
  signatureBytesMax: 16 * KIB,
} as const;
