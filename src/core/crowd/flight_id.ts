/** By what nodes know that they are getting the same file, before it has a root. */

import { createHash } from "node:crypto";
import { fromHex, utf8 } from "../../base/bytes.ts";
import type { FlightId } from "../../base/ids.ts";

/** The id of a file whose SHA-256 is known. */
export function flightOfSha256(sha256: string, sizeBytes: number): FlightId {
  return createHash("sha256")
    .update(utf8("pacsrv flight sha256"))
    .update(fromHex(sha256))
    .update(u64(sizeBytes))
    .digest("hex") as FlightId;
}

/** What a mirror says by which its file can be told from another of the same name. */
export interface FlightValidators {
  /** Whose ETag it is: HOST or HOST:PORT. */
  readonly mirror: string;
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/**
 * The id of a file of which only its name and what a mirror says of it is known; null when that tells
 * it from no other. Mirrors of one repository agree on the date, but not on ETags.
 */
export function flightOfMirror(
  name: string,
  sizeBytes: number,
  { mirror, etag, lastModified }: FlightValidators,
): FlightId | null {
  const isStrong = etag !== null && !etag.startsWith("W/");
  if (lastModified === null && !isStrong) return null;
  const validator = lastModified !== null
    ? `last-modified ${lastModified}`
    : `etag ${mirror} ${etag}`;
  const text = utf8(name);
  return createHash("sha256")
    .update(utf8("pacsrv flight mirror"))
    .update(Uint8Array.of(text.length >> 8, text.length & 0xff))
    .update(text)
    .update(u64(sizeBytes))
    .update(utf8(validator))
    .digest("hex") as FlightId;
}

/**
 * What a node with a file in flight leases at directories in place of a flight, so that one is found
 * who only knows the name, or, with an empty name, who knows nothing of it.
 */
export function flightsOfName(name: string): FlightId {
  return createHash("sha256").update(utf8("pacsrv flight name")).update(utf8(name))
    .digest("hex") as FlightId;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}
