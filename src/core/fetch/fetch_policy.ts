/**
 * The policy of one fetch: what peers and mirrors (origins) are asked for, which of the two is
 * right, what may be shown to a client that can never give it back, when the fetch ends and how.
 * Pure: `step(event, nowMs, facts)` gives effects; no I/O, no clock.
 *
 * Rules
 *  1. A complete file of this machine that fits the request ends the fetch. Where only a name is
 *     given and mirrors are named, it must be the file that they have, as far as they say.
 *  2. Peers and mirrors are asked side by side: `peer_side.ts` says which candidate is followed,
 *     `mirror_side.ts` what the mirrors do, `verification.ts` which of the two is right (rules 4 to 8).
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
 *     What fellows gave of it (`core/crowd`) is mended first, and where there is no SHA-256, compared
 *     with the mirror in part; none of it is released before.
 *  8. What the swarm brought is the file when it is settled that its candidate leads, a mirror that
 *     must be heard was heard, all that the mirror gave until then was compared, and it has the
 *     SHA-256 that is wanted; else the candidate is thrown away with those who offered it.
 *  9. The fetch fails when nobody can be asked any more or was waited for long enough and no mirror
 *     may give the file; when its time is out; when it is stopped; when the disk refuses; and at once
 *     when the request says how long the file is, and wants chunks behind its end.
 * 10. For a client that cannot wait for the check of the whole, `client_hold.ts` says what is released
 *     before, and when it waits in vain: then the fetch fails as if nobody had the file.
 * 11. Where only nodes say which file is meant, and somebody came back for it, the mirrors alone are
 *     asked, for all of it: a copy here that nothing proves does not count (rule 1), and no node is
 *     asked (rule 16 of `peer_side.ts`). What they give proves that copy, or contradicts it.
 */

import { FetchFailure, type OfKind, unreachable } from "../../base/errors.ts";
import { type ChunkRange, rangeOutside } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import type { FileOffer } from "../../wire/structures.ts";
import type { Candidate, Candidates } from "./candidates.ts";
import type {
  ChunkOrigin,
  FetchEffect,
  FetchFacts,
  FetchPolicyEvent,
  Turn,
} from "./fetch_events.ts";
import { nobodyLeft, outOfTime } from "./fetch_failures.ts";
import { ClientHold, type WaitingClient } from "./client_hold.ts";
import type { ComingView } from "./files_coming.ts";
import { MirrorSide } from "./mirror_side.ts";
import { PeerSide } from "./peer_side.ts";
import { ShownFile } from "./shown_file.ts";
import { Verification } from "./verification.ts";
import { outsideOf } from "./wanted_range.ts";

/** The phases of a fetch. */
type FetchPhase = "new" | "looking" | "fetching" | "over";

/** What nodes say of files: nothing of it counts where they are not believed (rule 11). */
const OF_NODES: ReadonlySet<FetchPolicyEvent["kind"]> = new Set<FetchPolicyEvent["kind"]>([
  "offered",
  "in-flight",
  "appeared",
  "hit",
  "near-began",
  "listed",
]);

/** The policy of one fetch. */
export class FetchPolicy {
  readonly #request: FetchRequest;
  readonly #deadlineMs: number;
  readonly #peers: PeerSide;
  /** Null when no mirror is named. */
  readonly #mirror: MirrorSide | null;
  #phase: FetchPhase = "new";
  readonly #shown: ShownFile;
  readonly #verification: Verification;
  /** Null where nobody is in a hurry, or nothing will tell at the end that a file is right. */
  readonly #hold: ClientHold | null;
  #wakeMs = Infinity;

