/** Which file is in flight. Values only. */

import type { FlightId, Root } from "../../base/ids.ts";

/** Which file it is. */
export interface FlightFile {
  readonly id: FlightId;
  readonly name: string;
  readonly sizeBytes: number;
  /** In hexadecimal; null where nobody knows it. */
  readonly sha256: string | null;
}

/** The id of a flight stands where the root of a file does. */
export function rootOfFlight(id: FlightId): Root {
  return id as string as Root;
}
