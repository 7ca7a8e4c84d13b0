/**
 * One fetch from request to end: has peers (`fetch_peers.ts`) and mirrors (`fetch_hedging.ts`) bring
 * the file, judges what they bring, tells those who wait for it, and says how it ended.
 *
 * What a mirror gives may be given away at once, what peers give when it is proved
 * (`fetch_proof.ts`).
 */

import { FetchFailure, messageOf } from "../base/errors.ts";
import type { ChunkRange } from "../base/geometry.ts";
import { UNKNOWN_ROOT } from "../base/ids.ts";
import type { Candidate } from "../core/candidates.ts";
import type { MirrorError } from "../net/mirror.ts";
import type { FileDefinition } from "../store/place.ts";
import type { FetchObserver } from "../wire/fetch_observer.ts";
import type { FetchRequest } from "../wire/fetch_request.ts";
import type { Done, Hit, MessageOf } from "../wire/messages.ts";
import type { DirectoryAnswer } from "./directories.ts";
import { nobodyLeft, outOfTime, type Surroundings } from "./fetch_failures.ts";
import { Hedging, type HedgingOwner } from "./fetch_hedging.ts";
import { FetchJournal } from "./fetch_journal.ts";
import type { MirrorTrackHost } from "./fetch_mirror.ts";
import { adopt } from "./fetch_adopt.ts";
import { doneOf, logDone, rememberFetch } from "./fetch_outcome.ts";
import {
  type Followed,
  PeerTrack,
  type PeerTrackHost,
  type PeerTrackOwner,
} from "./fetch_peers.ts";
import { isProved, needsMirror } from "./fetch_proof.ts";
import { FetchProgress } from "./fetch_progress.ts";
import { lastOf, rangeOutside } from "./fetch_range.ts";
import { FetchView } from "./fetch_view.ts";
import type { Giver } from "./giver.ts";
import { findLocalCopy, hasSha256, isReadable, readerOf, showLocal } from "./local_copy.ts";
import { searchTimeMs } from "./patience.ts";
import type { OfferingHolder, Searcher, Verdict } from "./searches.ts";
import type { Swarm } from "./swarm.ts";

/** What a fetch needs of the node that it runs on. */
export type FetchHost = PeerTrackHost & Omit<MirrorTrackHost, "store">;

/** How a fetch is done, besides what is asked for. */
export interface FetchOptions {
  readonly observer: FetchObserver;
  /** Where the data is written; by default, the store's own place. */
  readonly path?: string;
  /**
   * The first byte that somebody waits for: a mirror is asked for what follows only, and then the
   * file may end up not being kept.
   */
  readonly from?: number;
  /** Whether size and SHA-256 of the request are those of a repository's database. */
  readonly isOfDatabase?: boolean;
}

/** The longest time that a timer can be set to; a longer one would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A fetch in progress. */
export class Fetch implements Searcher, PeerTrackOwner, HedgingOwner {
  readonly request: FetchRequest;
  readonly #host: FetchHost;
  readonly #options: FetchOptions;
  readonly #peers: PeerTrack;
  /** Null when no mirror is named. */
  readonly #hedging: Hedging | null;
  readonly #view: FetchView;
  readonly #journal: FetchJournal;
  readonly #startMs = performance.now();
  /** Ends what the fetch itself works on, such as hashing a whole file. */
  readonly #ending = new AbortController();
  readonly #progress: FetchProgress;
  #isProved = false;
  #isOver = false;
  /** Why the fetch cannot go on. */
  #error: Error | null = null;
  #wake: () => void = () => {};
  /** Whether a file of this name is here that failed the check, and one that a mirror gave did. */
  #hasWrongCopy = false;
  #isMirrorFalse = false;
  #sizeBytes: number | null = null;

  constructor(host: FetchHost, request: FetchRequest, options: FetchOptions) {
    this.#host = host;
    this.request = request;
    this.#options = options;
    const { observer, path, from = 0 } = options;
    const journal = this.#journal = new FetchJournal(this.#startMs);
    const view = this.#view = new FetchView(observer, journal);
    const searchMs = searchTimeMs(request, host);
    const how = { owner: this, journal, path, searchMs };
    const peers = this.#peers = new PeerTrack(host, request, how);
    this.#hedging = request.mirrors.length > 0
      ? new Hedging(host, request, { owner: this, peers, view, journal, path, from })
      : null;
    this.#progress = new FetchProgress(peers, this.#hedging?.track, this.#startMs);
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#isProved;
  }

