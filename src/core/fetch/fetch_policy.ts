/**
 * The policy of one fetch: what peers and mirrors (origins) are asked for, which of the two is
 * right, what may be shown to a client that can never give it back, when the fetch ends and how.
 * Pure: `step(event, nowMs, facts)` gives effects; no I/O, no clock.
 *
 * Rules
 *  1. A complete file of this machine that fits the request ends the fetch. Where only a name is
 *     given and mirrors are named, it must be the file that they have, as far as they say.
 *  2. Peers and mirrors are asked side by side: `peer_side.ts` says which candidate is followed,
 *     `mirror_side.ts` what the mirrors do.
 *  3. What a mirror gives is released as it comes, since naming a mirror means to trust it; the last
 *     chunk waits where the whole can be checked. What peers give is released when it is proved.
 *  4. What peers give is proved when the root was given; when the root is known to have the SHA-256
 *     that is wanted; when the SHA-256 of the whole was checked; or, where nothing of that is given,
 *     when it is settled what most peers offer, and size and first chunks are those of the mirror,
 *     if one answers soon.
 *  5. When mirror and candidate differ: the side that the request proves right is kept, and the
 *     mirror that gave other bytes is not asked again. Where a SHA-256 will tell, both go on apart,
 *     and the first that passes is the file. Where nothing will tell, the mirror is right.
 *  6. One check runs at a time: first of a candidate that is complete on this machine, then of what
 *     the mirrors gave, then of what the swarm brought.
 *  7. What the mirrors gave is the file when it has the SHA-256 and the root that are wanted; else
 *     those who gave it are not asked again, and peers go on. Of a part of a file nothing is kept.
 *  8. What the swarm brought is the file when it is settled that its candidate leads, a mirror that
 *     must be heard was heard, and it has the SHA-256 that is wanted; else the candidate is thrown
 *     away with those who offered it.
 *  9. The fetch fails when nobody can be asked any more or was waited for long enough and no mirror
 *     may give the file; when its time is out; when it is stopped; and when the disk refuses.
 */

import { FetchFailure, unreachable } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { FileOffer } from "../../wire/structures.ts";
import type { Candidate } from "./candidates.ts";
import {
  type ChunkOrigin,
  type FetchEffect,
  type FetchEvent,
  type FetchFacts,
  type FetchResult,
  type LocalFile,
  note,
  type Turn,
} from "./fetch_events.ts";
import { nobodyLeft, outOfTime } from "./fetch_failures.ts";
import { MirrorSide, rootOf } from "./mirror_side.ts";
import { PeerSide } from "./peer_side.ts";
import { lastOf, rangeOutside } from "./wanted_range.ts";

/** Rule 6: what is being checked. */
type Check =
  | { readonly kind: "here"; readonly candidate: Candidate }
  | { readonly kind: "mirror"; readonly followed: Candidate | null }
  | {
    readonly kind: "swarm";
    readonly candidate: Candidate;
    /** Whether its SHA-256 is just computed. */
    isHashing: boolean;
    isSettled: boolean;
  };

/** What turned out to be wrong. */
interface FoundOut {
  isMirrorFalse: boolean;
  hasWrongCopy: boolean;
}

/** The phases of a fetch. */
type Phase = "new" | "looking" | "fetching" | "over";

