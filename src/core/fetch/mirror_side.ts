/**
 * The mirrors' (origins') side of one fetch: has them do what `mirror_plan.ts` says, and keeps what
 * they say of the candidate that peers give. Which of the two is right is decided in
 * `fetch_policy.ts`.
 *
 * Rules
 *  1. What a mirror gives in order is compared with the leaves of peers once those are here, and what
 *     is right is taken into the swarm. Where mirror and peers write to one place, that is done
 *     by looking through what lies there.
 *  2. A mirror agrees with a candidate when its size and its first chunks (`headBytes`) are the same.
 *  3. A mirror is worth waiting for before its time has come; while it was asked, or gave something,
 *     within `hedgeAnswerMs`, and did not fail lately; and while what it gave is still being compared
 *     with the leaves, or this node's own rate holds it back. One that was asked, and said nothing, is called bad, so that the next file
 *     does not wait as long.
 *  4. Of what a mirror gives of a file that can be checked as a whole, the last chunk is released
 *     only when the check is done: a wrong file is never whole in a client's hands.
 *  5. Where mirror and peers write to one place, only one of them does at a time. The mirror takes
 *     the place over to give all. It hands it to peers once, as soon as a candidate leads, unless it
 *     is done within `hedgeHandoverMs`; and for good when no mirror gives the file.
 *  6. While what the mirrors gave is checked as a whole, all rests.
 */

import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { type Root, UNKNOWN_ROOT } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { Candidate } from "./candidates.ts";
import {
  type FetchFacts,
  type MirrorFacts,
  note,
  type SwarmFacts,
  type Turn,
} from "./fetch_events.ts";
import {
  headBytes,
  type MirrorPart,
  MirrorPlan,
  type PeersView,
  type PlanView,
} from "./mirror_plan.ts";
import type { PeerSide } from "./peer_side.ts";
import { wantedChunks } from "./wanted_range.ts";

/** What a mirror was asked for last. */
interface AskedPart {
  part: MirrorPart["kind"];
  /** How far it was told to read. */
  toBytes: number;
  /** Whether it is a source of the swarm; whether it gives its share of what fellows get. */
  isInSwarm: boolean;
  isShared: boolean;
}

/** Rule 5: the place that mirror and peers share. */
interface SharedPlace {
  wasHandedOver: boolean;
  /** Whether the mirror is just leaving it. */
  isLeaving: boolean;
}