  /**
   * Runs the fetch to its end. Where only a part of the file came, and nobody knows its root, that
   * of the outcome is `UNKNOWN_ROOT`: nothing is kept.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async run(signal: AbortSignal): Promise<Done> {
    const stop = () => this.failed(new FetchFailure("failed", "The fetch was stopped"));
    const late = () =>
      this.failed(outOfTime(this.request, this.#peers.current?.swarm, this.#surroundings));
    const { timeoutMs } = this.request;
    const timer = timeoutMs > 0 ? setTimeout(late, Math.min(timeoutMs, TIMER_MS_MAX)) : undefined;
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) stop();
      const done = await this.#run();
      this.#remember("done", done);
      return done;
    } catch (error) {
      // Of what nobody has there is nothing to tell, and many may ask for it.
      const isMiss = error instanceof FetchFailure && error.exit === "notFound";
      if (!isMiss || this.#peers.offers > 0) this.#remember(messageOf(error), null);
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
      this.#isOver = true;
      this.#peers.end();
      // What ended the fetch (a full disk, say) may strike again here; the first error counts.
      const ends = [this.#hedging?.end("suspend"), this.#peers.leave("suspend")];
      for (const end of await Promise.allSettled(ends)) {
        if (end.status === "fulfilled") continue;
        this.#host.log.warn("cannot put the download away", { error: messageOf(end.reason) });
      }
    }
  }

  /** Lets time pass: bounds, further searches, progress. What goes wrong ends this fetch alone. */
  tick(nowMs: number): void {
    if (this.#isOver) return;
    try {
      this.#progress.tell(this.#view, nowMs);
      this.#assess();
      if (!this.#peers.tick(nowMs)) return;
      if (this.#hedging?.isAlive) this.#peers.search(nowMs);
      else this.#failForNobody();
    } catch (error) {
      this.failed(error as Error);
    }
  }

  // Searcher

  offered(holder: OfferingHolder, offers: readonly MessageOf<"offer">[]): Verdict {
    return this.#peers.offered(holder, offers);
  }

  hit(hit: Hit): void {
    this.#peers.hit(hit);
  }

  listed(answer: DirectoryAnswer): void {
    this.#peers.listed(answer);
  }

  // PeerTrackOwner

  followed(followed: Followed): void {
    const { swarm, candidate } = followed;
    const { root, name, sizeBytes } = swarm.file;
    this.#isProved = false;
    this.#sizeBytes = sizeBytes;
    this.#view.event({
      kind: "found",
      root,
      name,
      sizeBytes,
      sources: candidate.offerers.size,
      bytesHad: swarm.bytesHad,
    });
    const mirrorBytes = this.#hedging?.track.sizeBytes ?? null;
    // A mirror that has another size is dealt with next; until then its bytes stay as they are.
    if (mirrorBytes === null || mirrorBytes === sizeBytes) this.#showPeers(swarm);
    this.#hedging?.followed(followed);
    this.#assess();
  }

  replaced(reason: string): void {
    this.#isProved = false;
    this.#hedging?.followed(null);
    this.#view.dropPeers(reason);
  }

  gained(range: ChunkRange, giver: Giver): void {
    const sizeBytes = this.#peers.current?.swarm.file.sizeBytes;
    if (this.#isOver || sizeBytes === undefined) return;
    this.#journal.gave(giver, range, sizeBytes);
    if (this.#hedging?.isApart || this.#view.sizeBytes !== sizeBytes) return;
    this.#view.gained(range);
    if (this.#isProved) this.#view.vouched(range);
    else {
      if (giver.kind === "mirror") {
        this.#view.vouched(this.#hedging?.safe(range, sizeBytes) ?? range);
      }
      this.#assess();
    }
  }

  mirrorWrong(mirror: string, index: number): void {
    this.#hedging?.mirrorWrong(mirror, index);
  }

  mirrorFailed(error: MirrorError): void {
    this.#hedging?.mirrorFailed(error);
  }

  changed(): void {
    this.#assess();
    this.#wake();
    const { refusal } = this.#hedging?.track ?? {};
    if (refusal && !this.#isOver && !this.#peers.canAsk) this.#failForNobody();
  }

  failed(error: Error): void {
    this.#error ??= error;
    this.#ending.abort(error);
    this.#wake();
  }

  // HedgingOwner

  opened(sizeBytes: number): void {
    const isTold = this.#sizeBytes === sizeBytes;
    this.#sizeBytes = sizeBytes;
    if (isTold) return;
    const { name } = this.request;
    const root = this.#peers.current?.swarm.file.root ?? this.request.root ?? UNKNOWN_ROOT;
    this.#view.event({ kind: "found", root, name, sizeBytes, sources: 0, bytesHad: 0 });
  }

  disagreed(why: string): void {
    const { current } = this.#peers;
    if (this.#isOver || current === null) return;
    this.#journal.note(`Mirror and peers disagree: ${why}`, performance.now());
    this.#host.log.info("mirror and peers disagree", { name: this.request.name, why });
    const { root, sha256 } = this.request;
    const isSure = root !== null || sha256 !== null && this.#isProved;
    if (isSure) {
      this.#isMirrorFalse = true;
      this.#keepPeers(current, why).catch((error) => this.failed(error as Error));
    } else if (sha256 === null) {
      this.#reject(current.candidate, why).catch((error) => this.failed(error as Error));
    } else {
      this.#hedging!.goApart();
      this.#view.dropPeers(why);
    }
  }

  /** The candidate is right, so the mirror is not. */
  async #keepPeers(followed: Followed, why: string): Promise<void> {
    await this.#hedging!.track.reject(why);
    if (this.#isOver || this.#peers.current !== followed) return;
    const { swarm } = followed;
    this.#showPeers(swarm);
    for (const range of swarm.download.have.ranges()) this.#view.gained(range);
    this.#assess();
    if (this.#isProved) this.#view.vouchedAll();
  }

  async #run(): Promise<Done> {
    const { store } = this.#host;
    const { signal } = this.#ending;
    const { file, hasWrongCopy } = await findLocalCopy(store, this.request, { signal });
    this.#hasWrongCopy = hasWrongCopy;
    if (file !== undefined) return this.#deliverLocal(file);
    if (this.#error !== null) throw this.#error;
    this.#peers.start(performance.now());
    this.#hedging?.start();
    for (;;) {
      const done = await this.#next();
      if (done !== undefined) return done;
      if (this.#error !== null) throw this.#error;
    }
  }

  /** Waits until something is complete, and judges it; undefined when that is not the file. */
  async #next(): Promise<Done | undefined> {
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const here = this.#peers.takeHere();
      if (here !== null) return await this.#takeHere(here);
      if (this.#hedging?.track.isWhole) return await this.#takeMirrors(this.#hedging);
      const complete = this.#peers.takeComplete();
      if (complete !== null) return await this.#takePeers(complete);
      await this.#woken();
    }
  }

  async #woken(): Promise<void> {
    await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** What peers gave is complete. */
  async #takePeers(complete: Followed): Promise<Done | undefined> {
    const { swarm, candidate } = complete;
    await this.#peers.settle();
    while (this.#peers.current === complete && this.#needsMirror()) await this.#woken();
    if (this.#peers.current !== complete || this.#error !== null) return undefined;
    const isRight = await this.#isRight(swarm);
    if (this.#error !== null) return undefined;
    if (!isRight) {
      await this.#reject(candidate, "it does not have the SHA-256 that is wanted");
      return undefined;
    }
    this.#prove(swarm);
    this.#progress.tell(this.#view, performance.now());
    this.#isOver = true;
    const done = this.#done(swarm.file, swarm);
    await this.#hedging?.end("discard");
    await this.#peers.leave("finish");
    logDone(this.#host.log, done);
    return done;
  }

  #needsMirror(): boolean {
    return this.#error === null && !this.#isProved && needsMirror(this.request, this.#hedging);
  }

  /** Whether the complete file has the SHA-256 that is wanted, if one is. */
  async #isRight({ download, file }: Swarm): Promise<boolean> {
    const { sha256 } = this.request;
    if (sha256 === null || !download.have.isFull) return true;
    const { signal } = this.#ending;
    if (!await hasSha256(this.#host.store, file, { sha256, signal })) return false;
    this.#journal.note("The SHA-256 of what peers gave is right", performance.now());
    return true;
  }

  /** Whatever peers give, and gave, of what is followed may be given away from now on. */
  #prove(swarm: Swarm): void {
    const isApart = this.#hedging?.isApart ?? false;
    if (isApart) this.#view.dropMirror("peers gave the right file, the mirror did not");
    this.#showPeers(swarm);
    if (isApart) { for (const range of swarm.download.have.ranges()) this.#view.gained(range); }
    if (!this.#isProved) {
      this.#journal.note(`What peers give is proved, root ${swarm.file.root}`, performance.now());
    }
    this.#isProved = true;
    this.#view.vouchedAll();
  }

  #showPeers({ file, download: { have } }: Swarm): void {
    const reader = readerOf(this.#host.store, file);
    this.#view.show(file.sizeBytes, { peers: { has: (range) => have.hasRange(range), reader } });
  }

  /** Looks whether what peers give is proved by now. */
  #assess(): void {
    const { current, candidates } = this.#peers;
    const hedging = this.#hedging;
    if (this.#isProved || this.#isOver || current === null || hedging?.isApart) return;
    if (this.#view.sizeBytes !== current.swarm.file.sizeBytes) return;
    const sha256 = this.#host.store.sha256(current.candidate.root);
    const found = { candidate: current.candidate, candidates, sha256, hedging };
    if (isProved(this.request, found)) this.#prove(current.swarm);
  }

  async #reject(candidate: Candidate, why: string): Promise<void> {
    this.#isProved = false;
    this.#view.dropPeers(why);
    this.#hedging?.followed(null);
    await this.#peers.reject(candidate, why);
    this.#peers.follow();
  }

  /** All that was wanted of the mirror is here. */
  async #takeMirrors({ track }: Hedging): Promise<Done | undefined> {
    const intake = track.intake!;
    const sizeBytes = track.sizeBytes!;
    const { sha256, root, name } = this.request;
    const { signal } = this.#ending;
    if (track.isWholeFile && sha256 !== null) {
      const found = await intake.sha256({ signal });
      if (found !== sha256) {
        this.#isMirrorFalse = true;
        await track.reject(`its SHA-256 is ${found}, expected ${sha256}`);
        return undefined;
      }
      this.#journal.note("The SHA-256 of what the mirror gave is right", performance.now());
    }
    const { current } = this.#peers;
    this.#hedging!.stop();
    if (!this.#hedging!.isApart && root === null) this.#isProved = true;
    if (root === null) this.#view.vouched(lastOf(track.firstChunk, track.nextChunk));
    await this.#peers.leave("suspend");
    if (!track.isWholeFile) {
      this.#isOver = true;
      return this.#done({ root: UNKNOWN_ROOT, name, sizeBytes }, current?.swarm);
    }
    const file = await adopt(this.#host.store, intake, { request: this.request, signal });
    this.#view.vouchedAll();
    this.#isOver = true;
    if (current !== null && file.root !== current.candidate.root) {
      await this.#peers.reject(current.candidate, `the right file has root ${file.root}`);
    }
    const done = this.#done(file, current?.swarm);
    logDone(this.#host.log, done);
    return done;
  }

  /**
   * The copy here of a candidate that others offer: under another name, or because another fetch
   * has just brought it. Undefined, and the candidate thrown away, when that is not what was sought.
   */
  async #takeHere(candidate: Candidate): Promise<Done | undefined> {
    const { store } = this.#host;
    const { sha256, root } = this.request;
    const file = store.definition(candidate.root);
    if (file === undefined || !store.isComplete(file.root) || !isReadable(store, file)) {
      // It cannot be read just now: another turn may find it readable, or gone.
      await this.#peers.lookAgain();
      return undefined;
    }
    const { signal } = this.#ending;
    const isRight = file.sizeBytes === candidate.sizeBytes &&
      await hasSha256(store, file, { sha256, signal });
    const isMirrors = await this.#hedging?.isSameAs(readerOf(store, file)) ?? true;
    if (isRight && (isMirrors || sha256 !== null || root !== null)) {
      if (!isMirrors) this.#view.dropMirror("the right file is here, the mirror gave another one");
      return this.#deliverLocal(file);
    }
    const why = isRight
      ? "a file of this root is here, and a mirror gives another one"
      : "a file of this root is here, and it is not what is sought";
    await this.#reject(candidate, why);
    return undefined;
  }

  #deliverLocal(file: FileDefinition): Done {
    this.#isOver = true;
    this.#sizeBytes = file.sizeBytes;
    const { store } = this.#host;
    const bytesLocal = showLocal(store, file, {
      request: this.request,
      view: this.#view,
      journal: this.#journal,
    });
    return { ...this.#done(file, undefined), bytesLocal };
  }

  /** Whom this fetch could have asked. */
  get #surroundings(): Surroundings {
    const { isAlone, links: { size: linkCount }, directories } = this.#host;
    return { isAlone, linkCount, directories, isHidden: this.#peers.isHidden };
  }

  #failForNobody(): void {
    const { tooShortChunks } = this.#peers;
    if (tooShortChunks !== null) {
      return this.failed(rangeOutside(this.request.chunks!, tooShortChunks));
    }
    const { anyFalse, unfit } = this.#peers.candidates;
    this.failed(nobodyLeft(this.request, {
      anyFalse: anyFalse || this.#isMirrorFalse,
      unfit,
      here: this.#peers.current?.swarm,
      hasWrongCopy: this.#hasWrongCopy,
      refusal: this.#hedging?.track.refusal ?? null,
      ...this.#surroundings,
    }));
  }

  #done(file: Pick<FileDefinition, "root" | "name" | "sizeBytes">, swarm: Swarm | undefined): Done {
    return doneOf(file, {
      swarm,
      mirrors: this.#hedging?.track.file.bytesGiven ?? new Map(),
      peers: this.#peers,
      elapsedMs: performance.now() - this.#startMs,
    });
  }

  /** Keeps the story of this fetch, so that it can be explained afterwards. */
  #remember(outcome: string, done: Done | null): void {
    const sought = this.#peers.current?.swarm.file;
    rememberFetch(this.#host, this.#journal, {
      outcome,
      done,
      request: this.request,
      isOfDatabase: this.#options.isOfDatabase ?? false,
      root: sought?.root ?? null,
      sizeBytes: this.#sizeBytes,
    });
  }
}
