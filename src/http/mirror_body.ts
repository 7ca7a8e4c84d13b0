/**
 * What a mirror sends of a file, piece by piece: held to the length that it said, and given up when
 * it falls silent. Ends its connection; asks for nothing again.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Pace } from "../base/rates/pace.ts";
import type { MirrorClient } from "./mirror_client.ts";
import { MirrorError } from "./mirror_error.ts";
import type { Extent, MirrorHead, MirrorValidators } from "./mirror_request.ts";
import type { BodyMeter } from "./mirror_speeds.ts";
import type { RangeBody } from "./resumable_read.ts";

/** An answer whose head was found to be good. */
interface MirrorAnswer {
  readonly client: MirrorClient;
  /** Label of the mirror. */
  readonly mirror: string;
  readonly head: MirrorHead;
  readonly extent: Extent;
  /** Bytes of the whole file, if known. */
  readonly sizeBytes: number | null;
  /** Ends the request; aborted by the caller who opened it, or by the node as it ends. */
  readonly abort: AbortController;
  /** How fast it is read. */
  readonly pace: Pace;
  /** The answer's end, whatever became of it, is to be told. */
  ended(error: MirrorError | null): void;
  /** Bytes came, be they wanted or not. */
  came(bytes: number): void;
}

/** The place of a body in its file: says which of the bytes that come are wanted. */
class ExtentCursor {
  readonly #extent: Extent;
  /** The first byte that is wanted. */
  readonly #offset: number;
  /** The next byte of the file that comes. */
  #position: number;

  constructor(extent: Extent) {
    this.#extent = extent;
    this.#offset = extent.offset;
    this.#position = extent.offset - extent.skipBytes;
  }

  get position(): number {
    return this.#position;
  }

  /** Whether the end is known, and here. */
  get isAtEnd(): boolean {
    const { end } = this.#extent;
    return end !== null && this.#position >= end;
  }

