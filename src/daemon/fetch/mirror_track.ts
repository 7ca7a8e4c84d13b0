/**
 * The mirror's part of one fetch: a download of the file in order, from its first byte or from that
 * which somebody waits for, into an unverified download of the store. How far it goes is said from outside
 * (`core/fetch/hedge.ts`), as is whether what came is right.
 */

import { FetchFailure } from "../../base/errors.ts";
import { CHUNK_BYTES, chunkCount, type ChunkRange } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Logger } from "../../base/log.ts";
import {
  type MirrorBody,
  MirrorError,
  type MirrorFile,
  type MirrorRange,
  type Mirrors,
} from "../../http/mirrors.ts";
import type { ChunkStore } from "../../store/chunk_store.ts";
import type {
  ResumeValidators,
  UnverifiedDownload,
} from "../../store/downloads/unverified_download.ts";
import type { FetchRequest } from "../../wire/fetch_request.ts";
import { canTell, goesOnWith, isWholeChecked, unverifiedName } from "./resume_check.ts";
import type { FetchRecorder } from "./fetch_recorder.ts";
import { rangeOutside } from "./fetch_range.ts";
import { HERE, mirrorProvider, type Provider } from "../swarm/provider.ts";
import { StreamLedger } from "../swarm/transfer_ledger.ts";

/** What the mirror's part of a fetch needs of the node. */
export interface MirrorTrackHost {
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

/** How far the mirror's part is. */
export interface FetchMirrorBytes {
  /** Bytes from the first that is wanted on that are here. */
  readonly bytes: number;
  /** Bytes that are still to come; null while that is not known. */
  readonly bytesLeft: number | null;
}

/** The mirror's part of a fetch. */
export class MirrorTrack implements FetchMirrorBytes {
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
  /** Whether it begins anew, and must not go on before that is done. */
  #isHalted = false;
  #refusal: MirrorError | null = null;
  #givesRanges = true;
  /** What no mirror answered anything better than: asking again at once brings nothing. */
  #openError: unknown = null;
  /** Whether the next answer is to begin with the first byte, because none begins in the middle. */
  #isFromFirst = false;
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

  get bytes(): number {
    return this.#position - this.#start;
  }

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
  bytesPerSecond(nowMs: number): number | undefined {
    const { mirror } = this.file;
    return mirror === null ? undefined : this.#host.mirrors.speeds.of(mirror, nowMs);
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
    this.#journal.note(
      `The mirror is asked for no more ranges: ${error.message}`,
      performance.now(),
    );
    this.#owner.changed();
  }

