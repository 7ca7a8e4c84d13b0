/**
 * One fetch from request to end: searches, chooses the candidate to follow, gives its swarm
 * sources, checks the whole, and says how it ended.
 *
 * Who may be believed, strongest first: a given root; a given SHA-256 and size; a root that a
 * directory names; else the root that most distinct nodes offer (`core/candidates.ts`). A fetch
 * starts on the first fitting offer rather than wait for all of them, and moves to another candidate
 * if that one turns out to lead or the first one is found out.
 */

import { EnvironmentError, FetchFailure, messageOf } from "../base/errors.ts";
import type { HostPort } from "../base/address.ts";
import { chunkCount, type ChunkRange, isRangeWithin, rangeBytes } from "../base/geometry.ts";
import type { NodeId, Root } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Candidate, candidateKey, Candidates } from "../core/candidates.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { FileDefinition } from "../store/place.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import { formatAddress } from "../wire/host.ts";
import type { Done, Hit, MessageOf } from "../wire/messages.ts";
import type { Holder, Sought } from "../wire/structures.ts";
import type { Directories, DirectoryAnswer } from "./directories.ts";
import { nobodyLeft, outOfTime, type Surroundings } from "./fetch_failures.ts";
import { FetchSearch, type FetchSearchHost } from "./fetch_search.ts";
import { type FileReader, fileSha256 } from "./file_reader.ts";
import { HolderBook } from "./holder_book.ts";
import { HolderDials, type HolderDialsHost } from "./holder_dials.ts";
import { findLocalCopy, hasSha256, isReadable, readerOf } from "./local_copy.ts";
import { Patience } from "./patience.ts";
import type { OfferingHolder, Searcher, Verdict } from "./searches.ts";
import type { Swarm, SwarmFile, SwarmObserver } from "./swarm.ts";
import type { Swarms } from "./swarms.ts";

/** Who hears how a fetch goes. */
export interface FetchObserver {
  event(event: MessageOf<"searching" | "found" | "restarted" | "progress">): void;
  /** Bytes of the file can be read from here from now on; an earlier reader is void. */
  readable(reader: FileReader): void;
  /** Chunks that can be read. */
  gained(range: ChunkRange): void;
}

/** What a fetch needs of the node that it runs on. */
export interface FetchHost extends Omit<HolderDialsHost, "offered">, FetchSearchHost {
  readonly store: ChunkStore;
  readonly swarms: Swarms;
  /** The nodes that can be asked directly. */
  readonly links: { readonly size: number };
  /** How many nodes it knows that may become links. */
  readonly overlay: { readonly addressCount: number };
  readonly directories: Pick<Directories, "size" | "troubles" | "findHolders">;
  /** Whether the node lasts as long as this fetch, so that there is no daemon. */
  readonly isAlone: boolean;
}

/** A holder that is alone with a swarm of this many is told not to pass the query on. */
const SOURCES_ENOUGH = 8;
/** Pause between two looks at whether another download of the same root has ended. */
const HELD_MS = 50;
/** A fetch on its own with directories that all failed, and nobody else to ask, ends after this. */
const HOPELESS_MS = 1_500;
/** The longest time that a timer can be set to; a longer one would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The candidate that a fetch follows, and what brings it in. */
interface Followed {
  readonly swarm: Swarm;
  readonly candidate: Candidate;
}

