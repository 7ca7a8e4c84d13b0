/**
 * The peers' part of one fetch: searches, chooses the candidate to follow, gives its swarm sources.
 * Whether the file that comes in that way is the right one is judged in `fetch.ts`.
 *
 * Who may be believed, strongest first: a given root; a given SHA-256 and size; a root that a
 * directory names; else the root that most distinct nodes offer (`core/fetch/candidates.ts`). A fetch
 * starts on the first fitting offer rather than wait for all of them, and moves to another candidate
 * if that one turns out to lead or the first one is found out.
 */

import type { HostPort } from "../../base/address.ts";
import { EnvironmentError, FetchFailure, messageOf, unreachable } from "../../base/errors.ts";
import { chunkCount, isRangeWithin } from "../../base/geometry.ts";
import type { NodeId, Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Candidate, candidateKey, Candidates } from "../../core/fetch/candidates.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { formatAddress } from "../../wire/host.ts";
import type { Hit, MessageOf } from "../../wire/messages.ts";
import type { Sought } from "../../wire/structures.ts";
import type { DirectoryAnswer } from "../directories/directories.ts";
import { FetchHolders, SOURCES_ENOUGH } from "./fetch_holders.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import type { Followed, PeerTrackHost, PeerTrackOwner } from "./peer_track_host.ts";
import { wantedChunks } from "./fetch_range.ts";
import { FetchSearch } from "./fetch_search.ts";
import { HERE } from "../swarm/provider.ts";
import { FetchTimeouts } from "./fetch_timeouts.ts";
import type { OfferingHolder, Searcher, Verdict } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { SwarmEvent, SwarmFile, SwarmObserver } from "../swarm/swarm_events.ts";

export type { Followed, PeerTrackHost, PeerTrackOwner } from "./peer_track_host.ts";

/** Pause between two looks at whether another download of the same root has ended. */
const HELD_MS = 50;
/** A fetch on its own with directories that all failed, and nobody else to ask, ends after this. */
const HOPELESS_MS = 1_500;

/** The peers' part of a fetch. */
export class PeerTrack implements Searcher, SwarmObserver {
  readonly candidates: Candidates;
  readonly #host: PeerTrackHost;
  readonly #owner: PeerTrackOwner;
  readonly #journal: FetchRecorder;
  readonly #request: FetchRequest;
  readonly #path: string | undefined;
  readonly #search: FetchSearch;
  readonly #holders: FetchHolders;
  readonly #startMs = performance.now();
  readonly #timeouts: FetchTimeouts;
  /** Whether a directory knows somebody who has the file whole. */
  #isKnownWhole = false;
  #current: Followed | null = null;
  /** The candidate that was followed last, until it is thrown away. */
  #followed: Candidate | null = null;
  #follows = 0;
  #offers = 0;
  #isOver = false;
  /** The candidate whose chunks are all here, until it is dealt with. */
  #complete: Followed | null = null;
  /** Whether it waits for another download of the same root to end. */
  #isHeld = false;
  /** Whether no candidate may be followed now, since its bytes would have no place. */
  #isBarred = false;
  /** Whether holders were told to wait, though nothing else was followed. */
  #sentAway = false;
  /** The leading candidate, if it is here already, until it is dealt with. */
  #here: Candidate | null = null;
  /** Chunks of the longest file that was offered and is too short for those asked for. */
  #tooShortChunks: number | null = null;

