/**
 * What a mirror sends of a file, piece by piece: held to the length that it said, and given up when
 * it falls silent. Ends its connection; asks for nothing again.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { MirrorError } from "./mirror_error.ts";
import type { BodyMeter } from "./mirror_speeds.ts";
import type { RangeBody } from "./resumable_read.ts";

/** By what a mirror's file is known again. */
export interface MirrorValidators {
  readonly etag: string | null;
  readonly lastModified: string | null;
}

/** An answer whose head was found to be good. */
interface MirrorAnswer extends MirrorValidators {
  readonly mirror: string;
  readonly contentType: string | null;
  /** Null for an answer that has none, as of a range that begins at the end. */
  readonly stream: ReadableStream<Uint8Array> | null;
  /** The first byte of the file that is wanted, and how many come before it in the answer. */
  readonly offset: number;
  readonly skipBytes: number;
  /** Where what is wanted ends; null when that is the end of a file of unknown size. */
  readonly end: number | null;
  /** Whether the answer goes on after `end`. */
  readonly goesOn: boolean;
  /** Bytes of the whole file, if known. */
  readonly sizeBytes: number | null;
  /** Aborted when nobody wants the rest any more: whoever opened it, or the node as it ends. */
  readonly signal: AbortSignal;
  /** Ends the request. */
  abort(reason: unknown): void;
  /** The answer's end, whatever became of it, is to be told. */
  ended(error: MirrorError | null): void;
  /** Bytes came, be they wanted or not. */
  came(bytes: number): void;
  readonly meter: BodyMeter;
  /** Waiting for the next bytes for so long ends it. */
  readonly silentMs: number;
  readonly clock: Clock;
}

/** The body of one answer of a mirror. */
export class MirrorBody implements RangeBody {
  readonly #answer: MirrorAnswer;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  /** The next byte of the file that comes. */
  #position: number;
  /** When the read under way began; null when nobody reads. */
  #readingSinceMs: number | null = null;
  #timer: Timer | null = null;
  /** With what every read fails from now on; null while none has to. */
  #failure: { readonly reason: unknown } | null = null;
  /** Waits for the end behind the last byte; null before that byte is here. */
  #ending: Promise<void> | null = null;
  #hasEnded = false;
  // The request hears of the signal too, but a body that is read already may be out of its reach.
  readonly #stop = () => this.#fail(this.#answer.signal.reason);

