/** How far a fetch is, for its observer. Decides nothing. */

import type { ComingView } from "../../core/fetch/files_coming.ts";
import type { MirrorFacts } from "../../core/fetch/fetch_events.ts";
import type { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import type { FetchNotice } from "../../wire/fetching.ts";
import { RateMeter } from "../swarm/rate_meter.ts";
import type { Swarm } from "../swarm/swarm.ts";

/** What is looked at. */
interface ProgressOptions {
  readonly view: Pick<ReadableRanges, "event">;
  readonly swarm: () => Swarm | null;
  /** Queries that were flooded. */
  readonly queries: () => number;
  /** How far the file is at nodes that are just getting it. */
  readonly coming: (nowMs: number) => ComingView | null;
  readonly mirror: MirrorFacts | null;
  /** What fellows get at the same time: bytes that are here, from wherever, and how many they are. */
  readonly crowd: { readonly bytesHere: number; readonly fellows: number } | null;
  readonly startMs: number;
}

/** What the observer of a fetch is told again and again. */
type ProgressNotice = Extract<FetchNotice, { readonly kind: "searching" | "progress" }>;

/** The progress of one fetch: of peers or of the mirror, whichever is further. */
export class FetchProgress {
  readonly #options: ProgressOptions;
  readonly #mirrorRate = new RateMeter();
  #last: ProgressNotice | null = null;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** What was told last; null before. */
  get last(): ProgressNotice | null {
    return this.#last;
  }

  /** Tells how far it is by now. */
  tell(nowMs: number): void {
    this.#last = this.#look(nowMs);
    this.#options.view.event(this.#last);
  }

  #look(nowMs: number): ProgressNotice {
    const { mirror, crowd, startMs } = this.#options;
    const swarm = this.#options.swarm();
    const { bytes: inOrder = 0, bytesLeft = null } = mirror ?? {};
    const bytes = Math.max(inOrder, crowd?.bytesHere ?? 0);
    this.#mirrorRate.add(bytes, nowMs);
    if (bytesLeft !== null && (swarm === null || bytes > swarm.bytesDone)) {
      return {
        kind: "progress",
        bytesDone: bytes,
        bytesTotal: inOrder + bytesLeft,
        bytesPerSecond: Math.max(0, Math.round(this.#mirrorRate.bytesPerSecond)),
        sources: (swarm?.sourceCount ?? 0) + (crowd?.fellows ?? 0),
      };
    }
    if (swarm === null) {
      const elapsedMs = Math.round(nowMs - startMs);
      const { nodes = 0, permille = 0 } = this.#options.coming(nowMs) ?? {};
      return {
        kind: "searching",
        elapsedMs,
        queries: this.#options.queries(),
        inFlightNodes: nodes,
        inFlightPermille: permille,
      };
    }
    return {
      kind: "progress",
      bytesDone: swarm.bytesDone,
      bytesTotal: swarm.bytesTotal,
      bytesPerSecond: Math.round(swarm.rate.bytesPerSecond),
      sources: swarm.sourceCount,
    };
  }
}
