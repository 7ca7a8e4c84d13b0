/**
 * What a mirror is asked for while peers are asked for the same file. Pure: no I/O, no clock.
 *
 * Rules
 * - Peers come first: for `hedgeMs` they alone are asked, if there is anybody to ask. A node that is
 *   only just getting its first link has peers to ask from then on, within `hedgeLinkMs`.
 * - Whoever waits for the file must not wait for longer than with the mirror alone. So if nobody
 *   offers it by then, the mirror gives all of it, from the first byte that somebody waits for. If
 *   somebody offers it, and nothing of it may be given away yet, the mirror gives its head, and one
 *   more chunk every `hedgeDripMs`. If those who offered do not even begin within `BEGIN_MS`, it
 *   gives all of it.
 * - A stream of the whole file goes on until peers begin. If what it lacks then takes the mirror
 *   less than `NEARLY_MS`, it goes on to its end. Else it ends, and the mirror gives ranges or
 *   nothing, as the next rules say.
 * - A mirror gives ranges of the file beside the peers when nobody else gives what is missing, or
 *   when all of them together are slower than it: than it is known to be, and than
 *   `hedgeBytesPerSecond`; peers that are as fast as that are never helped. Peers are judged after a
 *   quarter of the time that the mirror would take, within `JUDGE_MS_MIN` and `JUDGE_MS_MAX`; where
 *   it is not known how long, after the latter.
 * - One that only gives the whole file, from its first byte, gives that where it would give ranges.
 * - What peers are about to finish within `NEARLY_MS` the mirror is not asked for.
 * - It stops giving ranges when it is known how fast it is, and peers are clearly faster, not just
 *   faster: it would be asked and left in turns.
 * - When mirror and peers disagree, and the whole can be checked, the mirror gives all of it apart.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

/** How long a candidate may take from being followed until chunks can come. */
const BEGIN_MS = 500;
/** What is done within this time is left alone. */
const NEARLY_MS = 300;
/** When peers are judged, after they began, at the soonest and at the latest. */
const JUDGE_MS_MIN = 100;
const JUDGE_MS_MAX = 500;
/** How much faster than the mirror peers must be for it to stop, in percent. */
const FASTER_PERCENT = 150;

/** What a mirror is to do now. */
export type MirrorPart =
  | { readonly kind: "nothing" }
  /** Give the first bytes of what is waited for, so many in all. */
  | { readonly kind: "head"; readonly bytes: number }
  /** Give everything, in order. */
  | { readonly kind: "whole" }
  /** Give ranges, as one more source of the peers' download. */
  | { readonly kind: "ranges" };

/** How the peers get on with the candidate that is followed. */
export interface PeersView {
  readonly sizeBytes: number;
  /** Since when it is followed. */
  readonly followedMs: number;
  /** Since when its chunks can come; null before its leaves are here. */
  readonly begunMs: number | null;
  /** Whether nobody who could give what is missing is giving it. */
  readonly isStalled: boolean;
  /** Bytes that peers gave of it, and how fast they give now. */
  readonly bytesGiven: number;
  readonly bytesPerSecond: number;
  /** Bytes that are missing. */
  readonly bytesLeft: number;
}

/** How a fetch gets on. */
export interface HedgeView {
  readonly nowMs: number;
  readonly startMs: number;
  /** Whether there is anybody but mirrors to ask. */
  readonly canAskPeers: boolean;
  /** Whether those whom a node was told of are being dialled, and no link is up yet. */
  readonly isLinking: boolean;
  /** Whether the mirror gives parts of a file. */
  readonly givesRanges: boolean;
  /** Null while no candidate is followed. */
  readonly peers: PeersView | null;
  /** Whether any byte that did not come from a mirror may be given away. */
  readonly isReleased: boolean;
  /** Whether the mirror's bytes do not go with the candidate's, and both are to go on. */
  readonly isApart: boolean;
  /** Bytes that the mirror gave in order, and how many are missing to the end, if that is known. */
  readonly mirrorBytes: number;
  readonly mirrorBytesLeft: number | null;
  /** How fast the mirror is; undefined while nobody knows. */
  readonly mirrorBytesPerSecond: number | undefined;
}

/** The part of the mirror in one fetch. */
export class Hedge {
  #part: MirrorPart["kind"] = "nothing";
  /** Whether it gives the whole because it gives no ranges. */
  #isHelping = false;
  /** The last time that peers were only being dialled. */
  #linkingMs = -Infinity;
  /** When the head was there, so that drops follow. */
  #headMs: number | null = null;