  constructor(
    request: FetchRequest,
    options: {
      readonly nowMs: number;
      /** How long nobody may offer anything. */
      readonly searchMs: number;
      /** Whether mirror and peers write to one place, so that only one of them may at a time. */
      readonly sharesPlace: boolean;
      /** Who waits for it and can never give back what it got; by default nobody is in a hurry. */
      readonly client?: WaitingClient;
      /** Whether linked nodes may be asked to pass the file on; by default they may. */
      readonly mayAskRelays?: boolean;
      /** Rule 11; by default nodes are asked. */
      readonly mirrorsAlone?: boolean;
    },
  ) {
    const { nowMs } = options;
    this.#request = request;
    this.#deadlineMs = request.timeoutMs > 0 ? nowMs + request.timeoutMs : Infinity;
    this.#peers = new PeerSide(request, options);
    this.#mirror = request.mirrors.length > 0 ? new MirrorSide(request, options) : null;
    const { client } = options;
    const isChecked = request.sha256 !== null && request.root === null && request.chunks === null;
    this.#hold = client === undefined || !isChecked ? null : new ClientHold(client, { nowMs });
    const sides = { peers: this.#peers, mirror: this.#mirror };
    this.#shown = new ShownFile(request, sides);
    this.#verification = new Verification(request, { ...sides, shown: this.#shown });
  }

  /** Queries that were flooded, and offers that were heard. */
  get queries(): number {
    return this.#peers.queries;
  }

  get offers(): number {
    return this.#peers.offers;
  }

  /** Whether anybody was heard of that has what is sought. */
  get isHeardOf(): boolean {
    return this.#peers.isHeardOf;
  }

  /** How far the file is at nodes that are just getting it; null where that is of no matter. */
  coming(nowMs: number): ComingView | null {
    return this.#peers.coming(nowMs);
  }

  /** Whether nothing counts any more: the fetch has its file, or failed. */
  get isOver(): boolean {
    return this.#phase === "over" || this.#verification.isFinished;
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#verification.isProved;
  }

  /** The candidate that is followed. */
  get followed(): Candidate | null {
    return this.#peers.followed;
  }

  /** Whether anybody was heard to offer a file of this root. */
  isOffered(root: Root): boolean {
    return this.#peers.candidates.isOffered(root);
  }

  /** What was heard of the files that go by the name. */
  get heard(): Pick<Candidates, "othersThan" | "offerersOf" | "isListed"> {
    return this.#peers.candidates;
  }

  /** Bytes of the file, as far as they were told. */
  get sizeBytes(): number | null {
    return this.#shown.toldBytes;
  }

  /** Whether what the mirror gives is to be compared with the leaves of the candidate. */
  get mayImport(): boolean {
    return this.#isFetching && this.#verification.mayImport;
  }

  get #isFetching(): boolean {
    return this.#phase === "fetching" && !this.#verification.isFinished;
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
  step(event: FetchPolicyEvent, nowMs: number, facts: FetchFacts): readonly FetchEffect[] {
    if (this.isOver) return [];
    const effects: FetchEffect[] = [];
    const turn: Turn = { nowMs, facts, emit: (effect) => effects.push(effect) };
    const before = this.#peers.followed;
    this.#take(turn, event);
    this.#noteUnfollowed(turn, before);
    const taken = this.#peers.followed;
    if (this.#isFetching) this.#goOn(turn, event);
    if (this.#isFetching) this.#noteUnfollowed(turn, taken);
    this.#wakeMs = this.#nextWakeMs(turn);
    return effects;
  }

  #take(turn: Turn, event: FetchPolicyEvent): void {
    if (!this.#peers.asksNodes && OF_NODES.has(event.kind)) return;
    switch (event.kind) {
      case "start": {
        const outside = outsideOf(this.#request);
        if (outside !== undefined) return this.#fail(turn, outside);
        this.#phase = "looking";
        turn.emit({ kind: "look-up", comparesWithMirror: this.#verification.comparesWithMirror });
        break;
      }
      case "tick":
        this.#tick(turn);
        break;
      case "looked-up":
        this.#lookedUp(turn, event);
        break;
      case "offered":
        this.#peers.offered(turn, event);
        break;
      case "in-flight":
        this.#peers.inFlight(turn, event);
        break;
      case "appeared":
        this.#peers.appeared(turn, event);
        break;
      case "hit":
        this.#peers.hit(turn, event);
        break;
      case "near-began":
        this.#peers.nearBegan(turn, event);
        break;
      case "relay-answered":
        this.#peers.relayAnswered(turn, event);
        break;
      case "not-reached":
        this.#peers.notReached(turn, event);
        break;
      case "listed":
        this.#peers.listed(turn, event);
        break;
      case "joined":
        this.#joined(turn);
        break;
      case "is-here":
        this.#peers.isHere();
        this.#verification.isHere(event.candidate);
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
        this.#verification.swarmCompleted();
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
        if (!this.#mirror!.isPaused) this.#verification.differs(turn, event.why, event.culprit);
        break;
      case "mirror-rejected":
        this.#verification.mirrorRejected(turn);
        break;
      case "place-left":
        this.#mirror!.placeLeft(turn, this.#peers);
        break;
      case "crowd-changed":
        break;
      case "crowd-mended":
        this.#verification.crowdMended(turn, event.isSame);
        break;
      case "crowd-audited":
        this.#verification.crowdAudited(turn, event.isRight);
        break;
      case "peers-checked":
        this.#verification.peersChecked(turn, event);
        break;
      case "mirror-checked":
        this.#verification.mirrorChecked(turn, event.sha256);
        break;
      case "mirror-rooted":
        this.#verification.mirrorRooted(turn, event.root);
        break;
      case "mirror-promoted":
        this.#verification.mirrorPromoted(turn, event.file);
        break;
      case "mirror-not-promoted":
        this.#verification.leaveMirrors(turn, `its root is ${event.root}`);
        break;
      case "here-checked":
        this.#verification.hereChecked(turn, event);
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
  #goOn(turn: Turn, event: FetchPolicyEvent): void {
    // The result of the attempt is the next event.
    if (this.#peers.isTrying) return;
    const verification = this.#verification;
    verification.assess(turn);
    this.#look(turn);
    if (!this.#isFetching) return;
    // Chunks alone change nothing for the mirror that its next look would not see.
    if (event.kind !== "gained") {
      this.#mirror?.look(turn, { peers: this.#peers, isProved: verification.isReleased });
    }
    verification.checkOn(turn);
    const { mirror, crowd } = turn.facts;
    const isNobody = mirror !== null && mirror.refusal !== null &&
      !this.#peers.canAsk(turn.facts) && !this.#peers.isLinking(turn) && !crowd?.isComing;
    if (this.#isFetching && verification.checking === null && isNobody) this.#failForNobody(turn);
  }

  #nextWakeMs(turn: Turn): number {
    if (this.isOver) return Infinity;
    if (this.#phase !== "fetching") return this.#deadlineMs;
    const { isReleased: isProved } = this.#verification;
    const mirror = this.#mirror?.wakeMs(turn, { peers: this.#peers, isProved });
    return Math.min(this.#deadlineMs, this.#peers.wakeMs(turn.nowMs), mirror ?? Infinity);
  }

  /** Rule 10. */
  #look(turn: Turn): void {
    const { followed, candidates } = this.#peers;
    const { swarm } = turn.facts;
    if (this.#hold === null || followed === null || swarm === null) return;
    if (this.#hold.mayStream(followed, candidates)) this.#verification.vouch(turn);
    if (this.#verification.isReleased || this.#verification.checking !== null) return;
    const why = this.#hold.inVain(followed, swarm, turn.nowMs);
    if (why === undefined) return;
    this.#fail(
      turn,
      new FetchFailure("notFound", `Cannot give ${this.#request.name} in time: ${why}`),
    );
  }

  /** Rule 9: lets time pass. */
  #tick(turn: Turn): void {
    const { nowMs, facts } = turn;
    if (nowMs >= this.#deadlineMs) {
      const here = this.#peers.followed === null ? undefined : facts.swarm ?? undefined;
      const seen = { ...facts.surroundings, unreached: this.#peers.unreached };
      return this.#fail(turn, outOfTime(this.#request, here, seen));
    }
    // To check a big file that is here takes its time.
    if (this.#phase !== "fetching" || this.#verification.checking === "here") return;
    if (!this.#peers.tick(turn)) return;
    if (facts.mirror?.refusal === null || facts.crowd?.isComing) this.#peers.searchOn(turn);
    else this.#failForNobody(turn);
  }

  /** Rule 1. */
  #lookedUp(
    turn: Turn,
    { file, hasWrongCopy, part }: OfKind<FetchPolicyEvent, "looked-up">,
  ): void {
    if (hasWrongCopy) this.#verification.foundWrongCopy();
    if (file !== undefined) return this.#verification.finish(turn, { kind: "local", file });
    this.#phase = "fetching";
    this.#mirror?.begin(turn, this.#peers);
    this.#peers.start(turn);
    // A mirror is asked for what is missing of it, whether or not anybody offers it.
    if (part !== undefined && this.#mirror !== null) this.#peers.partIsHere(turn, part);
  }

  /** A candidate is followed, whose bytes may be read. */
  #joined(turn: Turn): void {
    const candidate = this.#peers.joined(turn);
    if (candidate === null) return;
    const { root, sizeBytes, offerers } = candidate;
    const { sha256, chunks, name } = this.#request;
    const swarm = turn.facts.swarm!;
    this.#verification.begin();
    const before = this.#shown.candidate;
    if (before !== null && before.key !== candidate.key) {
      this.#shown.dropPeers(turn, "another file is followed");
    }
    this.#shown.found(turn, {
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
    if (mirrorBytes === null || mirrorBytes === sizeBytes) this.#shown.showPeers(turn, candidate);
    this.#mirror?.followed(turn);
    this.#peers.callBack(turn);
    turn.emit({ kind: "start-swarm" });
    this.#verification.compareSizes(turn);
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
    const proved = this.#verification.releasable(range, followed);
    if (proved.count > 0) turn.emit({ kind: "release-proved", range: proved });
    if (!isMirrors || proved.count > 0) return;
    const safe = this.#mirror!.safe(range, followed.sizeBytes);
    if (safe.count > 0) turn.emit({ kind: "release", range: safe });
  }

  #mirrorOpened(turn: Turn): void {
    const { followed } = this.#peers;
    const isOther = followed !== null &&
      this.#mirror!.sizeProblem(turn.facts.mirror!, followed) !== undefined;
    if (isOther && !this.#mirror!.isApart) this.#verification.compareSizes(turn);
    else this.#shown.showMirror(turn);
  }

  /** What is barred is kept for later, and still shown. */
  #noteUnfollowed(turn: Turn, before: Candidate | null): void {
    if (before === null || this.#peers.followed === before || this.#peers.isBarred) return;
    this.#verification.unfollowed(turn);
  }

  // Rule 9: the end

  #fail(turn: Turn, error: Error): void {
    this.#phase = "over";
    turn.emit({ kind: "fail", error });
  }

  #failForNobody(turn: Turn): void {
    const { facts } = turn;
    const peers = this.#peers;
    const { tooShortChunks, unreached, candidates: { anyFalse, unfit } } = peers;
    if (tooShortChunks !== null) {
      return this.#fail(turn, rangeOutside(this.#request.chunks!, tooShortChunks));
    }
    const failure = nobodyLeft(this.#request, {
      ...facts.surroundings,
      ...this.#verification.foundOut,
      unreached,
      anyFalse,
      unfit,
      here: peers.followed === null ? undefined : facts.swarm ?? undefined,
      isWithdrawn: peers.followed !== null && (facts.swarm?.isWithdrawn ?? false),
      refusal: facts.mirror?.refusal ?? null,
      asksNodes: peers.asksNodes,
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
