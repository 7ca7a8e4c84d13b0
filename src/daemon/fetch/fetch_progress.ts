/** What those who wait for a fetch are told of how far it is. Decides nothing. */

import type { FetchMirrorBytes } from "./mirror_track.ts";
import type { PeerTrack } from "./peer_track.ts";
import type { ReadableRanges } from "./readable_ranges.ts";
import { RateMeter } from "../swarm/rate_meter.ts";

/** The progress of one fetch: of peers or of the mirror, whoever is further. */
export class FetchProgress {
  readonly #peers: Pick<PeerTrack, "current" | "queries">;
  readonly #mirror: FetchMirrorBytes | undefined;
  readonly #startMs: number;
  readonly #mirrorRate = new RateMeter();

  constructor(
    peers: Pick<PeerTrack, "current" | "queries">,
    mirror: FetchMirrorBytes | undefined,
    startMs: number,
  ) {
    this.#peers = peers;
    this.#mirror = mirror;
    this.#startMs = startMs;
  }

  /** Tells how far it is by now. */
  tell(view: Pick<ReadableRanges, "event">, nowMs: number): void {
    const swarm = this.#peers.current?.swarm;
    const { bytes = 0, bytesLeft = null } = this.#mirror ?? {};
    this.#mirrorRate.add(bytes, nowMs);
    if (bytesLeft !== null && (swarm === undefined || bytes > swarm.bytesDone)) {
      return view.event({
        kind: "progress",
        bytesDone: bytes,
        bytesTotal: bytes + bytesLeft,
        bytesPerSecond: Math.max(0, Math.round(this.#mirrorRate.bytesPerSecond)),
        sources: swarm?.sourceCount ?? 0,
      });
    }
    if (swarm === undefined) {
      const elapsedMs = Math.round(nowMs - this.#startMs);
      return view.event({ kind: "searching", elapsedMs, queries: this.#peers.queries });
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
