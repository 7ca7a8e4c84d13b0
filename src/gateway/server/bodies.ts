/**
 * Bodies of answers: the stream of bytes that each of them is to the HTTP server, and all that are
 * sent at a time, which are given time and are broken off when the gateway stops.
 */

import type { Clock } from "../../base/clock.ts";
import { BodySlots } from "./body_slots.ts";
import { ClientLeft, type Delivery } from "./exchange.ts";

/** Who is told how a body goes. */
export interface BodyEvents {
  /** Bytes went out. */
  sent(bytes: number): void;
  /** Told once when it has ended; `error` when the client did not get all of it. */
  ended(error: Error | undefined): void;
}

/** A stream of bytes that is filled when its client wants more, and may break off in the middle. */
export abstract class Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #events: BodyEvents;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  /** What was given last. */
  #given: Uint8Array<ArrayBuffer> | null = null;
  #hasEnded = false;

  constructor(events: BodyEvents) {
    this.#events = events;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#free();
        return this.pull();
      },
      cancel: () => void this.#end(new ClientLeft()),
    }, { highWaterMark: 0 });
  }

  /** Lets time pass. */
  abstract tick(nowMs: number): void;

  /** The client wants more: gives something, or ends the stream. */
  protected abstract pull(): Promise<void>;

  /** It has ended, and takes nothing more from where it comes from. */
  protected abstract release(): void;

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Gives the next bytes, which are the stream's alone, and valid until it wants more. */
  give(bytes: Uint8Array<ArrayBuffer>): void {
    this.#events.sent(bytes.length);
    this.#given = bytes;
    this.#controller!.enqueue(bytes);
  }

  /** The client has all of it. */
  finish(): void {
    if (this.#end(undefined)) this.#controller!.close();
  }

  /** Ends the connection in the middle, so that the client sees that something is missing. */
  breakOff(error: Error): void {
    if (this.#end(error)) this.#controller!.error(error);
  }

  /**
   * Lets go of what the reader of the stream is done with. It would lie here until the runtime
   * collects it, up to 100 MiB of all bodies; what is still being sent the server keeps itself.
   */
  #free(): void {
    this.#given?.buffer.transfer(0);
    this.#given = null;
  }

  /** Whether it had not ended before. */
  #end(error: Error | undefined): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    this.release();
    this.#events.ended(error);
    return true;
  }
}

/** The bodies under way. */
export class Bodies {
  readonly slots: BodySlots;
  readonly #bodies = new Set<Body>();

  constructor(clock: Clock) {
    this.slots = new BodySlots(clock);
  }

  /** Keeps a body that `make` makes until it has told that it has ended. */
  add<B extends Body>(delivery: Delivery, make: (events: BodyEvents) => B): B {
    delivery.beginBody();
    const body = make({
      sent: (bytes) => delivery.sent(bytes),
      ended: (error) => {
        this.#bodies.delete(body);
        delivery.ended(error);
      },
    });
    this.#bodies.add(body);
    return body;
  }

  tick(nowMs: number): void {
    for (const body of this.#bodies) body.tick(nowMs);
  }

  stop(error: Error): void {
    for (const body of this.#bodies) body.breakOff(error);
  }
}
