/**
 * What a mirror (origin) is asked for while peers are asked for the same file. Pure: no I/O, no
 * clock.
 *
 * Rules
 *  1. Peers come first: for `hedgeMs`, or as long as a person says, they alone are asked, if there
 *     is anybody to ask. A node that is only just getting its first link has peers to ask from then
 *     on, within `hedgeLinkMs`. Before, a mirror gives nothing: no head, no ranges, no share. It is
 *     asked for the head alone where nothing else says which file is meant, and peers gave all of it.
 *  2. A client must not wait longer than with the mirror alone. If nobody offers the file by then,
 *     the mirror gives all of it, from the first byte that the client waits for.
 *  3. If somebody offers it, and nothing of it may be released yet, the mirror gives its head, and
 *     one more chunk every `hedgeDripMs`.
 *  4. If those who offered do not even begin in time, it gives all of it: within `hedgeBeginMs`, or,
 *     where it would be done itself sooner, within a part of that time, but not less than
 *     `hedgeJudgeMsMin`.
 *  5. A stream of the whole file goes on until peers begin. If what it lacks then takes the mirror
 *     less than `hedgeNearlyMs`, it goes on to its end. Beside peers that took longer than `hedgeLateMs`
 *     to begin it goes on until they are judged, so that the line is not idle meanwhile, and as long as
 *     they give less than `hedgeStreamPercent` of what the mirror does: ranges beside so little would
 *     only cost requests. Else it ends, and the mirror gives ranges or nothing, as the next rules say.
 *  6. A mirror gives ranges beside the peers when nobody else gives what is missing, or when all of
 *     them together are slower than it is known to be, and than `hedgeBytesPerSecond`. Peers are
 *     judged after a quarter of the time that the mirror would take, within `hedgeJudgeMsMin` and
 *     `hedgeJudgeMsMax`; where that time is not known, after the latter. Those that give less than
 *     half of what the mirror would are judged after `hedgeJudgeMsMin`.
 *  7. A mirror without ranges gives the whole file where it would give ranges.
 *  8. What peers are about to finish within `hedgeNearlyMs` the mirror is not asked for.
 *  9. It stops giving ranges when its speed is known and peers are clearly faster, not just faster:
 *     it would be asked and left in turns.
 * 10. Where other nodes get the file at the same time, each reads a share from its mirror
 *     (`core/crowd`). Who they are shows within `crowdListenMs`, or sooner, when all who were asked say
 *     that they have nothing: whoever comes later finds this node. Where somebody seeks the file just
 *     then, or all of them are gone and may offer it by now, within `crowdExpectMs`; where directories
 *     are asked for them, when those have answered and whom they name was dialled, within
 *     `crowdNamedMs`. Meanwhile the mirror gives the head alone, and nothing where fellows are
 *     expected; then, of a file of `readAheadBytesMin` or more, what this node would read first for
 *     fellows, each from another place on, so that the line is not idle, also while those who offer it
 *     then have not begun; but not while directories are asked, which may name many. Without links and directories nobody is listened for. Of what fellows bring nothing is
 *     released before the whole is checked, so from `crowdHeadMs` on the mirror gives one chunk, and
 *     another every `crowdDripMs`: who waits is given it little by little, and all fellows read the same.
 * 11. When mirror and peers disagree, and the whole can be checked, the mirror gives all of it apart,
 *     or its share: fellows get it from their mirrors too.
 * 12. Peers that give more than this node's own rate lets in are neither slow nor late: while that
 *     holds them back, rules 4 to 6 do not call the mirror in, and one that gives ranges leaves.
 *     Where a rate holds the mirror back, its speed is no more than that.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";

/** What a mirror is to do now. */
export type MirrorPart =
  | { readonly kind: "nothing" }
  /**
   * Give the first bytes of what is waited for, so many in all; and where it `readsAhead`, what this
   * node would read first if fellows came.
   */
  | { readonly kind: "head"; readonly bytes: number; readonly readsAhead: boolean }
  /** Give everything, in order. */
  | { readonly kind: "whole" }
  /** Give ranges, as one more source of the peers' download. */
  | { readonly kind: "ranges" }
  /** Give this node's share of what fellows get too; and the first bytes, so many in all. */
  | { readonly kind: "shared"; readonly bytes: number };

