/** Limits of names, identities, metadata and what people read, each with its reason. */

import { KIB } from "./sizes.ts";

export const baseLimits = {
  /** POSIX NAME_MAX: what a directory entry can hold. */
  nameBytesMax: 255,
  /** A file type is a short label (an extension). */
  typeBytesMax: 32,
  /** A network name is a label that a person types. */
  networkBytesMax: 64,
  /** The longest textual IPv6 address, with an embedded IPv4 one. */
  hostBytesMax: 45,
  /** A reason or hint that crosses the wire is one line for a log. */
  reasonBytesMax: 512,
  /** Files that a hint offers as a choice: a root takes a line, and all of it is one reason. */
  choicesNamedMax: 4,
  /** POSIX PATH_MAX: what a system call takes. */
  pathBytesMax: 4 * KIB,
  /** A network key file: a passphrase or a few lines of base64, not a disk image. */
  networkKeyBytesMax: 4 * KIB,
  networkKeyBytesMin: 16,
  /** Keys at once, while a network goes from one to the next. */
  networkKeysMax: 2,
  /** A text up to this is looked at for ASCII before a decoder is called, which takes longer. */
  shortTextBytesMax: 256,
  /** Runs of chunks that are written out for a person before the rest is summed up. */
  shownRunsMax: 64,
  /** What is left of an HTTP client's message in a reason: a line. */
  httpReasonCharsMax: 200,
  /** How often a process that runs looks at its clock, and what it takes for sleep if it did not. */
  awakeBeatMs: 500,
  asleepMs: 3_000,
  /** How long one line of the log is not repeated. */
  logQuietMs: 60_000,
  /** Distinct lines remembered for that; past it the oldest is new again. */
  logKeysMax: 1_024,
  /** Lines that one host can have written in that time: enough to see what it does. */
  logLinesPerHostMax: 32,
  /** The same of this machine, where tests and demonstrations run many nodes. */
  logLinesHereMax: 256,
  /** How much of a line tells it from others; the rest may be what the other side sent. */
  logKeyChars: 200,
} as const;
