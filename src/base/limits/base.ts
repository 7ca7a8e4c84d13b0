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
  /** POSIX PATH_MAX: what a system call takes. */
  pathBytesMax: 4 * KIB,
  /** A network key file: a passphrase or a few lines of base64, not a disk image. */
  networkKeyBytesMax: 4 * KIB,
  networkKeyBytesMin: 16,
  /** A text up to this is looked at for ASCII before a decoder is called, which takes longer. */
  shortTextBytesMax: 256,
  /** Runs of chunks that are written out for a person before the rest is summed up. */
  shownRunsMax: 64,
  /** What is left of an HTTP client's message in a reason: a line. */
  httpReasonCharsMax: 200,
  /** How long one line of the log is not repeated. */
  logQuietMs: 60_000,
  /** Distinct lines remembered for that; past it the oldest is new again. */
  logKeysMax: 1_024,
} as const;
