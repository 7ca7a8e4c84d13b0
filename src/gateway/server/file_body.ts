/**
 * The body of an answer from a file that may still be on its way: bytes from one place of it to
 * another, at the pace at which the client takes them, and never one that is not released.
 */

import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { EnvironmentError, errorOf } from "../../base/errors.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { Body, type BodyEvents } from "./bodies.ts";
import type { BodySlots } from "./body_slots.ts";
import { ClientPace, tooSlow } from "./client_pace.ts";

/** A file, or what there is of it, as bodies read it. */
export interface FileSupply {
  /** Counts up when all that was read so far turned out not to be the file. */
  readonly round: number;
  /** Why the rest will never come; null when nothing failed. */
  readonly failure: Error | null;
  /** Whether nothing more comes than is there. */
  readonly isOver: boolean;
  readonly changes: Changes;
  /** Somebody reads from it; the returned function ends that. */
  subscribe(): () => void;
  /** Where the run of released bytes ends that begins at `offset`; `offset` for none. */
  releasedEnd(offset: number, options: { readonly max: number }): number;
  /** Released bytes from `offset`: so many of the `length` as one read gives; null: not just now. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> | null;
}

/** Where else the rest of a file can be had, when this machine cannot keep what comes. */
export interface RestOfFile {
  /**
   * The bytes from `offset` to `end`. What is there must be the same file: `before` is what was given
   * just before them.
   *
   * @throws when they cannot be had.
   */
  open(
    range: { readonly offset: number; readonly end: number; readonly before: Uint8Array },
    options: { readonly why: Error; readonly signal: AbortSignal },
  ): Promise<RestBody>;
}

/** The rest of a file. */
export interface RestBody {
  /** The next bytes, which are the caller's; @throws when they do not come. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** What a body is part of; `end` is the first byte after it. */
interface FileBodyOptions extends BodyEvents {
  readonly start: number;
  readonly end: number;
  readonly clock: Clock;
  /** Where it waits for its turn to give more than a little. */
  readonly slots: BodySlots;
  /** By default there is no such place. */
  readonly rest?: RestOfFile;
}

/** One client's way through a file. */
export class FileBody extends Body {
  readonly #supply: FileSupply;
  readonly #end: number;
  readonly #clock: Clock;
  readonly #slots: BodySlots;
  readonly #pace: ClientPace;
  readonly #round: number;
  /** Ends what it has of the supply. */
  readonly #ends: readonly (() => void)[];
  readonly #rest: RestOfFile | null;
  /** Ends what is read there. */
  readonly #left = new AbortController();
  /** What is read there instead of the supply; null before that is needed. */
  #elsewhere: RestBody | null = null;
  /** Why the supply cannot be read any more. */
  #unreadable: EnvironmentError | null = null;
  /** The last bytes that were given, as many as are needed to know the file again. */
  #before = new Uint8Array(0);
  #offset: number;
  /** Bytes that may be given by now of the reserve, or without a slot. */
  #allowance: number = limits.gatewayDripBytes;
  /** Goes on with a pull that waits for bytes or a slot; null when the client is not ready for any. */
  #resume: (() => void) | null = null;
  #drippedMs: number;

  constructor(supply: FileSupply, options: FileBodyOptions) {
    super(options);
    this.#supply = supply;
    this.#clock = options.clock;
    this.#slots = options.slots;
    this.#rest = options.rest ?? null;
    this.#round = supply.round;
    this.#offset = options.start;
    this.#end = options.end;
    this.#drippedMs = options.clock.nowMs();
    this.#pace = new ClientPace(limits.gatewaySlotIdleMs, { nowMs: this.#drippedMs });
    this.#ends = [supply.changes.listen(() => this.#changed()), supply.subscribe()];
  }