  /** No mirror gives it: none is asked for anything else. */
  refused(error: MirrorError): void {
    if (this.#refusal !== null || this.#isWhole) return;
    this.#refusal = error;
    this.#journal.note(`No mirror gives it: ${error.message}`, performance.now());
    this.#owner.changed();
  }

  /**
   * What came is not the file: those who gave it are not asked again, and all begins anew.
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
      this.#journal.note(`Mirror ${mirror} is not asked again: ${why}`, performance.now());
      this.#host.log.warn("a mirror gave what is not the file", { mirror, why });
      this.file.ban(mirror);
    }
    if (culprit === undefined || !this.#gaveElsewhere(culprit)) this.#startAnew(why);
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
   * who wants the whole begins anew. Where its end is here, somebody may still be reading that.
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
      let tries = 0;
      while (this.#isWanting && !signal.aborted) {
        const before = this.#position;
        try {
          await this.#readOne(signal);
        } catch (error) {
          if (signal.aborted || !(error instanceof MirrorError)) throw error;
          if (error.code === "no-range") {
            this.#isFromFirst = true;
            continue;
          }
          if (error.code === "changed") this.#changed(error);
          else if (error === this.#openError) throw error;
          else this.#journal.note(error.message, performance.now());
          tries = this.#position > before ? 0 : tries + 1;
          if (tries > limits.mirrorRetriesMax) throw error;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof MirrorError) this.refused(error);
      else this.#owner.failed(error as Error);
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
      this.#journal.note(`${what}: begins anew`, performance.now());
      unverified.restart();
      unverified.sizeBytes = this.#request.sizeBytes;
      return;
    }
    this.#journal.note(`Goes on at byte ${position} of an earlier fetch`, performance.now());
    this.#position = position;
    this.received.received(HERE, position);
    this.#earlier = isChecked ? null : validators;
    const mirror = validators === null ? {} : { mirror: validators.mirror };
    this.file.expect({ ...mirror, sizeBytes: unverified.sizeBytes, validators });
  }

  /** Reads one answer as far as it is wanted. */
  async #readOne(signal: AbortSignal): Promise<void> {
    const unverified = this.#unverified!;
    if (unverified.sizeBytes !== null && this.#position >= unverified.sizeBytes) {
      // All of it was here before.
      this.#opened(unverified.sizeBytes);
      this.#tell(HERE);
      return this.#ended();
    }
    using body = await this.#open(this.#nextRange(), signal);
    const { mirror, offset } = body;
    if (this.#earlier !== null && !goesOnWith(this.#earlier, body)) {
      return this.#startAnew(`mirror ${mirror} does not tell whether its file is still the same`);
    }
    this.#earlier = null;
    this.#journal.note(
      offset < this.#position
        ? `Mirror ${mirror} gives no ranges: reads on from ${offset}`
        : `Asks mirror ${mirror} from byte ${offset}`,
      performance.now(),
    );
    await this.#take(body);
  }

  /** What to ask for next: up to where it is wanted, or all again where none begins in the middle. */
  #nextRange(): MirrorRange {
    if (this.#isFromFirst) {
      this.#isFromFirst = false;
      return { offset: 0 };
    }
    const last = this.#lastByte ?? this.#end;
    const wanted = this.#start + this.#readTo;
    const end = last === null || wanted < last ? wanted : last;
    const isToEnd = end === Infinity || end === this.#sizeBytes;
    return isToEnd ? { offset: this.#position } : { offset: this.#position, end };
  }

  async #open(range: MirrorRange, signal: AbortSignal): Promise<MirrorBody> {
    try {
      return await this.file.open(range, { signal });
    } catch (error) {
      this.#openError = error;
      throw error;
    }
  }

  /** Writes what comes behind the next byte to write, and lets pass what comes before it. */
  async #take(body: MirrorBody): Promise<void> {
    const unverified = this.#unverified!;
    const { mirror, etag, lastModified } = body;
    if (body.sizeBytes !== null) this.#opened(body.sizeBytes);
    unverified.validators ??= { mirror, etag, lastModified };
    const provider = mirrorProvider(mirror, this.file);
    if (this.#isOpen) this.#tell(HERE);
    let position = body.offset;
    const skipTo = this.#position;
    while (this.#isWanting) {
      const data = await body.read();
      if (data === null) break;
      const skip = Math.min(data.length, Math.max(0, skipTo - position));
      position += data.length;
      if (skip === data.length) continue;
      unverified.write(position - data.length + skip, skip === 0 ? data : data.subarray(skip));
      this.#position = position;
      this.received.received(provider, position);
      if (this.#isOpen) this.#tell(provider);
    }
    if (!this.#isOpen && this.#isWanting) {
      // The mirror did not say how long the file is: now it is known.
      this.#opened(this.#position);
      this.#tell(provider);
    }
    if (this.#lastByte !== null && this.#position >= this.#lastByte) this.#ended();
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

  #ended(): void {
    if (this.#isWhole) return;
    this.#isWhole = true;
    this.#journal.note(`The mirror gave all that was asked of it`, performance.now());
    this.#owner.changed();
  }

  /** The mirrors have another file now than they had when this began. */
  #changed(error: MirrorError): void {
    this.#journal.note(error.message, performance.now());
    if (++this.#changes > limits.mirrorRetriesMax) throw error;
    this.#startAnew("the file at the mirror changed");
  }

  #startAnew(reason: string): void {
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
