/**
 * The body of an answer from a file that may still be on its way: bytes from one place of it to
 * another, at the pace at which the client takes them, and never one that is not vouched for.
 */

import { CHUNK_BYTES } from "../../base/geometry.ts";
import { limits } from "../../base/limits.ts";
import type { Body } from "./bodies.ts";
import { ClientLeft } from "./exchange.ts";

/** The most that is read at once. */
const RUN_BYTES = limits.requestChunksMax * CHUNK_BYTES;
/**
 * So much of what may be shown is held back while the rest is waited for, and given little by
 * little: curl inside pacman leaves a server that sends nothing for 10 s.
 */
const RESERVE_BYTES = CHUNK_BYTES;

/** A file, or what there is of it, as bodies read it. */
export interface FileSupply {
  /** Counts up when all that was read so far turned out not to be the file. */
  readonly round: number;
  /** Why the rest will never come; null when nothing failed. */
  readonly failure: Error | null;
  /** Whether nothing more comes than is there. */
  readonly isOver: boolean;
  /** Calls back whenever something changed; returns the end of it. */
  listen(listener: () => void): () => void;
  /** Somebody reads from it; the returned function ends that. */
  ride(): () => void;
  /** Where the run of bytes ends that begins at `offset` and may be shown; `offset` for none. */
  releasedEnd(offset: number, options: { readonly max: number }): number;
  /** Bytes that may be shown, from `offset`: so many of the `length` as one read gives. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** What a body is part of. */
export interface FileBodyOptions {
  readonly start: number;
  readonly end: number;
  /** Told once when it has ended; `error` when the client did not get all of it. */
  ended(error: Error | undefined): void;
  /** Told of all bytes that go out. */
  sent(bytes: number): void;
}

/** One client's way through a file. */
export class FileBody implements Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #supply: FileSupply;
  readonly #options: FileBodyOptions;
  readonly #round: number;
  readonly #endRide: () => void;
  readonly #endListening: () => void;
  #controller: ReadableByteStreamController | null = null;
  #offset: number;
  /** Bytes of the reserve that may be given by now. */
  #allowance: number = limits.gatewayDripBytes;
  /** Goes on with a pull that waits for bytes; null when the client is not ready for any. */
  #resume: (() => void) | null = null;
  #takenMs = performance.now();
  #drippedMs = performance.now();
  #hasEnded = false;

  constructor(supply: FileSupply, options: FileBodyOptions) {
    this.#supply = supply;
    this.#options = options;
    this.#round = supply.round;
    this.#offset = options.start;
    this.#endRide = supply.ride();
    this.#endListening = supply.listen(() => this.#changed());
    this.stream = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#end(new ClientLeft()),
    });
  }

  /** Lets time pass: pays the reserve out, and sends a client away that takes nothing. */
  tick(nowMs: number): void {
    if (this.#hasEnded) return;
    if (this.#resume === null) {
      if (nowMs - this.#takenMs > limits.gatewayStalledMs) {
        this.breakOff(new Error(`the client took nothing for ${limits.gatewayStalledMs / 1000} s`));
      }
      return;
    }
    if (nowMs - this.#drippedMs < 1_000) return;
    this.#drippedMs = nowMs;
    this.#allowance = limits.gatewayDripBytes;
    this.#resume();
  }

  /** Ends the connection in the middle, so that the client sees that something is missing. */
  breakOff(error: Error): void {
    if (this.#hasEnded) return;
    this.#end(error);
    this.#controller?.error(error);
  }

  #changed(): void {
    if (this.#hasEnded) return;
    if (this.#supply.round !== this.#round) {
      this.breakOff(new Error("what came turned out not to be the file"));
      return;
    }
    const { failure } = this.#supply;
    if (failure !== null) this.breakOff(failure);
    else this.#resume?.();
  }

  async #pull(): Promise<void> {
    this.#takenMs = performance.now();
    while (!this.#hasEnded) {
      if (this.#offset >= this.#options.end) {
        this.#finish();
        return;
      }
      if (this.#give()) return;
      if (this.#supply.isOver) {
        this.breakOff(new Error("this part of the file never came"));
        return;
      }
      await new Promise<void>((resolve) => this.#resume = resolve);
      this.#resume = null;
      this.#takenMs = performance.now();
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
    this.#options.sent(bytes.length);
    this.#controller!.enqueue(bytes);
    // Closed at once, not at the next pull: a client that has all bytes may never ask again.
    if (this.#offset >= this.#options.end) this.#finish();
    return true;
  }

  /** Bytes that may go out now. */
  #allowed(): number {
    const available = this.#available();
    const isRestThere = this.#offset + available >= this.#options.end;
    if (isRestThere || this.#supply.isOver) return Math.min(available, RUN_BYTES);
    if (available > RESERVE_BYTES) return available - RESERVE_BYTES;
    const drip = Math.min(available, this.#allowance);
    this.#allowance = 0;
    return drip;
  }

  #available(): number {
    const max = Math.min(RUN_BYTES + RESERVE_BYTES, this.#options.end - this.#offset);
    return this.#supply.releasedEnd(this.#offset, { max }) - this.#offset;
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#end(undefined);
    this.#controller!.close();
  }

  #end(error: Error | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#endListening();
    this.#endRide();
    this.#resume?.();
    this.#options.ended(error);
  }
}
