/**
 * The mirror's part of one fetch: a download of the file in order, from its first byte or from that
 * which somebody waits for, into an unverified download of the store. How far it goes is said from outside
 * (`core/fetch`), as is whether what came is right.
 */

import { FetchFailure } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { MirrorFacts } from "../../core/fetch/fetch_events.ts";
import type { Logger } from "../../base/log.ts";
import { type MirrorBody, MirrorError, type MirrorFile, type Mirrors } from "../../http/mirrors.ts";
import { type ByteRange, type Piece, ResumableRead } from "../../http/resumable_read.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type {
  ResumeValidators,
  UnverifiedDownload,
} from "../../store/downloads/unverified_download.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { canTell, goesOnWith, isWholeChecked, unverifiedName } from "./resume_check.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import { rangeOutside } from "../../core/fetch/wanted_range.ts";
import { HERE, mirrorProvider, type Provider } from "../swarm/provider.ts";
import { StreamLedger } from "../swarm/transfer_ledger.ts";

/** What the mirror's part of a fetch needs of the node. */
interface MirrorTrackHost {
  readonly store: Pick<ChunkStore, "openUnverified">;
  readonly mirrors: Mirrors;
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
export class MirrorTrack implements MirrorFacts {
  /** The file at its mirrors. */
  readonly file: MirrorFile;
  readonly #host: MirrorTrackHost;
  readonly #owner: MirrorTrackOwner;
  readonly #journal: FetchRecorder;
  readonly #request: FetchRequest;
  readonly #path: string | undefined;
  /** The first byte that is wanted, and the one behind the last; null for the file's end. */
  readonly #start: number;
  readonly #end: number | null;
  #unverified: UnverifiedDownload | null = null;
  /** Whether the size is known and told. */
  #isOpen = false;
  #sizeBytes: number | null = null;
  /** The next byte to write. */
  #position: number;
  /** Chunks before this one were told. */
  #toldChunk: number;
  #readTo = 0;
  #pump: Promise<void> | null = null;
  #stopping = new AbortController();
  #isWhole = false;
  #isOver = false;
  /** Whether it starts over, and must not go on before that is done. */
  #isHalted = false;
  #refusal: MirrorError | null = null;
  #givesRanges = true;
  /** The mirror that gives what is read now. */
  #provider: Provider = HERE;
  /** How often the file at the mirrors was another one. */
  #changes = 0;
  /** Who gave what is in the unverified download. */
  readonly received = new StreamLedger();
  /** By what the next answer has to show that it goes on with what an earlier fetch brought. */
  #earlier: ResumeValidators | null = null;

  constructor(
    host: MirrorTrackHost,
    request: FetchRequest,
    options: {
      readonly owner: MirrorTrackOwner;
      readonly journal: FetchRecorder;
      readonly path: string | undefined;
      /** The first byte that somebody waits for. */
      readonly from: number;
    },
  ) {
    this.#host = host;
    this.#request = request;
    this.#owner = options.owner;
    this.#journal = options.journal;
    this.#path = options.path;
    const { chunks, sizeBytes } = request;
    const first = chunks?.first ?? Math.floor(options.from / CHUNK_BYTES);
    this.#start = first * CHUNK_BYTES;
    this.#end = chunks === null ? null : (chunks.first + chunks.count) * CHUNK_BYTES;
    this.#position = this.#start;
    this.#toldChunk = first;
    const { mirrors, via = [] } = request;
    const expected = sizeBytes === null ? {} : { sizeBytes };
    this.file = host.mirrors.file(mirrors, { ...expected, via });
  }

  /** Bytes of the file, once a mirror said it. */
  get sizeBytes(): number | null {
    return this.#sizeBytes;
  }

  get unverified(): UnverifiedDownload | null {
    return this.#unverified;
  }

  /** Bytes from the first that is wanted on that are here. */
  get bytes(): number {
    return this.#position - this.#start;
  }

  /** Bytes that are still to come; null while that is not known. */
  get bytesLeft(): number | null {
    const end = this.#lastByte;
    return end === null ? null : end - this.#position;
  }

  /** The first chunk that is wanted. */
  get firstChunk(): number {
    return Math.floor(this.#start / CHUNK_BYTES);
  }

  /** The chunk behind the last one that was told. */
  get nextChunk(): number {
    return this.#toldChunk;
  }

  /** Whether all that is wanted is here. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether that is the file from its first byte to its last. */
  get isWholeFile(): boolean {
    return this.#isWhole && (this.#unverified?.isWhole ?? false);
  }

  /** Why no mirror gives it; null while one may. */
  get refusal(): MirrorError | null {
    return this.#refusal;
  }

  /** Whether ranges are to be asked for beside peers: false once that failed. */
  get givesRanges(): boolean {
    return this.#givesRanges;
  }

  /** Bytes a second that the mirror gives, as far as known. */
  get bytesPerSecond(): number | undefined {
    const { mirror } = this.file;
    return mirror === null ? undefined : this.#host.mirrors.speeds.of(mirror, this.#nowMs);
  }

  /** Whether what it gave can be read. */
  get isOpen(): boolean {
    return this.#unverified !== null && this.#isOpen;
  }

  /** The mirror that is asked next, and whether that one failed lately. */
  get label(): string | null {
    return this.file.mirror;
  }

  get isBad(): boolean {
    const { mirror } = this.file;
    return mirror !== null && this.#host.mirrors.isBad(mirror, this.#nowMs);
  }

  get #nowMs(): number {
    return this.#host.mirrors.clock.nowMs();
  }