/** The policy of one fetch. */
export class FetchPolicy {
  readonly #request: FetchRequest;
  readonly #deadlineMs: number;
  readonly #peers: PeerSide;
  /** Null when no mirror is named. */
  readonly #mirror: MirrorSide | null;
  #phase: Phase = "new";
  /** Rule 4: whether what peers give is known to be the file that is meant. */
  #isProved = false;
  readonly #foundOut: FoundOut = { isMirrorFalse: false, hasWrongCopy: false };
  #check: Check | null = null;
  /** Whether what the mirrors gave is just being thrown away. */
  #isRejecting = false;
  /** What waits to be checked. */
  readonly #waiting = { here: null as Candidate | null, isSwarmComplete: false };
  /** Size of what is shown, and of what was told to be found; the candidate whose bytes are shown. */
  readonly #shown = {
    sizeBytes: null as number | null,
    toldBytes: null as number | null,
    candidate: null as Candidate | null,
  };
  #wakeMs = Infinity;

  constructor(
    request: FetchRequest,
    options: {
      readonly nowMs: number;
      /** How long nobody may offer anything. */
      readonly searchMs: number;
      /** Whether mirror and peers write to one place, so that only one of them may at a time. */
      readonly sharesPlace: boolean;
    },
  ) {
    const { nowMs } = options;
    this.#request = request;
    this.#deadlineMs = request.timeoutMs > 0 ? nowMs + request.timeoutMs : Infinity;
    this.#peers = new PeerSide(request, options);
    this.#mirror = request.mirrors.length > 0 ? new MirrorSide(request, options) : null;
  }

  /** Queries that were flooded, and offers that were heard. */
  get queries(): number {
    return this.#peers.queries;
  }

  get offers(): number {
    return this.#peers.offers;
  }

  /** Whether nothing counts any more: the fetch has its file, or failed. */
  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /** The candidate that is followed. */
  get followed(): Candidate | null {
    return this.#peers.followed;
  }

  /** Bytes of the file, as far as they were told. */
  get sizeBytes(): number | null {
    return this.#shown.toldBytes;
  }

  /** Whether what the mirror gives is to be compared with the leaves of the candidate. */
  get mayImport(): boolean {
    const mirror = this.#mirror;
    return this.#phase === "fetching" && mirror !== null && !mirror.isPaused && !mirror.isApart &&
      this.#peers.followed !== null;
  }

  /** When a "tick" is due, at the latest; Infinity when only events count. */
  get wakeMs(): number {
    return this.#wakeMs;
  }

  /** Leaves out what is known to be wrong from other fetches. */
  exclude(wrong: {
    readonly keys: ReadonlySet<string>;
    readonly nodes: ReadonlySet<NodeId>;
  }): void {
    this.#peers.candidates.exclude(wrong);
  }

  /** The answer to a holder whose offer was told. */
  answerTo(
    nodeId: NodeId,
    files: readonly FileOffer[],
    facts: FetchFacts,
  ): "want" | "more" | "enough" {
    return this.isOver ? "enough" : this.#peers.answerTo(nodeId, files, facts);
  }

  /** Takes what happened into account; says what is to be done now, in order. */
  step(event: FetchEvent, nowMs: number, facts: FetchFacts): readonly FetchEffect[] {
    if (this.#phase === "over") return [];
    const effects: FetchEffect[] = [];
    const turn: Turn = { nowMs, facts, emit: (effect) => effects.push(effect) };
    const before = this.#peers.followed;
    this.#take(turn, event);
    this.#noteUnfollowed(turn, before);
    const taken = this.#peers.followed;
    if (this.#phase === "fetching") this.#goOn(turn, event);
    if (this.#phase === "fetching") this.#noteUnfollowed(turn, taken);
    this.#wakeMs = this.#nextWakeMs(turn);
    return effects;
  }

  #take(turn: Turn, event: FetchEvent): void {
    switch (event.kind) {
      case "start":
        this.#phase = "looking";
        turn.emit({ kind: "look-up", comparesWithMirror: this.#comparesWithMirror });
        break;
      case "tick":
        this.#tick(turn);
        break;
      case "looked-up":
        this.#lookedUp(turn, event);
        break;
      case "offered":
        this.#peers.offered(turn, event);
        break;
      case "hit":
        this.#peers.hit(turn, event);
        break;
      case "listed":
        this.#peers.listed(turn, event);
        break;
      case "joined":
        this.#joined(turn);
        break;
      case "is-here":
        this.#peers.isHere();
        this.#waiting.here = event.candidate;
        break;
      case "occupied":
        this.#peers.notJoined(turn.nowMs);
        break;
      case "freed":
      case "left":
        this.#peers.followLeader(turn);
        break;
      case "impossible":
        this.#peers.impossible(turn, event.candidate);
        break;
      case "begun":
        break;
      case "gained":
        this.#gained(turn, event.range, event.by);
        break;
      case "completed":
        this.#waiting.isSwarmComplete = true;
        break;
      case "needs-sources":
        this.#peers.inNeed(turn);
        break;
      case "peer-banned":
        this.#peers.banned(turn, event);
        break;
      case "mirror-opened":
        this.#mirrorOpened(turn);
        break;
      case "mirror-arrived":
        this.#mirror!.arrived(turn, event.range);
        break;
      case "mirror-restarted":
        this.#mirror!.restarted(turn, event.reason);
        break;
      case "mirror-changed":
        turn.emit({ kind: "import", isFromFirst: false });
        break;
      case "mirror-left-swarm":
        this.#mirror!.leftSwarm();
        break;
      case "imported":
        turn.emit({ kind: "confirm", range: event.range });
        break;
      case "mirror-differs":
        if (event.hasLeftSwarm) this.#mirror!.leftSwarm();
        if (!this.#mirror!.isPaused) this.#differs(turn, event.why, event.culprit);
        break;
      case "mirror-rejected":
        this.#mirrorRejected(turn);
        break;
      case "place-left":
        this.#mirror!.placeLeft(turn, this.#peers);
        break;
      case "peers-checked":
        this.#peersChecked(turn, event);
        break;
      case "mirror-checked":
        this.#mirrorChecked(turn, event.sha256);
        break;
      case "mirror-rooted":
        this.#mirrorRooted(turn, event.root);
        break;
      case "mirror-promoted":
        this.#mirrorPromoted(turn, event.file);
        break;
      case "mirror-not-promoted":
        this.#leaveMirrors(turn, `its root is ${event.root}`);
        break;
      case "here-checked":
        this.#hereChecked(turn, event);
        break;
      case "failed":
        this.#fail(turn, event.error);
        break;
      case "stopped":
        this.#stopped(turn, event.isNotFound);
        break;
      default:
        unreachable(event);
    }
  }

  /** What follows from anything that happened. */
  #goOn(turn: Turn, event: FetchEvent): void {
    // The result of the attempt is the next event.
    if (this.#peers.isTrying) return;
    this.#assess(turn);
    // Chunks alone change nothing for the mirror that its next look would not see.
    if (event.kind !== "gained") {
      this.#mirror?.look(turn, { peers: this.#peers, isProved: this.#isProved });
    }
    this.#checkOn(turn);
    const { mirror } = turn.facts;
    const isNobody = mirror !== null && mirror.refusal !== null && !this.#peers.canAsk(turn.facts);
    if (this.#phase === "fetching" && this.#check === null && isNobody) this.#failForNobody(turn);
  }

  #nextWakeMs(turn: Turn): number {
    if (this.#phase === "over") return Infinity;
    if (this.#phase !== "fetching") return this.#deadlineMs;
    const mirror = this.#mirror?.wakeMs(turn, { peers: this.#peers, isProved: this.#isProved });
    return Math.min(this.#deadlineMs, this.#peers.wakeMs(turn.nowMs), mirror ?? Infinity);
  }

  /** Rule 9: lets time pass. */
  #tick(turn: Turn): void {
    const { nowMs, facts } = turn;
    if (nowMs >= this.#deadlineMs) {
      const here = this.#peers.followed === null ? undefined : facts.swarm ?? undefined;
      return this.#fail(turn, outOfTime(this.#request, here, facts.surroundings));
    }
    // To check a big file that is here takes its time.
    if (this.#phase !== "fetching" || this.#check?.kind === "here") return;
    if (!this.#peers.tick(turn)) return;
    if (facts.mirror?.refusal === null) this.#peers.searchOn(turn);
    else this.#failForNobody(turn);
  }

  /** Rule 1. */
  #lookedUp(
    turn: Turn,
    { file, hasWrongCopy }: Extract<FetchEvent, { readonly kind: "looked-up" }>,
  ): void {
    this.#foundOut.hasWrongCopy = hasWrongCopy;
    if (file !== undefined) return this.#finish(turn, { kind: "local", file });
    this.#phase = "fetching";
    this.#peers.start(turn);
  }

  /** A candidate is followed, whose bytes may be read. */
  #joined(turn: Turn): void {
    const candidate = this.#peers.joined(turn);
    if (candidate === null) return;
    const { root, sizeBytes, offerers } = candidate;
    const { sha256, chunks, name } = this.#request;
    const swarm = turn.facts.swarm!;
    this.#isProved = false;
    this.#waiting.isSwarmComplete = false;
    const before = this.#shown.candidate;
    if (before !== null && before.key !== candidate.key) {
      this.#dropPeers(turn, "another file is followed");
    }
    this.#found(turn, {
      root,
      name: name || candidate.name,
      sizeBytes,
      sources: offerers.size,
      bytesHad: swarm.bytesHad,
    });
    if (sha256 !== null && chunks === null && turn.facts.sha256Of(root) === undefined) {
      turn.emit({ kind: "hash-as-it-comes" });
    }
    const mirrorBytes = turn.facts.mirror?.sizeBytes ?? null;
    // A mirror that has another size is dealt with next; until then its bytes stay as they are.
    if (mirrorBytes === null || mirrorBytes === sizeBytes) this.#showPeers(turn, candidate);
    this.#mirror?.followed(turn);
    this.#peers.callBack(turn);
    turn.emit({ kind: "start-swarm" });
    this.#compareSizes(turn);
  }

  /** Chunks came of what is followed. */
  #gained(turn: Turn, range: ChunkRange, by: ChunkOrigin): void {
    const { followed } = this.#peers;
    if (followed === null) return;
    if (by !== "here") this.#peers.fed();
    // The mirror of another fetch of the same file says nothing to this one.
    const isMirrors = by === "own-mirror";
    if (isMirrors) this.#mirror!.heard(turn.nowMs);
    if (this.#mirror?.isApart || this.#shown.sizeBytes !== followed.sizeBytes) return;
    turn.emit({ kind: "tell", range, isMirrors: false });
    if (this.#isProved) return turn.emit({ kind: "release-proved", range });
    if (!isMirrors) return;
    const safe = this.#mirror!.safe(range, followed.sizeBytes);
    if (safe.count > 0) turn.emit({ kind: "release", range: safe });
  }

  #mirrorOpened(turn: Turn): void {
    const { followed } = this.#peers;
    const isOther = followed !== null &&
      this.#mirror!.sizeProblem(turn.facts.mirror!, followed) !== undefined;
    if (isOther && !this.#mirror!.isApart) this.#compareSizes(turn);
    else this.#showMirror(turn);
  }

  /** The mirror's bytes are to be shown: those who wait hear of the file. */
  #showMirror(turn: Turn): void {
    const { sizeBytes, isOpen } = turn.facts.mirror!;
    this.#mirror!.show(turn);
    if (sizeBytes === null || !isOpen) return;
    this.#shown.sizeBytes = sizeBytes;
    if (this.#shown.toldBytes === sizeBytes) return;
    const root = rootOf(this.#request, this.#peers.followed);
    this.#found(turn, { root, name: this.#request.name, sizeBytes, sources: 0, bytesHad: 0 });
  }

  #showPeers(turn: Turn, candidate: Candidate): void {
    const { key, sizeBytes } = candidate;
    const wasShown = this.#shown.candidate?.key === key && this.#shown.sizeBytes === sizeBytes;
    turn.emit({ kind: "show-peers" });
    this.#shown.sizeBytes = sizeBytes;
    this.#shown.candidate = candidate;
    // What came while something else was shown is told now.
    if (!wasShown && turn.facts.swarm?.hasBegun) turn.emit({ kind: "tell-peers" });
  }

  #dropPeers(turn: Turn, reason: string): void {
    turn.emit({ kind: "drop-peers", reason });
    this.#shown.candidate = null;
  }

  #found(
    turn: Turn,
    found: {
      readonly root: Root;
      readonly name: string;
      readonly sizeBytes: number;
      readonly sources: number;
      readonly bytesHad: number;
    },
  ): void {
    this.#shown.toldBytes = found.sizeBytes;
    turn.emit({ kind: "notice", notice: { kind: "found", ...found } });
  }

  // Rules 3 and 4: what is proved

  /** Whether a complete file of that name has to be held to the mirrors. */
  get #comparesWithMirror(): boolean {
    const { root, sha256 } = this.#request;
    return this.#mirror !== null && root === null && sha256 === null;
  }

  /** Looks whether what peers give is proved by now. */
  #assess(turn: Turn): void {
    const { followed, candidates } = this.#peers;
    if (this.#isProved || followed === null || this.#mirror?.isApart) return;
    if (this.#shown.sizeBytes !== followed.sizeBytes || this.#phase !== "fetching") return;
    const { root, sha256 } = this.#request;
    const isProved = root === null && sha256 !== null
      ? turn.facts.sha256Of(followed.root) === sha256
      : root !== null && candidates.isCertain(followed) ||
        candidates.unsettledMs(turn.nowMs) <= 0 && !this.#needsMirror(turn, followed);
    if (isProved) this.#prove(turn, followed);
  }

  /** Whether nothing but a mirror can say if what peers give is meant, and it may still do so. */
  #needsMirror({ facts, nowMs }: Turn, followed: Candidate): boolean {
    const side = this.#mirror;
    if (side === null || !this.#comparesWithMirror || this.#isProved) return false;
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
    this.#showPeers(turn, candidate);
    if (!this.#isProved) note(turn, `What peers give is proved, root ${candidate.root}`);
    this.#isProved = true;
    turn.emit({ kind: "release-all" });
  }

  // Rule 5: mirror and candidate differ

  #compareSizes(turn: Turn): void {
    const { followed } = this.#peers;
    if (followed === null || this.#mirror === null || this.#mirror.isPaused) return;
    const problem = this.#mirror.sizeProblem(turn.facts.mirror!, followed);
    if (problem !== undefined) this.#differs(turn, problem, turn.facts.mirror!.label ?? undefined);
  }

  #differs(turn: Turn, why: string, culprit: string | undefined): void {
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
      this.#dropPeers(turn, why);
      this.#mirror!.goApart(turn);
      this.#showMirror(turn);
    }
  }

  /** The mirrors that gave what is not the file are left; the next one may be asked. */
  #mirrorRejected(turn: Turn): void {
    this.#isRejecting = false;
    if (this.#check?.kind === "mirror") {
      this.#check = null;
      this.#mirror!.resume(turn);
      return this.#compareSizes(turn);
    }
    const { followed } = this.#peers;
    if (followed === null) return;
    this.#showPeers(turn, followed);
    if (this.#isProved) turn.emit({ kind: "release-all" });
  }

  /** A candidate is not the file: what else leads is followed when it is put away. */
  #reject(turn: Turn, candidate: Candidate, why: string): void {
    this.#dropPeers(turn, why);
    this.#peers.reject(turn, candidate, why);
    this.#peers.followLeader(turn);
  }

  /** What is barred is kept for later, and still shown. */
  #noteUnfollowed(turn: Turn, before: Candidate | null): void {
    if (before === null || this.#peers.followed === before || this.#peers.isBarred) return;
    this.#unfollowed(turn);
  }

  /** No candidate is followed any more. */
  #unfollowed(turn: Turn): void {
    this.#isProved = false;
    if (this.#check?.kind === "swarm") this.#check = null;
    this.#shown.candidate = null;
    this.#waiting.isSwarmComplete = false;
    if (this.#mirror === null) return;
    this.#mirror.followed(turn);
    this.#showMirror(turn);
  }

  // Rule 6: one check at a time

  #checkOn(turn: Turn): void {
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
        comparesWithMirror: this.#comparesWithMirror,
      });
      return { kind: "here", candidate: here };
    }
    if (turn.facts.mirror?.isWhole && !this.#isRejecting) return this.#checkMirror(turn);
    const { followed } = this.#peers;
    if (!isSwarmComplete || followed === null) return null;
    this.#waiting.isSwarmComplete = false;
    const isSettled = this.#peers.candidates.isCertain(followed);
    return { kind: "swarm", candidate: followed, isHashing: false, isSettled };
  }

  #hereChecked(
    turn: Turn,
    event: Extract<FetchEvent, { readonly kind: "here-checked" }>,
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
      return this.#finish(turn, { kind: "local", file });
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
    else this.#promote(turn);
    return check;
  }

  #finishPart(turn: Turn): void {
    this.#releaseLast(turn);
    this.#peers.bar(turn);
    this.#finish(turn, { kind: "part", sizeBytes: turn.facts.mirror!.sizeBytes! });
  }

  #mirrorChecked(turn: Turn, found: string): void {
    const { sha256 } = this.#request;
    if (found !== sha256) {
      return this.#leaveMirrors(turn, `its SHA-256 is ${found}, expected ${sha256}`);
    }
    note(turn, "The SHA-256 of what the mirror gave is right");
    this.#promote(turn);
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
    const { firstChunk, nextChunk } = turn.facts.mirror!;
    const range = lastOf(firstChunk, nextChunk);
    if (range.count > 0) turn.emit({ kind: "release", range });
  }

  #mirrorRooted(turn: Turn, root: Root): void {
    if (this.#request.root !== null && this.#request.root !== root) {
      return turn.emit({ kind: "do-not-place" });
    }
    // Nothing is followed when it gets its place: that would be left over beside the file.
    this.#peers.bar(turn);
    turn.emit({ kind: "place" });
  }

  #mirrorPromoted(turn: Turn, file: LocalFile): void {
    const followed = this.#check?.kind === "mirror" ? this.#check.followed : null;
    const shown = this.#shown.candidate;
    const why = `the right file has root ${file.root}`;
    if (shown !== null && shown.root !== file.root) this.#dropPeers(turn, why);
    if (followed !== null && followed.root !== file.root) this.#peers.reject(turn, followed, why);
    const { firstChunk, nextChunk } = turn.facts.mirror!;
    turn.emit({ kind: "release", range: { first: firstChunk, count: nextChunk - firstChunk } });
    this.#finish(turn, { kind: "promoted", file });
  }

  /** What the mirror gave is not the file: the next one is asked, and peers go on. */
  #leaveMirrors(turn: Turn, why: string): void {
    this.#foundOut.isMirrorFalse = true;
    this.#rejectMirror(turn, why);
  }

  #rejectMirror(turn: Turn, why: string, culprit?: string): void {
    this.#isRejecting = true;
    turn.emit({ kind: "reject-mirror", why, culprit });
  }

  /** Rule 8. */
  #checkSwarm(turn: Turn, check: Extract<Check, { readonly kind: "swarm" }>): void {
    const { candidates } = this.#peers;
    if (check.isHashing) return;
    if (!check.isSettled) {
      if (candidates.unsettledMs(turn.nowMs) > 0) return;
      check.isSettled = true;
      this.#peers.followLeader(turn);
    }
    const { followed } = this.#peers;
    if (followed === null || followed.key !== check.candidate.key) {
      this.#check = null;
      return this.#checkOn(turn);
    }
    // What the mirror gave of it is compared with the leaves first: it may have been released.
    const { mirror, importedTo } = turn.facts;
    if (this.mayImport && mirror !== null && importedTo < mirror.nextChunk && !mirror.isWhole) {
      return turn.emit({ kind: "import", isFromFirst: false });
    }
    if (this.#needsMirror(turn, followed)) {
      // Nothing else can tell, and it is here: the mirror is right (rule 5).
      if (turn.facts.mirror!.isWhole && !this.#isRejecting) this.#check = this.#checkMirror(turn);
      return;
    }
    const isChecked = this.#request.sha256 !== null && turn.facts.swarm!.isFull;
    if (!isChecked) return this.#swarmIsRight(turn, followed);
    check.isHashing = true;
    turn.emit({ kind: "check-peers", key: followed.key });
  }

  #peersChecked(
    turn: Turn,
    { key, isRight }: Extract<FetchEvent, { readonly kind: "peers-checked" }>,
  ): void {
    const { followed } = this.#peers;
    // It may be of a candidate that was left meanwhile.
    if (this.#check?.kind !== "swarm" || followed === null || followed.key !== key) return;
    this.#check = null;
    if (!isRight) {
      return this.#reject(turn, followed, "it does not have the SHA-256 that is wanted");
    }
    note(turn, "The SHA-256 of what peers gave is right");
    this.#swarmIsRight(turn, followed);
  }

  #swarmIsRight(turn: Turn, followed: Candidate): void {
    this.#prove(turn, followed);
    this.#finish(turn, { kind: "swarm" });
  }

  // Rule 9: the end

  #finish(turn: Turn, result: FetchResult): void {
    this.#phase = "over";
    turn.emit({ kind: "finish", result });
  }

  #fail(turn: Turn, error: Error): void {
    this.#phase = "over";
    turn.emit({ kind: "fail", error });
  }

  #failForNobody(turn: Turn): void {
    const { facts } = turn;
    const peers = this.#peers;
    const { tooShortChunks, isHidden, candidates: { anyFalse, unfit } } = peers;
    if (tooShortChunks !== null) {
      return this.#fail(turn, rangeOutside(this.#request.chunks!, tooShortChunks));
    }
    const failure = nobodyLeft(this.#request, {
      ...facts.surroundings,
      ...this.#foundOut,
      isHidden,
      anyFalse,
      unfit,
      here: peers.followed === null ? undefined : facts.swarm ?? undefined,
      refusal: facts.mirror?.refusal ?? null,
    });
    this.#fail(turn, failure);
  }

  /** Somebody stopped it, perhaps because nobody has it. */
  #stopped(turn: Turn, isNotFound: boolean): void {
    const { followed, candidates } = this.#peers;
    const isNobody = isNotFound ||
      followed === null && candidates.anyFalse && this.#mirror === null;
    if (isNobody) this.#failForNobody(turn);
    else this.#fail(turn, new FetchFailure("failed", "The fetch was stopped"));
  }
}
