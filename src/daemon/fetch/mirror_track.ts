/**
 * The mirror's part of one fetch: reads the file in order from its mirrors (origins) into an
 * unverified download of the store. How far it goes is said from outside (`core/fetch`), as is
 * whether what came is right.
 *
 * What is wanted, and how far that has come, is `mirror_span.ts`; what came is `mirror_download.ts`.
 */

import { limits } from "../../base/limits.ts";
import { CHUNK_BYTES, type ChunkRange, rangeBytes } from "../../base/geometry.ts";
import { Changes } from "../../base/changes.ts";
import type { Logger } from "../../base/log.ts";
import type { MirrorFacts } from "../../core/fetch/fetch_events.ts";
import { MirrorError, type MirrorFile, type Mirrors } from "../../http/mirrors.ts";
import type { NamedMirrors } from "../../http/named_mirrors.ts";
import { PausedRead } from "../../http/paused_read.ts";
import { type ByteRange, type Piece, ResumableRead } from "../../http/resumable_read.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type { UnverifiedDownload } from "../../store/downloads/unverified_download.ts";
import type { FetchRequest, FileReader } from "../../wire/fetching.ts";
import { HERE, type Provider } from "../swarm/provider.ts";
import type { StreamLedger } from "../swarm/transfer_ledger.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import {
  type CoalescedRead,
  type CoalescedReads,
  type OngoingRead,
  type ReadBody,
} from "../../http/coalesced_reads.ts";
import { MirrorDownload } from "./mirror_download.ts";
import { MirrorSpan } from "./mirror_span.ts";
import { ReadLoop } from "./read_loop.ts";

/** What the mirror's part of a fetch needs of the node. */
interface MirrorTrackHost {
  readonly store: Pick<ChunkStore, "openUnverified">;
  readonly mirrors: Mirrors;
  /** What other fetches read from mirrors. */
  readonly mirrorReads: CoalescedReads;
  /** The mirrors inside this network that are asked; all by default. */
  readonly insideMirrors?: NamedMirrors | undefined;
  readonly log: Logger;
}

/** Who hears how the mirror's part goes. */
export interface MirrorTrackOwner {
  /** How long the file is, before anything of it is told. */
  opened(sizeBytes: number): void;
  /** Chunks came, in order; each is told once. */
  arrived(range: ChunkRange, provider: Provider): void;
  /** What came until now is no part of what comes next: the file there is another one. */
  restarted(reason: string): void;
  /** Something came to its end: see `isWhole` and `refusal`. */
  changed(): void;
  /** The disk refused, or what is wanted cannot be had at all. */
  failed(error: Error): void;
}

/** The mirror's part of a fetch. */
export class MirrorTrack implements MirrorFacts, OngoingRead {
  readonly request: FetchRequest;
  /** The file at its mirrors. */
  readonly file: MirrorFile;
  readonly changes = new Changes();
  readonly #host: MirrorTrackHost;
  readonly #owner: MirrorTrackOwner;
  readonly #journal: FetchRecorder;
  readonly #span: MirrorSpan;
  readonly #download: MirrorDownload;
  readonly #loop: ReadLoop;
  /** Where it reads: a mirror, or another fetch that just reads the same there. */
  readonly #source: CoalescedRead;
  readonly #isShared: () => boolean;
  readonly #isUndecided: () => boolean;
  readonly #readAhead: (chunk: number) => ChunkRange | null;
  /** Whether some of it was here out of order, so that what is hashed lies behind. */
  #hasPassedOver = false;
  #body: ReadBody | null = null;
  readonly #paused: PausedRead<ReadBody>;
  #beginnings = 0;
  #refusal: MirrorError | null = null;
  #givesRanges = true;
  /** Whether fellows brought what was missing. */
  #isFilled = false;
  /** Where it is asked for part by part: whether it may be, where this one ends, and the next begins. */
  readonly #parts = { mayBe: true, end: null as number | null, goesOnAt: null as number | null };
  /** How often the file at the mirrors was another one. */
  #changes = 0;