  constructor(answer: MirrorAnswer) {
    this.#answer = answer;
    this.#reader = answer.stream?.getReader() ?? null;
    this.#position = answer.offset - answer.skipBytes;
    const { signal } = answer;
    if (this.#reader === null) this.#finish(null);
    else if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  /** Label of the mirror, HOST or HOST:PORT. */
  get mirror(): string {
    return this.#answer.mirror;
  }

  /** The first byte of the file that this gives. */
  get offset(): number {
    return this.#answer.offset;
  }

  /** Bytes of the whole file; null while the mirror did not say. */
  get sizeBytes(): number | null {
    return this.#answer.sizeBytes;
  }

  /** Content-Type, as it gave it. */
  get contentType(): string | null {
    return this.#answer.contentType;
  }

  get etag(): string | null {
    return this.#answer.etag;
  }

  get lastModified(): string | null {
    return this.#answer.lastModified;
  }

  /**
   * The next bytes, valid until the next call; null at the end of what was asked for. Whoever does
   * not read to the end must call {@linkcode cancel}.
   *
   * @throws {MirrorError} when it breaks off, is silent, or sends more or less than it said.
   * @throws the reason of the signal that it was opened with, when that is aborted.
   */
  async read(): Promise<Uint8Array | null> {
    while (!this.#hasEnded) {
      if (this.#ending !== null) {
        await this.#ending;
        continue;
      }
      const data = await this.#next();
      if (data === null) return null;
      const wanted = this.#take(data);
      this.#endIfWhole();
      if (wanted.length > 0) return wanted;
    }
    if (this.#failure !== null) throw this.#failure.reason;
    return null;
  }

  /** Gives up what has not come; closes the connection. */
  cancel(): void {
    // Behind the last byte there is only the end, and then the connection is free again.
    if (!this.#hasEnded && this.#ending === null) this.#drop();
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  /** One piece from the connection; null at its end. */
  async #next(): Promise<Uint8Array | null> {
    const { meter, clock, silentMs } = this.#answer;
    this.#readingSinceMs = clock.nowMs();
    meter.reading(this.#readingSinceMs);
    this.#timer ??= clock.after(silentMs, () => this.#look());
    try {
      const { value, done } = await this.#reader!.read();
      if (!done && !this.#hasEnded) {
        meter.add(value.length, clock.nowMs());
        this.#answer.came(value.length);
        return value;
      }
    } catch (error) {
      if (error instanceof TypeError) this.#broken(messageOf(error), error);
      else this.#fail(error);
    } finally {
      this.#readingSinceMs = null;
    }
    if (this.#failure !== null) throw this.#failure.reason;
    if (this.#hasEnded) throw rest();
    this.#checkEnd();
    this.#finish(null);
    return null;
  }

  /** The part of a piece that is wanted; goes on by all of it. */
  #take(data: Uint8Array): Uint8Array {
    const { offset, end, goesOn } = this.#answer;
    const first = Math.max(0, Math.min(data.length, offset - this.#position));
    const room = end === null ? limits.fetchBytesMax - this.#position : end - this.#position;
    if (data.length > room && !goesOn) {
      throw this.#broken(`more than ${this.#position + room} bytes came of it`);
    }
    this.#position += Math.min(data.length, room);
    return data.subarray(first, Math.min(data.length, room));
  }

  /** Where the end is known no other read is needed to see it, and the connection is free again. */
  #endIfWhole(): void {
    const { end, goesOn, meter, clock } = this.#answer;
    if (end === null || this.#position < end) return;
    if (goesOn) return this.#drop();
    meter.end(clock.nowMs());
    this.#ending = this.#awaitEnd();
  }

  /**
   * What follows the last byte can only be the end, or a fault; either is here already, as a rule.
   * Where neither comes soon, all that is wanted has come nevertheless.
   */
  async #awaitEnd(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = this.#answer.clock.after(limits.mirrorEndMs, () => this.#drop());
    try {
      let ahead = await this.#reader!.read();
      while (!ahead.done && ahead.value.length === 0) ahead = await this.#reader!.read();
      if (ahead.done) return this.#finish(null);
      this.#answer.came(ahead.value.length);
      this.#broken(`more than ${this.#position} bytes came of it`);
    } catch {
      this.#drop();
    }
  }

  #checkEnd(): void {
    const { end } = this.#answer;
    if (end === null || this.#position === end) return;
    throw this.#broken(`it ended at byte ${this.#position} of ${end}`);
  }

  /** Whether the read under way takes too long. */
  #look(): void {
    this.#timer = null;
    if (this.#hasEnded || this.#readingSinceMs === null) return;
    const { clock, silentMs } = this.#answer;
    const leftMs = this.#readingSinceMs + silentMs - clock.nowMs();
    if (leftMs > 0) {
      this.#timer = clock.after(Math.ceil(leftMs), () => this.#look());
      return;
    }
    const what = `it sent nothing for ${silentMs} ms`;
    this.#fail(
      new MirrorError("silent", `Cannot read from mirror ${this.mirror}: ${what}`, {
        mirror: this.mirror,
      }),
    );
  }

  #broken(what: string, cause?: unknown): MirrorError {
    const error = new MirrorError("broken", `Cannot read from mirror ${this.mirror}: ${what}`, {
      mirror: this.mirror,
      ...(cause === undefined ? {} : { cause }),
    });
    this.#fail(error);
    return error;
  }

  /** Has the read that waits, and all that follow, fail with `reason`. */
  #fail(reason: unknown): void {
    if (this.#hasEnded) return;
    this.#failure = { reason };
    this.#finish(reason instanceof MirrorError ? reason : null);
    this.#close(reason);
  }

  /** Ends it where it is; reads that follow give nothing more. */
  #drop(): void {
    if (this.#hasEnded) return;
    this.#finish(null);
    this.#close(rest());
  }

  /** Ends the connection, and the read that waits for it. */
  #close(reason: unknown): void {
    this.#reader?.cancel().catch(() => {});
    this.#answer.abort(reason);
  }

  #finish(error: MirrorError | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#answer.signal.removeEventListener("abort", this.#stop);
    this.#timer?.cancel();
    this.#timer = null;
    this.#answer.meter.end(this.#answer.clock.nowMs());
    this.#answer.ended(error);
  }
}

/** Why what has not come does not come any more. */
function rest(): DOMException {
  return new DOMException("The rest is not needed", "AbortError");
}
