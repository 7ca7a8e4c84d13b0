/** How a file in flight gets on, as a person is told of it. */

import { formatRanges, writeRanges } from "../../base/bitfield.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { FlightReport } from "../../wire/reports.ts";
import type { FlightFile } from "./flight_file.ts";
import type { FlightStorage } from "./flight_storage.ts";

/** The report of one file. */
export function flightReport(
  { id, name, sizeBytes, sha256 }: FlightFile,
  { storage, reads, fellows }: {
    readonly storage: Pick<FlightStorage, "have" | "shares">;
    /** What is being read from the mirror. */
    readonly reads: ChunkRange | null;
    readonly fellows: readonly Omit<FlightReport["fellows"][number], "chunksGiven">[];
  },
): FlightReport {
  const { have } = storage;
  const given = storage.shares();
  return {
    flight: id,
    name,
    sizeBytes,
    sha256,
    chunks: have.length,
    chunksHave: have.count,
    have: formatRanges(have),
    reads: reads === null || reads.count === 0 ? null : writeRanges([reads]),
    chunksMirror: given.mirrors,
    fellows: fellows.map((fellow) => ({
      ...fellow,
      chunksGiven: given.nodes.get(fellow.nodeId) ?? 0,
    })),
  };
}
