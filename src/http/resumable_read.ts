/**
 * How every read over HTTP goes on after a fault: the one place that asks again.
 *
 * The rules:
 *
 * 1. An answer that breaks off is followed by another one, from the next byte that is wanted on.
 *    After `retriesMax` answers of one mirror in a row that brought nothing, others in between or
 *    not, the read fails with the last error.
 * 2. When nobody gives an answer, the read fails at once: the mirrors were asked one after the other
 *    (`mirror_file.ts`). Among these errors is "changed": what was read is of another file.
 * 3. Where the read may begin at the first byte, an answer that does so is read, and what was read
 *    before passes by once more. Else, or where a mirror sends yet another part, "no-range" is such an
 *    error too.
 *
 * Who is asked, and what becomes of the bytes, is not known here.
 */

import { type Clock, sleep, systemClock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { MirrorError } from "./mirror_error.ts";

/** Bytes of a file: from `offset` to `end`, which is not part of it; without, all that follows. */
export interface ByteRange {
  readonly offset: number;
  readonly end?: number;
  /** Whether an answer with the whole file is of no use where a part of it is asked for. */
  readonly needsRange?: boolean;
  /** How far such an answer is read on: what follows is wanted as well, or may be soon. */
  readonly mayGoOnTo?: number;
  /** Whether it may be read from its first byte on, however much of it comes before `offset`. */
  readonly mayReread?: boolean;
}

/** One answer: bytes of a file, in order. */
export interface RangeBody extends Disposable {
  /** Label of who gives it: HOST or HOST:PORT of a mirror. */
  readonly mirror: string;
  /** The first byte of the file that this gives. */
  readonly offset: number;
  /** Bytes of the whole file; null when it is not said. */
  readonly sizeBytes: number | null;
  /** Whether it gives more than was asked for, as far as it may go on. */
  readonly goesFurther?: boolean;
  /** The next bytes, valid until the next call; null at the end. */
  read(): Promise<Uint8Array | null>;
}

/** A file at mirrors, or on this machine. */
export interface RangeSource<B extends RangeBody = RangeBody> {
  /** @throws {MirrorError} when no mirror gives it. */
  open(range: ByteRange, options: { readonly signal: AbortSignal }): Promise<B>;
}

/** Bytes that came. */
export interface Piece {
  /** The place of the first of them in the file. */
  readonly offset: number;
  /** Valid until the next read. */
  readonly bytes: Uint8Array;
  /** Label of who gave them. */
  readonly mirror: string;
}

/** How often, and when, something that failed is tried again. */
interface RetryOptions {
  /** Failures in a row after which there is another attempt. */
  readonly retriesMax: number;
  /** Before the second attempt; twice as long before each that follows. 0: at once. */
  readonly retryMs: number;
  readonly clock: Clock;
}

/** Counts the failures in a row of something, and waits before the next attempt. */
export class Retries {
  /** Failures since the last success. */
  failures = 0;
  readonly #options: RetryOptions;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** Notes a failure; whether there is to be another attempt. */
  failed(): boolean {
    return ++this.failures <= this.#options.retriesMax;
  }

  /** Waits until it is time for it; @throws the reason of `signal`. */
  async pause(options: { readonly signal: AbortSignal }): Promise<void> {
    const { clock, retryMs } = this.#options;
    if (retryMs > 0) await sleep(clock, retryMs * 2 ** (this.failures - 1), options);
  }
}

/** How a file is read. */
interface ReadOptions<B extends RangeBody> extends Partial<RetryOptions> {
  /** What to ask for next, called before each answer; null when that is nothing. */
  next(): ByteRange | null;
  readonly signal: AbortSignal;
  /** An answer to begin with. */
  readonly body?: B;
  /** An answer begins. False when it is of no use: then another one is asked for. */
  opened?(body: B): boolean;
  /** An answer broke off. */
  brokeOff?(error: MirrorError): void;
  /** Whether to read from the first byte on where no mirror begins in the middle. */
  readonly mayReread?: boolean;
}

/** A read that goes on with the next answer when one breaks off. */
export class ResumableRead<B extends RangeBody = RangeBody> implements Disposable {
  readonly #source: RangeSource<B>;
  readonly #options: ReadOptions<B>;
  /** By mirror, since something came last. */
  readonly #retries = new Map<string, Retries>();
  readonly #retryOptions: RetryOptions;
  #body: B | null;
  /** The next byte that the answer gives, and the first one of it that is wanted. */
  #position = 0;
  #wantedFrom = 0;

  constructor(source: RangeSource<B>, options: ReadOptions<B>) {
    this.#source = source;
    this.#options = options;
    const { retriesMax = limits.mirrorRetriesMax, retryMs = 0, clock = systemClock } = options;
    this.#retryOptions = { retriesMax, retryMs, clock };
    this.#body = options.body ?? null;
    this.#position = this.#wantedFrom = this.#body?.offset ?? 0;
  }

  /**
   * The next bytes that are wanted. Null at the end of an answer, or when there is nothing to ask
   * for; a further read asks for what `next` says then.
   *
   * @throws {MirrorError} when nobody gives what is wanted, or all break off.
   * @throws the reason of the signal, when that is aborted.
   */
  async read(): Promise<Piece | null> {
    for (;;) {
      const body = await this.open();
      if (body === null) return null;
      try {
        const bytes = await body.read();
        if (bytes === null) {
          this[Symbol.dispose]();
          return null;
        }
        const offset = this.#position;
        this.#position += bytes.length;
        const skip = Math.min(bytes.length, Math.max(0, this.#wantedFrom - offset));
        if (skip === bytes.length) continue;
        this.#retries.clear();
        const { mirror } = body;
        return { offset: offset + skip, bytes: skip === 0 ? bytes : bytes.subarray(skip), mirror };
      } catch (error) {
        await this.#brokeOff(error);
      }
    }
  }

  /** The answer that is read now, asked for if there is none; null when nothing is to be asked. */
  async open(): Promise<B | null> {
    while (this.#body === null) {
      const range = this.#options.next();
      if (range === null) return null;
      const body = await this.#ask(range);
      this.#position = body.offset;
      this.#wantedFrom = range.offset;
      this.#body = body;
      let isOfUse = false;
      try {
        isOfUse = this.#options.opened?.(body) ?? true;
      } finally {
        if (!isOfUse) this[Symbol.dispose]();
      }
    }
    return this.#body;
  }

  /** Gives up what has not come of the answer. */
  [Symbol.dispose](): void {
    this.#body?.[Symbol.dispose]();
    this.#body = null;
  }

  /** The answer that is read now; null when there is none. */
  get body(): B | null {
    return this.#body;
  }

  async #ask(range: ByteRange): Promise<B> {
    const { signal, mayReread = false } = this.#options;
    try {
      return await this.#source.open(mayReread ? { ...range, mayReread } : range, { signal });
    } catch (error) {
      const canReread = mayReread && error instanceof MirrorError && error.code === "no-range";
      if (!canReread) throw error;
      return await this.#source.open({ offset: 0 }, { signal });
    }
  }

  async #brokeOff(error: unknown): Promise<void> {
    this[Symbol.dispose]();
    const { signal } = this.#options;
    if (!(error instanceof MirrorError)) throw error;
    signal.throwIfAborted();
    this.#options.brokeOff?.(error);
    const { mirror } = error;
    const retries = this.#retries.get(mirror) ?? new Retries(this.#retryOptions);
    this.#retries.set(mirror, retries);
    if (!retries.failed()) throw error;
    await retries.pause({ signal });
  }
}
