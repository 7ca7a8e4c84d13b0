/** How far a fetch is, for its observer. Decides nothing. */

import type { MirrorFacts } from "../../core/fetch/fetch_events.ts";
import type { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import { RateMeter } from "../swarm/rate_meter.ts";
import type { Swarm } from "../swarm/swarm.ts";

/** What is looked at. */
interface ProgressOptions {
  readonly view: Pick<ReadableRanges, "event">;
  readonly swarm: () => Swarm | null;
  /** Queries that were flooded. */
  readonly queries: () => number;
  readonly mirror: MirrorFacts | null;
  readonly startMs: number;
}

/** The progress of one fetch: of peers or of the mirror, whichever is further. */
export class FetchProgress {
  readonly #options: ProgressOptions;
  readonly #mirrorRate = new RateMeter();

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** Tells how far it is by now. */
  tell(nowMs: number): void {
    const { view, mirror, startMs } = this.#options;
    const swarm = this.#options.swarm();
    const { bytes = 0, bytesLeft = null } = mirror ?? {};
    this.#mirrorRate.add(bytes, nowMs);
    if (bytesLeft !== null && (swarm === null || bytes > swarm.bytesDone)) {
      return view.event({
        kind: "progress",
        bytesDone: bytes,
        bytesTotal: bytes + bytesLeft,
        bytesPerSecond: Math.max(0, Math.round(this.#mirrorRate.bytesPerSecond)),
        sources: swarm?.sourceCount ?? 0,
      });
    }
    if (swarm === null) {
      const elapsedMs = Math.round(nowMs - startMs);
      return view.event({ kind: "searching", elapsedMs, queries: this.#options.queries() });
    }
    view.event({
      kind: "progress",
      bytesDone: swarm.bytesDone,
      bytesTotal: swarm.bytesTotal,
      bytesPerSecond: Math.round(swarm.rate.bytesPerSecond),
      sources: swarm.sourceCount,
    });
  }
}
