/**
 * What of a fetch is right: what peers give and what mirrors (origins) give is proved here, and held
 * against each other. These are rules 4 to 8 of `fetch_policy.ts`, at whose head they stand. Pure.
 */

import type { OfKind } from "../../base/errors.ts";
import { chunkCount, type ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Candidate } from "./candidates.ts";
import {
  type FetchPolicyEvent,
  type FetchResult,
  type LocalFile,
  note,
  type Turn,
} from "./fetch_events.ts";
import type { MirrorSide } from "./mirror_side.ts";
import type { PeerSide } from "./peer_side.ts";
import type { ShownFile } from "./shown_file.ts";
import { lastOf } from "./wanted_range.ts";

/** Rule 6: what is being checked. */
type Check =
  | { readonly kind: "here"; readonly candidate: Candidate }
  | { readonly kind: "mirror"; readonly followed: Candidate | null }
  | {
    readonly kind: "swarm";
    readonly candidate: Candidate;
    /** How far its SHA-256 is; "right": it is what is wanted. */
    hash: "due" | "running" | "right";
    isSettled: boolean;
  };

/** What turned out to be wrong. */
interface FoundOut {
  isMirrorFalse: boolean;
  hasWrongCopy: boolean;
  /** Whether what fellows gave was compared with the mirror, and is the same. */
  isAudited: boolean;
}

