/** Limits of names, identities and metadata, each with its reason. */

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
  /** A network key file: a passphrase or a few lines of base64, not a disk image. */
  networkKeyBytesMax: 4 * KIB,
  networkKeyBytesMin: 16,
} as const;