  /** Goes on until this many bytes from the first wanted one on are here; fewer than are: stops. */
  readTo(bytes: number): void {
    if (this.#readTo === bytes) return;
    const wasReading = this.#isWanting;
    this.#readTo = bytes;
    if (this.#isWanting) this.#goOn();
    else if (wasReading && this.#pump !== null) this.#stopReading();
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
    if (this.#refusal !== null || this.#isWhole) return;
    this.#refusal = error;
    this.#note(`No mirror gives it: ${error.message}`);
    this.#owner.changed();
  }

  /**
   * What came is not the file: those who gave it are not asked again, and it starts over.
   *
   * @param culprit The mirror that gave what is wrong, where that is known: it alone is not asked
   * again, and if nothing of it is here, what is here stays.
   */
  async reject(why: string, culprit?: string): Promise<void> {
    this.#isHalted = true;
    await this.#stopReading();
    this.#isHalted = false;
    if (this.#isOver) return;
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
    } else if (this.#isWanting) this.#goOn();
  }

  /** A mirror gave a wrong range: it is not asked again. */
  ban(mirror: string): void {
    this.file.ban(mirror);
  }

  /** Stops, and keeps what came for a later fetch, unless somebody took it over. */
  async end(how: "suspend" | "discard"): Promise<void> {
    this.#isOver = true;
    await this.#stopReading();
    const unverified = this.#unverified;
    if (unverified?.isEnded === false) unverified[this.#isTorn(unverified) ? "discard" : how]();
  }

  /** Leaves the place where it writes to others; it may go on there later. */
  async leavePlace(): Promise<void> {
    this.#readTo = 0;
    await this.#stopReading();
    if (this.#unverified?.isEnded === false) this.#unverified.suspend();
    this.#unverified = null;
    this.#earlier = null;
    this.received.clear();
    this.#isOpen = false;
    this.#position = this.#start;
    this.#toldChunk = this.firstChunk;
  }

  /**
   * Whether it is a piece of a file in which both ends lack, so that it will hardly be gone on with:
   * a fetch of the whole starts over. Where its end is here, somebody may still be reading that.
   */
  #isTorn(unverified: UnverifiedDownload): boolean {
    const isTail = this.#start > 0 && this.#request.chunks === null;
    return isTail && !this.#isWhole && unverified.nextMissing(0) === 0;
  }

  /** Whether a mirror gave something, and nothing of what is here. */
  #gaveElsewhere(mirror: string): boolean {
    return this.bytes > 0 && this.file.bytesGiven.has(mirror) && !this.received.has(mirror);
  }

  get #isWanting(): boolean {
    return !this.#isOver && !this.#isWhole && this.#refusal === null && this.bytes < this.#readTo;
  }

  get #lastByte(): number | null {
    if (this.#sizeBytes === null) return null;
    return Math.min(this.#end ?? this.#sizeBytes, this.#sizeBytes);
  }

  #goOn(): void {
    if (this.#pump !== null || this.#isHalted) return;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.#pump = this.#run(signal).catch((error) => this.#owner.failed(error as Error)).finally(
      () => {
        this.#pump = null;
        // It may be wanted again since it was told to stop.
        if (signal.aborted && this.#isWanting) this.#goOn();
      },
    );
  }

  async #stopReading(): Promise<void> {
    this.#stopping.abort(new FetchFailure("failed", "The mirror is not needed any more"));
    await this.#pump;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      this.#unverified ??= this.#openUnverified();
      while (this.#isWanting && !signal.aborted) await this.#read(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MirrorError) this.refused(error);
      else this.#owner.failed(error as Error);
    }
  }

  /** Reads as far as is wanted, or until the mirrors have another file. */
  async #read(signal: AbortSignal): Promise<void> {
    using read = new ResumableRead<MirrorBody>(this.file, {
      next: () => this.#nextRange(),
      opened: (body) => this.#begins(body),
      brokeOff: ({ message }) => this.#note(message),
      mayReread: true,
      signal,
    });
    try {
      while (this.#isWanting) {
        const piece = await read.read();
        if (piece !== null) this.#take(piece);
        else this.#answerEnded();
      }
      this.#endIfWhole();
    } catch (error) {
      const isChanged = error instanceof MirrorError && error.code === "changed";
      if (signal.aborted || !isChanged) throw error;
      this.#changed(error);
    }
  }

  #openUnverified(): UnverifiedDownload {
    const { sizeBytes, mirrors } = this.#request;
    const unverified = this.#host.store.openUnverified({
      name: unverifiedName(this.#request),
      sizeBytes,
      key: mirrors[0]!,
      ...(this.#path === undefined ? {} : { path: this.#path }),
    });
    const position = unverified.nextMissing(this.#start);
    if (position > this.#start) this.#goOnAt(position, unverified);
    return unverified;
  }

  /** Goes on with what an earlier fetch brought, if it can be seen whether that is of this file. */
  #goOnAt(position: number, unverified: UnverifiedDownload): void {
    const { validators } = unverified;
    const isChecked = this.#start === 0 && isWholeChecked(this.#request);
    if (!isChecked && !canTell(validators)) {
      const what = `Nothing tells of which file the ${position} bytes are that are here`;
      this.#note(`${what}: begins anew`);
      unverified.restart();
      unverified.sizeBytes = this.#request.sizeBytes;
      return;
    }
    this.#note(`Goes on at byte ${position} of an earlier fetch`);
    this.#position = position;
    this.#provider = HERE;
    this.received.received(HERE, position);
    this.#earlier = isChecked ? null : validators;
    const mirror = validators === null ? {} : { mirror: validators.mirror };
    this.file.expect({ ...mirror, sizeBytes: unverified.sizeBytes, validators });
  }

  /** What to ask for next, up to where it is wanted; null when all of it is here. */
  #nextRange(): ByteRange | null {
    const { sizeBytes } = this.#unverified!;
    if (sizeBytes !== null && this.#position >= sizeBytes) return null;
    const last = this.#lastByte ?? this.#end;
    const wanted = this.#start + this.#readTo;
    const end = last === null || wanted < last ? wanted : last;
    const isToEnd = end === Infinity || end === this.#sizeBytes;
    return isToEnd ? { offset: this.#position } : { offset: this.#position, end };
  }

  /** An answer begins; false when it may be of another file than what is here. */
  #begins({ mirror, offset, sizeBytes, etag, lastModified }: MirrorBody): boolean {
    if (this.#earlier !== null && !goesOnWith(this.#earlier, { mirror, etag, lastModified })) {
      this.#startOver(`mirror ${mirror} does not tell whether its file is still the same`);
      return false;
    }
    this.#earlier = null;
    this.#note(
      offset < this.#position
        ? `Mirror ${mirror} gives no ranges: reads on from ${offset}`
        : `Asks mirror ${mirror} from byte ${offset}`,
    );
    if (sizeBytes !== null) this.#opened(sizeBytes);
    this.#unverified!.validators ??= { mirror, etag, lastModified };
    this.#provider = mirrorProvider(mirror, this.file);
    if (this.#isOpen) this.#tell(HERE);
    return true;
  }

  #take({ offset, bytes }: Piece): void {
    this.#unverified!.write(offset, bytes);
    this.#position = offset + bytes.length;
    this.received.received(this.#provider, this.#position);
    if (this.#isOpen) this.#tell(this.#provider);
  }

  /** An answer came to its end, or there is nothing left to ask for. */
  #answerEnded(): void {
    if (!this.#isOpen) {
      // No mirror said how long the file is: now it is known.
      this.#opened(Math.min(this.#position, this.#unverified!.sizeBytes ?? Infinity));
      this.#tell(this.#provider);
    }
    this.#endIfWhole();
  }

  #note(text: string): void {
    this.#journal.note(text, this.#nowMs);
  }

  #opened(sizeBytes: number): void {
    if (this.#isOpen) return;
    const { chunks } = this.#request;
    if (chunks !== null && chunks.first + chunks.count > chunkCount(sizeBytes)) {
      throw rangeOutside(chunks, chunkCount(sizeBytes));
    }
    this.#sizeBytes = sizeBytes;
    this.#unverified!.sizeBytes = sizeBytes;
    this.#position = Math.max(this.#start, Math.min(this.#position, sizeBytes));
    this.#isOpen = true;
    this.#owner.opened(sizeBytes);
  }

  /** Tells chunks that are whole now. */
  #tell(provider: Provider): void {
    const end = this.#position === this.#sizeBytes
      ? chunkCount(this.#position)
      : Math.floor(this.#position / CHUNK_BYTES);
    const first = this.#toldChunk;
    if (end <= first) return;
    this.#toldChunk = end;
    this.#owner.arrived({ first, count: end - first }, provider);
  }

  #endIfWhole(): void {
    const lastByte = this.#lastByte;
    if (this.#isWhole || lastByte === null || this.#position < lastByte) return;
    this.#isWhole = true;
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
    this.received.clear();
    this.#earlier = null;
    this.#unverified?.restart();
    this.#isOpen = this.#isWhole = false;
    this.#sizeBytes = null;
    this.#position = this.#start;
    this.#toldChunk = this.firstChunk;
  }
}
