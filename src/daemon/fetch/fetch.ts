/**
 * One fetch from request to end: has peers (`peer_track.ts`) and mirrors (`mirror_coordination.ts`) bring
 * the file, and what they bring judged (`fetch_verification.ts`), tells those who wait for it, and says how
 * it ended.
 *
 * What a mirror gives may be given away at once, what peers give when it is proved
 * (`fetch_proof.ts`).
 */

import { FetchFailure, messageOf } from "../../base/errors.ts";
import type { ChunkRange } from "../../base/geometry.ts";
import { UNKNOWN_ROOT } from "../../base/ids.ts";
import type { FetchRecord } from "../../base/fetch_record.ts";
import type { FileDefinition } from "../../store/files/stored_file.ts";
import type { FetchObserver } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import type { Done, Hit, MessageOf } from "../../wire/messages.ts";
import type { DirectoryAnswer } from "../directories/directories.ts";
import { nobodyLeft, outOfTime, type Surroundings } from "./fetch_failures.ts";
import { Hedging, type HedgingOwner } from "./mirror_coordination.ts";
import { FetchRecorder } from "./fetch_recorder.ts";
import { type Found, Judging, type JudgingOwner } from "./fetch_verification.ts";
import type { MirrorTrackHost } from "./mirror_track.ts";
import {
  doneOf,
  type FetchEnd,
  logDone,
  type OutcomeHost,
  recordOf,
  rememberFetch,
} from "./fetch_outcome.ts";
import { type Followed, PeerTrack, type PeerTrackHost, type PeerTrackOwner } from "./peer_track.ts";
import { FetchProgress } from "./fetch_progress.ts";
import { rangeOutside } from "./fetch_range.ts";
import { ReadableRanges } from "./readable_ranges.ts";
import type { Provider } from "../swarm/provider.ts";
import { showLocal } from "./local_lookup.ts";
import { searchTimeMs } from "./fetch_timeouts.ts";
import type { OfferingHolder, Searcher, Verdict } from "../discovery/searches.ts";
import type { Swarm } from "../swarm/swarm.ts";
import type { MirrorLoss } from "../swarm/swarm_events.ts";

/** What a fetch needs of the node that it runs on. */
export type FetchHost = PeerTrackHost & Omit<MirrorTrackHost, "store"> & OutcomeHost;

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
  /** Whether whoever asks would turn to a mirror of its own otherwise, though none is named. */
  readonly hasMirror?: boolean;
}

/** The longest time that a timer can be set to; a longer one would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A fetch in progress. */
export class Fetch implements Searcher, PeerTrackOwner, HedgingOwner, JudgingOwner {
  readonly request: FetchRequest;
  readonly #host: FetchHost;
  readonly #options: FetchOptions;
  readonly #peers: PeerTrack;
  /** Null when no mirror is named. */
  readonly #hedging: Hedging | null;
  readonly #judging: Judging;
  readonly #view: ReadableRanges;
  readonly #journal: FetchRecorder;
  readonly #startMs = performance.now();
  /** Ends what the fetch itself works on, such as hashing a whole file. */
  readonly #ending = new AbortController();
  readonly #progress: FetchProgress;
  #isOver = false;
  /** Why the fetch cannot go on. */
  #error: Error | null = null;
  #wake: () => void = () => {};
  #sizeBytes: number | null = null;