/** Who gets the file at the same time. */
export interface CrowdView {
  /** Since when the file has an id by which fellows know it; null: it has none yet. */
  readonly sinceMs: number | null;
  /** Fellows that this node is connected with. */
  readonly fellows: number;
  /** Whether somebody sought the file lately, who may be one, or directories are naming some. */
  readonly isExpected: boolean;
  /** Whether directories are just naming some, who begin to read the same then. */
  readonly areBeingNamed: boolean;
  /** Whether anything can be read for them from the mirror. */
  readonly canRead: boolean;
  /** Whether the mirror has given a part of the file that it was asked for. */
  readonly hasGivenPart: boolean;
}

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
  /** Whether this node's own rate is why no more comes. */
  readonly isHeld: boolean;
}

/** How a fetch gets on. */
export interface PlanView {
  readonly nowMs: number;
  readonly startMs: number;
  /** Whether there is anybody but mirrors to ask, or may be before the mirror's time comes. */
  readonly canAskPeers: boolean;
  /** Whether those whom a node was told of are being dialled, and no link is up yet. */
  readonly isLinking: boolean;
  /** Whether any link is up. */
  readonly hasLinks: boolean;
  /** Whether there is a directory, and it did not fail when it was asked last. */
  readonly hasDirectories: boolean;
  /** Whether the mirror gives parts of a file. */
  readonly givesRanges: boolean;
  /** Null while no candidate is followed. */
  readonly peers: PeersView | null;
  /** Null where nothing is shared while it comes. */
  readonly crowd: CrowdView | null;
  /** Whether all who can be asked have said to the last query that they have nothing. */
  readonly isNobodyThere: boolean;
  /** Bytes of the file; null while nobody knows. */
  readonly sizeBytes: number | null;
  /** Whether any byte that did not come from a mirror may be released. */
  readonly isReleased: boolean;
  /** Whether only a mirror can say if what peers gave is the file that is meant. */
  readonly needsWord: boolean;
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
  /** Rule 1. */
  readonly #delayMs: number;
  #part: MirrorPart["kind"] = "nothing";
  /** Whether it reads ahead for fellows that are listened for. */
  #readsAhead = false;
  /** Whether it gives the whole because it gives no ranges. */
  #isHelping = false;
  /** The last time that peers were only being dialled, and whether they still are. */
  #linkingMs = -Infinity;
  #isLinking = false;
  /** When the head was there, so that drops follow; since when the file is shared. */
  #headMs: number | null = null;
  #sharedMs: number | null = null;
  /** How many bytes the mirror gives then: what it gave before, or a chunk. */
  #sharedBytes: number | null = null;

  constructor({ delayMs = limits.hedgeMs }: { readonly delayMs?: number } = {}) {
    this.#delayMs = delayMs;
  }