  constructor(
    host: MirrorTrackHost,
    request: FetchRequest,
    options: {
      readonly owner: MirrorTrackOwner;
      readonly journal: FetchRecorder;
      readonly path: string | undefined;
      /** The first byte that somebody waits for. */
      readonly from: number;
      /** Whether fellows bring some of it, or are listened for. */
      readonly isShared: () => boolean;
      /** Whether it is still open if any come; where none do, all of it is read on. */
      readonly isUndecided: () => boolean;
      /** The first chunks from one on that were read for fellows, who did not come; null: none. */
      readonly readAhead: (chunk: number) => ChunkRange | null;
    },
  ) {
    this.request = request;
    this.#host = host;
    this.#isShared = options.isShared;
    this.#isUndecided = options.isUndecided;
    this.#readAhead = options.readAhead;
    this.#owner = options.owner;
    this.#journal = options.journal;
    const { chunks, mirrors, sizeBytes, via = [] } = request;
    this.#paused = new PausedRead(host.mirrors.clock);
    this.#span = new MirrorSpan(chunks, options.from);
    this.#download = new MirrorDownload(host.store, request, options.path);
    this.#loop = new ReadLoop({
      run: (signal) => this.#run(signal),
      isWanted: () => this.#isWanting,
      failed: (error) => this.#owner.failed(error),
    });
    const expected = sizeBytes === null ? {} : { sizeBytes };
    this.file = host.mirrors.file(mirrors, {
      ...expected,
      via,
      insideOnly: host.insideMirrors,
    });
    this.#source = host.mirrorReads.join(this);
  }

  get sizeBytes(): number | null {
    return this.#span.sizeBytes;
  }

  get unverified(): UnverifiedDownload | null {
    return this.#download.unverified;
  }

  /** Who gave what is in the unverified download. */
  get received(): StreamLedger {
    return this.#download.received;
  }

  get bytes(): number {
    return this.#span.bytes;
  }

  get bytesLeft(): number | null {
    return this.#span.bytesLeft;
  }

  get firstChunk(): number {
    return this.#span.firstChunk;
  }

  get nextChunk(): number {
    return this.#span.nextChunk;
  }

  get isWhole(): boolean {
    return this.#span.isWhole || this.#isFilled;
  }

  get isWholeFile(): boolean {
    return this.isWhole && (this.unverified?.isWhole ?? false);
  }

  get refusal(): MirrorError | null {
    return this.#refusal;
  }

  /** Whether ranges are to be asked for beside peers: false once that failed, or cannot but fail. */
  get givesRanges(): boolean {
    return this.#givesRanges && !this.file.ignoresRanges;
  }

  /** Bytes a second that the mirror gives, as far as known. */
  get bytesPerSecond(): number | undefined {
    const { mirror, bytesPerSecond: rate } = this.file;
    const speed = mirror === null ? undefined : this.#host.mirrors.speeds.of(mirror, this.#nowMs);
    return rate === null ? speed : Math.min(speed ?? Infinity, rate);
  }

  get isOpen(): boolean {
    return this.unverified !== null && this.#span.isOpen;
  }

  get label(): string | null {
    return this.file.mirror;
  }

  get isHeld(): boolean {
    return this.file.isHeld || this.file.isWaiting;
  }

  get isBad(): boolean {
    const { mirror } = this.file;
    return mirror !== null && this.#host.mirrors.isBad(mirror, this.#nowMs);
  }

  // OngoingRead

  get answer(): ReadBody | null {
    return this.#body;
  }

  get isShared(): boolean {
    return this.#isShared();
  }

  get beginnings(): number {
    return this.#beginnings;
  }

  get isGoingOn(): boolean {
    return this.isWhole || this.#isWanting || this.isShared;
  }

  get isEnded(): boolean {
    return this.#loop.isEnded;
  }

  get reader(): FileReader | null {
    const { unverified, sizeBytes } = this;
    if (unverified === null || unverified.isEnded || sizeBytes === null) return null;
    return unverified.reader(sizeBytes);
  }

  /** The file is complete and right: other fetches that take it over get the rest from there. */
  land(reader: FileReader): void {
    this.#source.land(reader);
  }

  /** The fetch is over. */
  leave(): void {
    this.#source.leave();
  }

  get #nowMs(): number {
    return this.#host.mirrors.clock.nowMs();
  }

  get #isWanting(): boolean {
    return !this.#loop.isEnded && this.#refusal === null && !this.isWhole && this.#span.isWanting;
  }

  /** Goes on until this many bytes from the first wanted one on are here; fewer than are: stops. */
  readTo(bytes: number): void {
    if (this.#span.readTo === bytes) return;
    const wasWanting = this.#isWanting;
    this.#span.readTo = bytes;
    if (this.#isWanting) this.#loop.goOn();
    else if (wasWanting) this.#loop.stop();
    else if (bytes < this.bytes) this.#paused.end();
    this.changes.tell();
  }

  /**
   * Opens the place for what fellows bring of a file of `sizeBytes`.
   *
   * @throws {EnvironmentError} when it cannot be had.
   */
  prepare(sizeBytes: number): UnverifiedDownload {
    if (this.unverified === null) this.#open();
    this.#opened(sizeBytes);
    return this.unverified!;
  }

  /**
   * Writes chunks that fellows brought, to the place that was opened for them. What came in order stays
   * as it is: it will be told as the mirror's, and those who wait are given it.
   *
   * @throws {EnvironmentError} when the disk refuses.
   */
  writeOthers(offset: number, bytes: Uint8Array): void {
    const from = Math.max(offset, this.#span.wholeTo * CHUNK_BYTES);
    if (from >= offset + bytes.length) return;
    this.#download.writeOthers(from, bytes.subarray(from - offset));
  }

  /** Fellows brought what was missing: all is here. */
  filled(): void {
    if (this.#isFilled) return;
    this.#isFilled = true;
    // Nothing may be written while it is checked.
    this.#loop.stop().then(
      () => this.#owner.changed(),
      (error) => this.#owner.failed(error as Error),
    );
  }

  /** Something of it turned out to be wrong, and is missing again. */
  unfilled(range: ChunkRange): void {
    this.#isFilled = false;
    this.#download.drop(range);
  }

  /**
   * Ranges beside peers failed: none are asked for any more. All of it can be, in order, as long as
   * there is a mirror left to ask.
   */
  rangesFailed(error: MirrorError): void {
    this.#givesRanges = false;
    if (this.file.mirror === null) return this.refused(error);
    this.#note(`The mirror is asked for no more ranges: ${error.message}`);
    this.#owner.changed();
  }

  /** No mirror gives it: none is asked for anything else. */
  refused(error: MirrorError): void {
    if (this.#refusal !== null || this.isWhole) return;
    this.#refusal = error;
    this.#note(`No mirror gives it: ${error.message}`);
    this.changes.tell();
    this.#owner.changed();
  }

  /**
   * What came is not the file: those who gave it are not asked again, and it starts over.
   *
   * @param culprit The mirror that gave what is wrong, where that is known: it alone is not asked
   * again, and if nothing of it is here, what is here stays.
   */
  async reject(why: string, culprit?: string): Promise<void> {
    await this.#loop.halt();
    if (this.#loop.isEnded) return;
    const culprits = culprit === undefined ? this.received.culprits : [culprit];
    for (const mirror of culprits) {
      this.#note(`Mirror ${mirror} is not asked again: ${why}`);
      this.#host.log.warn("a mirror gave what is not the file", { mirror, why });
      this.file.ban(mirror);
    }
    if (culprit === undefined || !this.#gaveElsewhere(culprit)) this.#startOver(why);
    if (this.file.mirror === null) {
      this.refused(
        new MirrorError("unusable", `What every mirror gave is not the file: ${why}`, {
          mirror: culprits.at(-1) ?? "",
        }),
      );
    } else this.#loop.goOn();
  }

  /** What is read for others shows that the mirrors have another file now: it starts over. */
  async becameAnother(error: MirrorError): Promise<void> {
    await this.#loop.halt();
    if (this.#loop.isEnded) return;
    this.#note(error.message);
    if (++this.#changes > limits.mirrorRetriesMax) return this.refused(error);
    this.#startOver("the file at the mirror changed");
    this.#loop.goOn();
    this.#owner.changed();
  }

  /** A mirror gave a wrong range: it is not asked again. */
  ban(mirror: string): void {
    this.file.ban(mirror);
  }

  /** Stops, and keeps what came for a later fetch, unless somebody took it over. */
  async end(how: "suspend" | "discard"): Promise<void> {
    await this.#loop.end();
    this.#paused.end();
    this.#download.end(this.#isTorn ? "discard" : how);
  }

  /** Leaves the place where it writes to others; it may go on there later. */
  async leavePlace(): Promise<void> {
    this.#span.readTo = 0;
    await this.#loop.stop();
    this.#download.leave();
    this.#span.restart();
    this.#beginsAgain();
  }

  /**
   * Whether it is a piece of a file in which both ends lack, so that it will hardly be gone on with:
   * a fetch of the whole starts over. Where its end is here, somebody may still be reading that.
   */
  get #isTorn(): boolean {
    return this.#span.isTail && !this.isWhole && this.unverified?.nextMissing(0) === 0;
  }

  /** Whether a mirror gave something, and nothing of what is here. */
  #gaveElsewhere(mirror: string): boolean {
    return this.bytes > 0 && this.file.bytesGiven.has(mirror) && !this.received.has(mirror);
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      if (this.unverified === null) this.#open();
      while (this.#isWanting && !signal.aborted) await this.#read(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MirrorError) this.refused(error);
      else this.#owner.failed(error as Error);
    }
  }

  #open(): void {
    const { position, note, expected } = this.#download.open(this.#span.start);
    if (note !== null) this.#note(note);
    this.#span.reach(position);
    if (expected !== null) this.file.expect(expected);
  }

  /** Reads as far as is wanted, or until the mirrors have another file. */
  async #read(signal: AbortSignal): Promise<void> {
    using stack = new DisposableStack();
    const read = stack.use(
      this.#paused.goOn(signal) ?? new ResumableRead<ReadBody>(this.#source, {
        next: () => this.#nextRange(),
        opened: (body) => this.#begins(body),
        brokeOff: ({ message }) => this.#note(message),
        mayReread: true,
        signal,
      }),
    );
    try {
      while (this.#isWanting) {
        const piece = await read.read();
        if (piece !== null) this.#take(piece);
        else this.#answerEnded();
      }
      this.#endIfWhole();
      if (this.isWhole || read.body?.goesFurther !== true || !this.#isUndecided()) return;
      stack.move();
      this.#paused.pause(read, signal);
    } catch (error) {
      const isChanged = error instanceof MirrorError && error.code === "changed";
      if (signal.aborted || !isChanged) throw error;
      this.#changed(error);
    }
  }

  /** What to ask for next, up to where it is wanted; null when all of that is here. */
  #nextRange(): ByteRange | null {
    const { sizeBytes } = this.unverified!;
    this.#parts.end = null;
    const aheadAt = this.#passOver();
    if (sizeBytes !== null && this.#span.position >= sizeBytes) return null;
    if (!this.#span.isWanting) return null;
    const wanted = this.#span.nextRange();
    const range: ByteRange = aheadAt < (wanted.end ?? Infinity)
      ? { ...wanted, end: aheadAt }
      : { ...wanted, mayGoOnTo: this.#mayGoOnTo(wanted) };
    // Where it is read at a rate, what is asked for and not read crosses the line all the same.
    const ahead = this.file.bytesAhead;
    if (ahead === null) return range;
    const end = range.offset + Math.ceil(ahead / CHUNK_BYTES) * CHUNK_BYTES;
    if (!this.#parts.mayBe || end >= (range.end ?? sizeBytes ?? Infinity)) return range;
    this.#parts.end = end;
    return { ...range, end };
  }

  /**
   * How far an answer of a mirror that gives no ranges is read: as far as is wanted, and on where all of
   * it will be, unless fellows come.
   */
  #mayGoOnTo({ end }: ByteRange): number {
    const last = this.#span.end ?? Infinity;
    return this.#isUndecided() ? last : end ?? last;
  }

  /** Takes what is here already, read ahead; says at which byte the next of that begins. */
  #passOver(): number {
    const { sizeBytes } = this;
    if (sizeBytes === null) return Infinity;
    while (this.#span.isWanting) {
      const { position, wantedTo } = this.#span;
      const run = this.#readAhead(Math.ceil(position / CHUNK_BYTES));
      if (run === null) return Infinity;
      const { offset, length } = rangeBytes(sizeBytes, run);
      if (offset > position) return offset;
      const end = Math.min(offset + length, wantedTo);
      this.#download.passOver(end);
      this.#span.reach(end);
      this.#hasPassedOver = true;
      this.#tell(this.#provider);
    }
    return Infinity;
  }

  /** An answer begins; false when it may be of another file than what is here. */
  #begins(body: ReadBody): boolean {
    const { mirror, offset, sizeBytes, validators } = body;
    if (body.goesFurther === true) this.#parts.end = null;
    if (!this.#download.goesOnWith(body)) {
      this.#startOver(`mirror ${mirror} does not tell whether its file is still the same`);
      return false;
    }
    if (body.isTakenOver) {
      this.#note(`Takes over from byte ${offset} what another fetch reads from mirror ${mirror}`);
      this.file.expect({ mirror, sizeBytes, validators });
    } else if (this.#parts.goesOnAt !== offset) {
      this.#note(
        offset < this.#span.position
          ? `Mirror ${mirror} gives no ranges: reads on from ${offset}`
          : `Asks mirror ${mirror} from byte ${offset}`,
      );
    }
    this.#download.begin(body, this.file);
    this.#body = body;
    if (sizeBytes !== null) this.#opened(sizeBytes);
    if (this.isOpen) this.#tell(HERE);
    return true;
  }

  #take({ offset, bytes }: Piece): void {
    this.#download.write(offset, bytes);
    if (this.#hasPassedOver) this.unverified?.hashOn(limits.crowdHashBytes);
    this.#span.reach(offset + bytes.length);
    if (this.isOpen) this.#tell(this.#provider);
    this.changes.tell();
  }

  /** Who gives what comes now: what another fetch reads is here already. */
  get #provider(): Provider {
    return this.#body?.isTakenOver ? HERE : this.#download.provider;
  }

  /** An answer came to its end, or there is nothing left to ask for. */
  #answerEnded(): void {
    const { end } = this.#parts;
    this.#parts.goesOnAt = end;
    if (!this.isOpen && end !== null) {
      // It does not say how long the file is: only its end does.
      this.#parts.mayBe = false;
      return;
    }
    if (!this.isOpen) {
      // No mirror said how long the file is: now it is known.
      this.#opened(Math.min(this.#span.position, this.unverified!.sizeBytes ?? Infinity));
      this.#tell(this.#provider);
    }
    this.#endIfWhole();
  }

  #note(text: string): void {
    this.#journal.note(text, this.#nowMs);
  }

  #opened(sizeBytes: number): void {
    if (this.isOpen) return;
    this.#span.open(sizeBytes);
    this.unverified!.sizeBytes = sizeBytes;
    this.changes.tell();
    this.#owner.opened(sizeBytes);
  }

  /** Tells chunks that are whole now. */
  #tell(provider: Provider): void {
    const range = this.#span.newChunks();
    if (range !== undefined) this.#owner.arrived(range, provider);
  }

  #endIfWhole(): void {
    if (!this.#span.endsNow()) return;
    this.#note("The mirror gave all that was asked of it");
    this.#owner.changed();
  }

  /** The mirrors have another file now than they had when this began. */
  #changed(error: MirrorError): void {
    this.#note(error.message);
    if (++this.#changes > limits.mirrorRetriesMax) throw error;
    this.#startOver("the file at the mirror changed");
  }

  #startOver(reason: string): void {
    this.file.forget();
    this.#owner.restarted(reason);
    this.#download.restart();
    this.#span.forget();
    this.#isFilled = false;
    this.#beginsAgain();
  }

  /** Nothing of what came counts any more. */
  #beginsAgain(): void {
    this.#body = null;
    this.#paused.end();
    this.#beginnings++;
    this.changes.tell();
  }
}
