/** Limits of mirrors, each with its reason. */

import { KIB, MIB } from "./sizes.ts";

/** A part of a file so small tells nothing of a mirror's speed: it was on its way already. */
const mirrorSampleBytes = 64 * KIB;

export const httpLimits = {
  /** Addresses of one name that are tried one after the other. */
  mirrorAddressesMax: 4,
  /** A URL that a client or a person gives. */
  urlBytesMax: 2_048,
  /** Mirrors of one file: a mirrorlist with the best of them. */
  mirrorsMax: 16,
  /** Host and port of a mirror: a DNS name has 253 bytes at most. */
  mirrorLabelBytesMax: 260,
  /** Redirects that are followed for one request: as many as curl inside pacman follows. */
  mirrorRedirectsMax: 10,
  /** A mirror that has not begun to answer by then is left for the next one; pacman waits 10 s. */
  mirrorAnswerMs: 6_000,
  /** A mirror that sends nothing this long in the middle of a file is asked again, or the next. */
  mirrorSilentMs: 5_000,
  /** When all bytes of an answer are here, its end is waited for this long; it needs no waiting. */
  mirrorEndMs: 500,
  /** How often in a row a mirror is asked for the rest of a file when it breaks off without progress. */
  mirrorRetriesMax: 3,
  /** So long the answer of a mirror without ranges is kept open unread: mirrors wait longer for a client. */
  mirrorPausedMs: 5_000,
  /** Connections to mirrors at once, for all files. */
  mirrorConnectionsMax: 32,
  /** Of these, what only passes through the gateway leaves so many to packages and databases. */
  mirrorConnectionsKept: 16,
  /** Requests of one file to a mirror at once, where peers give it too. */
  mirrorRangesMax: 4,
  /** How long a mirror that failed is asked last. */
  mirrorBadMs: 30_000,
  /** How long one that fell silent in the middle of a file is: each time costs `mirrorSilentMs`. */
  mirrorStalledMs: 120_000,
  /** A mirror that broke off in the middle, and then fails, is tried again after this, then twice it. */
  mirrorRetryMs: 500,
  /** Mirrors whose failures and speeds are remembered; the one longest not heard of goes. */
  mirrorHostsMax: 256,
  /** Bytes that are let pass to reach an offset at a mirror that knows no ranges. */
  mirrorSkipBytes: 1 * MIB,
  mirrorSampleBytes,
  /** A mirror's speed is noted after so much time of reading, or so many bytes. */
  mirrorMeasureMs: 1_000,
  mirrorMeasureBytes: 8 * mirrorSampleBytes,
  /** After so long a rest between reads, what was sent meanwhile is there at once: it tells no speed. */
  mirrorRestMs: 100,
  /** How long a mirror's measured speed is believed. */
  hedgeSpeedMs: 600_000,
  /** Files on their way from mirrors whose root nobody knows yet, under way or put away for later. */
  unverifiedMax: 64,
  /** A file that was put away for later is given up after this long. */
  unverifiedKeptMs: 600_000,

  /** How long a node looks for a file whose URL a client named, before that alone is asked. */
  urlSearchMs: 700,

  /** Bytes that are here already and are asked for again: they show whether it is the same file. */
  resumeOverlapBytes: 4 * KIB,
  /** Where there is one origin alone, it is asked again after this, then twice it, when it breaks off. */
  originRetryMs: 250,
  /** Bytes of a file of this machine that are read in one turn. */
  originReadBytes: 512 * KIB,
  /** Between two messages of progress of a fetch straight from its URL: 10 a second look smooth. */
  originProgressMs: 100,
} as const;