/** The checks of one fetch. */
export class Verification {
  readonly #request: FetchRequest;
  readonly #peers: PeerSide;
  /** Null when no mirror is named. */
  readonly #mirror: MirrorSide | null;
  readonly #shown: ShownFile;
  /** Rule 4: whether what peers give is known to be the file that is meant. */
  #isProved = false;
  /** Whether it is vouched for, so that all but the last chunk is released before its check. */
  #isVouched = false;
  readonly #foundOut: FoundOut = {
    isMirrorFalse: false,
    hasWrongCopy: false,
    isAudited: false,
  };
  #check: Check | null = null;
  /** Whether what the mirrors gave is just being thrown away. */
  #isRejecting = false;
  /** What waits to be checked. */
  readonly #waiting = { here: null as Candidate | null, isSwarmComplete: false };
  #isFinished = false;

  constructor(
    request: FetchRequest,
    options: {
      readonly peers: PeerSide;
      readonly mirror: MirrorSide | null;
      readonly shown: ShownFile;
    },
  ) {
    this.#request = request;
    this.#peers = options.peers;
    this.#mirror = options.mirror;
    this.#shown = options.shown;
  }

  /** Whether the file is here, and the fetch over. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /** Whether any of what peers give may be released. */
  get isReleased(): boolean {
    return this.#isProved || this.#isVouched;
  }

  /** Of chunks that peers give of what is followed, those that may be released now. */
  releasable({ first, count }: ChunkRange, { sizeBytes }: Candidate): ChunkRange {
    if (this.#isProved) return { first, count };
    const end = this.#isVouched ? chunkCount(sizeBytes) - 1 : 0;
    return { first, count: Math.max(0, Math.min(count, end - first)) };
  }

  /** What turned out to be wrong. */
  get foundOut(): Readonly<FoundOut> {
    return this.#foundOut;
  }

  /** What is being checked. */
  get checking(): Check["kind"] | null {
    return this.#check?.kind ?? null;
  }

  /** Whether what the mirror gives is to be compared with the leaves of the candidate. */
  get mayImport(): boolean {
    const mirror = this.#mirror;
    return mirror !== null && !mirror.isPaused && !mirror.isApart && this.#peers.followed !== null;
  }

  /** A candidate is followed: nothing is known of it. */
  begin(): void {
    this.#isProved = this.#isVouched = false;
    this.#waiting.isSwarmComplete = false;
  }

  /** A complete file of a candidate's root is here. */
  isHere(candidate: Candidate): void {
    this.#waiting.here = candidate;
  }

  /** The swarm brought all that is wanted. */
  swarmCompleted(): void {
    this.#waiting.isSwarmComplete = true;
  }

  /** A copy that is here failed the check of its SHA-256. */
  foundWrongCopy(): void {
    this.#foundOut.hasWrongCopy = true;
  }

  /** The fetch has its file. */
  finish(turn: Turn, result: FetchResult): void {
    this.#isFinished = true;
    turn.emit({ kind: "finish", result });
  }

  // Rules 3 and 4: what is proved

  /** Whether a complete file of that name has to be held to the mirrors. */
  get comparesWithMirror(): boolean {
    const { root, sha256 } = this.#request;
    return this.#mirror !== null && root === null && sha256 === null;
  }

  /** Looks whether what peers give is proved by now. */
  assess(turn: Turn): void {
    const { followed, candidates } = this.#peers;
    if (this.#isProved || followed === null || this.#mirror?.isApart) return;
    if (this.#shown.sizeBytes !== followed.sizeBytes) return;
    const { root, sha256 } = this.#request;
    const isProved = root === null && sha256 !== null
      ? turn.facts.sha256Of(followed.root) === sha256
      : root !== null && candidates.isCertain(followed) ||
        candidates.unsettledMs(turn.nowMs) <= 0 && !this.#needsMirror(turn, followed);
    if (isProved) this.#prove(turn, followed);
  }

  /** What peers give is vouched for: it is released before its SHA-256 is checked, but for its end. */
  vouch(turn: Turn): void {
    const { followed } = this.#peers;
    if (this.isReleased || followed === null || this.#mirror?.isApart) return;
    if (this.#shown.sizeBytes !== followed.sizeBytes) return;
    this.#isVouched = true;
    note(turn, `Several nodes vouch for root ${followed.root}: it is given before its check`);
    turn.emit({ kind: "release-all", before: chunkCount(followed.sizeBytes) - 1 });
  }

  /** Whether nothing but a mirror can say if what peers give is meant, and it may still do so. */
  #needsMirror({ facts, nowMs }: Turn, followed: Candidate): boolean {
    const side = this.#mirror;
    if (side === null || !this.comparesWithMirror || this.#isProved) return false;
    const mirror = facts.mirror!;
    return mirror.refusal === null && side.isAnswering(facts, nowMs) && side.canCompare &&
      !side.isAgreed(facts, followed);
  }

  /** All that peers give, and gave, of what is followed may be released from now on. */
  #prove(turn: Turn, candidate: Candidate): void {
    const isApart = this.#mirror?.isApart ?? false;
    if (isApart) {
      turn.emit({ kind: "drop-mirror", reason: "peers gave the right file, the mirror did not" });
      turn.emit({ kind: "threw-away", track: "mirror" });
    }
    this.#shown.showPeers(turn, candidate);
    if (!this.#isProved) note(turn, `What peers give is proved, root ${candidate.root}`);
    this.#isProved = true;
    turn.emit({ kind: "release-all" });
  }

  // Rule 5: mirror and candidate differ

  compareSizes(turn: Turn): void {
    const { followed } = this.#peers;
    if (followed === null || this.#mirror === null || this.#mirror.isPaused) return;
    const problem = this.#mirror.sizeProblem(turn.facts.mirror!, followed);
    if (problem !== undefined) this.differs(turn, problem, turn.facts.mirror!.label ?? undefined);
  }

  differs(turn: Turn, why: string, culprit: string | undefined): void {
    const { followed } = this.#peers;
    if (followed === null || this.#isRejecting) return;
    note(turn, `Mirror and peers disagree: ${why}`);
    turn.emit({
      kind: "log",
      level: "info",
      what: "mirror and peers disagree",
      fields: { name: this.#request.name, why },
    });
    const { root, sha256 } = this.#request;
    if (root !== null || sha256 !== null && this.#isProved) {
      this.#foundOut.isMirrorFalse = true;
      // At once: it would be asked again before the rest is done.
      if (culprit !== undefined) turn.emit({ kind: "ban-mirror", culprit });
      this.#rejectMirror(turn, why, culprit);
    } else if (sha256 === null) this.#reject(turn, followed, why);
    else {
      this.#shown.dropPeers(turn, why);
      this.#mirror!.goApart(turn);
      // Others get what the mirror has too: who offers another file may have ended the search.
      if (turn.facts.crowd !== null) this.#peers.start(turn);
      this.#shown.showMirror(turn);
    }
  }

  /** The mirrors that gave what is not the file are left; the next one may be asked. */
  mirrorRejected(turn: Turn): void {
    this.#isRejecting = false;
    if (this.#check?.kind === "mirror") {
      this.#check = null;
      this.#mirror!.resume(turn);
      return this.compareSizes(turn);
    }
    const { followed } = this.#peers;
    if (followed === null) return;
    this.#shown.showPeers(turn, followed);
    if (this.#isProved) turn.emit({ kind: "release-all" });
    else if (this.#isVouched) {
      turn.emit({ kind: "release-all", before: chunkCount(followed.sizeBytes) - 1 });
    }
  }

  /** A candidate is not the file: what else leads is followed when it is put away. */
  #reject(turn: Turn, candidate: Candidate, why: string): void {
    this.#shown.dropPeers(turn, why);
    this.#peers.reject(turn, candidate, why);
    this.#peers.followLeader(turn);
  }

  /** No candidate is followed any more. */
  unfollowed(turn: Turn): void {
    this.#isProved = this.#isVouched = false;
    if (this.#check?.kind === "swarm") this.#check = null;
    this.#shown.forgetCandidate();
    this.#waiting.isSwarmComplete = false;
    if (this.#mirror === null) return;
    this.#mirror.followed(turn);
    this.#shown.showMirror(turn);
  }

  // Rule 6: one check at a time

  checkOn(turn: Turn): void {
    if (this.#check === null) this.#check = this.#nextCheck(turn);
    if (this.#check?.kind === "swarm") this.#checkSwarm(turn, this.#check);
  }

  #nextCheck(turn: Turn): Check | null {
    const { here, isSwarmComplete } = this.#waiting;
    if (here !== null) {
      this.#waiting.here = null;
      turn.emit({
        kind: "check-here",
        candidate: here,
        comparesWithMirror: this.comparesWithMirror,
      });
      return { kind: "here", candidate: here };
    }
    if (turn.facts.mirror?.isWhole && !this.#isRejecting) return this.#checkMirror(turn);
    const { followed } = this.#peers;
    if (!isSwarmComplete || followed === null) return null;
    this.#waiting.isSwarmComplete = false;
    const isSettled = this.#peers.candidates.isCertain(followed);
    return { kind: "swarm", candidate: followed, hash: "due", isSettled };
  }

  hereChecked(
    turn: Turn,
    event: OfKind<FetchPolicyEvent, "here-checked">,
  ): void {
    const { candidate, file, isRight, isMirrors } = event;
    this.#check = null;
    if (file === undefined) return this.#peers.lookAgain(turn.nowMs);
    const { root, sha256 } = this.#request;
    if (isRight && (isMirrors || sha256 !== null || root !== null)) {
      if (!isMirrors) {
        const reason = "the right file is here, the mirror gave another one";
        turn.emit({ kind: "drop-mirror", reason });
        turn.emit({ kind: "threw-away", track: "mirror" });
      }
      return this.finish(turn, { kind: "local", file });
    }
    const why = isRight
      ? "a file of this root is here, and a mirror gives another one"
      : "a file of this root is here, and it is not what is sought";
    this.#reject(turn, candidate, why);
  }

  /** Rule 7. */
  #checkMirror(turn: Turn): Check {
    // It must not start over while it is hashed.
    this.#mirror!.pause(turn);
    const check: Check = { kind: "mirror", followed: this.#peers.followed };
    if (!turn.facts.mirror!.isWholeFile) this.#finishPart(turn);
    else if (this.#request.sha256 !== null) turn.emit({ kind: "check-mirror" });
    else if (this.#isForeign(turn) && !this.#foundOut.isAudited) turn.emit({ kind: "audit" });
    else this.#promote(turn);
    return check;
  }

  #finishPart(turn: Turn): void {
    this.#releaseLast(turn);
    this.#peers.bar(turn);
    this.finish(turn, { kind: "part", sizeBytes: turn.facts.mirror!.sizeBytes! });
  }

  mirrorChecked(turn: Turn, found: string): void {
    const { sha256 } = this.#request;
    if (found !== sha256 && this.#isForeign(turn)) return turn.emit({ kind: "mend" });
    if (found !== sha256) {
      return this.leaveMirrors(turn, `its SHA-256 is ${found}, expected ${sha256}`);
    }
    note(turn, "The SHA-256 of what the mirror gave is right");
    this.#promote(turn);
  }

  /** Whether fellows gave some of it. */
  #isForeign({ facts }: Turn): boolean {
    return facts.crowd?.hasForeign ?? false;
  }

  /** What was looked at of what fellows gave is right, or what is wrong of it is missing again. */
  crowdAudited(turn: Turn, isRight: boolean): void {
    this.#foundOut.isAudited = isRight;
    this.crowdMended(turn, false);
  }

  /** What fellows gave wrong is missing again; where nothing is, the mirror's own is wrong. */
  crowdMended(turn: Turn, isSame: boolean): void {
    if (this.#check?.kind !== "mirror") return;
    if (isSame) return this.leaveMirrors(turn, "it does not have the SHA-256 that is wanted");
    this.#check = null;
    this.#mirror!.resume(turn);
  }

  #promote(turn: Turn): void {
    if (this.#request.root === null) {
      this.#isProved ||= !this.#mirror!.isApart;
      this.#releaseLast(turn);
      this.#peers.bar(turn);
    }
    turn.emit({ kind: "promote-mirror" });
  }

  #releaseLast(turn: Turn): void {
    const { firstChunk, nextChunk, sizeBytes, isWholeFile } = turn.facts.mirror!;
    if (isWholeFile) return this.#releaseWhole(turn, sizeBytes!);
    const range = lastOf(firstChunk, nextChunk);
    if (range.count > 0) turn.emit({ kind: "release", range });
  }

  /** All of a file of the mirrors is right. What fellows gave is told only now. */
  #releaseWhole(turn: Turn, sizeBytes: number): void {
    const { firstChunk, nextChunk } = turn.facts.mirror!;
    const end = chunkCount(sizeBytes);
    const untold = { first: nextChunk, count: end - nextChunk };
    if (untold.count > 0) turn.emit({ kind: "tell", range: untold, isMirrors: true });
    if (end > firstChunk) {
      turn.emit({ kind: "release", range: { first: firstChunk, count: end - firstChunk } });
    }
  }

  mirrorRooted(turn: Turn, root: Root): void {
    if (this.#request.root !== null && this.#request.root !== root) {
      return turn.emit({ kind: "do-not-place" });
    }
    // Nothing is followed when it gets its place: that would be left over beside the file.
    this.#peers.bar(turn);
    turn.emit({ kind: "place" });
  }

  mirrorPromoted(turn: Turn, file: LocalFile): void {
    const followed = this.#check?.kind === "mirror" ? this.#check.followed : null;
    const shown = this.#shown.candidate;
    const why = `the right file has root ${file.root}`;
    if (shown !== null && shown.root !== file.root) this.#shown.dropPeers(turn, why);
    if (followed !== null && followed.root !== file.root) this.#peers.reject(turn, followed, why);
    this.#releaseWhole(turn, file.sizeBytes);
    this.finish(turn, { kind: "promoted", file });
  }

  /** What the mirror gave is not the file: the next one is asked, and peers go on. */
  leaveMirrors(turn: Turn, why: string): void {
    this.#foundOut.isMirrorFalse = true;
    this.#rejectMirror(turn, why);
  }

  #rejectMirror(turn: Turn, why: string, culprit?: string): void {
    this.#isRejecting = true;
    turn.emit({ kind: "reject-mirror", why, culprit });
  }

  /** Rule 8. */
  #checkSwarm(turn: Turn, check: OfKind<Check, "swarm">): void {
    const { candidates } = this.#peers;
    if (check.hash === "running") return;
    if (!check.isSettled) {
      if (candidates.unsettledMs(turn.nowMs) > 0) return;
      check.isSettled = true;
      this.#peers.followLeader(turn);
    }
    const { followed } = this.#peers;
    if (followed === null || followed.key !== check.candidate.key) {
      this.#check = null;
      return this.checkOn(turn);
    }
    // Of what is just being thrown away nothing is compared again.
    if (this.#isRejecting) return;
    const isRight = check.hash === "right";
    // What the mirror gave of it is compared with the leaves first: it may have been released.
    const { mirror, importedTo } = turn.facts;
    const isLeft = mirror !== null && importedTo < mirror.nextChunk;
    if (this.mayImport && isLeft && (isRight || !mirror.isWhole)) {
      return turn.emit({ kind: "import", isFromFirst: false });
    }
    if (this.#needsMirror(turn, followed)) {
      // Nothing else can tell, and it is here: the mirror is right (rule 5).
      if (mirror!.isWhole) this.#check = this.#checkMirror(turn);
      return;
    }
    const isChecked = this.#request.sha256 !== null && turn.facts.swarm!.isFull;
    if (!isChecked || isRight) return this.#swarmIsRight(turn, followed);
    check.hash = "running";
    turn.emit({ kind: "check-peers", key: followed.key });
  }

  peersChecked(
    turn: Turn,
    { key, isRight }: OfKind<FetchPolicyEvent, "peers-checked">,
  ): void {
    const { followed } = this.#peers;
    // It may be of a candidate that was left meanwhile.
    const check = this.#check;
    if (check?.kind !== "swarm" || followed === null || followed.key !== key) return;
    if (!isRight) {
      this.#check = null;
      return this.#reject(turn, followed, "it does not have the SHA-256 that is wanted");
    }
    note(turn, "The SHA-256 of what peers gave is right");
    check.hash = "right";
    // The mirror may have given more while it was computed.
    this.#checkSwarm(turn, check);
  }

  #swarmIsRight(turn: Turn, followed: Candidate): void {
    this.#prove(turn, followed);
    this.finish(turn, { kind: "swarm" });
  }
}
