/** What those who wait for one fetch may read, and are told: carries out what the policy says of it. */

import type { FetchEffect } from "../../core/fetch/fetch_events.ts";
import type { ReadableRanges } from "../../core/fetch/readable_ranges.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { FollowedSwarm } from "./followed_swarm.ts";
import { readerOf } from "./local_lookup.ts";
import type { MirrorDriver } from "./mirror_driver.ts";

/** What a view is told to do. */
type ViewEffect = Extract<FetchEffect, {
  readonly kind:
    | "show-peers"
    | "tell-peers"
    | "show-mirror"
    | "tell"
    | "release"
    | "release-proved"
    | "release-all"
    | "confirm"
    | "drop-peers"
    | "drop-mirror"
    | "notice";
}>;

/** One fetch as those see it who wait for it. */
export class FetchView {
  readonly ranges: ReadableRanges;
  readonly #store: ChunkStore;
  readonly #followed: FollowedSwarm;
  readonly #mirror: MirrorDriver | null;

  constructor(
    ranges: ReadableRanges,
    places: {
      readonly store: ChunkStore;
      readonly followed: FollowedSwarm;
      readonly mirror: MirrorDriver | null;
    },
  ) {
    this.ranges = ranges;
    this.#store = places.store;
    this.#followed = places.followed;
    this.#mirror = places.mirror;
  }

  apply(effect: ViewEffect): void {
    const { ranges } = this;
    switch (effect.kind) {
      case "show-peers":
        return this.#showPeers();
      case "tell-peers":
        for (const range of this.#followed.swarm?.download.have.ranges() ?? []) {
          ranges.gained(range);
        }
        return;
      case "show-mirror":
        return ranges.show(effect.sizeBytes, { mirror: this.#mirror!.part(effect.sizeBytes) });
      case "tell":
        return ranges.gained(effect.range, { isMirrors: effect.isMirrors });
      case "release":
        return ranges.release(effect.range);
      case "release-proved":
        return ranges.releaseProved(effect.range);
      case "release-all":
        return ranges.releaseAll();
      case "confirm":
        return ranges.confirmed(effect.range);
      case "drop-peers":
        return ranges.dropPeers(effect.reason);
      case "drop-mirror":
        return ranges.dropMirror(effect.reason);
      case "notice":
        return ranges.event(effect.notice);
    }
  }

  #showPeers(): void {
    const { swarm } = this.#followed;
    if (swarm === null) return;
    const { file, download: { have } } = swarm;
    const reader = readerOf(this.#store, file);
    this.ranges.show(file.sizeBytes, { peers: { has: (range) => have.hasRange(range), reader } });
  }
}
