/**
 * Mirror and peers in one fetch: has the mirror do what `core/fetch/hedge.ts` says, holds what it brings
 * against the leaves that peers gave, and takes it into their download. Which of the two is right
 * when they differ is judged in `fetch.ts`.
 */

import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { headBytes, Hedge, type MirrorPart, type PeersView } from "../../core/fetch/hedge.ts";
import type { MirrorError, Mirrors } from "../../http/mirrors.ts";
import { nextTurn } from "../../store/files/io.ts";
import type { FileReader } from "../../wire/fetch_observer.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { Feeding } from "./mirror_import.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import { MirrorTrack, type MirrorTrackHost, type MirrorTrackOwner } from "./mirror_track.ts";
import type { Followed, PeerTrack } from "./peer_track.ts";
import { wantedChunks } from "./fetch_range.ts";
import type { ReadableRanges } from "./readable_ranges.ts";
import type { Provider } from "../swarm/provider.ts";

/** How often it is looked at what the mirror should do; and while the first link is dialled. */
const LOOK_MS = 50;
const LINKING_LOOK_MS = 10;
/** Left aside when a candidate takes over the place where the mirror writes. */
const HANDOVER_MS = 300;

/** What this needs of its fetch. */
export interface HedgingOwner {
  /** Whether what peers give may be given away. */
  readonly isProved: boolean;
  /** The first bytes of the mirror are here and told. */
  opened(sizeBytes: number): void;
  /**
   * The mirror's bytes do not go with those of the candidate that is followed; `culprit` is the
   * mirror that gave them.
   */
  disagreed(why: string, culprit: string | undefined): void;
  changed(): void;
  failed(error: Error): void;
}

/** The mirror beside the peers of one fetch. */
export class Hedging implements MirrorTrackOwner {
  readonly track: MirrorTrack;
  /** Whether mirror and candidate differ, and both are to go on until one is proved. */
  isApart = false;
  readonly #mirrors: Mirrors;
  readonly #request: FetchRequest;
  readonly #owner: HedgingOwner;
  readonly #peers: PeerTrack;
  readonly #view: ReadableRanges;
  readonly #journal: FetchRecorder;
  /** Whether mirror and peers write to one place, so that only one of them may at a time. */
  readonly #sharesPlace: boolean;
  readonly #hedge = new Hedge();
  readonly #startMs = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #part: MirrorPart["kind"] = "nothing";
  #followedMs = 0;
  #begunMs: number | null = null;
  /** Whether what the mirror gives is shown to those who wait. */
  #isShown = false;
  readonly #feeding: Feeding;
  /** When the mirror was asked, or gave something, last. */
  #heardMs = performance.now();
  #wasAnswering = true;
  #leaveSwarm: (() => void) | null = null;
  /** Whether a candidate took over the place from the mirror once. */
  #wasHandedOver = false;
  #isMoving = false;
  /** Whether all rests, because what the mirror gave is being judged. */
  #isPaused = false;
  #isOver = false;

