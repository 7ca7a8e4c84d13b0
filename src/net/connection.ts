/**
 * One connection: a framer on the way in, a bounded queue with a single writer on the way out.
 *
 * It knows frames, not what they mean. Small messages are queued; file data comes from a
 * {@linkcode BulkSource} that is asked only when the queue is empty, so that a heartbeat never
 * waits for more than one frame of data, and in its turn among all connections (`bulk_turns.ts`).
 */

import type { HostPort } from "../base/address.ts";
import { type Clock, nextTurn, systemClock } from "../base/clock.ts";
import { EnvironmentError, PeerFault } from "../base/errors.ts";
import { concatBytes } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { bulkTurns, type TurnTaker } from "../base/rates/bulk_turns.ts";
import type { Pace } from "../base/rates/pace.ts";
import { decodePayload, encodeFrame } from "../wire/codec.ts";
import { type Frame, type FrameGate, Framer } from "../wire/framer.ts";
import type { Message } from "../wire/messages.ts";
import type { Nearness } from "../wire/nearness.ts";
import type { DialOutcome } from "./dial_guard.ts";
import type { Secured } from "./secure_duplex.ts";
import type { Duplex } from "./transport.ts";

/** Gives whole frames of file data, one at a time. */
export interface BulkSource {
  /** How fast it may go, by default without a limit; a frame goes in pieces where there is one. */
  readonly pace?: Pace;
  /**
   * The next frame, or null when there is none now. The view must stay unchanged until this is
   * called again: the connection asks only after the frame before was written.
   */
  nextFrame(): Uint8Array | null;
}

/** Receives the frames of a connection. What it throws ends the connection. */
export interface FrameHandler {
  /** A whole frame; its payload is valid until this returns. */
  frame(frame: Frame): void;
  /** The frame at the front as far as it is there: for data that is checked as it comes. */
  partial?(frame: Frame): void;
}

/** A connection over any transport. */
export class Connection {
  readonly remote: HostPort;
  /** The time that its deadlines go by. */
  readonly clock: Clock;
  bytesIn = 0;
  /** How near the other side is, once that is known. */
  nearness: Nearness = "far";
  /** How long its answer in the handshake took; null before. */
  roundTripMs: number | null = null;
  /** Whom to tell how its dial ended, and what may have ended it on this side; of a dial only. */
  dialled: { readonly outcome: DialOutcome; readonly signal: AbortSignal | undefined } | undefined;
  #duplex: Duplex;
  readonly #framer = new Framer();
  readonly #writer: FrameWriter;
  #readPace: Pace | null = null;
  #networkKey: Uint8Array | undefined;
  #closed = false;
  #hasEnded = false;
  #reason: Error | undefined;