  /** Bytes that may still come, wanted or not. */
  get room(): number {
    return (this.#extent.end ?? limits.fetchBytesMax) - this.#position;
  }

  /** The part of a piece that is wanted; goes on by all of it that has room. */
  take(data: Uint8Array): Uint8Array {
    const first = Math.max(0, Math.min(data.length, this.#offset - this.#position));
    const count = Math.min(data.length, this.room);
    this.#position += count;
    return data.subarray(first, count);
  }
}

/** The reads of a body against the clock: how fast it comes, and that it never is silent for long. */
class ReadWatch {
  readonly #clock: Clock;
  readonly #silentMs: number;
  readonly #meter: BodyMeter;
  readonly #silent: () => void;
  /** When the read under way began; null when nobody reads. */
  #sinceMs: number | null = null;
  #timer: Timer | null = null;

  /** `silent` is called when a read takes longer than the client waits. */
  constructor(client: MirrorClient, meter: BodyMeter, silent: () => void) {
    this.#clock = client.clock;
    this.#silentMs = client.timeouts.silentMs;
    this.#meter = meter;
    this.#silent = silent;
  }

  begin(): void {
    this.#sinceMs = this.#clock.nowMs();
    this.#meter.reading(this.#sinceMs);
    this.#timer ??= this.#clock.after(this.#silentMs, () => this.#look());
  }

  came(bytes: number): void {
    this.#meter.add(bytes, this.#clock.nowMs());
  }

  /** This node itself holds it back: how fast it comes tells nothing of the mirror any more. */
  held(): void {
    this.#meter.end(this.#clock.nowMs());
  }

  /** The read has ended; the timer is left for the next one, which comes at once as a rule. */
  done(): void {
    this.#sinceMs = null;
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#meter.end(this.#clock.nowMs());
  }

  #look(): void {
    this.#timer = null;
    if (this.#sinceMs === null) return;
    const leftMs = this.#sinceMs + this.#silentMs - this.#clock.nowMs();
    if (leftMs <= 0) return this.#silent();
    this.#timer = this.#clock.after(Math.ceil(leftMs), () => this.#look());
  }
}

/** How far a body is. */
type BodyState =
  | { readonly kind: "reading" }
  /** The last byte is here, and its end is waited for. */
  | { readonly kind: "ending"; readonly end: Promise<void> }
  /** With `failure`, every read fails for that reason. */
  | { readonly kind: "ended"; readonly failure: { readonly reason: unknown } | null };

/** The body of one answer of a mirror. */
export class MirrorBody implements RangeBody {
  /** Label of the mirror, HOST or HOST:PORT. */
  readonly mirror: string;
  /** The first byte of the file that this gives. */
  readonly offset: number;
  /** Bytes of the whole file; null while the mirror did not say. */
  readonly sizeBytes: number | null;
  readonly goesFurther: boolean;
  readonly validators: MirrorValidators;
  readonly #answer: MirrorAnswer;
  readonly #watch: ReadWatch;
  readonly #cursor: ExtentCursor;
  /** Null for an answer that has no body, as of a range that begins at the end. */
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  /** What came last. */
  #piece: Uint8Array | null = null;
  #state: BodyState = { kind: "reading" };
  // The request hears of the signal too, but a body that is read already may be out of its reach.
  readonly #stop = () => this.#fail(this.#answer.abort.signal.reason);

  constructor(answer: MirrorAnswer) {
    this.#answer = answer;
    const { client, head, extent, abort: { signal }, mirror } = answer;
    this.mirror = mirror;
    this.offset = extent.offset;
    this.sizeBytes = answer.sizeBytes;
    this.goesFurther = extent.goesFurther;
    this.validators = { etag: head.etag, lastModified: head.lastModified };
    this.#watch = new ReadWatch(client, client.meterOf(mirror).body(), () => this.#silent());
    this.#cursor = new ExtentCursor(extent);
    this.#reader = extent.isEmpty ? null : head.response.body?.getReader() ?? null;
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
    for (;;) {
      const state = this.#state;
      switch (state.kind) {
        case "reading": {
          const data = await this.#next();
          if (data === null) return null;
          const wanted = this.#take(data);
          this.#endIfWhole();
          if (wanted.length > 0) return wanted;
          break;
        }
        case "ending":
          await state.end;
          break;
        case "ended":
          if (state.failure !== null) throw state.failure.reason;
          return null;
      }
    }
  }

  /** Gives up what has not come; closes the connection. */
  cancel(): void {
    // Behind the last byte there is only the end, and then the connection is free again.
    if (this.#state.kind === "reading") this.#drop();
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  /** One piece from the connection; null at its end. */
  async #next(): Promise<Uint8Array | null> {
    const { pace } = this.#answer;
    if (pace.isLimited) await this.#turn(pace);
    this.#watch.begin();
    this.#free();
    try {
      const { value, done } = await this.#reader!.read();
      if (!done && !this.#hasEnded) {
        this.#piece = value;
        if (pace.isLimited) this.#paid(pace, value.length);
        this.#watch.came(value.length);
        this.#answer.came(value.length);
        return value;
      }
    } catch (error) {
      if (error instanceof TypeError) this.#broken(messageOf(error), error);
      else this.#fail(error);
    } finally {
      this.#watch.done();
    }
    const state: BodyState = this.#state;
    if (state.kind === "ended") throw state.failure === null ? rest() : state.failure.reason;
    this.#checkEnd();
    this.#finish(null);
    return null;
  }

  /** Waits until more may come; it is not the mirror that is silent meanwhile. */
  async #turn(pace: Pace): Promise<void> {
    await pace.turn();
    const state: BodyState = this.#state;
    if (state.kind === "ended") throw state.failure === null ? rest() : state.failure.reason;
  }

  #paid(pace: Pace, bytes: number): void {
    pace.used(bytes);
    if (pace.isHeld) this.#watch.held();
  }

  /** Lets go of what came last: until the runtime collects it, all bodies would hold 64 MiB more. */
  #free(): void {
    if (this.#piece?.buffer instanceof ArrayBuffer) this.#piece.buffer.transfer(0);
    this.#piece = null;
  }

  #take(data: Uint8Array): Uint8Array {
    const { position, room } = this.#cursor;
    if (data.length > room && !this.#answer.extent.goesOn) {
      throw this.#broken(`more than ${position + room} bytes came of it`);
    }
    return this.#cursor.take(data);
  }

  /** Where the end is known no other read is needed to see it, and the connection is free again. */
  #endIfWhole(): void {
    if (!this.#cursor.isAtEnd) return;
    if (this.#answer.extent.goesOn) return this.#drop();
    this.#watch.end();
    this.#state = { kind: "ending", end: this.#awaitEnd() };
  }

  /**
   * What follows the last byte can only be the end, or a fault; either is here already, as a rule.
   * Where neither comes soon, all that is wanted has come nevertheless.
   */
  async #awaitEnd(): Promise<void> {
    const { client: { clock } } = this.#answer;
    using _ = clock.after(limits.mirrorEndMs, () => this.#drop());
    try {
      let ahead = await this.#reader!.read();
      while (!ahead.done && ahead.value.length === 0) ahead = await this.#reader!.read();
      if (ahead.done) return this.#finish(null);
      this.#answer.came(ahead.value.length);
      this.#broken(`more than ${this.#cursor.position} bytes came of it`);
    } catch {
      this.#drop();
    }
  }

  #checkEnd(): void {
    const { end } = this.#answer.extent;
    if (end === null || this.#cursor.isAtEnd) return;
    throw this.#broken(`it ended at byte ${this.#cursor.position} of ${end}`);
  }

  #silent(): void {
    const what = `it sent nothing for ${this.#answer.client.timeouts.silentMs} ms`;
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
    this.#finish(reason instanceof MirrorError ? reason : null, { reason });
    this.#close(reason);
  }

  /** Ends it where it is; reads that follow give nothing more. */
  #drop(): void {
    if (this.#hasEnded) return;
    this.#finish(null);
    this.#close(rest());
  }

  #close(reason: unknown): void {
    this.#reader?.cancel().catch(() => {});
    this.#answer.abort.abort(reason);
  }

  #finish(error: MirrorError | null, failure: { readonly reason: unknown } | null = null): void {
    if (this.#hasEnded) return;
    this.#state = { kind: "ended", failure };
    this.#answer.abort.signal.removeEventListener("abort", this.#stop);
    this.#watch.end();
    this.#answer.pace.close();
    this.#answer.ended(error);
  }

  get #hasEnded(): boolean {
    return this.#state.kind === "ended";
  }
}

/** Why what has not come does not come any more. */
function rest(): DOMException {
  return new DOMException("The rest is not needed", "AbortError");
}
