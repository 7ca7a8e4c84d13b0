/**
 * What those who wait for one fetch may read, and are told: carries out what the policy says of it.
 * Where the bytes lie is said from outside.
 */

import { unreachable } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { FetchEffect } from "./fetch_events.ts";
import type { ReadableRanges, ViewPart } from "./readable_ranges.ts";

/** An effect that changes what is shown, or is told. */
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

/** What came of a candidate that is followed. */
export interface PeersPlace extends ViewPart {
  /** Chunks that are here. */
  readonly ranges: Iterable<ChunkRange>;
}

/** Where the bytes of one fetch lie. */
export interface ViewPlaces {
  /** Null while nothing is followed. */
  peersPlace(): PeersPlace | null;
  /** What a mirror gave of a file of so many bytes. */
  mirrorPlace(sizeBytes: number): ViewPart;
}

/** Carries out one effect. */
export function applyToView(view: ReadableRanges, effect: ViewEffect, places: ViewPlaces): void {
  switch (effect.kind) {
    case "show-peers": {
      const peers = places.peersPlace();
      if (peers !== null) view.show(peers.reader.sizeBytes, { peers });
      return;
    }
    case "tell-peers":
      for (const range of places.peersPlace()?.ranges ?? []) view.gained(range);
      return;
    case "show-mirror":
      return view.show(effect.sizeBytes, { mirror: places.mirrorPlace(effect.sizeBytes) });
    case "tell":
      return view.gained(effect.range, { isMirrors: effect.isMirrors });
    case "release":
      return view.release(effect.range);
    case "release-proved":
      return view.releaseProved(effect.range);
    case "release-all":
      return view.releaseAll(effect);
    case "confirm":
      return view.confirmed(effect.range);
    case "drop-peers":
      return view.dropPeers(effect.reason);
    case "drop-mirror":
      return view.dropMirror(effect.reason);
    case "notice":
      return view.event(effect.notice);
    default:
      unreachable(effect);
  }
}