/** The mirrors' side of a fetch. */
export class MirrorSide {
  /** Whether mirror and candidate differ, and both go on until one is proved. */
  isApart = false;
  readonly #request: FetchRequest;
  readonly #startMs: number;
  /** Null where the two write to places of their own. */
  readonly #place: SharedPlace | null;
  readonly #plan: MirrorPlan;
  readonly #asked: AskedPart = {
    part: "nothing",
    toBytes: 0,
    isInSwarm: false,
    isShared: false,
  };
  /** Since when the candidate is followed, and since when its chunks can come. */
  #candidateMs = { followed: 0, begun: null as number | null };
  /** Whether what the mirror gives is shown to those who wait. */
  #isShown = false;
  /** When the mirror was asked, or gave something, last; and whether it was worth waiting for. */
  #answers: { heardMs: number; isExpected: boolean };
  /** Rule 6. */
  #isPaused = false;

  constructor(
    request: FetchRequest,
    { nowMs, sharesPlace }: { readonly nowMs: number; readonly sharesPlace: boolean },
  ) {
    this.#request = request;
    this.#startMs = nowMs;
    this.#place = sharesPlace ? { wasHandedOver: false, isLeaving: false } : null;
    const { mirrorDelayMs } = request;
    this.#plan = new MirrorPlan(mirrorDelayMs === null ? {} : { delayMs: mirrorDelayMs });
    this.#answers = { heardMs: nowMs + (mirrorDelayMs ?? 0), isExpected: true };
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether nothing but the mirrors says which file is meant, and so they can be compared with. */
  get canCompare(): boolean {
    return this.#place === null;
  }

  /** Rule 3. */
  isAnswering({ mirror, importedTo }: FetchFacts, nowMs: number): boolean {
    if (mirror === null) return false;
    if (importedTo < mirror.nextChunk || mirror.isHeld) return true;
    if (nowMs - this.#answers.heardMs >= limits.hedgeAnswerMs) return false;
    return mirror.label !== null && !mirror.isBad;
  }

  /** Rule 2. */
  isAgreed({ mirror, importedTo }: FetchFacts, followed: Candidate): boolean {
    const { sizeBytes, firstChunk } = mirror!;
    if (sizeBytes === null || sizeBytes !== followed.sizeBytes) return false;
    const { first, count } = wantedChunks(this.#request, sizeBytes);
    const head = firstChunk + headBytes(sizeBytes) / CHUNK_BYTES;
    return importedTo >= Math.min(head, first + count);
  }

  /** Rule 4: of chunks that a mirror gave, those that may be released before the whole is checked. */
  safe(range: ChunkRange, sizeBytes: number): ChunkRange {
    if (this.#request.sha256 === null && this.#request.root === null) return range;
    const last = chunkCount(sizeBytes) - 1;
    return { first: range.first, count: Math.min(range.count, last - range.first) };
  }

  /** The mirror gave something. */
  heard(nowMs: number): void {
    this.#answers.heardMs = nowMs;
  }

  /** Rule 6: takes the mirror out of the swarm; nothing goes on until {@linkcode resume}. */
  pause(turn: Turn): void {
    this.#isPaused = true;
    this.#quitSwarm(turn);
  }

  /** The search begins: says how long peers are asked alone, where a person decided that. */
  begin(turn: Turn, peers: PeerSide): void {
    if (!peers.asksNodes) {
      return note(
        turn,
        "Only nodes say what the file is: the mirror alone is asked, for all of it",
      );
    }
    const { mirrorDelayMs } = this.#request;
    if (mirrorDelayMs === null) return;
    note(turn, `Peers alone are asked for ${mirrorDelayMs / 1_000} s, as a person said`);
  }

  resume(turn: Turn): void {
    this.#isPaused = false;
    this.#import(turn);
  }

  /** Another candidate is followed, or none. */
  followed(turn: Turn): void {
    this.#quitSwarm(turn);
    this.isApart = false;
    this.#candidateMs = { followed: turn.nowMs, begun: null };
    this.#import(turn, { isFromFirst: true });
  }

  /** The mirror's bytes are shown apart from those of the peers from now on. */
  goApart(turn: Turn): void {
    this.isApart = true;
    this.#quitSwarm(turn);
  }

  /** Shows what the mirror gave; all of it is told again when it was not shown. */
  show(turn: Turn): void {
    const { sizeBytes, isOpen, firstChunk, nextChunk } = turn.facts.mirror!;
    if (sizeBytes === null || !isOpen) return;
    turn.emit({ kind: "show-mirror", sizeBytes });
    const wasShown = this.#isShown;
    this.#isShown = true;
    if (!wasShown) this.#tell(turn, { first: firstChunk, count: nextChunk - firstChunk });
  }

  arrived(turn: Turn, range: ChunkRange): void {
    this.heard(turn.nowMs);
    if (this.#isShown) this.#tell(turn, range);
    this.#import(turn);
  }

  restarted(turn: Turn, reason: string): void {
    this.#isShown = false;
    turn.emit({ kind: "threw-away", track: "mirror" });
    turn.emit({ kind: "drop-mirror", reason });
  }

  /** The mirror is no source of the swarm any more. */
  leftSwarm(): void {
    this.#asked.isInSwarm = false;
  }

  /** Rule 5: the mirror writes there no more: peers may. */
  placeLeft(turn: Turn, peers: PeerSide): void {
    this.#place!.isLeaving = false;
    this.#isShown = false;
    turn.emit({ kind: "drop-mirror", reason: "peers give it from now on" });
    peers.unbar(turn);
  }

  /** Why the mirror does not have the file of the candidate, by its size; undefined if it may. */
  sizeProblem({ sizeBytes }: MirrorFacts, followed: Candidate): string | undefined {
    if (sizeBytes === null || sizeBytes === followed.sizeBytes) return undefined;
    return `the mirror's file has ${sizeBytes} bytes, that of peers ${followed.sizeBytes}`;
  }

  /** Has the mirror do what the plan says. `isProved`: what peers give may be released. */
  look(turn: Turn, { peers, isProved }: { readonly peers: PeerSide; readonly isProved: boolean }) {
    if (this.#isPaused) return;
    const mirror = turn.facts.mirror!;
    if (mirror.refusal !== null) this.#quitSwarm(turn);
    this.#noteAnswering(turn, mirror);
    this.#noteBegun(turn, peers);
    if (this.#place !== null && this.#mayHandOver(turn, this.#place, { mirror, peers })) return;
    if (mirror.refusal !== null || mirror.isWhole) return;
    const view = this.#view(turn, { peers, isProved });
    this.#apply(turn, { part: this.#plan.decide(view), peers, view });
  }

  /** When something is due because time has passed, and nothing else. */
  wakeMs(turn: Turn, state: { readonly peers: PeerSide; readonly isProved: boolean }): number {
    const mirror = turn.facts.mirror!;
    if (this.#isPaused || this.#place?.isLeaving) return Infinity;
    const answerMs = this.#answers.heardMs + limits.hedgeAnswerMs;
    const answersMs = turn.nowMs < answerMs ? answerMs : Infinity;
    if (mirror.refusal !== null || mirror.isWhole) return answersMs;
    return Math.min(answersMs, this.#plan.nextLookMs(this.#view(turn, state)));
  }

  #tell(turn: Turn, range: ChunkRange): void {
    if (range.count === 0) return;
    turn.emit({ kind: "tell", range, isMirrors: true });
    const safe = this.safe(range, turn.facts.mirror!.sizeBytes!);
    if (safe.count > 0) turn.emit({ kind: "release", range: safe });
  }

  /** Rule 1. */
  #import(turn: Turn, { isFromFirst = false } = {}): void {
    turn.emit({ kind: "import", isFromFirst });
  }

  #quitSwarm(turn: Turn): void {
    if (!this.#asked.isInSwarm) return;
    this.#asked.isInSwarm = false;
    turn.emit({ kind: "mirror-ranges", isOn: false });
  }

  /** Rule 3. */
  #noteAnswering({ nowMs, facts, emit }: Turn, mirror: MirrorFacts): void {
    const isExpected = this.isAnswering(facts, nowMs);
    if (isExpected === this.#answers.isExpected) return;
    this.#answers.isExpected = isExpected;
    const { root, sha256 } = this.#request;
    const { part } = this.#asked;
    const isWaitedFor = root === null && sha256 === null && (part === "head" || part === "whole");
    if (isExpected || !isWaitedFor || mirror.bytes > 0 || mirror.label === null) return;
    emit({ kind: "mirror-is-bad", label: mirror.label });
  }

  #noteBegun(turn: Turn, peers: PeerSide): void {
    const { swarm } = turn.facts;
    if (this.#candidateMs.begun !== null || peers.followed === null || swarm === null) return;
    // In a shared place what the mirror wrote is looked through first.
    if (!(this.#place === null ? swarm.hasBegun : swarm.hasLeaves)) return;
    this.#candidateMs.begun = turn.nowMs;
    this.#import(turn);
  }

  #view(
    { nowMs, facts }: Turn,
    { peers, isProved }: { readonly peers: PeerSide; readonly isProved: boolean },
  ): PlanView {
    const { surroundings: { isAlone, linkCount, linksDialling, addressCount, directories } } =
      facts;
    const { root, sha256, mirrorDelayMs } = this.#request;
    const mirror = facts.mirror!;
    const swarm = peers.followed === null ? null : facts.swarm;
    return {
      nowMs,
      startMs: this.#startMs,
      // Time that a person gives is given to nodes that are only known as well: they may come.
      canAskPeers: peers.canAsk(facts) ||
        peers.asksNodes && mirrorDelayMs !== null && addressCount > 0,
      isLinking: isAlone && linkCount === 0 && linksDialling > 0,
      hasLinks: linkCount > 0,
      hasDirectories: directories.size > 0 &&
        directories.size > directories.faults.filter(({ isFailed }) => isFailed).length,
      givesRanges: mirror.givesRanges,
      peers: swarm === null ? null : this.#peersView(peers.followed!, swarm),
      crowd: facts.crowd,
      isNobodyThere: facts.searchOutcome === "nothing",
      sizeBytes: mirror.sizeBytes ?? this.#request.sizeBytes,
      needsWord: root === null && sha256 === null && !isProved,
      isReleased: isProved && (swarm?.bytesDone ?? 0) > 0,
      isApart: this.isApart,
      mirrorBytes: mirror.bytes,
      mirrorBytesLeft: mirror.bytesLeft,
      mirrorBytesPerSecond: mirror.bytesPerSecond,
    };
  }

  #peersView({ sizeBytes }: Candidate, swarm: SwarmFacts): PeersView {
    return {
      sizeBytes,
      followedMs: this.#candidateMs.followed,
      begunMs: this.#candidateMs.begun,
      isStalled: swarm.peersGiving === 0 || swarm.needsSources,
      bytesGiven: swarm.peerBytes,
      bytesPerSecond: swarm.peersBytesPerSecond,
      bytesLeft: swarm.bytesTotal - swarm.bytesDone,
      isHeld: swarm.isHeld,
    };
  }

  #apply(
    turn: Turn,
    { part, peers, view }: {
      readonly part: MirrorPart;
      readonly peers: PeerSide;
      readonly view: PlanView;
    },
  ) {
    const asked = this.#asked;
    // In a shared place nobody reads before the end: first bytes are of no use.
    const kind = part.kind === "head" && this.#place !== null ? "nothing" : part.kind;
    if (kind !== asked.part) {
      // Only from when it is asked is it waited for.
      if (asked.part === "nothing" || asked.part === "ranges") this.heard(turn.nowMs);
      asked.part = kind;
      note(turn, noteOf(kind, view));
    }
    if (kind !== "ranges") this.#quitSwarm(turn);
    const isAll = kind === "whole" || kind === "shared";
    if (isAll && this.#place !== null) peers.bar(turn);
    const readsAhead = kind === "head" && part.kind === "head" && part.readsAhead;
    this.#share(turn, kind === "shared" || readsAhead);
    this.#readTo(turn, kind === "whole" ? Infinity : this.#firstBytes(part));
    if (kind !== "ranges" || asked.isInSwarm) return;
    asked.isInSwarm = true;
    turn.emit({ kind: "mirror-ranges", isOn: true });
  }

  /** So many bytes the mirror gives for those who wait, in a place that they can read. */
  #firstBytes(part: MirrorPart): number {
    return this.#place === null && (part.kind === "head" || part.kind === "shared")
      ? part.bytes
      : 0;
  }

  #share(turn: Turn, isOn: boolean): void {
    if (this.#asked.isShared === isOn) return;
    this.#asked.isShared = isOn;
    turn.emit({ kind: "share", isOn });
  }

  #readTo(turn: Turn, bytes: number): void {
    if (this.#asked.toBytes === bytes) return;
    this.#asked.toBytes = bytes;
    turn.emit({ kind: "read-mirror", bytes });
  }

  /** Rule 5: hands the place over to peers, when that is of use; true while it is under way. */
  #mayHandOver(
    turn: Turn,
    place: SharedPlace,
    { mirror, peers }: { readonly mirror: MirrorFacts; readonly peers: PeerSide },
  ): boolean {
    if (place.isLeaving) return true;
    if (!peers.isBarred || mirror.isWhole) return false;
    if (mirror.refusal === null) {
      if (place.wasHandedOver || peers.candidates.leader() === undefined) return false;
      if (isDoneWithin(mirror, limits.hedgeHandoverMs)) return false;
      place.wasHandedOver = true;
      this.#plan.handedOver();
    }
    place.isLeaving = true;
    this.#asked.part = "nothing";
    this.#asked.toBytes = 0;
    turn.emit({ kind: "leave-place" });
    return true;
  }
}

/** Of which root what a mirror gives is, as far as anybody knows. */
export function rootOf(request: FetchRequest, followed: Candidate | null): Root {
  return followed?.root ?? request.root ?? UNKNOWN_ROOT;
}

/** Whether all that the mirror still lacks is here that soon. */
function isDoneWithin({ bytesPerSecond, bytesLeft }: MirrorFacts, ms: number): boolean {
  if (bytesPerSecond === undefined || bytesLeft === null) return false;
  return bytesLeft / bytesPerSecond * 1_000 < ms;
}

/** What a mirror is asked for, and why, for a person. */
function noteOf(kind: MirrorPart["kind"], view: PlanView): string {
  switch (kind) {
    case "nothing":
      return view.peers === null
        ? "Somebody else is about to get it: the mirror is asked for nothing until that one is here"
        : "Peers are enough: the mirror is asked for nothing more";
    case "head":
      return view.peers === null
        ? "Others may get it too: the mirror is asked for the first bytes"
        : "Somebody offers it, not proved yet: the mirror is asked for the first bytes";
    case "whole":
      return `${whyWhole(view)}: the mirror is asked for all of it`;
    case "ranges":
      return "Peers are slower than the mirror, or too few: it is asked for ranges";
    case "shared":
      return "Others get it too: each asks its mirror for a part";
  }
}

function whyWhole(view: PlanView): string {
  if (view.isApart) return "Mirror and peers disagree";
  if (view.peers !== null) {
    return view.peers.begunMs === null
      ? "Those who offer it do not begin"
      : "Peers are slower than the mirror, which gives no ranges";
  }
  if (!view.canAskPeers) return "There is nobody else to ask";
  return `Nobody has offered it in ${Math.round(view.nowMs - view.startMs)} ms`;
}
