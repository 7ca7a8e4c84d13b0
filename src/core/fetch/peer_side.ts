/**
 * The peers' side of one fetch: searches, and which candidate is followed. Whether the file that
 * comes in that way is the right one is decided in `fetch_policy.ts`.
 *
 * Rules
 *  1. A fetch follows the first candidate that fits rather than wait for all offers, and moves to
 *     another one if that turns out to lead (`candidates.ts`).
 *  2. A candidate that is complete on this machine is not followed, but checked.
 *  3. The store has one download of a root at a time: while it has another one, the fetch waits for
 *     its end.
 *  4. Holders that were sent away because another candidate was followed, or none could be, are
 *     dialled when their candidate is followed; and a new query tells those that cannot be dialled.
 *  5. A candidate whose check failed is thrown away with those who offered it.
 *  6. While a mirror writes where the peers' bytes would go, nothing is followed.
 *  7. A directory (tracker) that knows who has the whole file, and names nobody, protects
 *     seeders: it is waited for, up to `protectMs`.
 *  8. A candidate whose sources give nothing more for `candidateStarvedMs` is set aside for another;
 *     at once when all have withdrawn it, and others than those offer another.
 *  9. A candidate whose sources are lost is searched for more often, and left if those who offered it
 *     offer another one now: its file was replaced (`candidates.ts`). Once something of it came, only
 *     where no SHA-256 is given and nobody was shown bytes that can never be taken back.
 * 10. A node of one fetch with directories that all failed, and nobody else to ask, gives up after
 *     `hopelessMs`.
 * 11. Where no mirror gives the file, and nodes say that they are just getting it, or just hash it, it is
 *     waited for, and sought every `floodForComingMs` until somebody has its root: as long as they are
 *     heard, and it comes further there within `starvedMs`. This node may be one of them. Of some nothing
 *     more is known than that they are behind some link.
 * 12. A fetch that has no link, or has lost its sources, has known nodes dialled: see `search_plan.ts`.
 * 13. Where root or SHA-256 are given, and all who gave what is followed say that they offer it no
 *     more, it is waited for only as long as they may need to find it unchanged.
 * 14. Where holders answer to which no connection comes about, linked nodes are asked to pass the file
 *     on (`relays.ts`). Such an answer, and the end of a dial, start the time of a search over, within
 *     `unreachedMs` of the beginning: what a firewall drops takes its time to fail.
 * 15. When all nodes and directories that can be asked have said that they have nothing, nor are about
 *     to, and nobody was heard of, the search is over.
 * 16. Where nodes are not believed what the file is, none is asked, dialled or searched for, and what
 *     one says of its own accord does not count (rule 11 of `fetch_policy.ts`).
 * 17. A near node that takes what is followed from here gets it too: it is dialled, so that the two share
 *     what far ones are asked for (`core/nearness/far_share.ts`).
 */

import type { OfKind } from "../../base/errors.ts";
import { chunkCount, isRangeWithin } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import { formatAddress } from "../../wire/host.ts";
import type { FileOffer } from "../../wire/structures.ts";
import { type Candidate, candidateKey, Candidates } from "./candidates.ts";
import {
  type FetchFacts,
  type FetchPolicyEvent,
  note,
  type SwarmFacts,
  type Turn,
} from "./fetch_events.ts";
import type { UnreachedView } from "./fetch_failures.ts";
import { type ComingView, FilesComing } from "./files_coming.ts";
import { FetchTimeouts, findUnchangedMs, type Supply } from "./fetch_timeouts.ts";
import { Holders } from "./holders.ts";
import { Relays } from "./relays.ts";
import { DialRounds, SearchPlan, type SearchStep } from "./search_plan.ts";

/** Which candidate is followed. */
interface Following {
  candidate: Candidate | null;
  /** Whether an attempt to join its swarm is under way, and whether it is joined. */
  isTrying: boolean;
  isJoined: boolean;
  /** The one that was followed last, until it is thrown away. */
  last: Candidate | null;
  /** How many were followed until now. */
  count: number;
}