  /** What the mirror is to do from now on. */
  decide(view: HedgeView): MirrorPart {
    const part = this.#choose(view);
    const isWhole = part.kind === "ranges" && !view.givesRanges;
    this.#isHelping = part.kind === "ranges";
    this.#part = isWhole ? "whole" : part.kind;
    return isWhole ? { kind: "whole" } : part;
  }

  /** Peers write where the mirror wrote until now: its stream of the whole has ended. */
  handedOver(): void {
    this.#part = "nothing";
    this.#isHelping = false;
  }

  /** Whether it is too early for a mirror. */
  #isEarly({ nowMs, startMs, canAskPeers, isLinking }: HedgeView): boolean {
    if (!canAskPeers) return false;
    if (isLinking && nowMs - startMs < limits.hedgeLinkMs) this.#linkingMs = nowMs;
    const sinceMs = Math.max(startMs, this.#linkingMs);
    return nowMs - sinceMs < limits.hedgeMs && nowMs - startMs < limits.hedgeLinkMs;
  }

  #choose(view: HedgeView): MirrorPart {
    const { nowMs, peers } = view;
    if (view.isApart) return { kind: "whole" };
    const isEarly = this.#isEarly(view);
    if (peers === null) {
      return { kind: isEarly && this.#part !== "whole" ? "nothing" : "whole" };
    }
    if (peers.begunMs === null) {
      if (this.#part === "whole" || nowMs - peers.followedMs > BEGIN_MS) return { kind: "whole" };
      return isEarly ? { kind: "nothing" } : this.#head(view, peers);
    }
    if (peers.bytesLeft > 0) {
      if (this.#part === "whole" && isNearlyDone(view)) return { kind: "whole" };
      if (this.#isHelping ? goesOn(view, peers) : !isEarly && needsHelp(view, peers)) {
        return { kind: "ranges" };
      }
    }
    return isEarly ? { kind: "nothing" } : this.#head(view, peers);
  }

  #head(view: HedgeView, { sizeBytes }: PeersView): MirrorPart {
    if (view.isReleased) return { kind: "nothing" };
    const bytes = headBytes(sizeBytes);
    if (view.mirrorBytes < bytes) return { kind: "head", bytes };
    this.#headMs ??= view.nowMs;
    const drops = Math.floor((view.nowMs - this.#headMs) / limits.hedgeDripMs);
    return { kind: "head", bytes: bytes + drops * CHUNK_BYTES };
  }
}

/** How many bytes of a file the mirror gives while nothing of it is released: whole chunks. */
export function headBytes(sizeBytes: number): number {
  const part = Math.min(limits.hedgeHeadBytes, sizeBytes * limits.hedgeHeadPermille / 1_000);
  return Math.max(1, Math.floor(part / CHUNK_BYTES)) * CHUNK_BYTES;
}

/** Whether a mirror that gives ranges shall go on. */
function goesOn(view: HedgeView, peers: PeersView): boolean {
  if (peers.isStalled || view.mirrorBytesPerSecond === undefined) return true;
  return peers.bytesPerSecond < fastEnough(view) * FASTER_PERCENT / 100;
}

/** How fast peers must be not to be helped. */
function fastEnough({ mirrorBytesPerSecond }: HedgeView): number {
  return Math.min(mirrorBytesPerSecond ?? Infinity, limits.hedgeBytesPerSecond);
}

/** Whether the peers' download needs ranges of a mirror. */
function needsHelp(view: HedgeView, peers: PeersView): boolean {
  const mirror = view.mirrorBytesPerSecond;
  const gaveMs = view.nowMs - peers.begunMs!;
  if (peers.isStalled && gaveMs >= JUDGE_MS_MIN) return true;
  const aloneMs = mirror === undefined ? Infinity : peers.sizeBytes / mirror * 1_000;
  const judgeMs = Math.min(JUDGE_MS_MAX, Math.max(JUDGE_MS_MIN, aloneMs / 4));
  if (gaveMs < judgeMs) return false;
  // The meter is slow to rise: at first the mean says more.
  const mean = peers.bytesGiven / gaveMs * 1_000;
  const rate = gaveMs < 2 * JUDGE_MS_MAX
    ? Math.max(mean, peers.bytesPerSecond)
    : peers.bytesPerSecond;
  if (peers.bytesLeft < rate * NEARLY_MS / 1_000) return false;
  return rate < fastEnough(view);
}

/** Whether what the mirror still lacks of the whole takes it next to no time. */
function isNearlyDone({ mirrorBytesLeft, mirrorBytesPerSecond }: HedgeView): boolean {
  if (mirrorBytesLeft === null || mirrorBytesPerSecond === undefined) return false;
  return mirrorBytesLeft < mirrorBytesPerSecond * NEARLY_MS / 1_000;
}
