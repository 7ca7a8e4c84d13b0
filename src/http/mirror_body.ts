/**
 * What a mirror sends of a file, piece by piece: held to the length that it said, and given up when
 * it falls silent. Ends its connection; asks for nothing again.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { MirrorClient } from "./mirror_client.ts";
import { MirrorError } from "./mirror_error.ts";
import type { Extent, MirrorHead } from "./mirror_request.ts";
import type { BodyMeter } from "./mirror_speeds.ts";
import type { RangeBody } from "./resumable_read.ts";

/** An answer whose head was found to be good. */
interface MirrorAnswer {
  readonly client: MirrorClient;
  /** Label of the mirror. */
  readonly mirror: string;
  readonly head: MirrorHead;
  readonly extent: Extent;
  /** The first byte of the file that is wanted. */
  readonly offset: number;
  /** Bytes of the whole file, if known. */
  readonly sizeBytes: number | null;
  /** Ends the request; aborted by the caller who opened it, or by the node as it ends. */
  readonly abort: AbortController;
  /** The answer's end, whatever became of it, is to be told. */
  ended(error: MirrorError | null): void;
  /** Bytes came, be they wanted or not. */
  came(bytes: number): void;
}

/** The body of one answer of a mirror. */
export class MirrorBody implements RangeBody {
  /** Label of the mirror, HOST or HOST:PORT. */
  readonly mirror: string;
  /** The first byte of the file that this gives. */
  readonly offset: number;
  /** Bytes of the whole file; null while the mirror did not say. */
  readonly sizeBytes: number | null;
  /** Content-Type, as it gave it. */
  readonly contentType: string | null;
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly #answer: MirrorAnswer;
  readonly #clock: Clock;
  readonly #meter: BodyMeter;
  /** Null for an answer that has no body, as of a range that begins at the end. */
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
  readonly #stop = () => this.#fail(this.#answer.abort.signal.reason);

  constructor(answer: MirrorAnswer) {
    this.#answer = answer;
    const { client, head, extent, abort: { signal } } = answer;
    this.mirror = answer.mirror;
    this.offset = answer.offset;
    this.sizeBytes = answer.sizeBytes;
    this.contentType = head.contentType;
    this.etag = head.etag;
    this.lastModified = head.lastModified;
    this.#clock = client.clock;
    this.#meter = client.meterOf(answer.mirror).body();
    this.#reader = extent.isEmpty ? null : head.response.body?.getReader() ?? null;
    this.#position = answer.offset - extent.skipBytes;
    if (this.#reader === null) this.#finish(null);
    else if (signal.aborted) this.#stop();
    else signal.addEventListener("abort", this.#stop, { once: true });
  }

  /**
   * The next bytes, valid until the next call; null at the end of what was asked for. A caller
   * that does not read to the end must call {@linkcode cancel}.
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
    const { silentMs } = this.#answer.client.timeouts;
    this.#readingSinceMs = this.#clock.nowMs();
    this.#meter.reading(this.#readingSinceMs);
    this.#timer ??= this.#clock.after(silentMs, () => this.#look());
    try {
      const { value, done } = await this.#reader!.read();
      if (!done && !this.#hasEnded) {
        this.#meter.add(value.length, this.#clock.nowMs());
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
    const { end, goesOn } = this.#answer.extent;
    const first = Math.max(0, Math.min(data.length, this.offset - this.#position));
    const room = end === null ? limits.fetchBytesMax - this.#position : end - this.#position;
    if (data.length > room && !goesOn) {
      throw this.#broken(`more than ${this.#position + room} bytes came of it`);
    }
    this.#position += Math.min(data.length, room);
    return data.subarray(first, Math.min(data.length, room));
  }

  /** Where the end is known no other read is needed to see it, and the connection is free again. */
  #endIfWhole(): void {
    const { end, goesOn } = this.#answer.extent;
    if (end === null || this.#position < end) return;
    if (goesOn) return this.#drop();
    this.#meter.end(this.#clock.nowMs());
    this.#ending = this.#awaitEnd();
  }

  /**
   * What follows the last byte can only be the end, or a fault; either is here already, as a rule.
   * Where neither comes soon, all that is wanted has come nevertheless.
   */
  async #awaitEnd(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(limits.mirrorEndMs, () => this.#drop());
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
    const { end } = this.#answer.extent;
    if (end === null || this.#position === end) return;
    throw this.#broken(`it ended at byte ${this.#position} of ${end}`);
  }

  /** Whether the read under way takes too long. */
  #look(): void {
    this.#timer = null;
    if (this.#hasEnded || this.#readingSinceMs === null) return;
    const { silentMs } = this.#answer.client.timeouts;
    const leftMs = this.#readingSinceMs + silentMs - this.#clock.nowMs();
    if (leftMs > 0) {
      this.#timer = this.#clock.after(Math.ceil(leftMs), () => this.#look());
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
    this.#answer.abort.abort(reason);
  }

  #finish(error: MirrorError | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#answer.abort.signal.removeEventListener("abort", this.#stop);
    this.#timer?.cancel();
    this.#timer = null;
    this.#meter.end(this.#clock.nowMs());
    this.#answer.ended(error);
  }
}

/** Why what has not come does not come any more. */
function rest(): DOMException {
  return new DOMException("The rest is not needed", "AbortError");
}