  constructor(duplex: Duplex, options: { readonly clock?: Clock } = {}) {
    this.clock = options.clock ?? systemClock;
    this.#duplex = duplex;
    this.remote = duplex.remote;
    this.#writer = new FrameWriter(this, duplex);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Says how the dial that it came of ended, once: whether it met a node of this network. */
  tellDialled(isNode: boolean): void {
    if (this.dialled === undefined) return;
    const { outcome, signal } = this.dialled;
    this.dialled = undefined;
    if (isNode) outcome.met(this.clock.nowMs());
    else if (signal?.aborted) outcome.givenUp();
    else outcome.failed(this.clock.nowMs());
  }

  /** Whether the other side closed it, in order and before this side did. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The network key under which all bytes are sealed; undefined where nothing is. */
  get networkKey(): Uint8Array | undefined {
    return this.#networkKey;
  }

  /**
   * Seals all bytes from now on; nothing may have been sent or received before.
   *
   * @throws what `secure` does, or the reason for which the connection was closed meanwhile.
   */
  async seal(secure: (duplex: Duplex) => Promise<Secured>): Promise<void> {
    try {
      const { duplex, key } = await secure(this.#duplex);
      this.#duplex = this.#writer.duplex = duplex;
      this.#networkKey = key;
    } catch (error) {
      throw this.#reason ?? error;
    }
  }

  /** Decides from now on which frames may come. */
  setGate(gate: FrameGate): void {
    this.#framer.gate = gate;
  }

  /** Reads no faster than this from now on; it is closed with the connection. */
  setReadPace(pace: Pace): void {
    this.#readPace = pace;
    if (this.#closed) pace.close();
  }

  /** Makes the read buffer at least `bytes` long. */
  reserve(bytes: number): void {
    this.#framer.reserve(bytes);
  }

  /** Since when the present write waits for the other side, by its clock; or null. */
  get writeSinceMs(): number | null {
    return this.#writer.sinceMs;
  }

  get bytesOut(): number {
    return this.#writer.bytes;
  }

  /** Queues a message. A peer that leaves more than the bound unread is dropped. */
  send(message: Message): void {
    if (!this.#closed) this.#writer.queue(encodeFrame(message));
  }

  /** Resolves when all that was queued has been handed to the transport, or the end came. */
  flushed(): Promise<void> {
    return this.#writer.flushed();
  }

  /** Sets where file data comes from; call {@linkcode wake} when it has some. */
  setBulk(bulk: BulkSource | null): void {
    this.#writer.bulk = bulk;
  }

  /** Says that the bulk source may have a frame. */
  wake(): void {
    this.#writer.start();
  }

  /**
   * Waits for one whole message: for handshakes, where each side speaks in turn.
   *
   * @throws {EnvironmentError} "unreachable" when the connection ends first.
   */
  async receiveOne(): Promise<Message> {
    const frame = await this.receiveFrame();
    return decodePayload(frame.code, frame.payload);
  }

  /**
   * Waits for one whole frame; its payload is valid until the next one is waited for.
   *
   * @throws {EnvironmentError} "unreachable" when the connection ends first.
   */
  async receiveFrame(): Promise<Frame> {
    for (;;) {
      const frame = this.#framer.next();
      if (frame !== null) return frame;
      if (!await this.#fill()) {
        throw this.#reason ??
          new EnvironmentError("unreachable", "The other side closed the connection");
      }
    }
  }

  /**
   * Hands every frame to `handler` until the connection ends; then it is closed.
   *
   * Resolves at the end whatever the cause; {@linkcode reason} tells it.
   */
  async receive(handler: FrameHandler): Promise<void> {
    try {
      for (;;) {
        for (let frame = this.#framer.next(); frame !== null; frame = this.#framer.next()) {
          handler.frame(frame);
          // Work on a frame of data takes a millisecond: other connections come in between.
          if (frame.payloadBytes >= limits.largeFrameBytes) await nextTurn();
          if (this.#closed) return;
        }
        if (handler.partial !== undefined) {
          const front = this.#framer.peek();
          if (front !== null) handler.partial(front);
        }
        if (!await this.#fill()) break;
      }
      this.close();
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Why the connection was closed; undefined for a plain end. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Ends the connection at once; the first reason stays. */
  close(reason?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = reason;
    this.#readPace?.close();
    this.#writer.clear();
    this.#duplex.close();
  }

  /** Ends the connection once what is queued has been written, or after a short bound. */
  async closeAfterWriting(): Promise<void> {
    this.setBulk(null);
    using _ = this.clock.after(limits.lastWordsMs, () => this.close());
    await this.flushed();
    this.close();
  }

  async #readPaced(target: Uint8Array, pace: Pace): Promise<number | null> {
    const bytesMax = await pace.turn();
    if (this.#closed) return null;
    const count = await this.#duplex.read(target.subarray(0, bytesMax));
    pace.used(count ?? 0);
    return count;
  }

  async #fill(): Promise<boolean> {
    if (this.#closed) return false;
    let count: number | null;
    try {
      const pace = this.#readPace;
      const target = this.#framer.writable();
      count = pace === null || !pace.isLimited
        ? await this.#duplex.read(target)
        : await this.#readPaced(target, pace);
    } catch (error) {
      this.close(error as Error);
      return false;
    }
    if (this.#closed) return false;
    if (count === null) {
      this.#hasEnded = true;
      return false;
    }
    this.bytesIn += count;
    this.#framer.commit(count);
    // Reads whose data is there already never return to the event loop by themselves: without
    // this, heartbeats and other connections would wait until this one has nothing more.
    await nextTurn();
    return !this.#closed;
  }
}

/** The way out of a connection: a bounded queue of messages, and a single writer. */
class FrameWriter implements TurnTaker {
  /** Bytes handed to the transport. */
  bytes = 0;
  /** Since when the present write waits for the other side; or null. */
  sinceMs: number | null = null;
  bulk: BulkSource | null = null;
  readonly #connection: Connection;
  duplex: Duplex;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isWriting = false;
  /** Whether its turn to send file data has come; while it waits for that, messages still go. */
  #bulkTurn: "none" | "awaited" | "here" = "none";
  #loop: Promise<void> = Promise.resolve();

  constructor(connection: Connection, duplex: Duplex) {
    this.#connection = connection;
    this.duplex = duplex;
  }

  queue(frame: Uint8Array): void {
    this.#queuedBytes += frame.length;
    if (this.#queuedBytes > limits.writeQueueBytesMax) {
      const message = `Cannot queue message: ${this.#queuedBytes} unread bytes exceed ` +
        `${limits.writeQueueBytesMax}`;
      return this.#connection.close(new PeerFault("slow-reader", message));
    }
    this.#queue.push(frame);
    this.start();
  }

  start(): void {
    if (this.#isWriting || this.#connection.isClosed) return;
    this.#isWriting = true;
    this.#loop = this.#write().catch((error) => this.#connection.close(error as Error));
  }

  async flushed(): Promise<void> {
    while (!this.#connection.isClosed && this.#isWriting) await this.#loop;
  }

  /** Forgets what is queued. */
  clear(): void {
    this.#queue = [];
  }

  /**
   * Clears `#isWriting` in the same turn in which it finds nothing left: a message that is queued a
   * microtask later starts it again.
   */
  async #write(): Promise<void> {
    try {
      for (;;) {
        const small = this.#takeQueued();
        const frame = small ?? this.#nextBulk();
        if (this.#connection.isClosed) return;
        if (frame === null) {
          // A source that has nothing may have queued the reason while it was asked.
          if (this.#queue.length > 0) continue;
          return;
        }
        const pace = small === null ? this.bulk?.pace : undefined;
        if (pace?.isLimited) await this.#writePaced(frame, pace);
        else await this.#writeAll(frame);
        if (small === null) this.#awaitBulkTurn();
        else this.#queuedBytes -= small.length;
      }
    } finally {
      this.#isWriting = false;
    }
  }

  turnCame(): void {
    this.#bulkTurn = "here";
    this.start();
  }

  /** The next frame of file data, if its turn is here. */
  #nextBulk(): Uint8Array | null {
    if (this.bulk === null || this.#bulkTurn === "awaited") return null;
    if (this.#bulkTurn === "none" && !bulkTurns.isOpen) {
      this.#awaitBulkTurn();
      return null;
    }
    this.#bulkTurn = "none";
    const frame = this.bulk.nextFrame();
    if (frame !== null) bulkTurns.used(frame.length);
    return frame;
  }

  #awaitBulkTurn(): void {
    this.#bulkTurn = "awaited";
    bulkTurns.wait(this);
  }

  async #writePaced(frame: Uint8Array, pace: Pace): Promise<void> {
    for (let at = 0; at < frame.length && !this.#connection.isClosed;) {
      const piece = frame.subarray(at, at + await pace.turn());
      if (this.#connection.isClosed) return;
      await this.#writeAll(piece);
      pace.used(piece.length);
      at += piece.length;
    }
  }

  async #writeAll(frame: Uint8Array): Promise<void> {
    let written = 0;
    while (written < frame.length) {
      this.sinceMs = this.#connection.clock.nowMs();
      written += await this.duplex.write(frame.subarray(written));
    }
    this.sinceMs = null;
    this.bytes += frame.length;
  }

  /** All queued messages as one array: many small ones cost one write. */
  #takeQueued(): Uint8Array | null {
    if (this.#queue.length === 0) return null;
    const frames = this.#queue;
    this.#queue = [];
    return frames.length === 1 ? frames[0]! : concatBytes(frames);
  }
}
