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
 *  8. A candidate whose sources give nothing more for `candidateStarvedMs` is set aside for another.
 *  9. A node of one fetch with directories that all failed, and nobody else to ask, gives up after
 *     `hopelessMs`.
 */

import { chunkCount, isRangeWithin } from "../../base/geometry.ts";
import type { NodeId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FetchRequest } from "../../wire/fetching.ts";
import { formatAddress } from "../../wire/host.ts";
import type { FileOffer } from "../../wire/structures.ts";
import { type Candidate, candidateKey, Candidates } from "./candidates.ts";
import { type FetchEvent, type FetchFacts, note, type Turn } from "./fetch_events.ts";
import { FetchTimeouts } from "./fetch_timeouts.ts";
import { Holders } from "./holders.ts";
import { SearchPlan, type SearchStep } from "./search_plan.ts";

type EventOf<K extends FetchEvent["kind"]> = Extract<FetchEvent, { readonly kind: K }>;

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
  readonly #request: FetchRequest;
  readonly #startMs: number;
  readonly #search = new SearchPlan();
  readonly #holders: Holders;
  readonly #timeouts: FetchTimeouts;
  readonly #following: Following = {
    candidate: null,
    isTrying: false,
    isJoined: false,
    last: null,
    count: 0,
  };
  /** What was heard: offers, whether a directory knows the whole file, the longest too short one. */
  readonly #heard = { offers: 0, isKnownWhole: false, tooShortChunks: null as number | null };
  #isBarred = false;
  /** Whether holders were told to wait, though nothing else was followed. */
  #sentAway = false;
  /** When a file that is here and could not be read is looked at again. */
  #lookAgainMs = Infinity;

  constructor(
    request: FetchRequest,
    { nowMs, searchMs }: { readonly nowMs: number; readonly searchMs: number },
  ) {
    this.#request = request;
    this.#startMs = nowMs;
    this.candidates = new Candidates(request);
    this.#holders = new Holders(request, this.candidates);
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

  /** Whether directories named holders, and none that can be dialled. */
  get isHidden(): boolean {
    return this.#holders.isHidden;
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
    const { linkCount, directories, isAlone, addressCount } = surroundings;
    // A node of one fetch has only just begun to dial those that it was told of.
    const mayLink = isAlone && addressCount > 0;
    return linkCount > 0 || directories.size > 0 || mayLink ||
      this.#following.candidate !== null || this.candidates.leader() !== undefined;
  }

  start(turn: Turn): void {
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
    const isOver = this.#timeouts.tick(swarm ?? undefined, nowMs) || this.#isHopeless(turn);
    if (isOver) return true;
    this.#setStarvedAside(turn);
    this.searchOn(turn);
    return false;
  }

  /** Searches on, as far as others would be of use. */
  searchOn(turn: Turn): void {
    const { swarm } = turn.facts;
    const step = this.#search.tick(turn.nowMs, {
      fromFlood: this.followed !== null && (swarm?.wantsSources ?? false),
      fromDirectories: this.#holders.areFew(turn.facts),
    });
    this.#searchNow(turn, step);
  }

  /** All sources are lost. */
  inNeed(turn: Turn): void {
    this.#searchNow(turn, this.#search.inNeed(turn.nowMs));
  }

  /** Chunks came. */
  fed(): void {
    this.#timeouts.fed();
  }

  /** A holder offers files; see {@linkcode answerTo}. */
  offered(turn: Turn, { nodeId, address, files }: EventOf<"offered">): void {
    const peer = formatAddress(address.host, address.port);
    for (const offer of files) {
      const file = this.#holders.underSoughtName(offer);
      const verdict = this.#consider(file, nodeId, turn.nowMs);
      if (verdict === undefined) continue;
      if (verdict === "counted") {
        note(turn, `Offer of ${peer}: root ${file.root}, ${file.sizeBytes} bytes`);
        this.#holders.note(candidateKey(file), nodeId, address);
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

  hit(turn: Turn, { hit }: EventOf<"hit">): void {
    this.#holders.hit(turn, hit);
  }

  listed(turn: Turn, { files, holders }: EventOf<"listed">): void {
    for (const file of files) this.candidates.list(file);
    const heard = this.#heard;
    heard.isKnownWhole ||= files.some((file) => file.whole > 0 && this.candidates.isOpen(file));
    if (files.length + holders.length === 0) this.#toldToWait(turn.nowMs);
    this.followLeader(turn);
    this.#holders.listed(turn, holders, this.followed);
  }

  /** Rule 1: follows the leading candidate, if it is not followed already. */
  followLeader(turn: Turn): void {
    if (this.#isBarred) return;
    const leader = this.candidates.leader();
    const { candidate } = this.#following;
    if (leader === undefined || leader.key === candidate?.key) return;
    if (candidate !== null) {
      // What is here is checked first; the attempt to join has its answer at once.
      if (!this.#following.isJoined) return;
      if (!this.candidates.mayReplace(candidate, leader, turn.nowMs)) return;
      const reason = this.#timeouts.starvedForMs(turn.nowMs) > limits.candidateStarvedMs
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
  banned(turn: Turn, { nodeId }: EventOf<"peer-banned">): void {
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
    if (this.#timeouts.starvedForMs(turn.nowMs) <= limits.candidateStarvedMs) return;
    if (this.candidates.setAside(followed)) this.followLeader(turn);
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
    if (step !== "nothing") turn.emit({ kind: step });
  }

  /** Takes an offer into account; undefined when it says nothing of the part that is wanted. */
  #consider(file: FileOffer, nodeId: NodeId, nowMs: number): string | undefined {
    this.#heard.offers++;
    const { chunks } = this.#request;
    const chunksOffered = chunkCount(file.sizeBytes);
    if (chunks === null || isRangeWithin(chunks, chunksOffered)) {
      return this.candidates.add(file, nodeId, nowMs);
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

  /** Rule 9: waiting longer would bring nothing. */
  #isHopeless({ nowMs, facts: { surroundings, listedDials } }: Turn): boolean {
    const { isAlone, linkCount, addressCount, directories } = surroundings;
    if (!isAlone || nowMs - this.#startMs < limits.hopelessMs) return false;
    if (linkCount + addressCount + listedDials > 0) return false;
    if (this.#following.candidate !== null || this.candidates.leader() !== undefined) return false;
    const failed = directories.faults.filter(({ isFailed }) => isFailed);
    return failed.length > 0 && failed.length === directories.size;
  }
}
