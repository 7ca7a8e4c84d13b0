/**
 * What a mirror (origin) is asked for while peers are asked for the same file. Pure: no I/O, no
 * clock.
 *
 * Rules
 *  1. Peers come first: for `hedgeMs` they alone are asked, if there is anybody to ask. A node that
 *     is only just getting its first link has peers to ask from then on, within `hedgeLinkMs`.
 *  2. A client must not wait longer than with the mirror alone. If nobody offers the file by then,
 *     the mirror gives all of it, from the first byte that the client waits for.
 *  3. If somebody offers it, and nothing of it may be released yet, the mirror gives its head, and
 *     one more chunk every `hedgeDripMs`.
 *  4. If those who offered do not even begin within `hedgeBeginMs`, it gives all of it.
 *  5. A stream of the whole file goes on until peers begin. If what it lacks then takes the mirror
 *     less than `hedgeNearlyMs`, it goes on to its end. Else it ends, and the mirror gives ranges or
 *     nothing, as the next rules say.
 *  6. A mirror gives ranges beside the peers when nobody else gives what is missing, or when all of
 *     them together are slower than it is known to be, and than `hedgeBytesPerSecond`. Peers are
 *     judged after a quarter of the time that the mirror would take, within `hedgeJudgeMsMin` and
 *     `hedgeJudgeMsMax`; where that time is not known, after the latter.
 *  7. A mirror without ranges gives the whole file where it would give ranges.
 *  8. What peers are about to finish within `hedgeNearlyMs` the mirror is not asked for.
 *  9. It stops giving ranges when its speed is known and peers are clearly faster, not just faster:
 *     it would be asked and left in turns.
 * 10. When mirror and peers disagree, and the whole can be checked, the mirror gives all of it apart.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

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
export interface PlanView {
  readonly nowMs: number;
  readonly startMs: number;
  /** Whether there is anybody but mirrors to ask. */
  readonly canAskPeers: boolean;
  /** Whether those whom a node was told of are being dialled, and no link is up yet. */
  readonly isLinking: boolean;
  /** Whether any link is up. */
  readonly hasLinks: boolean;
  /** Whether the mirror gives parts of a file. */
  readonly givesRanges: boolean;
  /** Null while no candidate is followed. */
  readonly peers: PeersView | null;
  /** Whether any byte that did not come from a mirror may be released. */
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
export class MirrorPlan {
  #part: MirrorPart["kind"] = "nothing";
  /** Whether it gives the whole because it gives no ranges. */
  #isHelping = false;
  /** The last time that peers were only being dialled, and whether they still are. */
  #linkingMs = -Infinity;
  #isLinking = false;
  /** When the head was there, so that drops follow. */
  #headMs: number | null = null;

  /** What the mirror is to do from now on. */
  decide(view: PlanView): MirrorPart {
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

  /**
   * When the plan may be another one because time has passed, and nothing else; Infinity when it
   * cannot be. Speeds are measured all the time, so they are looked at again and again.
   */
  nextLookMs(view: PlanView): number {
    const { nowMs, peers } = view;
    if (view.isApart) return Infinity;
    if (this.#isEarly(view)) return this.#earlyEndMs(view);
    if (peers === null) return Infinity;
    if (peers.begunMs === null) {
      const lateMs = peers.followedMs + limits.hedgeBeginMs + 1;
      return nowMs < lateMs ? lateMs : Infinity;
    }
    if (peers.bytesLeft > 0) {
      return Math.max(peers.begunMs + limits.hedgeJudgeMsMin, nowMs + limits.hedgeJudgeAgainMs);
    }
    return this.#headMs === null || view.isReleased ? Infinity : nowMs + limits.hedgeDripMs;
  }

  /** Rule 1: whether it is too early for a mirror. */
  #isEarly(view: PlanView): boolean {
    const { nowMs, startMs, canAskPeers, isLinking, hasLinks } = view;
    if (!canAskPeers) return false;
    const wasLinking = this.#isLinking;
    this.#isLinking = isLinking;
    const isNow = isLinking || wasLinking && hasLinks;
    if (isNow && nowMs - startMs < limits.hedgeLinkMs) this.#linkingMs = nowMs;
    return nowMs < this.#earlyEndMs(view);
  }

  #earlyEndMs({ startMs }: PlanView): number {
    const sinceMs = Math.max(startMs, this.#linkingMs);
    return Math.min(sinceMs + limits.hedgeMs, startMs + limits.hedgeLinkMs);
  }

  #choose(view: PlanView): MirrorPart {
    const { nowMs, peers } = view;
    if (view.isApart) return { kind: "whole" };
    const isEarly = this.#isEarly(view);
    if (peers === null) {
      return { kind: isEarly && this.#part !== "whole" ? "nothing" : "whole" };
    }
    if (peers.begunMs === null) {
      if (this.#part === "whole" || nowMs - peers.followedMs > limits.hedgeBeginMs) {
        return { kind: "whole" };
      }
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

  /** Rule 3. */
  #head(view: PlanView, { sizeBytes }: PeersView): MirrorPart {
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

/** Rule 9: whether a mirror that gives ranges goes on. */
function goesOn(view: PlanView, peers: PeersView): boolean {
  if (peers.isStalled || view.mirrorBytesPerSecond === undefined) return true;
  return peers.bytesPerSecond < fastEnough(view) * limits.hedgeFasterPercent / 100;
}

/** How fast peers must be not to be helped. */
function fastEnough({ mirrorBytesPerSecond }: PlanView): number {
  return Math.min(mirrorBytesPerSecond ?? Infinity, limits.hedgeBytesPerSecond);
}

/** Rules 6 and 8: whether the peers' download needs ranges of a mirror. */
function needsHelp(view: PlanView, peers: PeersView): boolean {
  const mirror = view.mirrorBytesPerSecond;
  const gaveMs = view.nowMs - peers.begunMs!;
  if (peers.isStalled && gaveMs >= limits.hedgeJudgeMsMin) return true;
  const aloneMs = mirror === undefined ? Infinity : peers.sizeBytes / mirror * 1_000;
  const judgeMs = Math.min(limits.hedgeJudgeMsMax, Math.max(limits.hedgeJudgeMsMin, aloneMs / 4));
  if (gaveMs < judgeMs) return false;
  // The meter is slow to rise: at first the mean says more.
  const mean = peers.bytesGiven / gaveMs * 1_000;
  const rate = gaveMs < 2 * limits.hedgeJudgeMsMax
    ? Math.max(mean, peers.bytesPerSecond)
    : peers.bytesPerSecond;
  if (peers.bytesLeft < rate * limits.hedgeNearlyMs / 1_000) return false;
  return rate < fastEnough(view);
}

/** Rule 5: whether what the mirror still lacks of the whole takes it next to no time. */
function isNearlyDone({ mirrorBytesLeft, mirrorBytesPerSecond }: PlanView): boolean {
  if (mirrorBytesLeft === null || mirrorBytesPerSecond === undefined) return false;
  return mirrorBytesLeft < mirrorBytesPerSecond * limits.hedgeNearlyMs / 1_000;
}