  /** What the mirror is to do from now on. */
  decide(view: PlanView): MirrorPart {
    const chosen = this.#choose(view);
    const isShared = chosen.kind === "ranges" && this.#isShared(view);
    const part = isShared ? this.#shared(view) : chosen;
    const isWhole = part.kind === "ranges" && !view.givesRanges;
    this.#isHelping = part.kind === "ranges";
    this.#part = isWhole ? "whole" : part.kind;
    this.#readsAhead = part.kind === "head" && part.readsAhead;
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
    if (view.isApart && this.#part !== "shared") {
      return this.#part === "whole" ? Infinity : nowMs + limits.crowdListenMs / 4;
    }
    if (this.#isEarly(view)) return this.#earlyEndMs(view);
    if (this.#part === "shared") return nowMs + limits.hedgeDripMs / 10;
    if (peers === null) return this.#part === "whole" ? Infinity : nowMs + limits.crowdListenMs / 4;
    if (peers.begunMs === null) {
      const lateMs = peers.followedMs + beginMs(view, peers) + 1;
      if (peers.isHeld) return Math.max(lateMs, nowMs + limits.hedgeJudgeAgainMs);
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
    const latestMs = startMs + Math.max(limits.hedgeLinkMs, this.#delayMs);
    return Math.min(sinceMs + this.#delayMs, latestMs);
  }

  #choose(view: PlanView): MirrorPart {
    const { nowMs, peers } = view;
    if (view.isApart) return this.#all(view);
    const isEarly = this.#isEarly(view);
    if (peers === null) {
      const hasBegun = this.#part === "whole" || this.#part === "shared";
      return isEarly && !hasBegun ? { kind: "nothing" } : this.#all(view);
    }
    if (peers.begunMs === null) {
      const hasBegun = this.#part === "whole" || this.#part === "shared";
      if (hasBegun) return this.#all(view);
      if (isEarly) return { kind: "nothing" };
      const isLate = !peers.isHeld && nowMs - peers.followedMs > beginMs(view, peers);
      return isLate ? this.#all(view) : this.#head(view, peers);
    }
    if (peers.bytesLeft > 0) {
      const isStream = this.#part === "whole" && !this.#isHelping;
      if (this.#part === "whole" && isNearlyDone(view)) return { kind: "whole" };
      if (isStream && outrunsPeers(view, peers)) return { kind: "whole" };
      if (this.#isHelping ? goesOn(view, peers) : !isEarly && needsHelp(view, peers)) {
        return { kind: "ranges" };
      }
    }
    const isUnknown = view.needsWord && peers.bytesLeft === 0;
    return isEarly && !isUnknown ? { kind: "nothing" } : this.#head(view, peers);
  }

  /** The mirror is to give all of it: rule 10 says how. */
  #all(view: PlanView): MirrorPart {
    if (this.#isShared(view)) return this.#shared(view);
    const { crowd, nowMs, startMs, hasLinks, hasDirectories } = view;
    if (crowd === null || this.#part === "whole") return { kind: "whole" };
    if (!hasLinks && !hasDirectories) return { kind: "whole" };
    const head = firstBytes(view, crowd);
    if (crowd.sinceMs === null) {
      return nowMs - startMs < limits.crowdIdentityMs ? head : { kind: "whole" };
    }
    if (crowd.isExpected) return head.readsAhead ? head : { kind: "nothing" };
    const isListening = nowMs - crowd.sinceMs < limits.crowdListenMs && !view.isNobodyThere;
    return isListening ? head : { kind: "whole" };
  }

  #isShared({ crowd }: PlanView): boolean {
    if (crowd === null || crowd.fellows > 0) return crowd !== null;
    // One that was left by all reads on alone, unless somebody is to be found again.
    return this.#sharedMs !== null && crowd.canRead && !crowd.isExpected;
  }

  #shared(view: PlanView): MirrorPart {
    const sharedMs = this.#sharedMs ??= view.nowMs;
    const headMs = sharedMs + limits.crowdHeadMs;
    if (view.isReleased || view.nowMs < headMs) return { kind: "shared", bytes: 0 };
    const { mirrorBytes } = view;
    this.#sharedBytes ??= Math.ceil(Math.max(1, mirrorBytes) / CHUNK_BYTES) * CHUNK_BYTES;
    const drops = Math.floor((view.nowMs - headMs) / limits.crowdDripMs);
    return { kind: "shared", bytes: this.#sharedBytes + drops * CHUNK_BYTES };
  }

  /** Rule 3. */
  #head(view: PlanView, { sizeBytes, begunMs }: PeersView): MirrorPart {
    if (view.isReleased) return { kind: "nothing" };
    const readsAhead = this.#readsAhead && begunMs === null && view.crowd?.canRead === true;
    return { kind: "head", bytes: this.#headOf(view, sizeBytes), readsAhead };
  }

  #headOf(view: PlanView, sizeBytes: number): number {
    const bytes = headBytes(sizeBytes);
    if (view.mirrorBytes < bytes) return bytes;
    this.#headMs ??= view.nowMs;
    const drops = Math.floor((view.nowMs - this.#headMs) / limits.hedgeDripMs);
    return bytes + drops * CHUNK_BYTES;
  }
}

/** How many bytes of a file the mirror gives while nothing of it is released: whole chunks. */
export function headBytes(sizeBytes: number): number {
  const part = Math.min(limits.hedgeHeadBytes, sizeBytes * limits.hedgeHeadPermille / 1_000);
  return Math.max(1, Math.floor(part / CHUNK_BYTES)) * CHUNK_BYTES;
}

/** Rule 10: what is read while others who get the file are listened for. */
function firstBytes(
  { sizeBytes, mirrorBytes }: PlanView,
  { canRead, hasGivenPart, areBeingNamed }: CrowdView,
): MirrorPart & { readonly kind: "head" } {
  const bytes = headBytes(sizeBytes ?? 0);
  const isLong = sizeBytes !== null && sizeBytes >= limits.readAheadBytesMin;
  const canReadAhead = canRead && hasGivenPart && !areBeingNamed;
  const readsAhead = isLong && canReadAhead && mirrorBytes >= bytes;
  return { kind: "head", bytes, readsAhead };
}

/** Rule 9: whether a mirror that gives ranges goes on. */
function goesOn(view: PlanView, peers: PeersView): boolean {
  if (peers.isStalled) return true;
  if (peers.isHeld) return false;
  if (view.mirrorBytesPerSecond === undefined) return true;
  return peers.bytesPerSecond < fastEnough(view) * limits.hedgeFasterPercent / 100;
}

/** How long the mirror alone would take for all of it; Infinity while nobody knows. */
function aloneMs({ mirrorBytesPerSecond }: PlanView, { sizeBytes }: PeersView): number {
  return mirrorBytesPerSecond === undefined ? Infinity : sizeBytes / mirrorBytesPerSecond * 1_000;
}

/** Rule 4: how long those who offered it may take until they begin. */
function beginMs(view: PlanView, peers: PeersView): number {
  const partMs = aloneMs(view, peers) / limits.hedgeBeginParts;
  return Math.min(limits.hedgeBeginMs, Math.max(limits.hedgeJudgeMsMin, partMs));
}

/** How fast peers must be not to be helped. */
function fastEnough({ mirrorBytesPerSecond }: PlanView): number {
  return Math.min(mirrorBytesPerSecond ?? Infinity, limits.hedgeBytesPerSecond);
}

/** Bytes a second that peers gave since they began. */
function meanOf({ nowMs }: PlanView, { bytesGiven, begunMs }: PeersView): number {
  return bytesGiven / (nowMs - begunMs!) * 1_000;
}

/** Bytes a second that peers give. The meter is slow to rise: at first the mean says more. */
function rateOf(view: PlanView, peers: PeersView): number {
  const isEarly = view.nowMs - peers.begunMs! < 2 * limits.hedgeJudgeMsMax;
  return isEarly ? Math.max(meanOf(view, peers), peers.bytesPerSecond) : peers.bytesPerSecond;
}

/** Rules 6 and 8: whether the peers' download needs ranges of a mirror. */
function needsHelp(view: PlanView, peers: PeersView): boolean {
  const gaveMs = view.nowMs - peers.begunMs!;
  if (peers.isStalled && gaveMs >= limits.hedgeJudgeMsMin) return true;
  if (gaveMs < limits.hedgeJudgeMsMin || peers.isHeld) return false;
  const mean = meanOf(view, peers);
  const partMs = aloneMs(view, peers) / 4;
  const judgeMs = Math.min(limits.hedgeJudgeMsMax, Math.max(limits.hedgeJudgeMsMin, partMs));
  const isClear = view.mirrorBytesPerSecond !== undefined && mean < fastEnough(view) / 2;
  if (gaveMs < judgeMs && !isClear) return false;
  const rate = rateOf(view, peers);
  if (peers.bytesLeft < rate * limits.hedgeNearlyMs / 1_000) return false;
  return rate < fastEnough(view);
}

/** Rule 5: whether late peers are not judged yet, or give next to nothing beside the mirror's stream. */
function outrunsPeers(view: PlanView, peers: PeersView): boolean {
  if (peers.isHeld || peers.begunMs! - view.startMs < limits.hedgeLateMs) return false;
  const gaveMs = view.nowMs - peers.begunMs!;
  if (gaveMs < limits.hedgeJudgeMsMin) return true;
  if (view.mirrorBytesPerSecond === undefined) return false;
  const few = fastEnough(view) * limits.hedgeStreamPercent / 100;
  return rateOf(view, peers) < few;
}

/** Rule 5: whether what the mirror still lacks of the whole takes it next to no time. */
function isNearlyDone({ mirrorBytesLeft, mirrorBytesPerSecond }: PlanView): boolean {
  if (mirrorBytesLeft === null || mirrorBytesPerSecond === undefined) return false;
  return mirrorBytesLeft < mirrorBytesPerSecond * limits.hedgeNearlyMs / 1_000;
}