  constructor(host: FetchHost, request: FetchRequest, options: FetchOptions) {
    this.#host = host;
    this.request = request;
    this.#options = options;
    const { observer, path, from = 0 } = options;
    const journal = this.#journal = new FetchRecorder(this.#startMs);
    const view = this.#view = new ReadableRanges(observer, journal);
    const searchMs = searchTimeMs(request, host);
    const how = { owner: this, journal, path, searchMs };
    const peers = this.#peers = new PeerTrack(host, request, how);
    this.#hedging = request.mirrors.length > 0
      ? new Hedging(host, request, { owner: this, peers, view, journal, path, from })
      : null;
    this.#judging = new Judging(host, request, {
      owner: this,
      peers,
      hedging: this.#hedging,
      view,
      journal,
      signal: this.#ending.signal,
    });
    this.#progress = new FetchProgress(peers, this.#hedging?.track, this.#startMs);
  }

  /** Whether what peers give is known to be the file that is meant. */
  get isProved(): boolean {
    return this.#judging.isProved;
  }

  /**
   * Runs the fetch to its end. Where only a part of the file came, and nobody knows its root, that
   * of the outcome is `UNKNOWN_ROOT`: nothing is kept.
   *
   * @throws {FetchFailure} with the reason, as the exit codes name them.
   * @throws {EnvironmentError} when the disk refuses.
   */
  async run(signal: AbortSignal): Promise<Done> {
    const stop = () => this.#stopped(signal.reason);
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
      this.#judging.end();
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
      this.#judging.assess();
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
    this.#sizeBytes = sizeBytes;
    this.#view.event({
      kind: "found",
      root,
      name,
      sizeBytes,
      sources: candidate.offerers.size,
      bytesHad: swarm.bytesHad,
    });
    this.#judging.followed(followed);
  }

  replaced(reason: string): void {
    this.#judging.replaced(reason);
  }

  gained(range: ChunkRange, provider: Provider): void {
    const sizeBytes = this.#peers.current?.swarm.file.sizeBytes;
    if (this.#isOver || sizeBytes === undefined) return;
    this.#journal.received(provider, range, { sizeBytes });
    this.#judging.gained(range, provider);
  }

  mirrorLost(why: MirrorLoss): void {
    if (why.kind === "mirror-wrong") this.#hedging?.mirrorWrong(why.provider, why.index);
    else this.#hedging?.mirrorFailed(why.provider, why.error);
  }

  changed(): void {
    this.#judging.assess();
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

  disagreed(why: string, culprit: string | undefined): void {
    this.#judging.disagreed(why, culprit);
  }

  // JudgingOwner

  /** Whether it has its file, or cannot go on. */
  get isOver(): boolean {
    return this.#isOver || this.#error !== null;
  }

  async woken(): Promise<void> {
    await new Promise<void>((resolve) => this.#wake = resolve);
  }

  found(): void {
    this.#progress.tell(this.#view, performance.now());
    this.#isOver = true;
  }

  async #run(): Promise<Done> {
    const file = await this.#judging.findLocal();
    if (file !== undefined) return await this.#deliverLocal(file);
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
      if (here !== null) {
        const file = await this.#judging.takeHere(here);
        return file === undefined ? undefined : await this.#deliverLocal(file);
      }
      const found = await this.#judgeWhole();
      if (found !== null) return found === undefined ? undefined : await this.#end(found);
      await this.woken();
    }
  }

  /** Judges what is complete; null when nothing is. */
  async #judgeWhole(): Promise<Found | undefined | null> {
    if (this.#hedging?.track.isWhole) return await this.#judging.takeMirrors(this.#hedging);
    const complete = this.#peers.takeComplete();
    return complete === null ? null : await this.#judging.takePeers(complete);
  }

  /** Puts away what was brought, and says so. */
  async #end({ file, swarm }: Found): Promise<Done> {
    const done = this.#done(file, swarm);
    // What a mirror gave of a part may be of use again.
    await this.#hedging?.end(file.root === UNKNOWN_ROOT ? "suspend" : "discard");
    await this.#peers.leave("finish");
    if (file.root !== UNKNOWN_ROOT) logDone(this.#host.log, done);
    return done;
  }

  async #deliverLocal(file: FileDefinition): Promise<Done> {
    this.#isOver = true;
    this.#sizeBytes = file.sizeBytes;
    const { store } = this.#host;
    const bytesLocal = showLocal(store, file, {
      request: this.request,
      view: this.#view,
      journal: this.#journal,
    });
    await this.#hedging?.end("discard");
    // What a mirror gave was to compare, or came to be of no use.
    return { ...this.#done(file, undefined), mirrors: [], bytesLocal };
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
      anyFalse,
      isMirrorFalse: this.#judging.isMirrorFalse,
      unfit,
      here: this.#peers.current?.swarm,
      hasWrongCopy: this.#judging.hasWrongCopy,
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

  /** How it went until now, for whoever asks while it runs. */
  soFar(): FetchRecord {
    return recordOf(this.#host, this.#journal, this.#asOf("still coming", null));
  }

  /** Somebody stopped it, perhaps because of what is not to be had of it. */
  #stopped(reason: unknown): void {
    const { current, candidates } = this.#peers;
    const isNobody = reason instanceof FetchFailure && reason.exit === "notFound" ||
      current === null && candidates.anyFalse && this.#hedging === null;
    if (isNobody) this.#failForNobody();
    else this.failed(new FetchFailure("failed", "The fetch was stopped"));
  }

  /** Keeps the fetch record of this fetch, so that it can be explained afterwards. */
  #remember(outcome: string, done: Done | null): void {
    rememberFetch(this.#host, this.#journal, this.#asOf(outcome, done));
  }

  #asOf(outcome: string, done: Done | null): FetchEnd {
    const { isOfDatabase = false, hasMirror = false } = this.#options;
    return {
      outcome,
      done,
      request: this.request,
      isOfDatabase,
      hasMirror,
      root: this.#peers.current?.swarm.file.root ?? this.request.root,
      sizeBytes: this.#sizeBytes,
    };
  }
}
