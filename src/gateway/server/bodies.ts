/** All bodies that the gateway sends at a time: they are given time, and broken off when it stops. */

import type { Exchange } from "./exchange.ts";
import { FileBody, type FileSupply } from "./file_body.ts";
import type { BodyRange } from "./ranged_answer.ts";

/** What all bodies can do. */
export interface Body {
  /** Lets time pass. */
  tick(nowMs: number): void;
  /** Ends the connection in the middle, so that the client sees that something is missing. */
  breakOff(error: Error): void;
}

/** The bodies under way. */
export class Bodies {
  readonly #bodies = new Set<Body>();

  /** Begins to send a part of a file. */
  send(
    exchange: Exchange,
    supply: FileSupply,
    range: BodyRange,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.add(exchange, (told) => new FileBody(supply, { ...range, ...told })).stream;
  }

  /** Keeps a body that `make` makes until it has told that it has ended. */
  add<B extends Body>(
    exchange: Exchange,
    make: (told: { sent(bytes: number): void; ended(error: Error | undefined): void }) => B,
  ): B {
    exchange.hold();
    const body = make({
      sent: (bytes) => exchange.sent(bytes),
      ended: (error) => {
        this.#bodies.delete(body);
        exchange.ended(error);
      },
    });
    this.#bodies.add(body);
    return body;
  }

  /** Lets time pass for those who read. */
  tick(nowMs: number): void {
    for (const body of this.#bodies) body.tick(nowMs);
  }

  /** Breaks off whatever is still being sent. */
  stop(error: Error): void {
    for (const body of this.#bodies) body.breakOff(error);
  }
}