  constructor(
    host: MirrorTrackHost,
    request: FetchRequest,
    options: {
      readonly owner: HedgingOwner;
      readonly peers: PeerTrack;
      readonly view: ReadableRanges;
      readonly journal: FetchRecorder;
      readonly path: string | undefined;
      readonly from: number;
    },
  ) {
    this.#mirrors = host.mirrors;
    this.#request = request;
    this.#owner = options.owner;
    this.#peers = options.peers;
    this.#view = options.view;
    this.#journal = options.journal;
    this.#sharesPlace = options.path !== undefined;
    const { journal, path, from } = options;
    const track = this.track = new MirrorTrack(host, request, { owner: this, journal, path, from });
    this.#feeding = new Feeding(track, {
      into: () => this.#isOver || this.#isPaused || this.isApart ? null : this.#peers.current,
      fed: (range) => this.#fed(range),
      wrong: (why, culprit) => this.#owner.disagreed(why, culprit),
      failed: (error) => this.#owner.failed(error),
    });
  }

  /** Whether a mirror may still give the file. */
  get isAlive(): boolean {
    return this.track.refusal === null;
  }

  /**
   * Whether a mirror is worth waiting for: it was asked, or gave something, within `hedgeAnswerMs`,
   * and not all of them failed lately; or what it gave is still being held against the leaves.
   */
  get isAnswering(): boolean {
    const { file } = this.track;
    if (this.#feeding.hasMore) return true;
    const nowMs = performance.now();
    if (nowMs - this.#heardMs >= limits.hedgeAnswerMs) return false;
    return file.mirror !== null && !this.#mirrors.isBad(file.mirror, nowMs);
  }

  /** The mirror gave something. */
  heard(): void {
    this.#heardMs = performance.now();
  }

  /** Whether it was this fetch that asked the mirror. */
  isOwn({ file }: Provider): boolean {
    return file === this.track.file;
  }

  /** Whether the mirror's size and first chunks are those of the candidate that is followed. */
  get isAgreed(): boolean {
    const { sizeBytes, firstChunk } = this.track;
    if (sizeBytes === null || sizeBytes !== this.#peers.current?.swarm.file.sizeBytes) return false;
    const { first, count } = wantedChunks(this.#request, sizeBytes);
    const head = firstChunk + headBytes(sizeBytes) / CHUNK_BYTES;
    return this.#feeding.fedTo >= Math.min(head, first + count);
  }

  /** Whether a mirror's first bytes can be read while peers write: not to the place of theirs. */
  get canCompare(): boolean {
    return !this.#sharesPlace;
  }

  /** Begins to look what the mirror is to do. */
  start(): void {
    this.#look();
    this.#timer = setTimeout(() => this.#lookOn(), limits.hedgeMs);
  }

  /** Ends all of it; what the mirror brought is kept for a later fetch, or not. */
  async end(how: "suspend" | "discard"): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#quitSwarm();
    await this.track.end(how);
  }

  /** Takes the mirror out of the peers' download and lets all rest; what it brought stays. */
  pause(): void {
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.#quitSwarm();
  }

  /** Goes on after {@linkcode pause}. */
  resume(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    const { current } = this.#peers;
    if (current !== null) this.#compareSizes(current.swarm.file.sizeBytes);
    this.#feeding.goOn();
    this.#lookOn();
  }

  /** Another candidate is followed, or none. */
  followed(followed: Followed | null): void {
    this.#quitSwarm();
    this.isApart = false;
    this.#followedMs = performance.now();
    this.#begunMs = null;
    this.#feeding.startOver();
    if (followed === null) this.#showMirror();
    else this.#compareSizes(followed.swarm.file.sizeBytes);
    // Not before the peers' part is done with following it.
    this.#soon(() => this.#look());
  }

  /** The mirror's bytes are shown apart from those of the peers from now on. */
  goApart(): void {
    this.isApart = true;
    this.#quitSwarm();
    this.#showMirror();
    this.#look();
  }

  /** Whether a file that is here has the same chunks as the mirror gave; null when it gave none. */
  async isSameAs(reader: FileReader): Promise<boolean | null> {
    const { sizeBytes, unverified, firstChunk, nextChunk } = this.track;
    if (unverified === null || sizeBytes === null || nextChunk === firstChunk) return null;
    if (reader.sizeBytes !== sizeBytes) return false;
    const ours = new Uint8Array(limits.requestChunksMax * CHUNK_BYTES);
    const theirs = new Uint8Array(ours.length);
    for (let first = firstChunk; first < nextChunk; first += limits.requestChunksMax) {
      const range = { first, count: Math.min(limits.requestChunksMax, nextChunk - first) };
      const bytes = unverified.reader(sizeBytes).readRun(range, ours, 0);
      reader.readRun(range, theirs, 0);
      for (let at = 0; at < bytes; at++) if (ours[at] !== theirs[at]) return false;
      await nextTurn();
    }
    return true;
  }

  mirrorFailed(provider: Provider, error: MirrorError | null): void {
    // What becomes of the mirrors of other fetches is their affair.
    if (!this.isOwn(provider)) return;
    this.#leaveSwarm = null;
    if (error === null) {
      const what = `Mirror ${provider.label} stalled: it is left, and asked again`;
      return this.#journal.note(what, performance.now());
    }
    this.track.rangesFailed(error);
  }

  mirrorWrong(provider: Provider, index: number): void {
    if (!this.isOwn(provider)) return;
    this.#leaveSwarm = null;
    const { label } = provider;
    const why = `chunk ${index} of mirror ${label} is not what the leaves say`;
    if (!this.#isPaused) this.#owner.disagreed(why, label);
  }

  // MirrorTrackOwner

  opened(sizeBytes: number): void {
    const { current } = this.#peers;
    const isOther = current !== null && current.swarm.file.sizeBytes !== sizeBytes;
    if (isOther && !this.isApart) this.#compareSizes(current.swarm.file.sizeBytes);
    else this.#showMirror();
  }

  arrived(range: ChunkRange, provider: Provider): void {
    const sizeBytes = this.track.sizeBytes!;
    this.heard();
    this.#journal.received(provider, range, { sizeBytes, track: "mirror" });
    if (this.#isShown) this.#tell(range);
    this.#feeding.goOn();
    if (this.#part === "head") this.#look();
  }

  restarted(reason: string): void {
    this.#feeding.startOver();
    this.#isShown = false;
    this.#journal.threwAway("mirror");
    this.#view.dropMirror(reason);
  }

  changed(): void {
    if (this.track.refusal !== null) this.#quitSwarm();
    this.#feeding.goOn();
    this.#owner.changed();
    this.#look();
  }

  failed(error: Error): void {
    this.#owner.failed(error);
  }

  /** Of chunks that a mirror gave, those that may be given away before the whole is checked. */
  safe(range: ChunkRange, sizeBytes: number): ChunkRange {
    if (this.#request.sha256 === null && this.#request.root === null) return range;
    const last = chunkCount(sizeBytes) - 1;
    return { first: range.first, count: Math.min(range.count, last - range.first) };
  }

  /** Shows what the mirror gave; all of it is told again when it was not shown. */
  #showMirror(): void {
    const { sizeBytes, unverified, firstChunk, nextChunk } = this.track;
    if (sizeBytes === null || unverified === null) return;
    const part = {
      has: (range: ChunkRange) => unverified.has(range),
      reader: unverified.reader(sizeBytes),
    };
    this.#view.show(sizeBytes, { mirror: part });
    this.#owner.opened(sizeBytes);
    const wasShown = this.#isShown;
    this.#isShown = true;
    if (!wasShown) this.#tell({ first: firstChunk, count: nextChunk - firstChunk });
  }

  #tell(range: ChunkRange): void {
    if (range.count === 0) return;
    this.#view.gained(range, { isMirrors: true });
    this.#view.released(this.safe(range, this.track.sizeBytes!));
  }

  #lookOn(): void {
    clearTimeout(this.#timer);
    if (this.#isOver || this.#isPaused) return;
    this.#look();
    if (this.#isOver || this.#isPaused) return;
    const lookMs = this.#peers.isLinking ? LINKING_LOOK_MS : LOOK_MS;
    this.#timer = setTimeout(() => this.#lookOn(), lookMs);
  }

  /** Looks what the mirror is to do now. */
  #look(): void {
    if (this.#isOver || this.#isPaused) return;
    try {
      this.#noteAnswering();
      this.#noteBegun();
      if (this.#sharesPlace && this.#mayMove()) return;
      if (this.track.refusal === null && !this.track.isWhole) this.#apply(this.#decide());
    } catch (error) {
      this.#owner.failed(error as Error);
    }
  }

  /** Whoever waits for the mirror hears when that is not worth it any more. */
  #noteAnswering(): void {
    const { isAnswering } = this;
    if (isAnswering === this.#wasAnswering) return;
    this.#wasAnswering = isAnswering;
    if (isAnswering) return;
    const { file: { mirror }, bytes } = this.track;
    const { root, sha256 } = this.#request;
    const isAsked = root === null && sha256 === null &&
      (this.#part === "head" || this.#part === "whole");
    // The next file is not to wait for it as long again.
    if (isAsked && bytes === 0 && mirror !== null) this.#mirrors.failed(mirror, performance.now());
    this.#owner.changed();
  }

  #noteBegun(): void {
    const { swarm } = this.#peers.current ?? {};
    if (this.#begunMs !== null || swarm === undefined) return;
    // In a shared place what the mirror wrote is looked through first.
    if (!(this.#sharesPlace ? swarm.download.hasLeaves : swarm.hasBegun)) return;
    this.#begunMs = performance.now();
    this.#feeding.goOn();
  }

  #decide(): MirrorPart {
    const nowMs = performance.now();
    const { current, canAsk, isLinking } = this.#peers;
    const { bytes, bytesLeft } = this.track;
    return this.#hedge.decide({
      nowMs,
      startMs: this.#startMs,
      canAskPeers: canAsk,
      isLinking,
      givesRanges: this.track.givesRanges,
      peers: current === null ? null : this.#peersView(current),
      isReleased: this.#owner.isProved && (current?.swarm.bytesDone ?? 0) > 0,
      isApart: this.isApart,
      mirrorBytes: bytes,
      mirrorBytesLeft: bytesLeft,
      mirrorBytesPerSecond: this.track.bytesPerSecond(nowMs),
    });
  }

  #peersView({ swarm }: Followed): PeersView {
    return {
      sizeBytes: swarm.file.sizeBytes,
      followedMs: this.#followedMs,
      begunMs: this.#begunMs,
      isStalled: swarm.peersGiving === 0 || swarm.needsSources,
      bytesGiven: swarm.peerBytes,
      bytesPerSecond: swarm.peersBytesPerSecond,
      bytesLeft: swarm.bytesTotal - swarm.bytesDone,
    };
  }

  #apply(part: MirrorPart): void {
    // In a shared place nobody reads before the end: first bytes are of no use.
    const kind = part.kind === "head" && this.#sharesPlace ? "nothing" : part.kind;
    if (kind !== this.#part) {
      // Only from when it is asked is it waited for.
      if (this.#part === "nothing" || this.#part === "ranges") this.#heardMs = performance.now();
      this.#part = kind;
      this.#journal.note(noteOf(kind), performance.now());
    }
    if (kind !== "ranges") this.#quitSwarm();
    if (kind === "whole") {
      if (this.#sharesPlace && this.#peers.current !== null) return this.#takePlace();
      if (this.#sharesPlace) this.#bar();
      this.track.readTo(Infinity);
    } else if (part.kind === "head" && kind === "head") this.track.readTo(part.bytes);
    else {
      this.track.readTo(0);
      if (kind === "ranges") {
        this.#leaveSwarm ??= this.#peers.current!.swarm.joinMirror(this.track.file);
      }
    }
  }

  #quitSwarm(): void {
    this.#leaveSwarm?.();
    this.#leaveSwarm = null;
  }

  #compareSizes(sizeBytes: number): void {
    const { sizeBytes: ours } = this.track;
    if (ours === null || ours === sizeBytes) return;
    const culprit = this.track.file.mirror ?? undefined;
    this.#soon(() => {
      if (this.#peers.current?.swarm.file.sizeBytes !== sizeBytes || this.#isPaused) return;
      if (this.track.sizeBytes !== ours) return;
      const why = `the mirror's file has ${ours} bytes, that of peers ${sizeBytes}`;
      this.#owner.disagreed(why, culprit);
    });
  }

  /** Does something in a turn of its own; what goes wrong ends this fetch alone. */
  #soon(work: () => void): void {
    queueMicrotask(() => {
      if (this.#isOver) return;
      try {
        work();
      } catch (error) {
        this.#owner.failed(error as Error);
      }
    });
  }

  #fed(range: ChunkRange): void {
    this.#view.confirmed(range);
    if (!this.#feeding.hasMore || this.isAgreed) this.#owner.changed();
  }

  // One place for both: what each has written there the other can go on with.

  /** The mirror takes over the place where peers' bytes are written. */
  #takePlace(): void {
    this.#move(() => this.#peers.bar(true));
  }

  #bar(): void {
    this.#peers.bar(true).catch((error) => this.#owner.failed(error as Error));
  }

  /** Hands the place over to peers, when that is of use; true while it is under way. */
  #mayMove(): boolean {
    if (this.#isMoving) return true;
    const { track } = this;
    if (!this.#peers.isBarred || track.isWhole) return false;
    if (track.refusal === null) {
      if (this.#wasHandedOver || this.#peers.candidates.leader() === undefined) return false;
      const rate = track.bytesPerSecond(performance.now());
      const leftMs = rate === undefined || track.bytesLeft === null
        ? Infinity
        : track.bytesLeft / rate * 1_000;
      if (leftMs < HANDOVER_MS) return false;
      this.#wasHandedOver = true;
      this.#hedge.handedOver();
    }
    this.#move(async () => {
      await track.leavePlace();
      this.#isShown = false;
      this.#view.dropMirror("peers give it from now on");
      await this.#peers.bar(false);
    });
    return true;
  }

  #move(work: () => Promise<void>): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    work()
      .catch((error) => this.#owner.failed(error as Error))
      .finally(() => {
        this.#isMoving = false;
        this.#look();
      });
  }
}

function noteOf(kind: MirrorPart["kind"]): string {
  switch (kind) {
    case "nothing":
      return "Peers are enough: the mirror is asked for nothing more";
    case "head":
      return "Somebody offers it, not proved yet: the mirror is asked for the first bytes";
    case "whole":
      return "The mirror is asked for all of it";
    case "ranges":
      return "Peers are slower than the mirror, or too few: it is asked for ranges";
  }
}