/** A fetch in progress. */
export class Fetch implements Searcher, SwarmObserver {
  readonly request: FetchRequest;
  readonly #host: FetchHost;
  readonly #observer: FetchObserver;
  readonly #path: string | undefined;
  readonly #search: FetchSearch;
  readonly #candidates: Candidates;
  readonly #holders = new HolderBook();
  readonly #startMs = performance.now();
  readonly #patience = new Patience(performance.now());
  /** Whether a directory knows somebody who has the file whole. */
  #isKnownWhole = false;
  /** Whether directories named holders that can be dialled, and others that cannot. */
  #namesDialable = false;
  #namesHidden = false;
  readonly #dials: HolderDials;
  /** Chunks of the longest file that was offered and is too short for those asked for. */
  #tooShortChunks: number | null = null;
  /** Ends what the fetch itself works on, such as hashing a whole file. */
  readonly #ending = new AbortController();
  #current: Followed | null = null;
  #follows = 0;
  #offers = 0;
  #finished = false;
  /** The candidate whose chunks are all here, until it is dealt with. */
  #complete: Followed | null = null;
  /** Whether it waits for another download of the same root to end. */
  #isHeld = false;
  /** The leading candidate, if it is here already, until it is dealt with. */
  #here: Candidate | null = null;
  /** Why the fetch cannot go on. */
  #error: Error | null = null;
  #wake: () => void = () => {};
  /** Whether a file of this name is here that failed the check. */
  #hasWrongCopy = false;

