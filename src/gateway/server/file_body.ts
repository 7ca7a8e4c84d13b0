/**
 * The body of an answer from a file that may still be on its way: bytes from one place of it to
 * another, at the pace at which the client takes them, and never one that is not released.
 */

import type { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import { Body, type BodyEvents } from "./bodies.ts";

/** The most that is read at once. */
const RUN_BYTES = limits.requestChunksMax * CHUNK_BYTES;

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
  /** Released bytes from `offset`: so many of the `length` as one read gives. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** What a body is part of; `end` is the first byte after it. */
interface FileBodyOptions extends BodyEvents {
  readonly start: number;
  readonly end: number;
  readonly clock: Clock;
}

/** One client's way through a file. */
export class FileBody extends Body {
  readonly #supply: FileSupply;
  readonly #end: number;
  readonly #clock: Clock;
  readonly #round: number;
  /** Ends what it has of the supply. */
  readonly #ends: readonly (() => void)[];
  #offset: number;
  /** Bytes of the reserve that may be given by now. */
  #allowance: number = limits.gatewayDripBytes;
  /** Goes on with a pull that waits for bytes; null when the client is not ready for any. */
  #resume: (() => void) | null = null;
  #takenMs: number;
  #drippedMs: number;

  constructor(supply: FileSupply, options: FileBodyOptions) {
    super(options);
    this.#supply = supply;
    this.#clock = options.clock;
    this.#round = supply.round;
    this.#offset = options.start;
    this.#end = options.end;
    this.#takenMs = this.#drippedMs = options.clock.nowMs();
    this.#ends = [supply.changes.listen(() => this.#changed()), supply.subscribe()];
  }

  /** Lets time pass: pays the reserve out, and sends a client away that takes nothing. */
  tick(nowMs: number): void {
    if (this.hasEnded) return;
    if (this.#resume === null) {
      if (nowMs - this.#takenMs > limits.gatewayStalledMs) {
        this.breakOff(new Error(`the client took nothing for ${limits.gatewayStalledMs / 1000} s`));
      }
      return;
    }
    if (nowMs - this.#drippedMs < limits.gatewayDripMs) return;
    this.#drippedMs = nowMs;
    this.#allowance = limits.gatewayDripBytes;
    this.#resume();
  }

  protected release(): void {
    for (const end of this.#ends) end();
    this.#resume?.();
  }

  #changed(): void {
    const { failure, round } = this.#supply;
    if (round !== this.#round) this.breakOff(new Error("what came turned out not to be the file"));
    else if (failure !== null) this.breakOff(failure);
    else this.#resume?.();
  }

  protected async pull(): Promise<void> {
    this.#takenMs = this.#clock.nowMs();
    while (!this.hasEnded) {
      if (this.#offset >= this.#end) return this.finish();
      if (this.#give()) return;
      if (this.#supply.isOver) {
        return this.breakOff(new Error("this part of the file never came"));
      }
      await new Promise<void>((resolve) => this.#resume = resolve);
      this.#resume = null;
      this.#takenMs = this.#clock.nowMs();
    }
  }

  /** Gives what there is; false when there is nothing just now. */
  #give(): boolean {
    const length = this.#allowed();
    if (length <= 0) return false;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = this.#supply.read(this.#offset, length);
      if (bytes.length === 0) throw new Error("the file is shorter than it was");
    } catch (error) {
      this.breakOff(error as Error);
      return true;
    }
    this.#offset += bytes.length;
    this.give(bytes);
    // Closed at once, not at the next pull: a client that has all bytes may never ask again.
    if (this.#offset >= this.#end) this.finish();
    return true;
  }

  #allowed(): number {
    const available = this.#available();
    const isRestThere = this.#offset + available >= this.#end;
    if (isRestThere || this.#supply.isOver) return Math.min(available, RUN_BYTES);
    const { gatewayReserveBytes } = limits;
    if (available > gatewayReserveBytes) return available - gatewayReserveBytes;
    const drip = Math.min(available, this.#allowance);
    this.#allowance = 0;
    return drip;
  }

  #available(): number {
    const max = Math.min(RUN_BYTES + limits.gatewayReserveBytes, this.#end - this.#offset);
    return this.#supply.releasedEnd(this.#offset, { max }) - this.#offset;
  }
}