  /** Lets time pass: pays the reserve out, and sends a client away that takes nothing. */
  tick(nowMs: number): void {
    if (this.hasEnded) return;
    if (this.#resume === null) return this.#watchClient(nowMs);
    if (nowMs - this.#drippedMs < limits.gatewayDripMs) return;
    this.#drippedMs = nowMs;
    this.#allowance = limits.gatewayDripBytes;
    this.#resume();
  }

  /** It has the slot that it waited for. */
  slotFree(): void {
    this.#resume?.();
  }

  protected release(): void {
    this.#left.abort(new DOMException("The answer is over", "AbortError"));
    this.#slots.leave(this);
    for (const end of this.#ends) end();
    this.#resume?.();
  }

  #changed(): void {
    const { failure, round } = this.#supply;
    if (round !== this.#round) this.breakOff(new Error("what came turned out not to be the file"));
    else if (failure !== null && !this.#canGoOn(failure)) this.breakOff(failure);
    else this.#resume?.();
  }

  /** Sends a client away that takes nothing, or too little while others have no slot. */
  #watchClient(nowMs: number): void {
    if (this.#pace.idleMs(nowMs) > limits.gatewayStalledMs) {
      this.breakOff(new Error(`the client took nothing for ${limits.gatewayStalledMs / 1000} s`));
    } else if (
      // Who reads from a mirror holds a connection there.
      this.#pace.isSlow(nowMs) &&
      (this.#elsewhere !== null || this.#slots.has(this) && this.#slots.isLacking(nowMs))
    ) this.breakOff(tooSlow());
  }

  protected async pull(): Promise<void> {
    this.#pace.asked(this.#clock.nowMs());
    await this.#giveOne();
  }

  /** Gives something, or ends, as soon as that can be. */
  async #giveOne(): Promise<void> {
    while (!this.hasEnded) {
      if (this.#offset >= this.#end) return this.finish();
      if (this.#elsewhere !== null) return await this.#giveFrom(this.#elsewhere);
      if (this.#give()) return;
      const why = this.#unreadable ?? this.#supply.failure;
      if (why !== null && this.#canGoOn(why)) {
        await this.#goElsewhere(why);
        continue;
      }
      if (this.#supply.isOver && this.#available() === 0) {
        return this.breakOff(new Error("this part of the file never came"));
      }
      await new Promise<void>((resolve) => this.#resume = resolve);
      this.#resume = null;
    }
  }

  /** Gives what there is; false when there is nothing just now. */
  #give(): boolean {
    const length = this.#allowed();
    if (length <= 0) return false;
    let bytes: Uint8Array<ArrayBuffer> | null;
    try {
      bytes = this.#supply.read(this.#offset, length);
      if (bytes === null) return false;
      if (bytes.length === 0) throw new Error("the file is shorter than it was");
    } catch (error) {
      if (this.#canGoOn(error as Error)) {
        this.#unreadable = error as EnvironmentError;
        return false;
      }
      this.breakOff(error as Error);
      return true;
    }
    if (this.#rest !== null) this.#remember(bytes);
    this.#giveOn(bytes);
    return true;
  }

  #giveOn(bytes: Uint8Array<ArrayBuffer>): void {
    this.#offset += bytes.length;
    this.#pace.gave(bytes.length, this.#clock.nowMs());
    this.give(bytes);
    // Closed at once, not at the next pull: a client that has all bytes may never ask again.
    if (this.#offset >= this.#end) this.finish();
  }

  /** Whether a failure is one of this machine alone, and the rest can be had elsewhere. */
  #canGoOn(error: Error): boolean {
    return this.#rest !== null && error instanceof EnvironmentError;
  }

  async #goElsewhere(why: Error): Promise<void> {
    this.#slots.leave(this);
    const range = { offset: this.#offset, end: this.#end, before: this.#before };
    try {
      this.#elsewhere = await this.#rest!.open(range, { why, signal: this.#left.signal });
    } catch (error) {
      this.breakOff(errorOf(error));
    }
  }

  async #giveFrom(rest: RestBody): Promise<void> {
    try {
      const bytes = await rest.read();
      if (!this.hasEnded) this.#giveOn(bytes);
    } catch (error) {
      this.breakOff(errorOf(error));
    }
  }

  #remember(bytes: Uint8Array): void {
    const length = Math.min(bytes.length, CHUNK_BYTES);
    if (length < bytes.length || this.#before.length === 0) {
      if (this.#before.length !== length) this.#before = new Uint8Array(length);
      this.#before.set(bytes.subarray(bytes.length - length));
    } else {
      // A few bytes at a time: both together.
      const both = new Uint8Array(Math.min(CHUNK_BYTES, this.#before.length + length));
      both.set(this.#before.subarray(this.#before.length + length - both.length));
      both.set(bytes, both.length - length);
      this.#before = both;
    }
  }

  /** How many bytes may be given now. */
  #allowed(): number {
    const available = this.#available();
    const left = this.#end - this.#offset;
    const isRestThere = available >= left;
    // So little is held by nobody for long.
    if (isRestThere && left <= CHUNK_BYTES) return left;
    const isHeldBack = !isRestThere && !this.#supply.isOver;
    const open = available - (isHeldBack ? limits.gatewayReserveBytes : 0);
    if (open <= 0) this.#slots.leave(this);
    else if (this.#slots.take(this)) return this.#toChunkEnd(Math.min(open, this.#slots.runBytes));
    const drip = Math.min(available, this.#allowance);
    this.#allowance = 0;
    return drip;
  }

  /** So many bytes or a little less, up to where a chunk ends: what follows is read whole. */
  #toChunkEnd(length: number): number {
    const end = this.#offset + length;
    const chunkEnd = end - end % CHUNK_BYTES;
    return end < this.#end && chunkEnd > this.#offset ? chunkEnd - this.#offset : length;
  }

  #available(): number {
    const run = limits.requestChunksMax * CHUNK_BYTES;
    const max = Math.min(run + limits.gatewayReserveBytes, this.#end - this.#offset);
    return this.#supply.releasedEnd(this.#offset, { max }) - this.#offset;
  }
}