  constructor(
    host: PeerTrackHost,
    request: FetchRequest,
    options: {
      readonly owner: PeerTrackOwner;
      readonly journal: FetchRecorder;
      /** Where the data is written; by default, the store's own place. */
      readonly path: string | undefined;
      /** How long nobody may offer anything. */
      readonly searchMs: number;
    },
  ) {
    this.#host = host;
    this.#request = request;
    this.#owner = options.owner;
    this.#journal = options.journal;
    this.#path = options.path;
    this.#timeouts = new FetchTimeouts(performance.now(), { searchMs: options.searchMs });
    const sought: Sought = request.root !== null
      ? { by: "root", value: request.root }
      : { by: "name", value: request.name };
    this.#search = new FetchSearch(host, sought, this);
    this.candidates = new Candidates(request);
    if (request.sha256 !== null) {
      this.candidates.exclude(host.rejectedFiles.of(request.sha256, performance.now()));
    }
    this.#holders = new FetchHolders(host, request, {
      candidates: this.candidates,
      current: () => this.#current,
      offered: (holder, offers) => this.#isOver ? { kind: "enough" } : this.offered(holder, offers),
    });
  }

  /** What is followed now. */
  get current(): Followed | null {
    return this.#current;
  }

  /** Queries that were flooded. */
  get queries(): number {
    return this.#search.queries;
  }

  /** Offers that were heard. */
  get offers(): number {
    return this.#offers;
  }

  /** Whether directories named holders, and none that can be dialled. */
  get isHidden(): boolean {
    return this.#holders.isHidden;
  }

  /** Chunks of the longest file offered, if that was too short, and nothing else was wrong. */
  get tooShortChunks(): number | null {
    return this.#current === null && !this.candidates.anyFalse ? this.#tooShortChunks : null;
  }

  /** Whether there is anybody who may be asked. */
  get canAsk(): boolean {
    const { links, overlay, directories, isAlone } = this.#host;
    // A node of one fetch has only just begun to dial those that it was told of.
    const mayLink = isAlone && overlay.addressCount > 0;
    return links.size > 0 || directories.size > 0 || mayLink || this.#current !== null ||
      this.candidates.leader() !== undefined;
  }

  /** Whether those that a node of one fetch was told of are only just being dialled. */
  get isLinking(): boolean {
    const { links, isAlone } = this.#host;
    return isAlone && links.size === 0 && links.dialling > 0;
  }

  /** Whether no candidate may be followed now. */
  get isBarred(): boolean {
    return this.#isBarred;
  }

  /** Begins to search. */
  start(nowMs: number): void {
    this.#search.start(nowMs);
  }

  /**
   * Lets time pass: further searches. Returns whether timeouts is at its end, or nobody can be
   * asked any more.
   */
  tick(nowMs: number): boolean {
    const { swarm } = this.#current ?? {};
    if (this.candidates.unsettledMs(nowMs) <= 0) this.#followLeader();
    if (swarm?.isComplete) return false;
    const isOver = this.#timeouts.tick(swarm, nowMs) || this.#isHopeless(nowMs);
    if (!isOver) this.search(nowMs);
    return isOver;
  }

  /** Searches on, as far as others would be of use. */
  search(nowMs: number): void {
    this.#search.tick(nowMs, {
      fromFlood: this.#current?.swarm.wantsSources ?? false,
      fromDirectories: this.#holders.areFew,
    });
  }

  /** Bars all candidates: `true` leaves the one that is followed; `false` allows them again. */
  async bar(isBarred: boolean): Promise<void> {
    if (isBarred === this.#isBarred) return;
    this.#isBarred = isBarred;
    if (isBarred) await this.leave("suspend");
    else {
      this.#timeouts.renew(performance.now());
      this.#sentAway = true;
      this.#followLeader();
    }
  }

  /** Resolves when it is settled which candidate leads; then another one may be followed. */
  async settle(): Promise<void> {
    const { candidate } = this.#current ?? {};
    if (candidate === undefined || this.candidates.isCertain(candidate)) return;
    const leftMs = this.candidates.unsettledMs(performance.now());
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    this.#followLeader();
  }

  /** What is complete and followed, once. */
  takeComplete(): Followed | null {
    const complete = this.#complete;
    this.#complete = null;
    return complete === this.#current ? complete : null;
  }

  /** The leading candidate that is here already, once. */
  takeHere(): Candidate | null {
    const here = this.#here;
    this.#here = null;
    return here;
  }

  /** Looks again at a candidate that is here and could not be read. */
  async lookAgain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, HELD_MS));
    this.#followLeader();
  }

  /** Throws a candidate away with those who offered it; whatever else leads is to be followed. */
  async reject(candidate: Candidate, why: string): Promise<void> {
    const nodes = this.candidates.reject(candidate.key);
    const { sha256 } = this.#request;
    if (sha256 !== null && nodes.length > 0) {
      this.#host.rejectedFiles.note(sha256, { key: candidate.key, nodes }, performance.now());
    }
    this.#host.log.warn("a complete file failed its check", {
      name: candidate.name,
      root: candidate.root,
      why,
      offeredBy: nodes,
    });
    this.#journal.note(
      `Threw away what ${nodes.length} peers offered, root ${candidate.root}: ${why}`,
      performance.now(),
    );
    this.#journal.rejected(candidate.root);
    if (this.#followed?.key === candidate.key) await this.#throwAway(candidate.root);
    this.#timeouts.renew(performance.now());
  }

  /** What came of the candidate that is followed, or was last, is not the file. */
  async #throwAway(root: Root): Promise<void> {
    this.#followed = null;
    this.#journal.threwAway("peers");
    await this.leave("discard");
    // It may have been put away to be gone on with before it was found out.
    this.#host.store.discardWaiting(root);
  }

  /** Follows whatever leads now, if it is not followed already. */
  follow(): void {
    this.#followLeader();
  }

  async leave(how: "suspend" | "discard" | "finish"): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    this.#current = null;
    await this.#host.swarms.leave(current.swarm, this, how);
  }

  /** Ends the searches; what is followed is to be left apart. */
  end(): void {
    this.#isOver = true;
    this.#search.end();
  }

  // Searcher

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    if (this.#isOver) return { kind: "enough" };
    for (const { file } of offers) this.#consider(file, holder.nodeId, holder.address);
    this.#followLeader();
    if (this.#current === null) return { kind: "more" };
    const { swarm, candidate } = this.#current;
    const offer = offers.find(({ file }) => candidateKey(file) === candidate.key);
    if (offer === undefined || swarm.hasSource(holder.nodeId)) return { kind: "more" };
    if (swarm.isComplete || this.candidates.isBanned(holder.nodeId)) return { kind: "enough" };
    if (!swarm.wantsSources && !swarm.makeRoom()) return { kind: "enough" };
    return {
      kind: "want",
      root: candidate.root,
      searchOn: swarm.sourceCount + 1 < SOURCES_ENOUGH,
      use: (connection) =>
        swarm.useSource(connection, {
          nodeId: holder.nodeId,
          peer: formatAddress(
            holder.address.host,
            holder.address.port || connection.remote.port,
          ),
          whole: offer.file.whole,
          bitfield: offer.bitfield,
        }),
    };
  }

  /** Anybody on the way may have written a hit: it only says whom to dial, and counts for nothing. */
  hit(hit: Hit): void {
    if (!this.#isOver) this.#holders.hit(hit);
  }

  /** A directory vouches for files, and names holders in the order in which to ask them. */
  listed({ files, holders }: DirectoryAnswer): void {
    if (this.#isOver) return;
    try {
      for (const file of files) this.candidates.vouch(file);
      this.#isKnownWhole ||= files.some((file) => file.whole > 0 && this.candidates.isOpen(file));
      if (files.length + holders.length === 0) this.#toldToWait(performance.now());
      this.#followLeader();
      this.#holders.listed(holders);
    } catch (error) {
      this.#owner.failed(error as Error);
    }
  }

  /**
   * A directory that knows who has the file, and names nobody, spares them: it names others soon,
   * or them after all.
   */
  #toldToWait(nowMs: number): void {
    const isSoon = nowMs - this.#startMs < limits.protectMs + limits.searchMs;
    if (this.#isKnownWhole && isSoon) this.#timeouts.renew(nowMs);
  }

  // SwarmObserver

  swarmEvent(event: SwarmEvent): void {
    const nowMs = performance.now();
    switch (event.kind) {
      case "gained":
        this.#timeouts.fed();
        return this.#owner.gained(event.range, event.provider);
      case "completed":
        return this.#completed();
      case "failed":
        return this.#owner.failed(event.error);
      case "needs-sources":
        if (!this.#isOver) this.#search.startInNeed(nowMs);
        return this.#owner.changed();
      case "banned":
        return this.#banned(event.nodeId, nowMs);
      case "noted":
        return this.#journal.note(`${event.provider.label}: ${event.what}`, nowMs);
      case "mirror-wrong":
      case "mirror-failed":
        return this.#owner.mirrorLost(event);
      default:
        return unreachable(event);
    }
  }

  #completed(): void {
    this.#complete = this.#current;
    this.#owner.changed();
  }

  #banned(nodeId: NodeId, nowMs: number): void {
    this.#journal.note(`Banned peer ${nodeId}: it gave what is not true`, nowMs);
    this.candidates.ban(nodeId);
    this.#holders.forget(nodeId);
    if (this.#current !== null && this.candidates.leader() === undefined) {
      this.#timeouts.renew(nowMs);
    }
  }

  #consider(
    file: MessageOf<"offer">["file"],
    nodeId: NodeId,
    address: HostPort,
  ): void {
    this.#offers++;
    const { chunks } = this.#request;
    const chunksOffered = chunkCount(file.sizeBytes);
    if (chunks !== null && !isRangeWithin(chunks, chunksOffered)) {
      // A false offer may be shorter than the file: others are waited for.
      this.#tooShortChunks = Math.max(this.#tooShortChunks ?? 0, chunksOffered);
      return;
    }
    const nowMs = performance.now();
    const peer = formatAddress(address.host, address.port);
    const verdict = this.candidates.add(file, nodeId, nowMs);
    if (verdict !== "counted") {
      this.#host.log.debug("offer does not count", { name: file.name, root: file.root, verdict });
      this.#journal.note(`Offer of ${peer} does not count: ${verdict}`, nowMs);
      return;
    }
    this.#journal.note(`Offer of ${peer}: root ${file.root}, ${file.sizeBytes} bytes`, nowMs);
    this.#holders.note(candidateKey(file), nodeId, address);
  }

  /** Follows the leading candidate, if it is not followed already. */
  #followLeader(): void {
    if (this.#isOver || this.#isBarred) return;
    const leader = this.candidates.leader();
    if (leader === undefined || leader.key === this.#current?.candidate.key) return;
    if (this.#current !== null) {
      const { candidate } = this.#current;
      if (!this.candidates.mayReplace(candidate, leader, performance.now())) return;
      const reason = candidate.offerers.size === 0
        ? "those who offered it gave what is not true"
        : "more peers offer another file";
      this.#journal.note(`Left root ${candidate.root}: ${reason}`, performance.now());
      this.leave("discard").catch((error) => this.#owner.failed(error as Error));
      this.#journal.threwAway("peers");
      this.#owner.replaced(reason);
    }
    this.#follow(leader);
  }

  #follow(candidate: Candidate): void {
    const { root, name, sizeBytes } = candidate;
    if (this.#host.store.isComplete(root)) {
      this.#here = candidate;
      this.#owner.changed();
      return;
    }
    const file = { root, name: this.#request.name || name, sizeBytes };
    let swarm: Swarm | undefined;
    try {
      swarm = this.#host.swarms.join(file, {
        wanted: wantedChunks(this.#request, sizeBytes),
        observer: this,
        ...(this.#path === undefined ? {} : { path: this.#path }),
      });
    } catch (error) {
      if (error instanceof FetchFailure || error instanceof EnvironmentError) {
        return this.#owner.failed(error);
      }
      // No file can be what this candidate says: a size that its root cannot have, a bad name.
      this.#host.log.warn("an offer cannot be true", { root, name, error: messageOf(error) });
      this.candidates.reject(candidate.key);
      return this.#followLeader();
    }
    if (swarm === undefined) {
      // Another part of the same file is on its way, or it is just being put away: a time to wait,
      // not one without anybody to ask.
      this.#timeouts.renew(performance.now());
      return this.#followLater(file);
    }
    this.#follows++;
    this.#current = { swarm, candidate };
    this.#followed = candidate;
    this.#timeouts.renew(performance.now());
    this.#journal.note(`Follows root ${root}, ${sizeBytes} bytes`, performance.now());
    this.#host.log.info("fetching", { name: file.name, root, sizeBytes });
    this.#owner.followed(this.#current);
    // Those that offered this candidate before it led were sent away: they are dialled now.
    if (this.#follows > 1 || this.#sentAway) {
      this.#holders.dialAll(candidate);
      // Those that cannot be dialled turn to us again when they hear of a query that is new to them.
      this.#search.start(performance.now());
    }
    if (swarm.hasBegun) {
      for (const range of swarm.download.have.ranges()) this.#owner.gained(range, HERE);
    }
    if (swarm.isComplete) this.#completed();
    else swarm.start();
  }

  /** Tries again when the store may have room for another download of that root. */
  #followLater(file: SwarmFile): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    const again = () => {
      this.#isHeld = false;
      this.#followLeader();
    };
    this.#host.swarms.closed(file).then(() => setTimeout(again, HELD_MS), again);
  }

  /** Whether nobody can be asked any more: waiting longer would bring nothing. */
  #isHopeless(nowMs: number): boolean {
    const { isAlone, links, overlay, directories } = this.#host;
    if (!isAlone || nowMs - this.#startMs < HOPELESS_MS) return false;
    if (links.size + overlay.addressCount + this.#holders.listedDials > 0) return false;
    if (this.#current !== null || this.candidates.leader() !== undefined) return false;
    const failed = directories.troubles.filter(({ isFailed }) => isFailed);
    return failed.length > 0 && failed.length === directories.size;
  }
}
