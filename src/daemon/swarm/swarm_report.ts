/** How a file on its way in is shown to a person. */

import type { Download } from "../../core/download/download.ts";
import type { TransferReport } from "../../wire/reports.ts";
import { formatRanges } from "../../base/chunk_ranges.ts";
import type { Swarm } from "./swarm.ts";
import type { ChunkSource } from "./chunk_source.ts";

/** The report of `swarm`, whose sources are `sources`; `policy` is null before it has begun. */
export function transferReport(
  swarm: Swarm,
  { sources, policy }: {
    readonly sources: Iterable<ChunkSource>;
    readonly policy: Download | null;
  },
): TransferReport {
  const rates = new Map(policy?.sources().map((state) => [state.source, state]));
  const { root, name, sizeBytes } = swarm.file;
  return {
    root,
    name,
    sizeBytes,
    bytesDone: swarm.bytesDone,
    bytesPerSecond: Math.round(swarm.rate.bytesPerSecond),
    have: formatRanges(swarm.download.have),
    sources: Array.from(sources, ({ id, provider, bytesGood, strikes }) => ({
      peer: provider.label,
      nodeId: provider.nodeId,
      bytes: bytesGood,
      bytesPerSecond: Math.round(rates.get(id)?.rateBytesPerSecond ?? 0),
      strikes,
      snubbed: rates.get(id)?.snubbed ?? false,
    })),
  };
}