/** The peers' side of a fetch. */
export class PeerSide {
  readonly candidates: Candidates;
  /** Rule 16. */
  readonly asksNodes: boolean;
  readonly #request: FetchRequest;
  readonly #startMs: number;
  readonly #search = new SearchPlan();
  readonly #holders: Holders;
  readonly #relays: Relays;
  /** Rule 11. */
  readonly #coming: FilesComing;
  /** What was noted of it last. */
  #comingNoted = "";
  readonly #timeouts: FetchTimeouts;
  readonly #following: Following = {
    candidate: null,
    isTrying: false,
    isJoined: false,
    last: null,
    count: 0,
  };
  /** What was heard: offers, whether a directory knows the whole file, the longest too short one. */
  readonly #heard = {
    offers: 0,
    isKnownWhole: false,
    isAnyNamed: false,
    tooShortChunks: null as number | null,
  };
  #isBarred = false;
  /** Whether holders were told to wait, though nothing else was followed. */
  #sentAway = false;
  /** When a file that is here and could not be read is looked at again. */
  #lookAgainMs = Infinity;
  readonly #rounds: DialRounds;

  constructor(
    request: FetchRequest,
    { nowMs, searchMs, mayAskRelays = true, mirrorsAlone = false }: {
      readonly nowMs: number;
      readonly searchMs: number;
      readonly mayAskRelays?: boolean;
      readonly mirrorsAlone?: boolean;
    },
  ) {
    this.asksNodes = !mirrorsAlone;
    this.#request = request;
    this.#startMs = nowMs;
    this.candidates = new Candidates(request);
    this.#holders = new Holders(request, this.candidates);
    this.#relays = new Relays(request, { mayAsk: mayAskRelays });
    this.#coming = new FilesComing(request);
    this.#rounds = new DialRounds(request);
    this.#timeouts = new FetchTimeouts(nowMs, { searchMs });
  }

  /** The candidate whose swarm is joined. */
  get followed(): Candidate | null {
    return this.#following.isJoined ? this.#following.candidate : null;
  }

  /** Whether an attempt to follow one is under way: its result is the next event. */
  get isTrying(): boolean {
    return this.#following.isTrying;
  }

  get queries(): number {
    return this.#search.queries;
  }

  get offers(): number {
    return this.#heard.offers;
  }

  /** The holders to which no connection comes about. */
  get unreached(): UnreachedView {
    return { ...this.#holders.unreached.view, relays: this.#relays.view };
  }

  /** Whether anybody was heard of that has what is sought. */
  get isHeardOf(): boolean {
    return this.#heard.offers > 0 || this.#holders.unreached.wasAny;
  }

  /** Rule 6: whether nothing may be followed now. */
  get isBarred(): boolean {
    return this.#isBarred;
  }

  /** Chunks of the longest file offered, if that was too short, and nothing else was wrong. */
  get tooShortChunks(): number | null {
    const { candidate } = this.#following;
    return candidate === null && !this.candidates.anyFalse ? this.#heard.tooShortChunks : null;
  }

  /** When something is due because time has passed, and nothing else. */
  wakeMs(nowMs: number): number {
    const settleMs = this.candidates.unsettledMs(nowMs);
    return Math.min(this.#lookAgainMs, settleMs > 0 ? nowMs + settleMs : Infinity);
  }

  /** Whether there is anybody who may be asked. */
  canAsk({ surroundings }: FetchFacts): boolean {
    if (!this.asksNodes) return false;
    const { linkCount, directories, isAlone, addressCount } = surroundings;
    // A node of one fetch has only just begun to dial those that it was told of.
    const mayLink = isAlone && addressCount > 0;
    return linkCount > 0 || directories.size > 0 || mayLink ||
      this.#following.candidate !== null || this.candidates.leader() !== undefined;
  }

  /** Whether the nodes are just being dialled that may be asked then. */
  isLinking({ nowMs, facts: { surroundings } }: Turn): boolean {
    return this.#rounds.isLinking(surroundings, nowMs);
  }

  start(turn: Turn): void {
    this.#dialNodes(turn);
    this.#searchNow(turn, this.#search.flood(turn.nowMs));
  }

  /** Lets time pass. Returns whether nobody can be asked any more, or was waited for long enough. */
  tick(turn: Turn): boolean {
    const { nowMs, facts } = turn;
    if (nowMs >= this.#lookAgainMs) this.#lookAgainMs = Infinity;
    if (this.candidates.unsettledMs(nowMs) <= 0) this.followLeader(turn);
    // The result of the attempt is the next event.
    if (this.isTrying) return false;
    const swarm = this.followed === null ? null : facts.swarm;
    if (swarm?.isComplete) return false;
    this.#relays.tick(turn, { unreached: this.#holders.unreached, followed: this.followed });
    if (facts.searchOutcome === "coming") this.#coming.heardOf(nowMs);
    if (this.#isPromised(turn) || this.#relays.isAwaited(nowMs)) this.#timeouts.renew(nowMs);
    this.#dialNodes(turn);
    const isOver = this.#timeouts.tick(this.#supply(swarm), nowMs) || this.#isHopeless(turn) ||
      this.#isExhausted(turn);
    if (isOver) return !this.isLinking(turn);
    this.#setStarvedAside(turn);
    this.searchOn(turn);
    return false;
  }

  /** Searches on, as far as others would be of use. */
  searchOn(turn: Turn): void {
    const step = this.#search.tick(turn.nowMs, {
      fromFloodMs: this.#floodAgainMs(turn),
      fromDirectories: this.#holders.areFew(turn.facts),
    });
    this.#searchNow(turn, step);
  }

  /** All sources are lost. */
  inNeed(turn: Turn): void {
    this.#dialNodes(turn);
    this.#searchNow(turn, this.#search.inNeed(turn.nowMs));
  }

  /** Chunks came. */
  fed(): void {
    this.#timeouts.fed();
  }

  /** A holder offers files; see {@linkcode answerTo}. */
  offered(turn: Turn, { nodeId, address, files }: OfKind<FetchPolicyEvent, "offered">): void {
    const peer = formatAddress(address.host, address.port);
    for (const offer of files) {
      const file = this.#holders.underSoughtName(offer);
      const verdict = this.#consider(file, { nodeId, host: address.host }, turn.nowMs);
      if (verdict === undefined) continue;
      this.#holders.unreached.reached(nodeId);
      if (verdict === "counted") {
        note(turn, `Offer of ${peer}: root ${file.root}, ${file.sizeBytes} bytes`);
        this.#holders.note(candidateKey(file), nodeId, address);
        // Who is only beginning has no vote, and so may have come before what is followed.
        this.#sentAway ||= file.chunksHave === 0 && file.sizeBytes > 0 && this.followed === null;
        continue;
      }
      note(turn, `Offer of ${peer} does not count: ${verdict}`);
      const { name, root } = file;
      const fields = { name, root, verdict };
      turn.emit({ kind: "log", level: "debug", what: "offer does not count", fields });
    }
    this.followLeader(turn);
  }

  /** What a holder is answered: its chunks are wanted, it is to search on, or others are enough. */
  answerTo(
    nodeId: NodeId,
    files: readonly FileOffer[],
    { swarm, isSource }: Pick<FetchFacts, "swarm" | "isSource">,
  ): "want" | "more" | "enough" {
    const { followed } = this;
    if (followed === null || swarm === null) return "more";
    const isOurs = files.some((file) => candidateKey(file) === followed.key);
    if (!isOurs || isSource(nodeId)) return "more";
    return swarm.isComplete || this.candidates.isBanned(nodeId) ? "enough" : "want";
  }

  /** Rule 11. */
  inFlight(turn: Turn, { nodeId, files }: OfKind<FetchPolicyEvent, "in-flight">): void {
    if (!this.#coming.heard(nodeId, files, turn.nowMs)) return;
    const { nodes, permille } = this.#coming.view(turn.nowMs)!;
    const text = comingText(nodes, Math.floor(permille / 100) * 10);
    if (text === this.#comingNoted) return;
    this.#comingNoted = text;
    note(turn, text);
  }

  /** Rule 2: it is checked as any candidate that is here, while nothing else comes in. */
  appeared(turn: Turn, { nodeId, file }: OfKind<FetchPolicyEvent, "appeared">): void {
    if (this.#following.candidate !== null) return;
    if (this.candidates.add(file, nodeId, turn.nowMs) !== "counted") return;
    note(turn, `A file of the name is here now, root ${file.root}`);
    this.followLeader(turn);
  }

  /** A part of the file is here, and its leaves tell what is missing. */
  partIsHere(
    turn: Turn,
    { nodeId, file }: { readonly nodeId: NodeId; readonly file: FileOffer },
  ): void {
    if (this.candidates.add(file, nodeId, turn.nowMs) !== "counted") return;
    note(turn, `A part of the file is here, root ${file.root}`);
    this.followLeader(turn);
  }

  /** How far the file is at nodes that are just getting it; null where nobody is, or it does not matter. */
  coming(nowMs: number): ComingView | null {
    return this.followed === null ? this.#coming.view(nowMs) : null;
  }

  hit(turn: Turn, { hit }: OfKind<FetchPolicyEvent, "hit">): void {
    this.#heard.isAnyNamed = true;
    if (this.#holders.hit(turn, hit)) this.#waitForUnreached(turn.nowMs);
  }

  /** Rule 17. */
  nearBegan(turn: Turn, { nodeId, address }: OfKind<FetchPolicyEvent, "near-began">): void {
    const { swarm } = turn.facts;
    if (this.followed === null || swarm === null || !swarm.wantsSources) return;
    this.#holders.nearBegan(turn, nodeId, { address, root: this.followed.root });
  }

  notReached(turn: Turn, event: OfKind<FetchPolicyEvent, "not-reached">): void {
    if (this.#relays.has(event.nodeId)) return;
    this.#holders.notReached(turn, event);
    this.#waitForUnreached(turn.nowMs);
  }

  relayAnswered(turn: Turn, event: OfKind<FetchPolicyEvent, "relay-answered">): void {
    this.#relays.answered(turn, event);
  }

  listed(turn: Turn, { files, holders }: OfKind<FetchPolicyEvent, "listed">): void {
    for (const file of files) this.candidates.list(file);
    const heard = this.#heard;
    heard.isAnyNamed ||= files.length + holders.length > 0;
    heard.isKnownWhole ||= files.some((file) => file.whole > 0 && this.candidates.isOpen(file));
    if (files.length + holders.length === 0) this.#toldToWait(turn.nowMs);
    this.followLeader(turn);
    this.#holders.listed(turn, holders, this.followed);
  }

  /** Rule 1: follows the leading candidate, if it is not followed already. */
  followLeader(turn: Turn): void {
    if (this.#isBarred) return;
    const { candidate } = this.#following;
    const isReplaced = candidate !== null && this.#mayBeReplaced(turn) &&
      this.candidates.forgetReplaced(candidate);
    const leader = this.candidates.leader();
    if (leader === undefined || leader.key === candidate?.key) return;
    if (candidate !== null) {
      // What is here is checked first; the attempt to join has its answer at once.
      if (!this.#following.isJoined) return;
      if (!this.candidates.mayReplace(candidate, leader, turn.nowMs)) return;
      const reason = isReplaced
        ? "those who offered it offer another file in its place"
        : this.#timeouts.starvedForMs(turn.nowMs) > limits.candidateStarvedMs
        ? "those who offered it give nothing more"
        : candidate.offerers.size === 0
        ? "those who offered it gave what is not true"
        : "more peers offer another file";
      this.#replace(turn, candidate, reason);
    }
    this.#lookAgainMs = Infinity;
    this.#following.candidate = leader;
    this.#following.isTrying = true;
    turn.emit({ kind: "follow", candidate: leader });
  }

  /** The swarm of the candidate is joined; it is left again when that is barred by now. */
  joined(turn: Turn): Candidate | null {
    const following = this.#following;
    const { candidate } = following;
    following.isTrying = false;
    if (candidate === null) {
      turn.emit({ kind: "leave", how: "suspend" });
      return null;
    }
    following.isJoined = true;
    following.last = candidate;
    following.count++;
    this.#timeouts.renew(turn.nowMs);
    note(turn, `Follows root ${candidate.root}, ${candidate.sizeBytes} bytes`);
    return candidate;
  }

  /** Rule 2: the candidate is here already. */
  isHere(): void {
    this.#following.isTrying = false;
    // Those who offer another one were not told to give it.
    this.#sentAway = true;
  }

  /** Rule 4: those that were sent away are dialled, and asked. */
  callBack(turn: Turn): void {
    if (this.#following.count === 1 && !this.#sentAway) return;
    this.#holders.dialAll(turn, this.#following.candidate!);
    this.#searchNow(turn, this.#search.flood(turn.nowMs));
  }

  /** Rules 2 and 3: the candidate could not be joined; the fetch hears when it may be. */
  notJoined(nowMs: number): void {
    this.#unfollow();
    // There is something to wait for: the search is not over.
    this.#timeouts.renew(nowMs);
  }

  /** No file can be what the candidate says. */
  impossible(turn: Turn, { key }: Candidate): void {
    this.#unfollow();
    this.candidates.reject(key);
    this.followLeader(turn);
  }

  /** A complete file is here, and cannot be read just now: another turn may find it readable. */
  lookAgain(nowMs: number): void {
    this.#unfollow();
    // There is something to wait for: the search is not over.
    this.#timeouts.renew(nowMs);
    this.#lookAgainMs = nowMs + limits.lookAgainMs;
  }

  /** Rule 5. The caller follows the candidate that leads then. */
  reject(turn: Turn, candidate: Candidate, why: string): void {
    const nodes = this.candidates.reject(candidate.key);
    note(turn, `Threw away what ${nodes.length} peers offered, root ${candidate.root}: ${why}`);
    const following = this.#following;
    const hadCome = following.last?.key === candidate.key;
    if (following.candidate?.key === candidate.key) {
      if (following.isJoined) turn.emit({ kind: "leave", how: "discard" });
      this.#unfollow();
    }
    if (hadCome) {
      following.last = null;
      turn.emit({ kind: "threw-away", track: "peers" });
    }
    turn.emit({ kind: "rejected", candidate, nodes, why, hadCome });
    this.#timeouts.renew(turn.nowMs);
  }

  /** A node gave what is not true: nothing that it offers counts any more. */
  banned(turn: Turn, { nodeId }: OfKind<FetchPolicyEvent, "peer-banned">): void {
    note(turn, `Banned peer ${nodeId}: it gave what is not true`);
    this.candidates.ban(nodeId);
    this.#holders.forget(nodeId);
    const isAlone = this.#following.candidate !== null && this.candidates.leader() === undefined;
    if (isAlone) this.#timeouts.renew(turn.nowMs);
  }

  /** Rule 6: bars all candidates: what was followed is kept for later. */
  bar(turn: Turn): void {
    if (this.#isBarred) return;
    this.#isBarred = true;
    if (this.#following.isJoined) turn.emit({ kind: "leave", how: "suspend" });
    this.#unfollow();
  }

  /** Allows candidates again. */
  unbar(turn: Turn): void {
    this.#isBarred = false;
    this.#timeouts.renew(turn.nowMs);
    this.#sentAway = true;
    this.followLeader(turn);
  }

  /** Rule 8. */
  #setStarvedAside(turn: Turn): void {
    const { followed } = this;
    if (followed === null) return;
    const isStarved = this.#timeouts.starvedForMs(turn.nowMs) > limits.candidateStarvedMs;
    const isLeft = turn.facts.swarm?.isWithdrawn && this.candidates.isElsewhere(followed);
    if (!isStarved && !isLeft) return;
    if (this.candidates.setAside(followed)) this.followLeader(turn);
  }

  /** Rule 12. */
  #dialNodes({ nowMs, facts: { surroundings, swarm }, emit }: Turn): void {
    if (!this.asksNodes) return;
    const isLost = this.followed !== null && swarm !== null && swarm.sourceCount === 0;
    const { dials, isLinked } = this.#rounds.tick(surroundings, { isLost, nowMs });
    if (isLinked) this.#timeouts.renew(nowMs);
    if (dials) emit({ kind: "dial-nodes" });
  }

  /** How often the flood may find somebody who is of use; Infinity: not at all. */
  #floodAgainMs(turn: Turn): number {
    const { nowMs, facts: { swarm } } = turn;
    if (this.#mayBeReplaced(turn) || swarm?.isWithdrawn) return limits.floodInNeedMs;
    if (this.followed !== null) return swarm?.wantsSources ? limits.floodAgainMs : Infinity;
    if (this.#isPromised(turn)) return limits.floodForComingMs;
    const isDelayed = nowMs - this.#startMs < (this.#request.mirrorDelayMs ?? 0);
    return isDelayed ? limits.floodWhileDelayedMs : Infinity;
  }

  /** Rule 11. */
  #isPromised(turn: Turn): boolean {
    const { nowMs, facts: { mirror } } = turn;
    if (mirror !== null && mirror.refusal === null) return false;
    const isMissing = this.followed === null || this.#mayBeReplaced(turn);
    return isMissing && this.#coming.isPromised(nowMs);
  }

  #replace(turn: Turn, { root }: Candidate, reason: string): void {
    note(turn, `Left root ${root}: ${reason}`);
    turn.emit({ kind: "leave", how: "discard" });
    turn.emit({ kind: "threw-away", track: "peers" });
    turn.emit({ kind: "drop-peers", reason });
    this.#unfollow();
  }

  #unfollow(): void {
    this.#following.candidate = null;
    this.#following.isTrying = false;
    this.#following.isJoined = false;
  }

  #searchNow(turn: Turn, step: SearchStep): void {
    if (step !== "nothing" && this.asksNodes) turn.emit({ kind: step });
  }

  /** Takes an offer into account; undefined when it says nothing of the part that is wanted. */
  #consider(
    file: FileOffer,
    { nodeId, host }: { readonly nodeId: NodeId; readonly host: string },
    nowMs: number,
  ): string | undefined {
    this.#heard.offers++;
    const { chunks, sizeBytes } = this.#request;
    const chunksOffered = chunkCount(file.sizeBytes);
    if (chunks === null || sizeBytes !== null || isRangeWithin(chunks, chunksOffered)) {
      return this.candidates.add(file, nodeId, nowMs, host);
    }
    // A false offer may be shorter than the file: others are waited for.
    this.#heard.tooShortChunks = Math.max(this.#heard.tooShortChunks ?? 0, chunksOffered);
    return undefined;
  }

  /** Rule 7. */
  #toldToWait(nowMs: number): void {
    const isSoon = nowMs - this.#startMs < limits.protectMs + limits.searchMs;
    if (this.#heard.isKnownWhole && isSoon) this.#timeouts.renew(nowMs);
  }

  /** Rule 14. */
  #waitForUnreached(nowMs: number): void {
    if (this.followed !== null || this.#request.searchMs > 0) return;
    if (nowMs - this.#startMs < limits.unreachedMs) this.#timeouts.renew(nowMs);
  }

  /** Rule 9: whether all sources of what is followed are gone, and another may take its place. */
  #mayBeReplaced({ facts: { swarm, isHandedOut } }: Turn): boolean {
    if (this.followed === null || swarm === null || !swarm.hadSources) return false;
    if (swarm.sourceCount > 0 || swarm.bytesDone >= swarm.bytesTotal) return false;
    return swarm.bytesDone === 0 || this.#request.sha256 === null && !isHandedOut;
  }

  /** Rule 13. */
  #supply(swarm: SwarmFacts | null): Supply | undefined {
    const { followed } = this;
    if (swarm === null || followed === null) return undefined;
    const isCertain = this.#request.root !== null || this.#request.sha256 !== null;
    const { sourceCount, hadSources, needsSources } = swarm;
    const comesBackMs = isCertain && swarm.isWithdrawn ? findUnchangedMs(followed.sizeBytes) : null;
    return { sourceCount, hadSources, needsSources, comesBackMs };
  }

  /** Rule 15. */
  #isExhausted({ nowMs, facts: { searchOutcome } }: Turn): boolean {
    if (searchOutcome !== "nothing" || this.isHeardOf || this.#heard.isAnyNamed) return false;
    if (this.#following.candidate !== null || this.candidates.leader() !== undefined) return false;
    return this.#coming.view(nowMs) === null && this.#lookAgainMs === Infinity;
  }

  /** Rule 10: waiting longer would bring nothing. */
  #isHopeless({ nowMs, facts: { surroundings, listedDials } }: Turn): boolean {
    const { isAlone, linkCount, addressCount, directories } = surroundings;
    if (!isAlone || nowMs - this.#startMs < limits.hopelessMs) return false;
    if (linkCount + addressCount + listedDials > 0) return false;
    if (this.#following.candidate !== null || this.candidates.leader() !== undefined) return false;
    const failed = directories.faults.filter(({ isFailed }) => isFailed);
    return failed.length > 0 && failed.length === directories.size;
  }
}

function comingText(nodes: number, percent: number): string {
  const where = nodes === 1 ? "one node" : `${nodes} nodes`;
  return `In flight at ${where}, at least ${percent} %: it is waited for until it has a root`;
}