  constructor(
    host: FetchHost,
    request: FetchRequest,
    options: { readonly observer: FetchObserver; readonly path?: string },
  ) {
    this.#host = host;
    this.request = request;
    this.#observer = options.observer;
    this.#path = options.path;
    const sought: Sought = request.root !== null
      ? { by: "root", value: request.root }
      : { by: "name", value: request.name };
    this.#search = new FetchSearch(host, sought, this);
    this.#candidates = new Candidates(request);
    this.#dials = new HolderDials({
      log: host.log,
      dialHolder: host.dialHolder,
      offered: (holder, offers) => this.offered(holder, offers),
    });
  }

  /**
   * Runs the fetch to its end.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async run(signal: AbortSignal): Promise<Done> {
    const stop = () => this.#fail(new FetchFailure("failed", "The fetch was stopped"));
    const late = () =>
      this.#fail(outOfTime(this.request, this.#current?.swarm, this.#surroundings));
    const { timeoutMs } = this.request;
    const timer = timeoutMs > 0 ? setTimeout(late, Math.min(timeoutMs, TIMER_MS_MAX)) : undefined;
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) stop();
      const { file, hasWrongCopy } = await findLocalCopy(
        this.#host.store,
        this.request,
        { signal: this.#ending.signal },
      );
      this.#hasWrongCopy = hasWrongCopy;
      return file === undefined ? await this.#fetch() : this.#deliverLocal(file);
    } finally {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
      this.#finished = true;
      this.#search.end();
      // What ended the fetch (a full disk, say) may strike again here; the first error counts.
      await this.#leave("suspend").catch((error) =>
        this.#host.log.warn("cannot put the download away", { error: messageOf(error) })
      );
    }
  }

  /** Lets time pass: bounds, further searches, progress. What goes wrong ends this fetch alone. */
  tick(nowMs: number): void {
    if (this.#finished) return;
    try {
      this.#tick(nowMs);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #tick(nowMs: number): void {
    const { swarm } = this.#current ?? {};
    if (swarm !== undefined) this.#sendProgress(swarm);
    else {
      this.#observer.event({
        kind: "searching",
        elapsedMs: Math.round(nowMs - this.#startMs),
        queries: this.#search.queries,
      });
    }
    if (this.#candidates.unsettledMs(nowMs) <= 0) this.#followLeader();
    if (swarm?.isComplete) return;
    if (this.#patience.tick(swarm, nowMs) || this.#isHopeless(nowMs)) return this.#failForNobody();
    this.#search.tick(nowMs, {
      fromFlood: swarm?.wantsSources ?? false,
      fromDirectories: this.#hasFewSources,
    });
  }

  // Searcher

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    if (this.#finished) return { kind: "enough" };
    for (const { file } of offers) this.#consider(file, holder.nodeId, holder.address);
    this.#followLeader();
    if (this.#current === null) return { kind: "more" };
    const { swarm, candidate } = this.#current;
    const offer = offers.find(({ file }) => candidateKey(file) === candidate.key);
    if (offer === undefined || swarm.hasSource(holder.nodeId)) return { kind: "more" };
    if (swarm.isComplete || this.#candidates.isBanned(holder.nodeId)) return { kind: "enough" };
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
    const address = { host: hit.holderHost, port: hit.holderPort };
    for (const file of hit.offers) {
      const isOurs = this.request.root === null
        ? file.name === this.request.name
        : file.root === this.request.root;
      if (isOurs) this.#dial(hit.nodeId, { address, root: file.root });
    }
  }

  /** A directory vouches for files, and names holders in the order in which to ask them. */
  listed({ files, holders }: DirectoryAnswer): void {
    if (this.#finished) return;
    try {
      for (const file of files) this.#candidates.vouch(file);
      this.#isKnownWhole ||= files.some((file) => file.whole > 0 && this.#candidates.isOpen(file));
      if (files.length + holders.length === 0) this.#toldToWait(performance.now());
      this.#followLeader();
      this.#noteHidden(holders);
      for (const holder of holders) this.#dialListed(holder);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /**
   * A directory that knows who has the file, and names nobody, spares them: it names others soon,
   * or them after all.
   */
  #toldToWait(nowMs: number): void {
    const isSoon = nowMs - this.#startMs < limits.spareMs + limits.searchMs;
    if (this.#isKnownWhole && isSoon) this.#patience.renew(nowMs);
  }

  #noteHidden(holders: readonly Holder[]): void {
    for (const { root, sizeBytes, port } of holders) {
      if (!this.#candidates.isOpen({ root, sizeBytes })) continue;
      if (port === 0) this.#namesHidden = true;
      else this.#namesDialable = true;
    }
  }

  // SwarmObserver

  gained(range: ChunkRange): void {
    this.#patience.fed();
    this.#observer.gained(range);
  }

  completed(): void {
    this.#complete = this.#current;
    this.#wake();
  }

  failed(error: Error): void {
    this.#fail(error);
  }

  needsSources(): void {
    if (!this.#finished) this.#search.startInNeed(performance.now());
  }

  banned(nodeId: NodeId): void {
    this.#candidates.ban(nodeId);
    this.#holders.forget(nodeId);
    if (this.#current !== null && this.#candidates.leader() === undefined) {
      this.#patience.renew(performance.now());
    }
  }

  async #fetch(): Promise<Done> {
    this.#search.start(performance.now());
    for (;;) {
      const complete = await this.#nextComplete();
      if (!("swarm" in complete)) {
        const done = await this.#takeHere(complete);
        if (done !== undefined) return done;
        continue;
      }
      const { swarm, candidate } = complete;
      await this.#settle();
      if (this.#current !== complete) continue;
      const wrong = await this.#check(swarm);
      if (wrong !== undefined) {
        await this.#reject(candidate, wrong);
        continue;
      }
      if (this.#error !== null) throw this.#error;
      const done = this.#done(swarm);
      this.#sendProgress(swarm);
      this.#finished = true;
      await this.#leave("finish");
      this.#logDone(done);
      return done;
    }
  }

  /**
   * Resolves when the followed candidate is complete, or with the leading one when that was here
   * all along; rejects when the fetch has failed.
   */
  async #nextComplete(): Promise<Followed | Candidate> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const here = this.#here;
      this.#here = null;
      if (here !== null) return here;
      const complete = this.#complete;
      this.#complete = null;
      if (complete !== null && complete === this.#current) return complete;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** A bare name may still turn out to mean another root: waits until that is settled. */
  async #settle(): Promise<void> {
    const { candidate } = this.#current ?? {};
    if (candidate === undefined || this.#candidates.isCertain(candidate)) return;
    const leftMs = this.#candidates.unsettledMs(performance.now());
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    this.#followLeader();
  }

  /** Why the complete file is not what was asked for; undefined when it is. */
  async #check(swarm: Swarm): Promise<string | undefined> {
    const { sha256 } = this.request;
    if (sha256 === null || !swarm.download.have.isFull) return undefined;
    const { signal } = this.#ending;
    const found = await fileSha256(readerOf(this.#host.store, swarm.file), { signal });
    if (found !== sha256) return `its SHA-256 is ${found}`;
    this.#host.store.noteSha256(swarm.file.root, sha256);
    return undefined;
  }

  async #reject(candidate: Candidate, why: string): Promise<void> {
    const nodes = this.#candidates.reject(candidate.key);
    this.#host.log.warn("a complete file failed its check", {
      name: candidate.name,
      root: candidate.root,
      why,
      offeredBy: nodes,
    });
    await this.#leave("discard");
    this.#patience.renew(performance.now());
    this.#observer.event({ kind: "restarted", reason: why });
    this.#followLeader();
  }

  /**
   * The copy here of a candidate that others offer: under another name, or because another fetch
   * has just brought it. Undefined, and the candidate thrown away, when that is not what was sought.
   */
  async #takeHere(candidate: Candidate): Promise<Done | undefined> {
    const { store } = this.#host;
    const file = store.definition(candidate.root);
    if (file !== undefined && store.isComplete(file.root) && isReadable(store, file)) {
      const isRight = file.sizeBytes === candidate.sizeBytes &&
        await hasSha256(store, file, {
          sha256: this.request.sha256,
          signal: this.#ending.signal,
        });
      if (isRight) return this.#deliverLocal(file);
      await this.#reject(candidate, "a file of this root is here, and it is not what is sought");
    } else {
      // It cannot be read just now: another turn may find it readable, or gone.
      await new Promise((resolve) => setTimeout(resolve, HELD_MS));
      this.#followLeader();
    }
    return undefined;
  }

  #deliverLocal(file: FileDefinition): Done {
    const { store } = this.#host;
    const wanted = this.#wantedOf(file.sizeBytes);
    const bytes = wantedBytes(file.sizeBytes, wanted);
    const { root, name, sizeBytes } = file;
    this.#observer.event({ kind: "found", root, name, sizeBytes, sources: 0, bytesHad: bytes });
    this.#observer.readable(readerOf(store, file));
    if (wanted.count > 0) this.#observer.gained(wanted);
    return {
      kind: "done",
      root,
      name,
      sizeBytes,
      bytesLocal: bytes,
      sources: [],
      queriesSent: 0,
      offersReceived: 0,
      elapsedMs: Math.round(performance.now() - this.#startMs),
    };
  }

  /** Whether one that a directory names would still be of use. */
  get #hasFewSources(): boolean {
    const { swarm } = this.#current ?? {};
    if (swarm === undefined) return true;
    return swarm.wantsSources && swarm.sourceCount + this.#dials.listedCount < SOURCES_ENOUGH;
  }

  #consider(
    file: MessageOf<"offer">["file"],
    nodeId: NodeId,
    address: HostPort,
  ): void {
    this.#offers++;
    const { chunks } = this.request;
    const chunksOffered = chunkCount(file.sizeBytes);
    if (chunks !== null && !isRangeWithin(chunks, chunksOffered)) {
      // A false offer may be shorter than the file: others are waited for.
      this.#tooShortChunks = Math.max(this.#tooShortChunks ?? 0, chunksOffered);
      return;
    }
    const verdict = this.#candidates.add(file, nodeId, performance.now());
    if (verdict !== "counted") {
      this.#host.log.debug("offer does not count", { name: file.name, root: file.root, verdict });
      return;
    }
    this.#holders.note(candidateKey(file), nodeId, address);
  }

  /** Follows the leading candidate, if it is not followed already. */
  #followLeader(): void {
    const leader = this.#candidates.leader();
    if (this.#finished || leader === undefined || leader.key === this.#current?.candidate.key) {
      return;
    }
    if (this.#current !== null) {
      const { candidate } = this.#current;
      if (!this.#candidates.mayReplace(candidate, leader, performance.now())) return;
      const reason = candidate.offerers.size === 0
        ? "those who offered it gave what is not true"
        : "more peers offer another file";
      this.#observer.event({ kind: "restarted", reason });
      this.#leave("discard").catch((error) => this.#fail(error as Error));
    }
    this.#follow(leader);
  }

  #follow(candidate: Candidate): void {
    const { root, name, sizeBytes } = candidate;
    if (this.#host.store.isComplete(root)) {
      this.#here = candidate;
      this.#wake();
      return;
    }
    const file = { root, name: this.request.name || name, sizeBytes };
    let wanted: ChunkRange;
    let swarm: Swarm | undefined;
    try {
      wanted = this.#wantedOf(sizeBytes);
      swarm = this.#host.swarms.join(file, {
        wanted,
        observer: this,
        ...(this.#path === undefined ? {} : { path: this.#path }),
      });
    } catch (error) {
      if (error instanceof FetchFailure || error instanceof EnvironmentError) {
        return this.#fail(error);
      }
      // No file can be what this candidate says: a size that its root cannot have, a bad name.
      this.#host.log.warn("an offer cannot be true", { root, name, error: messageOf(error) });
      this.#candidates.reject(candidate.key);
      return this.#followLeader();
    }
    if (swarm === undefined) {
      // Another part of the same file is on its way, or it is just being put away: a time to wait,
      // not one without anybody to ask.
      this.#patience.renew(performance.now());
      return this.#followLater(file);
    }
    this.#follows++;
    this.#current = { swarm, candidate };
    this.#patience.renew(performance.now());
    this.#observer.event({
      kind: "found",
      root,
      name: file.name,
      sizeBytes,
      sources: candidate.offerers.size,
      bytesHad: swarm.bytesHad,
    });
    const { download } = swarm;
    this.#observer.readable(readerOf(this.#host.store, file));
    this.#host.log.info("fetching", { name: file.name, root, sizeBytes });
    // Those that offered this candidate before it led were sent away: they are dialled now.
    if (this.#follows > 1) {
      for (const [nodeId, address] of this.#holders.of(candidate.key)) {
        this.#dial(nodeId, { address, root });
      }
      // Those that cannot be dialled turn to us again when they hear of a query that is new to them.
      this.#search.start(performance.now());
    }
    if (swarm.hasBegun) {
      for (const range of download.have.ranges()) this.#observer.gained(range);
    }
    if (swarm.isComplete) this.completed();
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

  /** Dials a holder unless it is a source already; `nodeId` is only a claim before that. */
  #dial(nodeId: NodeId, dial: { readonly address: HostPort; readonly root: Root }): void {
    const swarm = this.#current?.swarm;
    if (dial.address.port === 0 || !this.#isWelcome(nodeId)) return;
    this.#dials.answered(dial, { sourceCount: swarm?.sourceCount ?? 0 });
  }

  /** The same for a holder that a directory named. */
  #dialListed({ nodeId, host, port, root, sizeBytes }: Holder): void {
    const candidate = this.#current?.candidate;
    // While it is open which root is meant, all are asked; later, those of the one that is followed.
    const isOther = candidate !== undefined && candidate.root !== root &&
      this.#candidates.isKept(candidate, performance.now());
    if (
      port === 0 || isOther || !this.#hasFewSources || !this.#isWelcome(nodeId) ||
      !this.#candidates.isOpen({ root, sizeBytes })
    ) return;
    const read = (offer: MessageOf<"offer">) => this.#underSoughtName(offer);
    this.#dials.listed({ address: { host, port }, root }, { read });
  }

  #isWelcome(nodeId: NodeId): boolean {
    const isSource = this.#current?.swarm.hasSource(nodeId) ?? false;
    return !this.#finished && !isSource && !this.#candidates.isBanned(nodeId);
  }

  /**
   * A holder that has one file under two names offers it under either. Where a directory vouches
   * that the file goes by the name that is sought, that is good enough.
   */
  #underSoughtName(offer: MessageOf<"offer">): MessageOf<"offer"> {
    const { name } = this.request;
    if (name === "" || !this.#candidates.isVouched(candidateKey(offer.file))) return offer;
    return { ...offer, file: { ...offer.file, name } };
  }

  async #leave(how: "suspend" | "discard" | "finish"): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    this.#current = null;
    await this.#host.swarms.leave(current.swarm, this, how);
  }

  /** Whether nobody can be asked any more: waiting longer would bring nothing. */
  #isHopeless(nowMs: number): boolean {
    const { isAlone, links, overlay, directories } = this.#host;
    if (!isAlone || nowMs - this.#startMs < HOPELESS_MS) return false;
    if (links.size + overlay.addressCount + this.#dials.listedCount > 0) return false;
    if (this.#current !== null || this.#candidates.leader() !== undefined) return false;
    const failed = directories.troubles.filter(({ isFailed }) => isFailed);
    return failed.length > 0 && failed.length === directories.size;
  }

  /** Whom this fetch could have asked. */
  get #surroundings(): Surroundings {
    const { isAlone, links: { size: linkCount }, directories } = this.#host;
    const isHidden = this.#namesHidden && !this.#namesDialable;
    return { isAlone, linkCount, directories, isHidden };
  }

  #failForNobody(): void {
    const shortChunks = this.#tooShortChunks;
    if (shortChunks !== null && this.#current === null && !this.#candidates.anyFalse) {
      return this.#fail(this.#rangeOutside(shortChunks));
    }
    const { anyFalse, unfit } = this.#candidates;
    const here = this.#current?.swarm;
    const hasWrongCopy = this.#hasWrongCopy;
    const seen = { anyFalse, unfit, here, hasWrongCopy, ...this.#surroundings };
    this.#fail(nobodyLeft(this.request, seen));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#ending.abort(error);
    this.#wake();
  }

  #wantedOf(sizeBytes: number): ChunkRange {
    const chunks = chunkCount(sizeBytes);
    const { chunks: part } = this.request;
    if (part === null) return { first: 0, count: chunks };
    if (!isRangeWithin(part, chunks)) throw this.#rangeOutside(chunks);
    return part;
  }

  #rangeOutside(chunks: number): FetchFailure {
    const { first, count } = this.request.chunks!;
    return new FetchFailure(
      "usage",
      `Cannot fetch chunks ${first}-${first + count - 1}: the file has ` +
        (chunks === 0 ? "none, it is empty" : `${chunks} (0-${chunks - 1})`),
    );
  }

  #sendProgress(swarm: Swarm): void {
    this.#observer.event({
      kind: "progress",
      bytesDone: swarm.bytesDone,
      bytesTotal: swarm.bytesTotal,
      bytesPerSecond: Math.round(swarm.rate.bytesPerSecond),
      sources: swarm.sourceCount,
    });
  }

  #done(swarm: Swarm): Done {
    return {
      kind: "done",
      root: swarm.file.root,
      name: swarm.file.name,
      sizeBytes: swarm.file.sizeBytes,
      bytesLocal: swarm.bytesHad,
      sources: swarm.contributions.list().slice(0, limits.doneSourcesMax),
      queriesSent: this.#search.queries,
      offersReceived: this.#offers,
      elapsedMs: Math.round(performance.now() - this.#startMs),
    };
  }

  /** Says in the log what came and from whom; the few that gave most are enough there. */
  #logDone({ name, root, sizeBytes, elapsedMs, sources, queriesSent, offersReceived }: Done): void {
    const from = sources.slice(0, 8).map(({ peer, bytes }) => `${peer} ${bytes}`).join(", ");
    const search = { queriesSent, offersReceived };
    this.#host.log.info("fetched", { name, root, sizeBytes, elapsedMs, from, ...search });
  }
}

function wantedBytes(sizeBytes: number, wanted: ChunkRange): number {
  return wanted.count === 0 ? 0 : rangeBytes(sizeBytes, wanted).length;
}
